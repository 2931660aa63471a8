// Who wants to hear of changes in a region. Delivered in the turn of the change, in order, even if a listener writes.
import type { Logger } from '../base/seams';

export interface Change<T = unknown> {
  key: string;
  /** The new value; undefined once deleted. */
  value: T | undefined;
  /** `remote`: joined from another writer of the store. */
  origin: 'local' | 'remote';
}

export type Listener<T = unknown> = (changes: readonly Change<T>[]) => void;

export class Subscribers<T> {
  private readonly every = new Set<Listener<T>>();
  private readonly byKey = new Map<string, Set<Listener<T>>>();
  private queue: (readonly Change<T>[])[] | undefined;

  constructor(
    private readonly region: string,
    private readonly logger: Logger,
  ) {}

  get any(): boolean {
    return this.every.size + this.byKey.size > 0;
  }

  add(key: string | undefined, listener: Listener<T>): () => void {
    // A wrapper of its own, so that one function subscribed twice is two subscriptions.
    const own: Listener<T> = (changes) => listener(changes);
    let set = this.every;
    if (key !== undefined) {
      set = this.byKey.get(key) ?? new Set();
      this.byKey.set(key, set);
    }
    set.add(own);
    return () => {
      set.delete(own);
      if (key !== undefined && set.size === 0 && this.byKey.get(key) === set) this.byKey.delete(key);
    };
  }

  publish(changes: readonly Change<T>[]): void {
    if (this.queue) {
      this.queue.push(changes);
      return;
    }
    this.queue = [changes];
    for (let next = this.queue.shift(); next; next = this.queue.shift()) {
      for (const listener of [...this.every]) this.call(listener, next);
      if (this.byKey.size === 0) continue;
      for (const change of next) {
        for (const listener of [...(this.byKey.get(change.key) ?? [])]) this.call(listener, [change]);
      }
    }
    this.queue = undefined;
  }

  private call(listener: Listener<T>, changes: readonly Change<T>[]): void {
    try {
      listener(changes);
    } catch (error) {
      // A listener's fault is not the writer's: set() has done its work.
      this.logger.error(`a subscriber of region '${this.region}' threw`, error);
    }
  }
}
