// Bytes outside memory: blobs, content-addressed by SHA-256. Puts and gets them, and collects those that nothing names any more. Knows the
// backend's blobs and the bytes that commits and checkpoints are made of; nothing of entries.
import type { Bytes } from '../base/bytes';

/** A blob: its name and its size in bytes. */
export interface BlobRef {
  /** SHA-256 of its bytes, 64 hexadecimal digits. */
  readonly hash: string;
  readonly size: number;
}

/** What blobs are made from. */
export type BlobSource = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Bytes that are not to live in memory. A blob is kept as long as its hash stands as text anywhere in the venue's entries; a checkpoint
 * removes what nothing names.
 */
export interface Blobs {
  /**
   * Stores bytes durably. @param named called in the turn in which they are: write there the entry that holds the hash, or they are collected.
   * The entry itself is durable with the next sweep or flush.
   * @throws what the source throws, and TidemarkError `io`, `no_storage`, `closed`; nothing is left of it then
   */
  put(source: BlobSource, named: (blob: BlobRef) => void): Promise<BlobRef>;
  /** All of it, verified; undefined if there is none of that name. @throws TidemarkError `damaged`, `io` */
  get(hash: string): Promise<Bytes | undefined>;
  /** Its bytes piece by piece; undefined if there is none. The last step throws TidemarkError `damaged` if they do not verify. */
  stream(hash: string): Promise<AsyncIterable<Bytes> | undefined>;
  /** Its size, undefined if there is none. Does not read it. */
  size(hash: string): Promise<number | undefined>;
}
