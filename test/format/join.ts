// Joins of stored entries, read as docs/FORMAT.md says. Works on JSON in its tagged form: no value needs to be decoded to be
// compared. Part of the outside reader: must not know src/ or backends/.
import type { StoredEntry } from './files';
import type { Json } from './values';

export function joinEntries(join: string, a: StoredEntry, b: StoredEntry): StoredEntry {
  if (join !== 'lww') {
    if (a.epoch !== b.epoch) return a.epoch > b.epoch ? a : b;
    if (!a.value || !b.value) return a.value ? a : b;
    if (join !== 'custom') {
      const later = a.stamp >= b.stamp ? a : b;
      const json = joinValues(join, a.value.json, b.value.json);
      return { ...later, value: { json, tagged: a.value.tagged || b.value.tagged } };
    }
  }
  if (a.stamp !== b.stamp) return a.stamp > b.stamp ? a : b;
  return textOf(a) >= textOf(b) ? a : b;
}

const textOf = ({ value }: StoredEntry): string => (value ? JSON.stringify(value.json) : '');

function joinValues(join: string, a: Json, b: Json): Json {
  if (join === 'union') return union(a, b);
  if (join === 'max') return compare(a, b) >= 0 ? a : b;
  if (join === 'min') return compare(a, b) <= 0 ? a : b;
  throw new Error(`no such join: ${join}`);
}

const kinds = ['null', 'boolean', 'number', 'bigint', 'string', 'date', 'bytes', 'array', 'set', 'map', 'object'];

function kindOf(json: Json): string {
  if (json === null) return 'null';
  if (Array.isArray(json)) return 'array';
  if (typeof json !== 'object') return typeof json;
  return Array.isArray(json.$) ? String(json.$[0]) : 'object';
}

const content = (json: Json): Json => (json as { $: Json[] }).$[1] as Json;

function compare(a: Json, b: Json): number {
  const kind = kindOf(a);
  if (kind !== kindOf(b)) return kinds.indexOf(kind) - kinds.indexOf(kindOf(b));
  const [x, y] = [scalar(kind, a), scalar(kind, b)];
  if (x < y) return -1;
  if (x > y) return 1;
  if (x === y) return Number(Object.is(y, -0)) - Number(Object.is(x, -0));
  return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
}

/** What values of one kind are ordered by. NaN stands for what comes after all others. */
function scalar(kind: string, json: Json): number | bigint | string | boolean {
  if (kind === 'number') return Number(typeof json === 'number' ? json : content(json));
  if (kind === 'bigint') return BigInt(String(content(json)));
  if (kind === 'date') return Number(content(json) ?? Number.NaN);
  return kind === 'boolean' || kind === 'string' ? (json as boolean | string) : JSON.stringify(json);
}

function union(a: Json, b: Json): Json {
  const kind = kindOf(a);
  if (kind !== kindOf(b) || !['array', 'set', 'map', 'object'].includes(kind)) return compare(a, b) >= 0 ? a : b;
  if (JSON.stringify(a) === JSON.stringify(b)) return a;
  if (kind === 'array') return byText([...(a as Json[]), ...(b as Json[])].map((member) => [member, member]));
  if (kind === 'set') return { $: ['set', union(content(a), content(b))] };
  if (kind === 'map') return { $: ['map', mergePairs(content(a) as [Json, Json][], content(b) as [Json, Json][])] };
  const members = (json: Json) =>
    Object.entries(Object.hasOwn(json as object, '$') ? (content(json) as object) : (json as object));
  const object = Object.fromEntries(mergePairs(members(a), members(b)));
  return Object.hasOwn(object, '$') ? { $: ['object', object] } : object;
}

function mergePairs(a: [Json, Json][], b: [Json, Json][]): [string, Json][] {
  const merged = new Map(a.map(([key, member]) => [JSON.stringify(key), [key, member] as [Json, Json]]));
  for (const [key, member] of b) {
    const known = merged.get(JSON.stringify(key));
    merged.set(JSON.stringify(key), [key, known ? union(known[1], member) : member]);
  }
  return byText([...merged.values()].map((pair) => [pair[0], pair])) as [string, Json][];
}

/** Each once, in the order of the JSON text of its first. */
function byText(pairs: [Json, Json][]): Json[] {
  const texts = new Map(pairs.map(([key, member]) => [JSON.stringify(key), member]));
  return [...texts].sort(([x], [y]) => (x < y ? -1 : 1)).map(([, member]) => member);
}
