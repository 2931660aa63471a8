// A region: the live state of one named map. The overlay of what was touched or written (overlay.ts) on the base of the checkpoint
// (base.ts), and notes of what the durable values were (notes.ts). Knows no time but stamps, no bytes and no I/O.
import { TidemarkError } from '../base/errors';
import { stampAt } from '../lattice/clock';
import { type Join, joinEntries, joinName, TOMBSTONE } from '../lattice/joins';
import { encodeEntry, type Group, type StoredEntry } from '../log/entries';
import { deepFreeze, found, storable, textOf } from '../log/values';
import { admit, checkKey, place } from './admit';
import { type Base, emptyBase, MOVED } from './base';
import type { Host, RegionRules } from './host';
import { Notes, type Was } from './notes';
import { CHANGED, DIRTY, HIDDEN, type Odd, Overlay, TAGGED, UNCOUNTED, UNKNOWN } from './overlay';
import { type ScanOptions, scan } from './scan';
import { type Change, type Listener, Subscribers } from './subscribers';

export class RegionState {
  readonly overlay = new Overlay();
  base: Base = emptyBase;
  notes = new Notes();
  readonly subscribers: Subscribers<unknown>;
  join: Join<never> = 'lww';
  /** What the store says of the join, until the program declares one. */
  storedJoin = 'lww';
  version = 1;
  declared = false;
  /** What the program declared it with, if it did. */
  options: object | undefined;
  transient = false;
  rules: RegionRules | undefined;
  /** Entries that a join we do not have yet (a function of the program's) has still to be applied to. */
  unjoined: StoredEntry[] = [];
  /** Entries shown: not deleted, not hidden. Exact once `uncounted` is empty. */
  private live = 0;
  private uncounted: number[] = [];
  /** Whether the fork knows that there are notes. */
  noted = false;
  /** Which of the CHANGED bits is set now. */
  changedBit: number = CHANGED[0];
  /** While a checkpoint is made: what slots held when it began. */
  capture: Map<number, Was> | undefined;

  constructor(
    readonly name: string,
    private readonly host: Host,
  ) {
    this.subscribers = new Subscribers(name, host.logger);
  }

  get(key: string): unknown {
    this.rules?.expire();
    const { overlay } = this;
    let slot = overlay.index.get(key);
    if (slot === undefined) {
      slot = this.promote(key);
      if (slot === undefined) return undefined;
    }
    const value = overlay.values[slot];
    return typeof value === 'symbol' ? undefined : value;
  }

  set(key: string, value: unknown): void {
    this.host.guard();
    this.write(key, this.admit(key, value), found.tagged, found.size);
  }

  /** @returns whether there was an entry. */
  delete(key: string): boolean {
    this.host.guard();
    if (this.get(key) === undefined) return false;
    this.write(key, TOMBSTONE, false, key.length);
    return true;
  }

  get size(): number {
    this.rules?.expire();
    this.countAll();
    return this.live;
  }

  /** Deletes what was last written more than so many ms ago. @returns how many. */
  purgeOlderThan(ms: number): number {
    this.host.guard();
    const before = stampAt(this.host.now() - ms);
    const old: string[] = [];
    for (const [key] of this.scan()) {
      const slot = this.overlay.index.get(key);
      const place = slot === undefined ? this.base.find(key)! : undefined;
      if ((place ? place.columns.stamps[place.at]! : this.overlay.stamps[slot!]!) < before) old.push(key);
    }
    for (const key of old) this.delete(key);
    return old.length;
  }

  subscribe(key: string | undefined, listener: Listener): () => void {
    return this.subscribers.add(key, listener);
  }

  /** Entries of a range in key order. `root`: what is durable, instead of what is live. */
  scan(options: ScanOptions = {}, root = false): Generator<[string, unknown]> {
    this.rules?.expire();
    const { overlay, base } = this;
    const inOverlay = (key: string) => (root ? this.rootValue(key) : overlay.values[overlay.index.get(key) ?? -1]);
    return scan(overlay, base, options, inOverlay, this.host.freezes);
  }

  /** What a crash now would leave of an entry. */
  rootValue(key: string): unknown {
    const slot = this.overlay.index.get(key);
    let value = slot === undefined ? UNKNOWN : this.durable(slot).value;
    if (value === UNKNOWN) {
      const place = this.base.find(key);
      value = place?.columns.values[place.at];
      if (value === MOVED) value = this.overlay.values[slot!];
    }
    return typeof value === 'symbol' || value instanceof Hidden ? undefined : value;
  }

