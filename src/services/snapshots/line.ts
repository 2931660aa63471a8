// What the snapshot writer knows of one key while something of it is not durable.
import type { Sweeper } from '../../engine/sweeper';
import type { SnapshotPlace } from './types';

interface Save {
  resolve(): void;
  reject(error: Error): void;
}

/** A key with something unsaved. Requests have numbers, counted from 1. */
export interface Line {
  readonly key: string;
  readonly place: SnapshotPlace;
  readonly sweeper: Sweeper;
  requested: number;
  /** The newest request that the write under way is for. */
  taken: number;
  saved: number;
  writing: boolean;
  reason: string;
  /** A write at once is asked for, and has not begun. */
  forced: boolean;
  /** What the last write is or was for. */
  attempt: { readonly request: number; readonly reason: string };
  /** The newest request whose bytes were handed to the place. */
  issued: number;
  /** Who waits: for the write under way, and for one after that. */
  served: Save[];
  saves: Save[];
  /** What was written as the page or process went, and is under way. */
  now: { readonly request: number; readonly work: Promise<void> } | undefined;
}
