// Values without what must not be stored: by path, or by the names of fields. Pure functions.

/** Stands where something was. */
export const REDACTED = '[redacted]';

/** Deeper than any value that can be stored: what is below is refused there. */
const depthMax = 1000;

/** Names of fields that hold secrets, compared without case, "-" and "_". */
export const secretFields: readonly string[] = [
  'password',
  'passphrase',
  'secret',
  'clientsecret',
  'token',
  'accesstoken',
  'refreshtoken',
  'apikey',
  'authorization',
  'cookie',
  'setcookie',
  'privatekey',
];

/**
 * A copy without what is at the paths; `*` is every key of an object or Map, or element of an array or Set.
 * @param paths such as `apiKey`, `headers.authorization`, `items.*.secret`
 * @returns the value itself if nothing is there, and the paths at which something was
 */
export function redactPaths<T>(value: T, paths: readonly string[]): { value: T; redacted: string[] } {
  const redacted: string[] = [];
  /** `ways`: the steps still to go, of each path that leads through `at`. */
  const visit = (within: unknown, at: string, ways: readonly string[][]): unknown =>
    mapMembers(within, (member, step) => {
      const further = ways.filter(([next]) => next === '*' || next === step).map(([, ...rest]) => rest);
      if (further.length === 0) return member;
      if (!further.some((rest) => rest.length === 0)) return visit(member, `${at}${step}.`, further);
      redacted.push(at + step);
      return REDACTED;
    });
  const ways = paths.map((path) => path.split('.'));
  return { value: visit(value, '', ways) as T, redacted };
}

/** A copy without fields of these names, wherever they are. */
export function redactFields<T>(value: T, names: readonly string[] = secretFields): { value: T; redacted: string[] } {
  const redacted: string[] = [];
  const plain = (name: string) => name.toLowerCase().replace(/[-_]/g, '');
  const known = new Set(names.map(plain));
  const visit = (within: unknown, at: string, depth: number): unknown =>
    depth > depthMax
      ? within
      : mapMembers(within, (member, step) => {
          if (!known.has(plain(step))) return visit(member, `${at}${step}.`, depth + 1);
          redacted.push(at + step);
          return REDACTED;
        });
  return { value: visit(value, '', 0) as T, redacted };
}

/** A copy of what has members, with other ones; the value itself if none is changed. What is not there is not changed. */
function mapMembers(value: unknown, change: (member: unknown, step: string) => unknown): unknown {
  const members = membersOf(value);
  const changed = members.map(
    ([key, member]) =>
      [key, member === undefined ? member : change(member, typeof key === 'object' ? '*' : String(key))] as const,
  );
  if (changed.every(([, member], i) => Object.is(member, members[i]![1]))) return value;
  if (Array.isArray(value)) return changed.map(([, member]) => member);
  if (value instanceof Set) return new Set(changed.map(([, member]) => member));
  return value instanceof Map ? new Map(changed) : Object.fromEntries(changed as [string, unknown][]);
}

/** With the steps that lead to them. Only of what can be stored. */
function membersOf(value: unknown): (readonly [key: unknown, member: unknown])[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, (member, i) => [i, member]);
  if (value instanceof Map) return [...value];
  const prototype = Object.getPrototypeOf(value);
  // Without a prototype, or a literal, also one of another realm.
  return prototype === null || Object.getPrototypeOf(prototype) === null ? Object.entries(value) : [];
}
