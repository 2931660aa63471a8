// The one seam to a platform: what a backend does, and nothing else. A backend stores opaque lines; it knows no
// entries, no signatures and no time. test/backend-contract.ts is the suite that every backend passes.
import type { Bytes } from './base/bytes';

export type { Bytes } from './base/bytes';
export { concatBytes } from './base/bytes';
export { LockedError, TidemarkError } from './base/errors';

/** Which commit a line is: the writer's random id (lower-case hex), its place in that writer's chain (from 0), the
 * hash of its signed header. One (writer, index) never has two hashes. */
export interface CommitId {
  readonly writer: string;
  readonly index: number;
  readonly hash: string;
}

/** For each writer the highest index covered. */
export type VersionVector = Readonly<Record<string, number>>;

/** `strict` also survives loss of power; `relaxed` survives the end of the process. A backend may treat both as strict. */
export type Durability = 'relaxed' | 'strict';

/** Bytes at rest, read in order or at a place. Bytes read are the caller's. */
export interface StoredBytes {
  /** How reports name it, e.g. a file name. */
  readonly name: string;
  readonly size: number;
  /** All bytes in order, in slabs of any size. */
  stream(): AsyncIterable<Bytes>;
  /** `length` bytes from `offset`. Rejects when they are not there. */
  read(offset: number, length: number): Promise<Bytes>;
  /** Moves it to quarantine, whole and durably; it is not found at the next open. */
  retire(why: string): Promise<void>;
}

/** Lines of commits, each ended by "\n", in the order they were appended. */
export interface StoredLog extends StoredBytes {
  /** Commits here came after the checkpoint of this generation, and of every older one. */
  readonly generation: number;
  /** The backend knows that the newest checkpoint has all of it: it need not be read, nor its size be right, while that one can be used. */
  readonly covered?: boolean;
  /** Drops what follows the first `size` bytes, durably. Only called once those bytes are in quarantine. */
  cut(size: number): Promise<void>;
}

export interface StoredCheckpoint extends StoredBytes {
  /** Grows with every checkpoint; 1 is the first. */
  readonly generation: number;
}

/** What open() found. Nothing in it has been verified. */
export interface Stored {
  /** The checkpoints that are kept, newest first: the current one and, until the next, the one before. */
  readonly checkpoints: readonly StoredCheckpoint[];
  /** Every commit that the oldest of them does not cover, and possibly some that it does. In any order. */
  readonly logs: readonly StoredLog[];
  /** What the backend did that a recovery report should say, e.g. took over the lock of a dead process. */
  readonly notes: readonly string[];
  /** Something that only this store has, so that opening it empty in two places at once gives one venue: the venue id proposed, or
   * the one that was here first. Undefined where only one can open it at a time. */
  readonly venue?: string;
}

export interface Usage {
  /** Bytes that the store takes. */
  readonly bytes: number;
  /** Bytes that it could take in all, where the platform says so. */
  readonly quota?: number;
  /** Whether the platform has promised not to evict it. */
  readonly persisted?: boolean;
}

/** A blob at rest. */
export type StoredBlob = Pick<StoredBytes, 'name' | 'size' | 'stream' | 'read'>;

/**
 * Bytes that stay outside memory, each under the name that the core gives it: 64 hexadecimal digits, the hash of what is in it.
 * Calls may overlap, each other and everything else.
 */
export interface BlobStore {
  /**
   * Stores bytes whole and durably, as strict as can be, also in the place of others of that name. If anything fails, or `pieces` throws, it
   * rejects and nothing has changed.
   * @param pieces its bytes, in order, in pieces of any size, which may be overwritten once the next one is asked for.
   * @param name asked for when they have ended. @param now the time, in ms since 1970: that of a put is the one at its end.
   */
  put(pieces: AsyncIterable<Bytes>, name: () => Promise<string>, now: () => number): Promise<void>;
  /** Undefined if there is none of that name. */
  get(name: string): Promise<StoredBlob | undefined>;
  /** Those that were put last before a time, by their names, with that time (0 where nobody else can have put them). What puts that never ended
   * have left from before then may go. */
  list(before: number): Promise<Map<string, number>>;
  /** Removes one, unless it was put at another time meanwhile. Fine if it is not there. */
  delete(name: string, at: number): Promise<void>;
}

