// Bytes outside memory: blobs, content-addressed by SHA-256. Puts and gets them, and collects what nothing names any more. Knows blobs and the
// bytes that commits and checkpoints are made of; nothing of entries.
import type { Backend, BlobStore, StoredCheckpoint } from '../backend';
import { type Bytes, toHex } from '../base/bytes';
import { TidemarkError } from '../base/errors';
import type { Clock, Crypto } from '../base/seams';
import { blobGraceMs, blobPieceBytes, closeFlushMsMax } from './limits';
import { HashScanner } from './named';
import { turns } from './reading';
import type { Sweeper } from './sweeper';

/** A blob: its name and its size in bytes. */
export interface BlobRef {
  /** SHA-256 of its bytes, 64 hexadecimal digits. */
  readonly hash: string;
  readonly size: number;
}

/** A ReadableStream of bytes, of any platform. */
interface ByteStream {
  getReader(): {
    read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
    cancel(reason?: unknown): Promise<void>;
  };
}

/** What a blob is made from: bytes, not to be changed until it is stored; or a stream of them. */
export type BlobSource = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | ByteStream;

/**
 * Bytes that are not to live in memory. A blob is kept as long as its hash stands as text anywhere in the venue's entries, in a key or in a
 * value; checkpoints remove what nothing names.
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
  /** Its size in bytes, undefined if there is none. Does not read it. */
  size(hash: string): Promise<number | undefined>;
}

/** What it needs of the engine. */
interface State {
  readonly options: { readonly backend: Backend; readonly clock: Clock; readonly crypto: Crypto };
  readonly forks: ReadonlySet<unknown>;
  readonly sweeper: Sweeper;
  readonly joiner: { catchUp(): Promise<void> };
  readonly closed: boolean;
  guard(): void;
}

export class BlobKeeper implements Blobs {
  /** Stored, or about to be, and not named yet. */
  private readonly pinned: string[] = [];
  private readonly removing = new Map<string, Promise<void>>();
  private collection: Collection | undefined;

  constructor(private readonly state: State) {}

  async put(source: BlobSource, named: (blob: BlobRef) => void): Promise<BlobRef> {
    const { crypto, clock } = this.state.options;
    this.state.guard();
    const hasher = crypto.hasher();
    let size = 0;
    let hash: string | undefined;
    async function* pieces(): AsyncGenerator<Bytes> {
      for await (const piece of piecesOf(source)) {
        if (!(piece instanceof Uint8Array))
          throw new TidemarkError('bad_option', `a blob is made of Uint8Array, not of ${typeof piece}`);
        hasher.update(piece as Bytes);
        size += piece.length;
        yield piece as Bytes;
      }
    }
    const name = async () => {
      hash = toHex(hasher.digest());
      this.pinned.push(hash);
      this.collection?.unnamed.delete(hash);
      await this.removing.get(hash);
      return hash;
    };
    try {
      await this.store.put(pieces(), name, () => clock.now());
      const blob = { hash: hash!, size };
      this.state.guard();
      named(blob);
      return blob;
    } finally {
      if (hash !== undefined) this.pinned.splice(this.pinned.indexOf(hash), 1);
    }
  }

  async get(hash: string): Promise<Bytes | undefined> {
    const { crypto } = this.state.options;
    const blob = await this.store.get(hash);
    if (!blob) return undefined;
    const bytes = new Uint8Array(blob.size);
    const hasher = crypto.digest ? undefined : crypto.hasher();
    let at = 0;
    for await (const piece of blob.stream()) {
      if (at + piece.length > bytes.length) throw this.damaged(hash);
      bytes.set(piece, at);
      hasher?.update(piece);
      at += piece.length;
    }
    const digest = hasher?.digest() ?? (await crypto.digest!(bytes));
    if (at < bytes.length || toHex(digest) !== hash) throw this.damaged(hash);
    return bytes;
  }

  async stream(hash: string): Promise<AsyncIterable<Bytes> | undefined> {
    const blob = await this.store.get(hash);
    return blob && this.verified(hash, blob.stream());
  }

  private async *verified(hash: string, pieces: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
    const hasher = this.state.options.crypto.hasher();
    for await (const piece of pieces) {
      hasher.update(piece);
      yield piece;
    }
    if (toHex(hasher.digest()) !== hash) throw this.damaged(hash);
  }

