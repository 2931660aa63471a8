// Tagged values, read as docs/FORMAT.md says. Part of the outside reader: must not know src/ or backends/.

/** What JSON.parse gives. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const numbers: Record<string, number> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  '-0': -0,
};

/** The value that stored JSON stands for, where its entry says that it holds tagged objects. @throws TypeError for a tag that the page does not name. */
export function untag(json: Json): unknown {
  if (json === null || typeof json !== 'object') return json;
  if (Array.isArray(json)) return json.map(untag);
  if (!Object.hasOwn(json, '$')) return untagMembers(json);
  const tag = json.$;
  if (Object.keys(json).length !== 1 || !Array.isArray(tag) || tag.length !== 2)
    throw new TypeError('"$" in an object that is no tag');
  return untagOne(tag[0], tag[1] as Json);
}

// fromEntries defines members, so that "__proto__" is a member like any other.
function untagMembers(json: { [key: string]: Json }): object {
  return Object.fromEntries(Object.entries(json).map(([key, member]) => [key, untag(member)]));
}

function untagOne(kind: Json | undefined, json: Json): unknown {
  if (kind === 'bytes' && typeof json === 'string') return Uint8Array.from(fromBase64url(json));
  if (kind === 'date' && typeof json === 'number') return new Date(json);
  if (kind === 'date' && json === null) return new Date(Number.NaN);
  if (kind === 'bigint' && typeof json === 'string' && /^(0|-?[1-9][0-9]*)$/.test(json)) return BigInt(json);
  if (kind === 'map' && Array.isArray(json)) return new Map(json.map(untagPair));
  if (kind === 'set' && Array.isArray(json)) return new Set(json.map(untag));
  if (kind === 'number' && typeof json === 'string' && Object.hasOwn(numbers, json)) return numbers[json];
  if (kind === 'object' && json !== null && typeof json === 'object' && !Array.isArray(json)) return untagMembers(json);
  throw new TypeError(`no such tag: ${JSON.stringify(kind)}`);
}

function untagPair(pair: Json): [unknown, unknown] {
  if (!Array.isArray(pair) || pair.length !== 2) throw new TypeError('a map holds pairs');
  return [untag(pair[0] as Json), untag(pair[1] as Json)];
}

/** base64url without padding. @throws TypeError for text that no encoder would have written. */
export function fromBase64url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new TypeError('not base64url');
  return bytes;
}