  /** Checks a value that is to be stored and returns what to keep of it; `found` has its size. @throws ValueError, TidemarkError */
  admit(key: string, value: unknown): unknown {
    const kept = admit(this.name, key, this.rules ? this.rules.check(key, value) : value);
    return this.host.freezes ? deepFreeze(kept) : kept;
  }

  /** A local write, checked before. */
  write(key: string, value: unknown, tagged: boolean, size: number): void {
    const { overlay, host } = this;
    const slot = overlay.index.get(key);
    if (slot === undefined) checkKey(this.name, key);
    else if (overlay.values[slot] === HIDDEN) this.checkWritable(key);
    const stamp = host.stamps.next();
    if (this.join === 'lww') {
      // Our own stamp is newer than all that we know: no need to look at what stands there.
      this.put(slot ?? this.insert(key), value, stamp, tagged);
    } else {
      const current = slot ?? this.promote(key);
      const epoch = value === TOMBSTONE ? stamp : current === undefined ? 0 : this.epochAt(current);
      this.merge({ key, value, stamp, tagged, version: this.version, epoch }, 'local');
    }
    if (!this.transient) host.written(this, size);
    this.rules?.wrote(key, stamp);
    if (this.subscribers.any) this.publish([key], 'local');
  }

  /**
   * Joins an entry from somewhere else: a fork (`local`), another writer (`remote`), the store (`recovered`).
   * @returns whether it changed anything.
   */
  merge(entry: StoredEntry, from: 'local' | 'remote' | 'recovered'): boolean {
    const { overlay } = this;
    const { key } = entry;
    let slot = overlay.index.get(key);
    if (slot === undefined) {
      // What is newer than the whole checkpoint wins without a look at it.
      const wins = this.join === 'lww' && entry.stamp > this.base.time;
      slot = (wins ? undefined : this.promote(key)) ?? this.insert(key);
    }
    const held = overlay.values[slot] === UNKNOWN ? undefined : this.entryAt(slot);
    if (from === 'remote') {
      if (this.capture && !this.capture.has(slot)) this.capture.set(slot, this.durable(slot));
      if (overlay.flags[slot]! & DIRTY) this.joinNoted(slot, entry);
    }
    const joined = held ? joinEntries(this.join, held, entry, textOf) : entry;
    if (this.storedJoin === 'custom' && !this.declared && held) this.unjoined.push(joined === held ? entry : held);
    if (joined === held) return false;
    if (joined === entry) this.place(slot, entry, from);
    else {
      const value = storable(joined.value);
      this.place(
        slot,
        {
          ...joined,
          key,
          value: this.host.freezes ? deepFreeze(value) : value,
          tagged: found.tagged,
          version: this.version,
        },
        from,
      );
    }
    return true;
  }

  private place(slot: number, entry: StoredEntry, from: 'local' | 'remote' | 'recovered'): void {
    const { value, stamp, tagged, version, epoch } = entry;
    const hidden = value === TOMBSTONE || from === 'local' ? undefined : this.rules?.unfit(entry);
    if (from === 'local') this.put(slot, value, stamp, tagged);
    else {
      this.recount(slot, hidden ? HIDDEN : value);
      this.overlay.values[slot] = hidden ? HIDDEN : value;
      this.overlay.stamps[slot] = stamp;
      this.overlay.flags[slot] = (this.overlay.flags[slot]! & ~TAGGED) | (tagged ? TAGGED : 0) | this.changedBit;
    }
    if (hidden) this.overlay.odd.set(slot, { version, epoch, hidden });
    else if (value !== TOMBSTONE && (version !== this.version || epoch !== 0))
      this.overlay.odd.set(slot, { version, epoch });
    else if (this.overlay.odd.size > 0) this.overlay.odd.delete(slot);
  }

  private put(slot: number, value: unknown, stamp: number, tagged: boolean): void {
    const { overlay } = this;
    const flags = overlay.flags[slot]!;
    if (!(flags & DIRTY) && !this.transient) {
      const held = overlay.values[slot];
      this.notes.add(slot, held === HIDDEN ? this.concealed(slot) : held, overlay.stamps[slot]!);
    }
    this.recount(slot, value);
    overlay.values[slot] = value;
    overlay.stamps[slot] = stamp;
    overlay.flags[slot] = (flags & ~TAGGED) | DIRTY | (tagged ? TAGGED : 0);
    if (overlay.odd.size > 0) overlay.odd.delete(slot);
  }

