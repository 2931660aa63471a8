// What is remembered outside the store, so that a store that has vanished or gone back is told from a new one: that there was a venue, and the last
// root that was durable. And who has it open, so that an unclean end is noticed. Holds no value, no key and no secret.
import type { SyncStore } from '../base/seams';
import type { CommitInfo } from './events';

/** Public facts only. */
export interface Mark {
  venue: string;
  /** Whose commits were in it: those that its journal still has may be joined. */
  did: string;
  root: CommitInfo;
}

const markKey = 'mark';
const openPrefix = 'open:';

export class Marker {
  constructor(private readonly store: SyncStore) {}

  /** Undefined also for what we did not write. */
  read(): Mark | undefined {
    try {
      const mark = JSON.parse(this.store.get(markKey) ?? '') as Mark;
      const { venue, did, root } = mark;
      const good = [venue, did, root.writer].every((text) => typeof text === 'string') && Number.isInteger(root.index);
      return good ? mark : undefined;
    } catch {
      return undefined;
    }
  }

  /** Says what is durable, and that `writer` has it open. */
  write({ venue, did, root: { writer, index, hash, time } }: Mark): void {
    this.set(markKey, JSON.stringify({ venue, did, root: { writer, index, hash, time } }));
    this.opened(writer);
  }

  opened(writer: string): void {
    this.set(openPrefix + writer, '1');
  }

  closed(writer: string): void {
    this.store.remove(openPrefix + writer);
  }

  /** Whether somebody had it open and did not say goodbye, or still has. Asked once: it is forgotten by that. */
  wasLeftOpen(): boolean {
    const left = this.store.keys().filter((key) => key.startsWith(openPrefix));
    for (const key of left) this.store.remove(key);
    return left.length > 0;
  }

  /** Full or forbidden: then an eviction will look like a new store. It is no reason not to write. */
  private set(key: string, text: string): void {
    try {
      this.store.set(key, text);
    } catch {
      // see above
    }
  }
}
