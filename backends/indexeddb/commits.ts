// Commits in the database: one in parts, each a record [writer, index, part], and logs made of what was found. Knows
// nothing of connections; what is damaged is handed on as it is.
import { type Bytes, concatBytes, type StoredLog, type VersionVector } from '../../src/backend';
import { bytesOf, commitPartBytes, readRecords, under } from './records';

export type CommitStore = 'commits' | 'last';

export interface Place {
  readonly writer: string;
  readonly index: number;
}

export interface FoundCommit extends Place {
  readonly store: CommitStore;
  /** Its parts, as far as they are there. */
  readonly bytes: Bytes;
}

export const covers = (vector: VersionVector | undefined, { writer, index }: Place): boolean =>
  (vector?.[writer] ?? -1) >= index;

/** Copies: a value is a whole buffer, and what is stored must not be what surrounds the commit. */
export function putCommit(tx: IDBTransaction, store: CommitStore, { writer, index }: Place, commit: Bytes): void {
  for (let at = 0, part = 0; at < commit.length; at += commitPartBytes, part++) {
    tx.objectStore(store).put(commit.slice(at, at + commitPartBytes).buffer, [writer, index, part]);
  }
}

export function removeCommit(tx: IDBTransaction, store: CommitStore, { writer, index }: Place): void {
  tx.objectStore(store).delete(under([writer, index]));
}

export const inOrder = (a: Place, b: Place): number =>
  a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : a.index - b.index;

/** The commits that are wanted. */
export async function readCommits(
  tx: IDBTransaction,
  store: CommitStore,
  wanted: (place: Place) => boolean,
): Promise<FoundCommit[]> {
  const found: (Place & { store: CommitStore; parts: Bytes[] })[] = [];
  const isWanted = (key: IDBValidKey) => {
    const [writer, index] = key as [string, number];
    return wanted({ writer, index });
  };
  for (const [key, value] of await readRecords(tx.objectStore(store), under([]), isWanted)) {
    const [writer, index, part, ...more] = key as unknown[];
    if (typeof writer !== 'string' || typeof index !== 'number' || typeof part !== 'number' || more.length) continue;
    const last = found.at(-1);
    if (last?.writer === writer && last.index === index) last.parts.push(bytesOf(value));
    else found.push({ store, writer, index, parts: [bytesOf(value)] });
  }
  return found.map(({ parts, ...commit }) => ({ ...commit, bytes: concatBytes(parts) }));
}

/** What a log needs to be changed. */
export interface LogStore {
  readonly name: string;
  readonly generation: number;
  change(stores: readonly CommitStore[], issue: (tx: IDBTransaction) => void): Promise<void>;
  quarantine(bytes: Bytes, why: string): Promise<unknown>;
}

/** A log that is read when somebody wants to know. */
export function lazyLog(name: string, generation: number, load: () => Promise<StoredLog>): StoredLog {
  let loading: Promise<StoredLog> | undefined;
  let size = 0;
  const loaded = async () => {
    loading ??= load();
    const log = await loading;
    size = log.size;
    return log;
  };
  return {
    name,
    generation,
    covered: true,
    get size() {
      return size;
    },
    async *stream() {
      yield* (await loaded()).stream();
    },
    read: async (offset, length) => (await loaded()).read(offset, length),
    retire: async (why) => (await loaded()).retire(why),
    cut: async (to) => (await loaded()).cut(to),
  };
}

const slabBytes = 1024 * 1024;

/** A log of commits that are in memory: there is no more of them than one would have been replaced by a checkpoint. */
export function storedLog(
  commits: readonly FoundCommit[],
  { name, generation, change, quarantine }: LogStore,
): StoredLog {
  const lines = commits.map(({ bytes }, at) => {
    const ended = bytes.at(-1) === 10 || (bytes.length > 0 && at === commits.length - 1);
    // What is damaged must not run into the next line.
    return ended ? bytes : concatBytes([bytes, new Uint8Array([10])]);
  });
  let whole = concatBytes(lines);
  let end = 0;
  let places = commits.map(({ store, writer, index }, at) => {
    const from = end;
    end += lines[at]!.length;
    return { store, writer, index, from, end };
  });

  async function cut(size: number): Promise<void> {
    const changed = places.filter((place) => place.end > size);
    if (changed.length === 0) return;
    await change(
      changed.map(({ store }) => store),
      (tx) => {
        for (const place of changed) {
          removeCommit(tx, place.store, place);
          putCommit(tx, place.store, place, whole.subarray(place.from, Math.max(place.from, size)));
        }
      },
    );
    places = places.filter(({ from }) => from < size);
    whole = whole.slice(0, size);
  }

  return {
    name,
    generation,
    cut,
    get size() {
      return whole.length;
    },
    async *stream() {
      for (let at = 0; at < whole.length; at += slabBytes) yield whole.slice(at, at + slabBytes);
    },
    async read(offset, length) {
      if (offset < 0 || offset + length > whole.length) throw new RangeError(`${name} ends at ${whole.length}`);
      return whole.slice(offset, offset + length);
    },
    async retire(why) {
      await quarantine(whole, why);
      await cut(0);
    },
  };
}