  /** A slot for a key that has none. */
  private insert(key: string): number {
    const counted = this.base.chunks.length === 0;
    const slot = this.overlay.insert(key, UNKNOWN, 0, counted ? 0 : UNCOUNTED);
    if (!counted) this.uncounted.push(slot);
    return slot;
  }

  /** Brings a key of the base into the overlay. @returns its slot, or undefined if the base has no such key. */
  promote(key: string): number | undefined {
    if (this.base.chunks.length === 0) return undefined;
    const place = this.base.find(key);
    if (!place) return undefined;
    const { columns, at } = place;
    const odd = columns.odd.get(at);
    const value = columns.values[at];
    const slot = this.overlay.insert(
      columns.keys[at]!,
      this.host.freezes ? deepFreeze(value) : value,
      columns.stamps[at]!,
      odd?.tagged ? TAGGED : 0,
    );
    const version = odd?.version ?? columns.version;
    const epoch = odd?.epoch ?? 0;
    if (version !== this.version || epoch !== 0) this.overlay.odd.set(slot, { version, epoch });
    columns.values[at] = MOVED;
    return slot;
  }

  /** What a slot durably holds. UNKNOWN: whatever the base has. */
  durable(slot: number): Was {
    const { values, stamps, flags } = this.overlay;
    for (const notes of this.host.frozenNotes(this)) if (notes.find(slot) >= 0) return notes.at(slot);
    if (flags[slot]! & DIRTY) return this.notes.at(slot);
    const value = values[slot];
    return { value: value === HIDDEN ? this.concealed(slot) : value, stamp: stamps[slot]! };
  }

  private concealed(slot: number): Hidden {
    return new Hidden(this.overlay.odd.get(slot)!.hidden!.entry);
  }

  /** Remote entries are durable: they are joined into what a slot durably held, too. */
  private joinNoted(slot: number, entry: StoredEntry): void {
    const at = this.notes.find(slot);
    const value = this.notes.values[at];
    if (value instanceof Hidden) return;
    const held = { value, stamp: this.notes.stamps[at]!, epoch: this.epochAt(slot) };
    const joined = value === UNKNOWN ? entry : joinEntries(this.join, held, entry, textOf);
    this.notes.values[at] = joined.value;
    this.notes.stamps[at] = joined.stamp;
  }

  /** An overlay entry, whole, as it is stored. */
  entryAt(slot: number): StoredEntry {
    const { keys, values, stamps, flags, odd } = this.overlay;
    const extra = odd.get(slot);
    if (extra?.hidden) return extra.hidden.entry;
    return {
      key: keys[slot]!,
      value: values[slot],
      stamp: stamps[slot]!,
      tagged: (flags[slot]! & TAGGED) !== 0,
      version: extra?.version ?? this.version,
      epoch: this.epochAt(slot),
    };
  }

  private epochAt(slot: number): number {
    if (this.join === 'lww') return 0;
    return this.overlay.values[slot] === TOMBSTONE
      ? this.overlay.stamps[slot]!
      : (this.overlay.odd.get(slot)?.epoch ?? 0);
  }

  /** Keeps `live` right as a slot's value changes. */
  private recount(slot: number, value: unknown): void {
    if (this.overlay.flags[slot]! & UNCOUNTED) return;
    this.live += (typeof value === 'symbol' ? 0 : 1) - (typeof this.overlay.values[slot] === 'symbol' ? 0 : 1);
  }

  /** Settles what one slot did to `live`, once it is known whether the base shows the key. */
  count(slot: number, inBase: boolean): void {
    if (!(this.overlay.flags[slot]! & UNCOUNTED)) return;
    this.overlay.flags[slot]! &= ~UNCOUNTED;
    this.live += (typeof this.overlay.values[slot] === 'symbol' ? 0 : 1) - (inBase ? 1 : 0);
  }

  countAll(): void {
    for (const slot of this.uncounted) {
      if (!(this.overlay.flags[slot]! & UNCOUNTED)) continue;
      const place = this.base.find(this.overlay.keys[slot]!);
      this.count(slot, place !== undefined && typeof place.columns.values[place.at] !== 'symbol');
    }
    this.uncounted = [];
  }

