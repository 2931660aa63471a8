// The overlay of a region: what was touched or written since it was opened. A Map from key to slot, and a column for each thing that is known of an
// entry: 25 bytes and no object an entry, which is what keeps set() near a bare Map and a million entries out of the garbage collector's way.
import { TOMBSTONE } from '../lattice/joins';
import type { StoredEntry } from '../log/entries';
import { KeyOrder } from './order';

/** Bits of an entry's flags. */
export const DIRTY = 1; // written since the last freeze; noted
export const TAGGED = 2; // the value needs tags to be JSON
export const UNCOUNTED = 4; // whether the base has the key, and so what it does to `live`, is not known yet
/** Durably changed since the last checkpoint; two bits take turns, so that one can be cleared when a checkpoint is done. */
export const CHANGED = [8, 16] as const;

/** Values that are none. */
export const UNKNOWN: unique symbol = Symbol('unknown'); // whatever the base has
export const HIDDEN: unique symbol = Symbol('hidden'); // kept, but not for this program: see Odd.hidden

/** What an entry has beyond key, value and stamp. */
export interface Odd {
  version: number;
  epoch: number;
  /** The entry as it is stored, and why it is not shown. */
  hidden?: { entry: StoredEntry; why: string; newer: boolean };
}

export class Overlay {
  readonly index = new Map<string, number>();
  readonly keys: (string | undefined)[] = [];
  readonly values: unknown[] = [];
  readonly stamps: number[] = [];
  flags = new Uint8Array(16);
  readonly odd = new Map<number, Odd>();
  order = new KeyOrder();
  /** How many there have been: tells whether there are new ones. */
  inserted = 0;
  private readonly free: number[] = [];
  private removed = 0;

  insert(key: string, value: unknown, stamp: number, flags: number): number {
    const slot = this.free.pop() ?? this.keys.length;
    if (slot === this.flags.length) {
      const grown = new Uint8Array(2 * slot);
      grown.set(this.flags);
      this.flags = grown;
    }
    this.index.set(key, slot);
    this.keys[slot] = key;
    this.values[slot] = value;
    this.stamps[slot] = stamp;
    this.flags[slot] = flags;
    this.order.add(key);
    this.inserted++;
    return slot;
  }

  /** Forgets a tombstone. */
  remove(slot: number): void {
    this.index.delete(this.keys[slot]!);
    this.keys[slot] = undefined;
    this.values[slot] = TOMBSTONE;
    this.flags[slot] = 0;
    this.odd.delete(slot);
    this.free.push(slot);
    // The order does not unlearn keys one by one; once half of it is gone it starts anew.
    if (++this.removed > this.index.size + 1024) {
      this.removed = 0;
      this.order = new KeyOrder([...this.index.keys()]);
    }
  }
}
