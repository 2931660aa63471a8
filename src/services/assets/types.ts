// What users see of assets. Types only.
import type { Venue } from '../../venue';

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** What is known of an asset beside its bytes, such as its name and type: JSON, at most 16,384 characters of it, at most 32 levels deep. */
export type AssetMeta = Readonly<Record<string, Json | undefined>>;

type BlobSource = Parameters<Venue['blobs']['put']>[0];

/** Bytes, not to be changed until they are stored; a stream of them: an async iterable, a ReadableStream; or a Blob or File. */
export type AssetSource = BlobSource | { stream(): BlobSource };

export interface Asset {
  /** SHA-256 of its bytes, 64 lower-case hexadecimal digits. */
  readonly hash: string;
  /** In bytes. */
  readonly size: number;
  /** When it was last put; wall clock, ms since 1970. */
  readonly at: number;
  /** As it was last given. */
  readonly meta: AssetMeta;
}

export interface AssetFilter {
  /** First digits of the hash. */
  prefix?: string | undefined;
  /** At most so many; default all. */
  limit?: number | undefined;
  /** `nextCursor` of the page before. */
  cursor?: string | undefined;
}

export interface AssetPage {
  /** In order of their hashes. */
  readonly assets: Asset[];
  /** Undefined at the end. */
  readonly nextCursor: string | undefined;
}

/** What reading all of an asset has shown. */
export interface AssetCheck {
  readonly hash: string;
  readonly size: number;
  /** `missing`: there are no bytes; `damaged`: they are others, or cannot be read. Putting the same bytes again mends both. */
  readonly state: 'ok' | 'missing' | 'damaged';
  /** Why it is damaged: TidemarkError `damaged`, or `io`. */
  readonly error?: unknown;
}

/** The assets of a venue. Every call that takes a hash throws TidemarkError `bad_option` for what is none. */
export interface Assets {
  /**
   * Keeps bytes. Durable when it resolves, both they and what is known of them. The same bytes are one asset, however often they are put; `meta`
   * takes the place of what was known of it, and without `meta` that stays.
   * @throws what the source throws; TidemarkError `bad_option`, `too_large` for `meta`; `io` if the disk says no; `conflict` if it took more than 12
   * hours on a store that others write, too. It has changed nothing then
   */
  put(source: AssetSource, meta?: AssetMeta): Promise<Asset>;
  /** What is known of an asset; undefined if there is none. Does not touch its bytes, nor does has(). */
  info(hash: string): Asset | undefined;
  has(hash: string): boolean;
  /** All of its bytes, verified; undefined if there is no such asset. @throws TidemarkError `damaged` (also if they are missing), `io` */
  get(hash: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Its bytes, piece by piece; undefined if there is no such asset. The end comes only if all of them were right.
   * @throws as get(), the last step too; `not_found` if it was deleted and its bytes were collected meanwhile
   */
  getStream(hash: string): Promise<AsyncIterable<Uint8Array<ArrayBuffer>> | undefined>;
  /** In order of their hashes, without a look at their bytes. */
  list(filter?: AssetFilter): AssetPage;
  /** Durable when it resolves; a later checkpoint frees the space. @returns whether there was one */
  delete(hash: string): Promise<boolean>;
  /** Reads every asset, one after the other. What is deleted meanwhile is left out. */
  verify(): AsyncGenerator<AssetCheck, void>;
  /** Reads one. @throws TidemarkError `not_found` */
  verify(hash: string): Promise<AssetCheck>;
}
