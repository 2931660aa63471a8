// Values without what must not be stored: by path, or by the names of fields. Pure functions.

/** Stands where something was. */
export const REDACTED = '[redacted]';

type Place = (string | number)[];

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
 * A copy without what is at the paths; `*` is every key of an object or element of an array.
 * @param paths such as `apiKey`, `headers.authorization`, `items.*.secret`
 * @returns the value itself if nothing is there, and the paths at which something was
 */
export function redactPaths<T>(value: T, paths: readonly string[]): { value: T; redacted: string[] } {
  const redacted: string[] = [];
  const patterns = paths.map((path) => path.split('.'));
  return {
    value: walk(value, [], (place) => patterns.some((pattern) => fits(pattern, place)), redacted) as T,
    redacted,
  };
}

/** A copy without fields of these names, wherever they are. */
export function redactFields<T>(value: T, names: readonly string[] = secretFields): { value: T; redacted: string[] } {
  const redacted: string[] = [];
  const plain = (name: string) => name.toLowerCase().replace(/[-_]/g, '');
  const known = new Set(names.map(plain));
  const isSecret = (place: Place) => typeof place.at(-1) === 'string' && known.has(plain(place.at(-1) as string));
  return { value: walk(value, [], isSecret, redacted) as T, redacted };
}

const fits = (pattern: readonly string[], place: Place): boolean =>
  pattern.length === place.length && pattern.every((step, i) => step === '*' || step === String(place[i]));

function walk(value: unknown, place: Place, hits: (place: Place) => boolean, redacted: string[]): unknown {
  if (place.length > 0 && hits(place)) {
    redacted.push(place.join('.'));
    return REDACTED;
  }
  if (Array.isArray(value)) {
    const copy = value.map((item, i) => walk(item, [...place, i], hits, redacted));
    return copy.some((item, i) => item !== value[i]) ? copy : value;
  }
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const entries = Object.entries(value).map(
    ([key, item]) => [key, walk(item, [...place, key], hits, redacted)] as const,
  );
  return entries.some(([key, item]) => item !== (value as Record<string, unknown>)[key])
    ? Object.fromEntries(entries)
    : value;
}