/**
 * Where bytes go. One Backend is one opening of one store. Calls of append and checkpoint may overlap; a second
 * append is issued only when the first one has settled, and so is a second checkpoint.
 */
export interface Backend {
  /** Names the store in errors, events and health, e.g. `fs:/var/lib/app/venue.etch`. */
  readonly target: string;
  /** Whether an open store refuses everybody else. If not, other writers may append at any time. */
  readonly exclusive: boolean;

  /** Whether it treats relaxed appends as strict. If not, a flush after a relaxed append appends an empty commit, strictly. */
  readonly strict?: boolean;

  /**
   * Opens or creates the store.
   * @param venue an id for the venue, should it turn out to be new.
   * @throws LockedError while another owner is alive.
   */
  open(venue: string): Promise<Stored>;

  /**
   * Appends one commit: one line, "\n" included. Issues its I/O before it returns; resolves when the line is durable. Idempotent by `at`: a
   * commit whose append was rejected is appended again with the same bytes, and may then stand in the store twice.
   * After a rejection nothing may be assumed of the file or connection that was used: a backend takes a fresh one.
   */
  append(commit: Bytes, at: CommitId, durability: Durability): Promise<void>;

  /**
   * The last resort while the process or page goes away: like append, durable when it returns, all in this turn. May overlap an
   * append that has not settled. Absent where the platform cannot. @throws when it did not work.
   * @returns a promise where only the issuing can be done in this turn (a page that goes): resolves, if the page lives on, when the line is
   * as durable as a relaxed append; if it rejects, the same commit is appended in the usual way.
   */
  appendNow?(commit: Bytes, at: CommitId): void | Promise<void>;

  /**
   * Replaces the checkpoint, atomically: at every moment the old or the new one stands, whole. Commits appended from this call on are not
   * covered; those settled before it are. Keeps the checkpoint before it and the commits after that one until the next checkpoint; what is
   * older goes. When `lines` throws, or anything fails, it rejects and nothing has changed.
   * @param lines its bytes, in order, in pieces of any size.
   * @param covers what it covers. @param replaces the generation that it was made from, 0 for none.
   * @returns the new one; undefined if another writer's stands that covers what this one does not, unless this one was made from it.
   */
  checkpoint(
    lines: AsyncIterable<Bytes>,
    covers: VersionVector,
    replaces: number,
  ): Promise<StoredCheckpoint | undefined>;

  /**
   * Commits of other writers, as they become durable; called without one when there may be some that could not be handed over, to be looked for
   * with newer(). Returns a function that stops it.
   */
  onAppend?(listener: (commit?: Bytes) => void): () => void;

  /**
   * For an opening that may have missed some: the commits that are durable now and not in `known`, as logs in any order; and the standing
   * checkpoint, if it covers any that are not in `known` (the commits themselves may be gone). May give more than was asked for. Changes nothing.
   * Present where others write, too.
   */
  newer?(known: VersionVector): Promise<Pick<Stored, 'checkpoints' | 'logs'>>;

  /**
   * Somebody deleted the store under an open venue, and it was begun anew: what was in it is only in memory now. Returns a function that stops it.
   */
  onReset?(listener: () => void): () => void;

  /**
   * The page may be frozen from now on: gives up, in this turn, whatever would be in others' way or keep the platform from
   * keeping the page. Appends that were issued go on. Undone by resume().
   */
  suspend?(): void;

  /** After suspend(), or when it may have been cut off unawares: takes up again what was given up, and probes the connection. */
  resume?(): Promise<void>;

  /** Called after an opening whose predecessor may have died in mid-write: does what the platform needs to be safe after that. */
  mend?(): Promise<void>;

  /** Asks the platform never to evict the store. @returns whether it has promised. */
  persist?(): Promise<boolean>;

  /** Absent where there is no room for bytes outside entries. */
  readonly blobs?: BlobStore;

  /** Keeps bytes that could not be used, durably, beside the store. The same bytes twice are kept once. @returns where. */
  quarantine(bytes: Bytes, why: string): Promise<string>;

  usage(): Promise<Usage>;

  /** Waits for what was issued, then gives the store free. Idempotent. */
  close(): Promise<void>;
}

/** Whether something handed in as a store looks like a Backend. */
export const isBackend = (store: unknown): store is Backend =>
  typeof store === 'object' &&
  store !== null &&
  typeof (store as Backend).open === 'function' &&
  typeof (store as Backend).append === 'function';
