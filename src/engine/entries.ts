// The entries of a region: the overlay of what was touched or written (overlay.ts) on the base of the checkpoint (base.ts), and notes of what
// is durable where memory differs (notes.ts). Mechanism only: which value wins, and who hears of it, is region.ts's.
import { type Join, joinEntries, joinName, TOMBSTONE } from '../lattice/joins';
import { encodeEntry, type Group, type StoredEntry } from '../log/entries';
import { deepFreeze, found, storable, textOf } from '../log/values';
import { type Base, columnEntry, emptyBase, MOVED } from './base';
import type { Forkable } from './fork';
import type { Host } from './host';
import { Notes, type Was } from './notes';
import { CHANGED, DIRTY, HIDDEN, type Odd, Overlay, TAGGED, UNCOUNTED, UNKNOWN } from './overlay';

export class Entries implements Forkable {
  readonly overlay = new Overlay();
  base: Base = emptyBase;
  join: Join<never> = 'lww';
  /** Schema version of all entries that are not odd. */
  version = 1;
  transient = false;
  critical = false;
  notes = new Notes();
  noted = false;
  /** Which of the CHANGED bits is set now. */
  changedBit: number = CHANGED[0];
  /** While a checkpoint is made: what slots held when it began. */
  capture: Map<number, Was> | undefined;
  /** Entries shown: not deleted, not hidden. Exact once `uncounted` is empty. */
  protected live = 0;
  private readonly uncounted: number[] = [];

  constructor(
    readonly name: string,
    protected readonly host: Host,
  ) {}

  /** Lays a checkpoint's entries under an empty overlay. */
  setBase(base: Base): void {
    this.base = base;
    this.live = base.live;
  }

  /** A slot for a key that has none. */
  protected insert(key: string): number {
    const counted = this.base.chunks.length === 0;
    const slot = this.overlay.insert(key, UNKNOWN, 0, counted ? 0 : UNCOUNTED);
    if (!counted) this.uncounted.push(slot);
    return slot;
  }

  /** The entry that the base has. */
  private baseEntry(key: string): StoredEntry | undefined {
    const inBase = this.base.find(key);
    return inBase && columnEntry(inBase.columns, inBase.at);
  }

  /**
   * The value of a key that the overlay does not have. A chunk of which more is read than it has is read again and again: its entries go into the
   * overlay then, where a look takes a fifth of the time. Reading all of a region once costs no such copy.
   */
  protected read(key: string): unknown {
    const inBase = this.base.find(key);
    if (!inBase) return undefined;
    const { chunk, columns, at } = inBase;
    if (chunk.reads++ > columns.keys.length) return this.overlay.values[this.promote(key)!];
    const value = columns.values[at];
    return this.host.freezes ? deepFreeze(value) : value;
  }

  /** Brings a key of the base into the overlay. @returns its slot, or undefined if the base has no such key. */
  promote(key: string): number | undefined {
    const inBase = this.base.find(key);
    if (!inBase) return undefined;
    const { key: own, value, stamp, tagged, version, epoch } = columnEntry(inBase.columns, inBase.at);
    if (this.host.freezes) deepFreeze(value);
    const slot = this.overlay.insert(own, value, stamp, tagged ? TAGGED : 0);
    if (version !== this.version || (epoch !== 0 && value !== TOMBSTONE))
      this.overlay.odd.set(slot, { version, epoch });
    inBase.columns.values[inBase.at] = MOVED;
    return slot;
  }

  /** Before `version` changes: writes the present one on all that had it without saying so. */
  label(version: number): void {
    const odd = { version, epoch: 0 };
    for (const slot of this.overlay.index.values()) if (!this.overlay.odd.has(slot)) this.overlay.odd.set(slot, odd);
    for (const notes of [...this.host.frozenNotes(this), this.notes]) notes.label(odd);
    for (const was of this.capture?.values() ?? []) was.odd ??= odd;
  }

