// The base of a region: the checkpoint's entries, sorted by key, in chunks that stay bytes until one of their keys is first touched.
// Knows nothing of writes: those are the overlay's (overlay.ts).
import type { Bytes } from '../base/bytes';
import { TOMBSTONE } from '../lattice/joins';
import { type ChunkMeta, type Columns, decodeChunk } from '../log/checkpoint';
import type { StoredEntry } from '../log/entries';
import { lowerBound, type Range } from './order';

/** Stands in a chunk for a value that the overlay has taken over. */
export const MOVED: unique symbol = Symbol('moved');

/** An entry of a chunk, whole. */
export function columnEntry({ keys, values, stamps, version, odd }: Columns, at: number): StoredEntry {
  const stamp = stamps[at]!;
  const value = values[at];
  return (
    odd.get(at) ?? { key: keys[at]!, value, stamp, tagged: false, version, epoch: value === TOMBSTONE ? stamp : 0 }
  );
}

export class Chunk {
  /** How often one of its entries was asked for. */
  reads = 0;
  private columns: Columns | undefined;

  /**
   * @param offset where its bytes are in the checkpoint. @param source its bytes, verified; or its entries, when they were decoded before.
   */
  constructor(
    readonly meta: ChunkMeta,
    public offset: number,
    private source: Bytes | Columns,
    /** Schema version of the entries that do not say another. */
    readonly version: number,
  ) {
    if (!(source instanceof Uint8Array)) this.columns = source;
  }

  /** Its bytes, while nothing has touched it. */
  get bytes(): Bytes | undefined {
    return this.columns ? undefined : (this.source as Bytes);
  }

  /** Its entries. The bytes are dropped: a checkpoint that wants them again reads them from the store. */
  load(): Columns {
    if (!this.columns) {
      this.columns = decodeChunk(this.source as Bytes, this.version);
      this.source = this.columns;
    }
    return this.columns;
  }
}

export class Base {
  private readonly firstKeys: string[];
  /** Entries that are not tombstones. */
  readonly live: number;

  /** @param time stamp of the checkpoint: no entry is newer. */
  constructor(
    readonly chunks: readonly Chunk[],
    readonly time: number,
  ) {
    this.firstKeys = chunks.map((chunk) => chunk.meta.firstKey);
    this.live = chunks.reduce((sum, { meta }) => sum + meta.count - meta.tombstones, 0);
  }

  /** The chunk in whose part of the key order a key falls; -1 before the first. */
  chunkAt(key: string): number {
    const at = lowerBound(this.firstKeys, key);
    return this.firstKeys[at] === key ? at : at - 1;
  }

  /** The entry of a key: its chunk's columns and its place in them. */
  find(key: string): { chunk: Chunk; columns: Columns; at: number } | undefined {
    const chunk = this.chunks[this.chunkAt(key)];
    if (!chunk) return undefined;
    const columns = chunk.load();
    const at = lowerBound(columns.keys, key);
    return columns.keys[at] === key ? { chunk, columns, at } : undefined;
  }

  /** The columns that a range goes through, in its order, with the first place and the one after the last. */
  *parts({ from, to, reverse }: Range): Generator<{ columns: Columns; low: number; high: number }> {
    const first = from === undefined ? 0 : Math.max(0, this.chunkAt(from));
    const last = to === undefined ? this.chunks.length - 1 : this.chunkAt(to);
    for (let n = 0; n <= last - first; n++) {
      const columns = this.chunks[reverse ? last - n : first + n]!.load();
      const low = from === undefined ? 0 : lowerBound(columns.keys, from);
      const high = to === undefined ? columns.keys.length : lowerBound(columns.keys, to);
      if (low < high) yield { columns, low, high };
    }
  }
}

export const emptyBase = new Base([], 0);
