// The lines of a checkpoint: chunks of entries in key order, then one signed line that names them. docs/FORMAT.md "Checkpoints". Pure functions.
import { type Bytes, decodeUtf8, encodeUtf8 } from '../base/bytes';
import { TOMBSTONE } from '../lattice/joins';
import { decodeEntry, type StoredEntry } from './entries';

/** What the index says of a chunk. */
export interface ChunkMeta {
  firstKey: string;
  count: number;
  tombstones: number;
  /** Bytes, without the "\n". */
  length: number;
  /** base64url SHA-256. */
  digest: string;
  /** Lowest and highest schema version in it. */
  versions: readonly [number, number];
}

export interface RegionMeta {
  region: string;
  version: number;
  join: string;
  chunks: ChunkMeta[];
}

/** Entries already encoded as JSON text, relative to `base`. No "\n". */
export const encodeChunk = (base: number, entries: readonly string[]): Bytes =>
  encodeUtf8(`[${base},[${entries.join(',')}]]`);

/** Entries of a chunk by column: one object per entry would double what decoding costs. */
export interface Columns {
  keys: string[];
  /** Values, or TOMBSTONE. */
  values: unknown[];
  stamps: number[];
  /** Schema version of all that is not odd. */
  version: number;
  /** What is more than key, stamp and plain value of this version, by place. */
  odd: Map<number, StoredEntry>;
}

/** @throws TypeError or SyntaxError for what encodeChunk would not have made. */
export function decodeChunk(bytes: Bytes, version: number): Columns {
  const [base, entries] = JSON.parse(decodeUtf8(bytes)) as [number, unknown[][]];
  const columns: Columns = { keys: [], values: [], stamps: [], version, odd: new Map() };
  for (let i = 0; i < entries.length; i++) {
    const encoded = entries[i]!;
    if (encoded.length === 3) {
      columns.keys.push(encoded[0] as string);
      columns.values.push(encoded[2]);
      columns.stamps.push(base + (encoded[1] as number));
      continue;
    }
    const entry = decodeEntry(encoded, base, version);
    columns.keys.push(entry.key);
    columns.values.push(entry.value);
    columns.stamps.push(entry.stamp);
    if (entry.value !== TOMBSTONE) columns.odd.set(i, entry);
  }
  return columns;
}

export function encodeIndex(regions: readonly RegionMeta[]): Bytes {
  const index = regions.map(({ region, version, join, chunks }) => [
    region,
    version,
    join,
    chunks.map(({ firstKey, count, tombstones, length, digest, versions }) => {
      const common = [firstKey, count, tombstones, length, digest];
      return versions[0] === version && versions[1] === version ? common : [...common, ...versions];
    }),
  ]);
  return encodeUtf8(JSON.stringify(index));
}

/** @throws TypeError or SyntaxError for what encodeIndex would not have made. */
export function decodeIndex(body: Bytes): RegionMeta[] {
  const index = JSON.parse(decodeUtf8(body)) as [string, number, string, unknown[][]][];
  return index.map(([region, version, join, chunks]) => {
    if (typeof region !== 'string' || region === '' || !Number.isSafeInteger(version))
      throw new TypeError('not an index');
    return { region, version, join, chunks: chunks.map((chunk) => decodeMeta(chunk, version)) };
  });
}

function decodeMeta(chunk: unknown[], version: number): ChunkMeta {
  const [firstKey, count, tombstones, length, digest, low = version, high = version] = chunk as [
    string,
    number,
    number,
    number,
    string,
    ...number[],
  ];
  const numbers = [count, tombstones, length, low, high];
  if (typeof firstKey !== 'string' || typeof digest !== 'string' || !numbers.every(Number.isSafeInteger))
    throw new TypeError('not an index');
  return { firstKey, count, tombstones, length, digest, versions: [low, high] };
}