  /** An overlay entry, as it is stored. */
  entryAt(slot: number): StoredEntry {
    const { values, stamps, flags, odd } = this.overlay;
    return this.stored(
      slot,
      { value: values[slot], stamp: stamps[slot]!, odd: odd.get(slot) },
      (flags[slot]! & TAGGED) !== 0,
    );
  }

  /** An overlay entry as it was, as it would have been stored. */
  entryWas(slot: number, was: Was): StoredEntry {
    storable(typeof was.value === 'symbol' ? null : was.value);
    return this.stored(slot, was, found.tagged);
  }

  private stored(slot: number, { value, stamp, odd }: Was, tagged: boolean): StoredEntry {
    if (odd?.hidden) return odd.hidden.entry;
    const epoch = value === TOMBSTONE ? stamp : (odd?.epoch ?? 0);
    return { key: this.overlay.keys[slot]!, value, stamp, tagged, version: odd?.version ?? this.version, epoch };
  }

  /** What a slot durably holds. */
  durable(slot: number): Was {
    for (const notes of this.host.frozenNotes(this)) {
      const was = notes.find(slot);
      if (was) return was;
    }
    const { values, stamps, odd, flags } = this.overlay;
    const now = { value: values[slot], stamp: stamps[slot]!, odd: odd.get(slot) };
    if (!(flags[slot]! & DIRTY)) return now;
    return this.notes.find(slot) ?? { ...now, value: UNKNOWN }; // a transient entry has no note: it is not durable
  }

  /** What a crash now would leave of an entry. */
  rootValue(key: string): unknown {
    const slot = this.overlay.index.get(key);
    let value = slot === undefined ? UNKNOWN : this.durable(slot).value;
    if (value === UNKNOWN) {
      const inBase = this.base.find(key);
      value = inBase?.columns.values[inBase.at];
      if (value === MOVED) value = this.overlay.values[slot!];
    }
    return typeof value === 'symbol' ? undefined : value;
  }

  /** A local write: noted, if nothing was since the last freeze. */
  protected put(slot: number, value: unknown, stamp: number, tagged: boolean): void {
    const { overlay } = this;
    const flags = overlay.flags[slot]!;
    if (!(flags & DIRTY) && !this.transient) {
      const odd = overlay.odd.size > 0 ? overlay.odd.get(slot) : undefined;
      this.notes.add(slot, overlay.values[slot], overlay.stamps[slot]!, odd);
    }
    this.recount(slot, value);
    overlay.values[slot] = value;
    overlay.stamps[slot] = stamp;
    overlay.flags[slot] = (flags & ~TAGGED) | DIRTY | (tagged ? TAGGED : 0);
    if (overlay.odd.size > 0) overlay.odd.delete(slot);
  }

  /** What another writer made durable: it changes what is durable here, too, under a local write. */
  protected lay(entry: StoredEntry, hidden: Odd['hidden']): void {
    const slot = this.overlay.index.get(entry.key) ?? (this.capture ? this.insert(entry.key) : undefined);
    if (slot === undefined) return;
    if (this.capture && !this.capture.has(slot)) this.capture.set(slot, this.durable(slot));
    for (const notes of [...this.host.frozenNotes(this), this.notes]) {
      const was = notes.find(slot);
      if (!was || was.value === HIDDEN) continue;
      const held = was.value === UNKNOWN ? this.baseEntry(entry.key) : this.entryWas(slot, was);
      const { value, stamp, epoch } = held ? joinEntries(this.join, held, entry, textOf) : entry;
      const { version } = value === entry.value ? entry : this;
      if (hidden && value === entry.value)
        notes.replace(slot, { value: HIDDEN, stamp, odd: { version, epoch, hidden } });
      else
        notes.replace(slot, {
          value,
          stamp,
          odd: version === this.version && epoch === 0 ? undefined : { version, epoch },
        });
    }
  }

  /** Stops showing an entry. */
  conceal(slot: number, hidden: NonNullable<Odd['hidden']>): void {
    const { overlay } = this;
    const { entry } = hidden;
    this.recount(slot, HIDDEN);
    overlay.values[slot] = HIDDEN;
    overlay.odd.set(slot, { version: entry.version, epoch: entry.epoch, hidden });
  }

