// Joins: what two entries for one key become. Commutative, associative, idempotent; pure functions over plain data.
// Knows no encoding: where an order among any two values is needed, the caller hands in `textOf`.

/** The value of a deleted entry. */
export const TOMBSTONE: unique symbol = Symbol('tombstone');

export type JoinFunction<T = unknown> = (a: T, b: T) => T;
export type JoinName = 'lww' | 'max' | 'min' | 'union';
/** How a region merges two entries for one key. */
export type Join<T = unknown> = JoinName | JoinFunction<T>;

/** A text that is equal exactly for equal values. */
export type TextOf = (value: unknown) => string;

export interface Entry {
  /** The value, or TOMBSTONE. */
  value: unknown;
  stamp: number;
  /** Stamp of the deletion that this value was written after, 0 for none. Only joins other than lww need it: a deletion starts the key
   * afresh, and what was joined before it must not come back through a join. */
  epoch: number;
}

/** As they are recorded with the entries. */
export const joinName = (join: Join<never>): JoinName | 'custom' => (typeof join === 'function' ? 'custom' : join);

/**
 * The join of two entries. Returns `a` or `b` itself where one of them is the answer, so that "did it change" is an
 * identity check; a new entry otherwise.
 */
export function joinEntries(join: Join<never>, a: Entry, b: Entry, textOf: TextOf): Entry {
  if (join !== 'lww') {
    // Lexicographic in (epoch, value): lawful whenever the join of the values is.
    if (a.epoch !== b.epoch) return a.epoch > b.epoch ? a : b;
    if (a.value === TOMBSTONE || b.value === TOMBSTONE) return a.value === TOMBSTONE && b.value !== TOMBSTONE ? b : a;
    const value = valueJoin(join, textOf)(a.value, b.value);
    const stamp = Math.max(a.stamp, b.stamp);
    for (const side of [a, b]) if (side.stamp === stamp && textOf(value) === textOf(side.value)) return side;
    return { value, stamp, epoch: a.epoch };
  }
  if (a.stamp !== b.stamp) return a.stamp > b.stamp ? a : b;
  // Two writers in the same 1/4096 ms: any rule will do that is the same everywhere.
  return tieText(a.value, textOf) >= tieText(b.value, textOf) ? a : b;
}

const tieText = (value: unknown, textOf: TextOf): string => (value === TOMBSTONE ? '' : textOf(value));

/** The join of two values, neither a tombstone. */
export function valueJoin(join: Exclude<Join<never>, 'lww'>, textOf: TextOf): JoinFunction {
  if (typeof join === 'function') return join as unknown as JoinFunction;
  if (join === 'union') return (a, b) => union(a, b, textOf);
  const sign = join === 'max' ? 1 : -1;
  return (a, b) => (sign * compareValues(a, b, textOf) >= 0 ? a : b);
}

/** A total order over all values: by kind, then within it. */
export function compareValues(a: unknown, b: unknown, textOf: TextOf): number {
  const kind = rank(a);
  if (kind !== rank(b)) return kind - rank(b);
  if (kind === 5) [a, b] = [Number(a), Number(b)];
  if (kind > 5) [a, b] = [textOf(a), textOf(b)];
  const [x, y] = [a as number, b as number];
  if (x < y) return -1;
  if (x > y) return 1;
  // What is left is equal, or has NaN, which orders above all numbers, or -0, which orders below 0.
  return Object.is(x, y) ? 0 : textOf(x) < textOf(y) === (x === y) ? 1 : -1;
}

function rank(value: unknown): number {
  if (value === null) return 0;
  const at = ['boolean', 'number', 'bigint', 'string'].indexOf(typeof value) + 1;
  if (at > 0) return at;
  if (value instanceof Date) return 5;
  if (value instanceof Uint8Array) return 6;
  if (Array.isArray(value)) return 7;
  if (value instanceof Set) return 8;
  return value instanceof Map ? 9 : 10;
}

/** Arrays and Sets by member; objects and Maps by key, members that both have joined in turn; of all else the greater. */
function union(a: unknown, b: unknown, textOf: TextOf): unknown {
  const kind = rank(a);
  if (kind !== rank(b) || kind < 7) return compareValues(a, b, textOf) >= 0 ? a : b;
  if (textOf(a) === textOf(b)) return a;
  if (kind < 9) {
    const members = new Map([...(a as Set<unknown>), ...(b as Set<unknown>)].map((member) => [textOf(member), member]));
    // In order of their texts, so that it does not matter who came first.
    const sorted = inTextOrder(members).map(([, member]) => member);
    return kind === 7 ? sorted : new Set(sorted);
  }
  const pairs = new Map<string, [unknown, unknown]>();
  const entriesOf = (x: unknown) => (x instanceof Map ? [...x] : Object.entries(x as object));
  for (const [key, value] of [...entriesOf(a), ...entriesOf(b)]) {
    const text = textOf(key);
    const held = pairs.get(text);
    pairs.set(text, [key, held ? union(held[1], value, textOf) : value]);
  }
  const sorted = inTextOrder(pairs).map(([, pair]) => pair);
  return kind === 9 ? new Map(sorted) : Object.fromEntries(sorted as [string, unknown][]);
}

const inTextOrder = <T>(map: Map<string, T>): [string, T][] => [...map].sort(([x], [y]) => (x < y ? -1 : 1));
