// What a region's entries were before they were written: the difference between what is in memory and what is durable.
// Columns that only grow; indexed when somebody asks. Knows slots, no keys.

/** What a slot held. */
export interface Was {
  value: unknown;
  stamp: number;
}

export class Notes {
  readonly slots: number[] = [];
  /** What stood there: a value, TOMBSTONE, UNKNOWN (whatever the base has), or an Odd entry. */
  readonly values: unknown[] = [];
  readonly stamps: number[] = [];
  private index: Map<number, number> | undefined;

  add(slot: number, value: unknown, stamp: number): void {
    this.slots.push(slot);
    this.values.push(value);
    this.stamps.push(stamp);
  }

  /** Where a slot stands in the columns; -1 if nowhere. */
  find(slot: number): number {
    this.index ??= new Map();
    for (let i = this.index.size; i < this.slots.length; i++) this.index.set(this.slots[i]!, i);
    return this.index.get(slot) ?? -1;
  }

  at(slot: number): Was {
    const at = this.find(slot);
    return { value: this.values[at], stamp: this.stamps[at]! };
  }
}
