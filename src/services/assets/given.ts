// What is handed in, checked before anything is done: hashes, sources, meta. Knows no venue.
import { TidemarkError } from '../../base/errors';
import type { AssetMeta, AssetSource } from './types';

/** What is known of an asset is read with the whole store and stays in memory; bytes belong into assets of their own. */
const metaLengthMax = 16 * 1024;
const metaLevelsMax = 32;

const bad = (what: string) => new TidemarkError('bad_option', `assets: ${what}`);

const shown = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : typeof value;

/** The key of an asset. Not 64 digits in a row: the key outlives the asset as a tombstone, and would keep its bytes. */
export function keyOf(hash: string): string {
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash))
    throw bad(`a hash is 64 lower-case hexadecimal digits, not ${shown(hash)}`);
  return split(hash);
}

/** What the keys of all assets begin with whose hashes begin so. */
export function keyPrefix(prefix: string): string {
  if (typeof prefix !== 'string' || !/^[0-9a-f]{0,64}$/.test(prefix))
    throw bad(`\`prefix\` must be lower-case hexadecimal digits, not ${shown(prefix)}`);
  return prefix.length > 2 ? split(prefix) : prefix;
}

const split = (digits: string) => `${digits.slice(0, 2)}/${digits.slice(2)}`;

/** A source as blobs take it. */
export function bytesOf(source: AssetSource): Exclude<AssetSource, { stream(): unknown }> {
  if (typeof source === 'object' && source !== null) {
    if ('getReader' in source || Symbol.asyncIterator in source || Symbol.iterator in source) return source;
    if (typeof source.stream === 'function') return source.stream();
  }
  throw bad(`what is put is a Uint8Array, a stream of them, a Blob or a File, not ${shown(source)}`);
}

/** A copy, since it is written when the bytes are, and may be changed until then. */
export function copyMeta(meta: AssetMeta): AssetMeta {
  if (!isPlain(meta)) throw bad(`meta must be an object, not ${shown(meta)}`);
  check(meta, 'meta', 1);
  const text = JSON.stringify(meta);
  if (text.length > metaLengthMax)
    throw new TidemarkError(
      'too_large',
      `assets: meta takes ${text.length} characters of JSON, ${metaLengthMax} at most`,
    );
  return JSON.parse(text) as AssetMeta;
}

function check(value: unknown, path: string, level: number): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
  const isList = Array.isArray(value);
  if (!isList && !isPlain(value)) throw bad(`${path} is not JSON`);
  if (level > metaLevelsMax) throw bad(`meta is more than ${metaLevelsMax} levels deep`);
  for (const [name, inner] of Object.entries(value))
    if (isList || inner !== undefined) check(inner, `${path}.${name.slice(0, 80)}`, level + 1);
}

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && [null, Object.prototype].includes(Object.getPrototypeOf(value));
