// The face of the snapshot writer, and the seam between it and a platform.
import type { Bytes } from '../../base/bytes';
import type { TidemarkError } from '../../base/errors';
import type { Clock, Logger } from '../../base/seams';

/** Where the snapshots of one key go. */
export interface SnapshotPlace {
  /** For messages. */
  readonly name: string;
  /** Durable when it resolves. Whatever happens meanwhile: a whole snapshot stands there, this one or the one before. */
  write(bytes: Bytes): Promise<void>;
  /** The same, all in this turn or issued in it, as the process or the page goes; after anything that `write` has under way. */
  writeNow(bytes: Bytes): void | Promise<void>;
}

/** What puts snapshots on a platform. */
export interface SnapshotTarget {
  /** @throws TidemarkError `bad_option` for a key that has no place */
  at(key: string): SnapshotPlace;
  close(): void;
}

export interface SnapshotOptions {
  /**
   * The state of this key as it is now: bytes, or a string, which is stored as UTF-8. Called when it is about to be written. Bytes are copied. As a page
   * or a process goes there is no time for a promise.
   */
  snapshot(key: string): Uint8Array | string | Promise<Uint8Array | string>;
  /** Each request puts the write off by so many ms. Default 100. */
  debounceMs?: number;
  /** But no further than this after the first. Default 1000; at least debounceMs. */
  maxWaitMs?: number;
  /** Default: the platform's. */
  clock?: Clock;
  /** Default: the console. */
  logger?: Logger;
}

export interface SnapshotRequest {
  /** In words of your own, for messages. */
  reason: string;
  /** Default '': the only one there is. */
  key?: string;
  /** At once, not after debounceMs. */
  force?: boolean;
}

export interface SnapshotFailure {
  /** The file's path, or the database and key. */
  readonly target: string;
  readonly key: string;
  /** Of the last request that the write was for. */
  readonly reason: string;
  readonly error: TidemarkError;
  /** The system's word (ENOSPC, QuotaExceededError, ...) where there is one, else the error's code. */
  readonly code: string;
  /** Whether more was asked for after this snapshot was taken. */
  readonly newerPending: boolean;
  /** Keys whose newest request is not durable. */
  readonly unsaved: number;
  readonly retryInMs: number;
}

export interface SnapshotState {
  /** Snapshots made durable so far, of all keys. */
  readonly generation: number;
  /** Something is asked for that no write under way has. */
  readonly pending: boolean;
  readonly writing: boolean;
  /** Keys whose newest request is not durable. */
  readonly unsaved: number;
  /** The last failure of those that nothing has made good since. */
  readonly lastError: SnapshotFailure | undefined;
}

export interface SnapshotCloseReport {
  readonly durable: boolean;
  readonly unsaved: readonly { readonly target: string; readonly key: string; readonly reason: string }[];
}

export interface SnapshotWriter {
  /**
   * Something changed: it will be saved, and tried again until it is. Requests of one key coalesce, and the newest snapshot wins.
   * @throws TidemarkError `closed`, `bad_option`
   */
  request(request: SnapshotRequest): void;
  /**
   * Saves now. Resolves when a snapshot that was taken after this call is durable.
   * @throws TidemarkError when it could not be written (`io`), or taken (`bad_value`): it stays pending and is tried again. `closed`, `bad_option`
   */
  save(reason: string, key?: string): Promise<void>;
  /** @param listener called in the turn of each change. @returns a function that ends it */
  subscribe(listener: (state: SnapshotState) => void): () => void;
  state(): SnapshotState;
  /** Saves what is pending, for so long at most (default 5000), and takes nothing more. Never rejects. */
  close(options?: { timeoutMs?: number }): Promise<SnapshotCloseReport>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What the platform's lifecycle calls. */
export interface SnapshotHooks {
  close(): Promise<unknown>;
  writeNow(): void;
}