  /** Lays a checkpoint's entries under an empty overlay. */
  setBase(base: Base): void {
    this.base = base;
    this.live = base.live;
  }

  /** Shows or stops showing an entry of the overlay, as a schema finds. */
  conceal(slot: number, hidden: NonNullable<Odd['hidden']>): void {
    const { overlay } = this;
    const { entry } = hidden;
    this.recount(slot, HIDDEN);
    overlay.values[slot] = HIDDEN;
    overlay.odd.set(slot, { version: entry.version, epoch: entry.epoch, hidden });
  }

  /** @throws TidemarkError `newer_entry` for an entry that a newer program has written. */
  checkWritable(key: string): void {
    const slot = this.overlay.index.get(key);
    const hidden = slot === undefined ? undefined : this.overlay.odd.get(slot)?.hidden;
    if (!hidden?.newer) return;
    throw new TidemarkError(
      'newer_entry',
      `${place(this.name, key)}: ${hidden.why}; upgrade the program before writing it`,
    );
  }

  /** Joins the writes of a fork. @returns the keys that changed. */
  mergeFork(writes: ReadonlyMap<string, { value: unknown; stamp: number; tagged: boolean }>): string[] {
    const changed: string[] = [];
    for (const [key, { value, stamp, tagged }] of writes) {
      const slot = this.overlay.index.get(key);
      const epoch = this.join === 'lww' ? 0 : value === TOMBSTONE ? stamp : slot === undefined ? 0 : this.epochAt(slot);
      if (!this.merge({ key, value, stamp, tagged, version: this.version, epoch }, 'local')) continue;
      changed.push(key);
      this.rules?.wrote(key, stamp);
    }
    return changed;
  }

  /** Ends a part of the fork. @returns what its entries were before. */
  freeze(): Notes {
    const { notes } = this;
    const { flags } = this.overlay;
    this.notes = new Notes();
    for (const slot of notes.slots) flags[slot]! &= ~DIRTY;
    return notes;
  }

  /** The entries of the oldest of these parts, as a commit has them. @param parts all that are frozen, oldest first. */
  encode(parts: readonly Notes[], base: number): Group {
    const { slots } = parts[0]!;
    const { keys, values, stamps, flags, odd } = this.overlay;
    // What was written after this part was frozen is noted in a later one: there stands what it was in this one.
    const later = [...parts.slice(1), this.notes].filter((notes) => notes.slots.length > 0);
    const entries: unknown[] = new Array(slots.length);
    for (let i = 0; i < entries.length; i++) {
      const slot = slots[i]!;
      const value = values[slot];
      const next = later.find((notes) => notes.find(slot) >= 0);
      entries[i] = next
        ? encodeEntry(this.entryWas(slot, next.at(slot)), base, this.version)
        : typeof value === 'symbol' || flags[slot]! & TAGGED || (odd.size > 0 && odd.has(slot))
          ? encodeEntry(this.entryAt(slot), base, this.version)
          : [keys[slot], stamps[slot]! - base, value];
    }
    return { region: this.name, version: this.version, join: joinName(this.join), entries };
  }

  /** An overlay entry as it was, by what a note says of it. */
  entryWas(slot: number, was: Was): StoredEntry {
    if (was.value instanceof Hidden) return was.value.entry;
    const entry = this.entryAt(slot);
    if (entry.stamp === was.stamp) return entry;
    const { value, stamp } = was;
    storable(value === TOMBSTONE ? 0 : value);
    return {
      key: entry.key,
      value,
      stamp,
      tagged: found.tagged,
      version: this.version,
      epoch: value === TOMBSTONE ? stamp : entry.epoch,
    };
  }

  /** What was frozen is durable now. */
  settle(notes: Notes): void {
    const { flags } = this.overlay;
    for (let i = 0; i < notes.slots.length; i++) {
      const slot = notes.slots[i]!;
      flags[slot]! |= this.changedBit;
      if (this.capture && !this.capture.has(slot))
        this.capture.set(slot, { value: notes.values[i], stamp: notes.stamps[i]! });
    }
  }

  publish(keys: readonly string[], origin: Change['origin']): void {
    if (keys.length > 0 && this.subscribers.any)
      this.subscribers.publish(keys.map((key) => ({ key, value: this.get(key), origin })));
  }
}

/** A hidden entry, as a note of what stood there. */
export class Hidden {
  constructor(readonly entry: StoredEntry) {}
}