  /** Shows an entry, its value as the program wants it. Nothing is written. */
  reveal(slot: number, { value, tagged, version, epoch }: StoredEntry): void {
    const { overlay } = this;
    this.recount(slot, value);
    overlay.values[slot] = value;
    overlay.flags[slot] = (overlay.flags[slot]! & ~TAGGED) | (tagged ? TAGGED : 0);
    if (version === this.version && epoch === 0) overlay.odd.delete(slot);
    else overlay.odd.set(slot, { version, epoch });
  }

  /** Keeps `live` right as a slot's value changes. */
  protected recount(slot: number, value: unknown): void {
    if (this.overlay.flags[slot]! & UNCOUNTED) return;
    this.live += (typeof value === 'symbol' ? 0 : 1) - (typeof this.overlay.values[slot] === 'symbol' ? 0 : 1);
  }

  /** Settles what one slot did to `live`, once it is known whether the base shows the key. */
  count(slot: number, inBase: boolean): void {
    if (!(this.overlay.flags[slot]! & UNCOUNTED)) return;
    this.overlay.flags[slot]! &= ~UNCOUNTED;
    this.live += (typeof this.overlay.values[slot] === 'symbol' ? 0 : 1) - (inBase ? 1 : 0);
  }

  /** Settles up to so many. @returns whether any are left. */
  countSome(limit: number): boolean {
    for (; limit > 0 && this.uncounted.length > 0; limit--) {
      const slot = this.uncounted.pop()!;
      if (!(this.overlay.flags[slot]! & UNCOUNTED)) continue;
      const inBase = this.base.find(this.overlay.keys[slot]!);
      this.count(slot, inBase !== undefined && typeof inBase.columns.values[inBase.at] !== 'symbol');
    }
    return this.uncounted.length > 0;
  }

  freeze(): Notes {
    const { notes } = this;
    const { flags } = this.overlay;
    this.notes = new Notes();
    for (const slot of notes.slots) flags[slot]! &= ~DIRTY;
    return notes;
  }

  encode(parts: readonly Notes[], base: number): Group {
    const { slots } = parts[0]!;
    const { keys, values, stamps, flags, odd } = this.overlay;
    // What was written after this part was frozen is noted in a later one: there stands what it was in this one.
    const later = [...parts.slice(1), this.notes].filter((notes) => notes.slots.length > 0);
    const entries: unknown[] = [];
    for (const slot of slots) {
      const value = values[slot];
      let was: Was | undefined;
      for (let n = 0; n < later.length && !was; n++) was = later[n]!.find(slot);
      if (!was && typeof value !== 'symbol' && !(flags[slot]! & TAGGED) && !(odd.size > 0 && odd.has(slot))) {
        entries.push([keys[slot], stamps[slot]! - base, value]);
        continue;
      }
      try {
        entries.push(encodeEntry(was ? this.entryWas(slot, was) : this.entryAt(slot), base, this.version));
      } catch (error) {
        this.host.broken(this.name, keys[slot]!, error as Error);
      }
    }
    return { region: this.name, version: this.version, join: joinName(this.join), entries };
  }

  split(notes: Notes, keys: ReadonlySet<string>): [Notes, Notes] {
    const parts: [Notes, Notes] = [new Notes(), new Notes()];
    notes.slots.forEach((slot, place) => {
      const { value, stamp, odd } = notes.at(place);
      parts[keys.has(this.overlay.keys[slot]!) ? 0 : 1].add(slot, value, stamp, odd);
    });
    return parts;
  }

  settle(notes: Notes): void {
    const { flags } = this.overlay;
    for (let i = 0; i < notes.slots.length; i++) {
      const slot = notes.slots[i]!;
      flags[slot]! |= this.changedBit;
      if (this.capture && !this.capture.has(slot)) this.capture.set(slot, notes.at(i));
    }
  }
}
