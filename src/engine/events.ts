// What a venue tells: typed events, and the flag for "saving... / saved". Listeners are called in the turn of the event.
import type { Logger } from '../base/seams';

export interface CommitInfo {
  writer: string;
  index: number;
  /** base64url SHA-256 of the commit's JWS: names this root. */
  hash: string;
  /** Stamp. */
  time: number;
}

export interface SweepInfo extends CommitInfo {
  entries: number;
  bytes: number;
  /** From the freeze to the backend's word that it is durable. */
  tookMs: number;
}

export interface FailureInfo {
  /** The backend's name for the store. */
  target: string;
  reason: 'sweep' | 'flush' | 'checkpoint' | 'quarantine' | 'remote' | 'journal' | 'blobs';
  error: Error;
  /** The error's stable code, or the system's (ENOSPC, ...). */
  code: string;
  /** Whether there are writes newer than what was being written. */
  newerPending: boolean;
  /** Entries not durable. */
  unsaved: number;
  /** When it will be tried again; undefined if it will not by itself. */
  retryInMs: number | undefined;
}

export interface CheckpointInfo {
  generation: number;
  bytes: number;
  chunks: number;
  /** Chunks that nothing had changed. */
  copied: number;
  /** Blobs that nothing named any more, removed. */
  collected: number;
  tookMs: number;
}

export interface CloseReport {
  /** Whether everything written is durable. */
  durable: boolean;
  /** What is not: entries in all, and the regions they are in. */
  unsaved: { entries: number; regions: string[] };
  /** The last durable commit of this writer; undefined if it made none. */
  root: CommitInfo | undefined;
}

export interface VenueEvents {
  /** A commit became durable. */
  sweep: SweepInfo;
  /** A flush was served; with the time it took. */
  flush: { tookMs: number };
  failure: FailureInfo;
  /** Writing works again after failures. */
  recovered: { failures: number };
  checkpoint: CheckpointInfo;
  /** Whether there is anything unsaved changed. */
  unsaved: boolean;
  /** Entries of another writer were joined. */
  joined: { writer: string; index: number; entries: number; changed: number };
  /** The store is gone that had this root, or has gone back behind it: see `recovery.evicted` and `recovery.rolledBack`. Emitted once, after the opening. */
  evicted: CommitInfo;
  rolledBack: CommitInfo;
  /** The page is about to be frozen or gone: what is written in the turn of this event goes with the rest. */
  leaving: undefined;
  /** It is back, or visible again. */
  returned: undefined;
  closing: undefined;
  closed: CloseReport;
}

type Handler<K extends keyof VenueEvents> = (event: VenueEvents[K]) => void;

export class Events {
  private readonly handlers = new Map<keyof VenueEvents, Set<Handler<never>>>();

  constructor(private readonly logger: Logger) {}

  on<K extends keyof VenueEvents>(name: K, handler: Handler<K>): () => void {
    const set = this.handlers.get(name) ?? new Set();
    this.handlers.set(name, set);
    const own: Handler<K> = (event) => handler(event);
    set.add(own as Handler<never>);
    return () => set.delete(own as Handler<never>);
  }

  emit<K extends keyof VenueEvents>(name: K, event: VenueEvents[K]): void {
    for (const handler of [...(this.handlers.get(name) ?? [])] as Handler<K>[]) {
      try {
        handler(event);
      } catch (error) {
        this.logger.error(`a listener of '${name}' threw`, error);
      }
    }
  }
}
