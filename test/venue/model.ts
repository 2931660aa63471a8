// The naive model that a venue is held to: plain maps, sorted when they are read. And the steps of random programs.
export interface Range {
  prefix?: string;
  from?: string;
  to?: string;
  reverse?: boolean;
  limit?: number;
}

export type Write =
  | { do: 'set' | 'forkSet'; region: string; key: string; kind: number }
  | { do: 'delete' | 'forkDelete'; region: string; key: string };

export type Step =
  | Write
  | { do: 'raise'; key: string; value: number }
  | { do: 'lower'; key: string }
  | { do: 'update'; region: string; key: string }
  | { do: 'many'; region: string; prefix: string; count: number }
  | { do: 'deleteRange'; region: string; range: Range }
  | { do: 'purge'; region: string; ms: number }
  | { do: 'sync' | 'drop' | 'flush' | 'release' | 'close' | 'kill' | 'fallBack' | 'declare' }
  | { do: 'tick'; ms: number }
  | { do: 'hold'; stored: boolean }
  | { do: 'failing'; times: number }
  | { do: 'checkpoint'; meanwhile: Write[]; fails: boolean }
  | {
      do: 'look';
      at: 'live' | 'root' | 'fork';
      region: string;
      what: 'size' | 'get' | 'has' | 'scan' | 'iterate';
      key: string;
      range: Range;
    };

export interface Entry {
  /** undefined: deleted. */
  value: unknown;
  /** Order of writing, which decides between a fork and what was written meanwhile. */
  order: number;
  /** Wall clock. */
  at: number;
}

export type State = Map<string, Map<string, Entry>>;

export const copy = (state: State): State => new Map([...state].map(([name, entries]) => [name, new Map(entries)]));

const keyOrder = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);

/** What a scan must give, by the shortest way of saying it. */
export function expected(
  entries: ReadonlyMap<string, Entry>,
  { prefix = '', from, to, reverse, limit }: Range,
): [string, unknown][] {
  const pairs = [...entries]
    .filter(
      ([key, { value }]) =>
        value !== undefined &&
        key.startsWith(prefix) &&
        (from === undefined || key >= from) &&
        (to === undefined || key < to),
    )
    .map(([key, { value }]): [string, unknown] => [key, value])
    .sort(keyOrder);
  if (reverse) pairs.reverse();
  return pairs.slice(0, limit);
}
