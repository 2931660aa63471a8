// What a region's entries were before they were written: the difference between what is in memory and what is durable.
// Columns that only grow; indexed when somebody asks. Knows slots, no keys.
import type { Odd } from './overlay';

/** What a slot held. */
export interface Was {
  /** A value, TOMBSTONE, HIDDEN, or UNKNOWN: whatever the base has. */
  value: unknown;
  stamp: number;
  odd: Odd | undefined;
}

export class Notes {
  readonly slots: number[] = [];
  private readonly values: unknown[] = [];
  private readonly stamps: number[] = [];
  private readonly odd = new Map<number, Odd>();
  private index: Map<number, number> | undefined;

  add(slot: number, value: unknown, stamp: number, odd: Odd | undefined): void {
    this.slots.push(slot);
    this.values.push(value);
    this.stamps.push(stamp);
    if (odd) this.odd.set(slot, odd);
  }

  find(slot: number): Was | undefined {
    this.index ??= new Map();
    for (let i = this.index.size; i < this.slots.length; i++) this.index.set(this.slots[i]!, i);
    const at = this.index.get(slot);
    return at === undefined ? undefined : this.at(at);
  }

  /** By place in the columns, instead of by slot. */
  at(place: number): Was {
    return { value: this.values[place], stamp: this.stamps[place]!, odd: this.odd.get(this.slots[place]!) };
  }

  /** Says of all that had nothing odd that it had this. */
  label(odd: Odd): void {
    for (const slot of this.slots) if (!this.odd.has(slot)) this.odd.set(slot, odd);
  }

  replace(slot: number, was: Was): void {
    const at = this.index!.get(slot)!;
    this.values[at] = was.value;
    this.stamps[at] = was.stamp;
    if (was.odd) this.odd.set(slot, was.odd);
    else this.odd.delete(slot);
  }
}