  async size(hash: string): Promise<number | undefined> {
    return (await this.store.get(hash))?.size;
  }

  private get store(): BlobStore {
    const { blobs, target } = this.state.options.backend;
    if (!blobs) throw new TidemarkError('no_storage', `${target} has no room for blobs`);
    return blobs;
  }

  private damaged(hash: string): TidemarkError {
    const { target } = this.state.options.backend;
    return new TidemarkError(
      'damaged',
      `blob ${hash} of ${target} does not have its hash: put the same bytes again, or restore it from a backup`,
    );
  }

  /** Begins a collection, as a checkpoint is begun, in its turn: whatever is named from now on is in the checkpoint or in a commit that is seen. */
  collect(): Collection | undefined {
    const { backend, clock } = this.state.options;
    if (!backend.blobs) return undefined;
    // Where others write, too, what they have just put may not be named yet.
    const before = backend.exclusive ? Number.POSITIVE_INFINITY : clock.now() - blobGraceMs;
    this.collection = new Collection(backend.blobs.list(before), this.pinned);
    return this.collection;
  }

  /** Bytes of a commit, of whichever writer. */
  readonly saw = (bytes: Bytes): void => this.collection?.saw(bytes);

  /**
   * Removes what neither the new checkpoint, nor the one before, nor any commit since names.
   * @returns how many went
   */
  async finish(collection: Collection, previous: StoredCheckpoint | undefined): Promise<number> {
    const { sweeper, forks, options } = this.state;
    const { unnamed } = collection;
    let removed = 0;
    try {
      await collection.listing;
      if (unnamed.size === 0) return 0;
      // Entries may have been moved past the checkpoint while it was made: all of them are in commits now.
      await sweeper.flush(closeFlushMsMax);
      // What others named while nothing was heard of them is seen as it is joined.
      if (!options.backend.exclusive) await this.state.joiner.catchUp();
      const turn = turns(options.clock);
      const before = new HashScanner(unnamed);
      for await (const slab of previous?.stream() ?? []) {
        before.scan(slab);
        await turn();
      }
      // Those that are put again meanwhile go from it.
      for (const [hash, at] of unnamed) {
        // What a fork is about to name cannot be seen; another checkpoint will come.
        if (forks.size > 0 || this.state.closed) break;
        const removing = this.store.delete(hash, at);
        this.removing.set(hash, removing);
        await removing.finally(() => this.removing.delete(hash));
        removed++;
      }
      return removed;
    } finally {
      this.collection = undefined;
    }
  }

  /** There is no new checkpoint after all. */
  abandon(): void {
    this.collection = undefined;
  }
}

/** What a checkpoint in the making has not been seen to name. */
export class Collection {
  /** Blobs that nothing has been seen to name, with the time of their put. */
  readonly unnamed = new Map<string, number>();
  private readonly scanner = new HashScanner(this.unnamed);
  /** Commits that came before the blobs were listed. */
  private early: Bytes[] | undefined = [];
  /** Resolves when it knows which blobs there are. */
  readonly listing: Promise<void>;

  constructor(listed: Promise<Map<string, number>>, pinned: readonly string[]) {
    this.listing = listed.then((names) => {
      for (const [hash, at] of names) if (!pinned.includes(hash)) this.unnamed.set(hash, at);
      const { early } = this;
      this.early = undefined;
      for (const bytes of early!) this.saw(bytes);
    });
    this.listing.catch(() => undefined); // finish() says so
  }

  /** Passes a checkpoint's bytes on, and looks for names in them. */
  async *watch(lines: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
    await this.listing.catch(() => undefined);
    for await (const piece of lines) {
      this.scanner.scan(piece);
      yield piece;
    }
  }

  saw(bytes: Bytes): void {
    if (this.early) this.early.push(bytes);
    else new HashScanner(this.unnamed).scan(bytes);
  }
}

/** Bytes in pieces small enough to be hashed in one turn; a stream as it comes. */
async function* piecesOf(source: BlobSource): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) {
    for (let at = 0; at < source.length; at += blobPieceBytes) yield source.subarray(at, at + blobPieceBytes);
  } else if ('getReader' in source) {
    // Not every engine can walk through a stream by itself.
    const reader = source.getReader();
    let ended = false;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        ended = done;
        if (done) return;
        yield value!;
      }
    } finally {
      if (!ended) await reader.cancel().catch(() => undefined);
    }
  } else yield* source;
}
