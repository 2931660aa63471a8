// A region: the live state of one named map. The overlay of what was touched or written (overlay.ts) on the base of the checkpoint
// (base.ts), and notes of what the durable values were (notes.ts). Knows no time but stamps, no bytes and no I/O.
import { encodeUtf8 } from '../base/bytes';
import { TidemarkError, ValueError } from '../base/errors';
import type { Logger } from '../base/seams';
import { type StampClock, stampAt } from '../lattice/clock';
import { type Join, joinEntries, TOMBSTONE } from '../lattice/joins';
import { encodeEntry, type Group, type StoredEntry } from '../log/entries';
import { deepFreeze, found, storable, textOf } from '../log/values';
import { type Base, emptyBase, MOVED } from './base';
import { keyBytesMax, valueBytesMax } from './limits';
import { Notes } from './notes';
import type { Range } from './order';
import { CHANGED, DIRTY, HIDDEN, type Odd, Overlay, TAGGED, UNCOUNTED, UNKNOWN } from './overlay';
import type { Schema } from './schema';
import { type Change, type Listener, Subscribers } from './subscribers';

/** What a region needs of the venue it is in. */
export interface Host {
  readonly stamps: StampClock;
  readonly logger: Logger;
  /** Whether values are frozen as they come in. */
  readonly freezes: boolean;
  /** Wall clock, ms since 1970. */
  now(): number;
  /** @throws TidemarkError `closed` */
  guard(): void;
  /** After a local write, of about so many bytes: counts it and asks for a sweep. */
  written(region: RegionState, bytes: number): void;
  /** An entry is kept but not shown. */
  hide(region: string, entry: StoredEntry, why: string, newer: boolean): void;
  /** The value that a slot has in the oldest commit in flight that has it, if one does. */
  frozenNotes(region: RegionState): Notes[];
}

/** What a slot durably holds, where it differs from what is in memory. */
export interface Was {
  value: unknown;
  stamp: number;
}

export interface ScanOptions extends Range {
  /** Only keys that begin so. */
  prefix?: string | undefined;
  /** At most so many. */
  limit?: number | undefined;
}

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
  schema: Schema | undefined;
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
    this.schema?.expire();
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
    this.schema?.expire();
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
  *scan({ prefix, limit = Number.POSITIVE_INFINITY, ...range }: ScanOptions = {}, root = false): Generator<[string, unknown]> {
    this.schema?.expire();
    if (prefix) {
      const end = prefixEnd(prefix);
      if (range.from === undefined || range.from < prefix) range.from = prefix;
      if (end !== undefined && (range.to === undefined || range.to > end)) range.to = end;
    }
    if (limit <= 0) return;
    for (const pair of this.merged(range, root)) {
      if (typeof pair[1] === 'symbol') continue;
      yield pair;
      if (--limit <= 0) return;
    }
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
  admit(key: string, given: unknown): unknown {
    const kept = storable(this.schema ? this.schema.check(key, given) : given);
    const { refusal } = found;
    if (refusal) {
      throw new ValueError(`region '${this.name}', key '${shown(key)}': the value${refusal.path && ` at ${refusal.path}`} ${refusal.why} and cannot be stored`);
    }
    if (found.size * 6 > valueBytesMax) {
      const bytes = encodeUtf8(textOf(kept)).length;
      if (bytes > valueBytesMax) {
        throw new TidemarkError('too_large', `region '${this.name}', key '${shown(key)}': the value has ${bytes} bytes encoded, at most ${valueBytesMax} can be stored`);
      }
      found.size = bytes;
    }
    return this.host.freezes ? deepFreeze(kept) : kept;
  }

  /** A local write, checked before. */
  write(key: string, value: unknown, tagged: boolean, size: number): void {
    const { overlay, host } = this;
    const slot = overlay.index.get(key);
    if (slot === undefined) this.checkKey(key);
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
    this.schema?.wrote(key, stamp);
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
      this.place(slot, { ...joined, key, value: this.host.freezes ? deepFreeze(value) : value, tagged: found.tagged, version: this.version }, from);
    }
    return true;
  }

  private place(slot: number, entry: StoredEntry, from: 'local' | 'remote' | 'recovered'): void {
    const { value, stamp, tagged, version, epoch } = entry;
    const hidden = value === TOMBSTONE || from === 'local' ? undefined : this.schema?.unfit(entry);
    if (from === 'local') this.put(slot, value, stamp, tagged);
    else {
      this.recount(slot, hidden ? HIDDEN : value);
      this.overlay.values[slot] = hidden ? HIDDEN : value;
      this.overlay.stamps[slot] = stamp;
      this.overlay.flags[slot] = (this.overlay.flags[slot]! & ~TAGGED) | (tagged ? TAGGED : 0) | this.changedBit;
    }
    if (hidden) this.overlay.odd.set(slot, { version, epoch, hidden });
    else if (value !== TOMBSTONE && (version !== this.version || epoch !== 0)) this.overlay.odd.set(slot, { version, epoch });
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
    const slot = this.overlay.insert(columns.keys[at]!, this.host.freezes ? deepFreeze(value) : value, columns.stamps[at]!, odd?.tagged ? TAGGED : 0);
    const version = odd?.version ?? columns.version;
    const epoch = odd?.epoch ?? 0;
    if (version !== this.version || epoch !== 0) this.overlay.odd.set(slot, { version, epoch });
    columns.values[at] = MOVED;
    return slot;
  }

  private *merged(range: Range, root: boolean): Generator<[string, unknown]> {
    const { overlay } = this;
    const { reverse } = range;
    const step = reverse ? -1 : 1;
    const known = overlay.index.size;
    const written = overlay.order.walk(range);
    const inOverlay = (key: string): [string, unknown] => [key, root ? this.rootValue(key) ?? TOMBSTONE : (overlay.values[overlay.index.get(key) ?? -1] ?? TOMBSTONE)];
    let next = written.next();
    for (const { columns, low, high } of this.base.parts(range)) {
      for (let i = reverse ? high - 1 : low; reverse ? i >= low : i < high; i += step) {
        const key = columns.keys[i]!;
        for (; !next.done && (reverse ? next.value > key : next.value < key); next = written.next()) yield inOverlay(next.value);
        const taken = !next.done && next.value === key;
        if (taken) next = written.next();
        const value = columns.values[i];
        // Keys may have been touched since the walk began.
        if (taken || value === MOVED || (overlay.index.size !== known && overlay.index.has(key))) yield inOverlay(key);
        else yield [key, this.host.freezes ? deepFreeze(value) : value];
      }
    }
    for (; !next.done; next = written.next()) yield inOverlay(next.value);
  }

  /** What a slot durably holds. UNKNOWN: whatever the base has. */
  durable(slot: number): Was {
    const { values, stamps, flags } = this.overlay;
    for (const notes of this.host.frozenNotes(this)) {
      const at = notes.find(slot);
      if (at >= 0) return { value: notes.values[at], stamp: notes.stamps[at]! };
    }
    if (flags[slot]! & DIRTY) {
      const at = this.notes.find(slot);
      return { value: this.notes.values[at], stamp: this.notes.stamps[at]! };
    }
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
    return this.overlay.values[slot] === TOMBSTONE ? this.overlay.stamps[slot]! : (this.overlay.odd.get(slot)?.epoch ?? 0);
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

  /** @throws TidemarkError `bad_key` */
  checkKey(key: string): void {
    const why =
      typeof key !== 'string'
        ? `is a ${typeof key}, not a string`
        : /\p{Surrogate}/u.test(key)
          ? 'has a lone surrogate, which UTF-8 cannot hold'
          : key.length === 0 || (key.length * 3 > keyBytesMax && encodeUtf8(key).length > keyBytesMax)
            ? `must have 1 to ${keyBytesMax} bytes of UTF-8`
            : undefined;
    if (why) throw new TidemarkError('bad_key', `region '${this.name}', key '${shown(key)}': the key ${why}`);
  }

  /** @throws TidemarkError `newer_entry` for an entry that a newer program has written. */
  checkWritable(key: string): void {
    const slot = this.overlay.index.get(key);
    const hidden = slot === undefined ? undefined : this.overlay.odd.get(slot)?.hidden;
    if (!hidden?.newer) return;
    throw new TidemarkError('newer_entry', `region '${this.name}', key '${shown(key)}': ${hidden.why}; upgrade the program before writing it`);
  }

  /** Joins the writes of a fork. @returns the keys that changed. */
  mergeFork(writes: ReadonlyMap<string, { value: unknown; stamp: number; tagged: boolean }>): string[] {
    const changed: string[] = [];
    for (const [key, { value, stamp, tagged }] of writes) {
      const slot = this.overlay.index.get(key);
      const epoch = this.join === 'lww' ? 0 : value === TOMBSTONE ? stamp : slot === undefined ? 0 : this.epochAt(slot);
      if (!this.merge({ key, value, stamp, tagged, version: this.version, epoch }, 'local')) continue;
      changed.push(key);
      this.schema?.wrote(key, stamp);
    }
    return changed;
  }

  /** Takes what was written out of the fork: notes of what was, and entries as a commit has them. */
  freeze(base: number): { notes: Notes; group: Group } {
    const { notes, overlay } = this;
    const { keys, values, stamps, flags, odd } = overlay;
    this.notes = new Notes();
    const entries: unknown[] = new Array(notes.slots.length);
    for (let i = 0; i < entries.length; i++) {
      const slot = notes.slots[i]!;
      flags[slot]! &= ~DIRTY;
      const value = values[slot];
      entries[i] =
        typeof value === 'symbol' || flags[slot]! & TAGGED || (odd.size > 0 && odd.has(slot))
          ? encodeEntry(this.entryAt(slot), base, this.version)
          : [keys[slot], stamps[slot]! - base, value];
    }
    const join = typeof this.join === 'function' ? 'custom' : this.join;
    return { notes, group: { region: this.name, version: this.version, join, entries } };
  }

  /** What was frozen is durable now. */
  settle(notes: Notes): void {
    const { flags } = this.overlay;
    for (let i = 0; i < notes.slots.length; i++) {
      const slot = notes.slots[i]!;
      flags[slot]! |= this.changedBit;
      if (this.capture && !this.capture.has(slot)) this.capture.set(slot, { value: notes.values[i], stamp: notes.stamps[i]! });
    }
  }

  publish(keys: readonly string[], origin: Change['origin']): void {
    if (keys.length > 0 && this.subscribers.any) this.subscribers.publish(keys.map((key) => ({ key, value: this.get(key), origin })));
  }
}

/** A hidden entry, as a note of what stood there. */
export class Hidden {
  constructor(readonly entry: StoredEntry) {}
}

export const shown = (key: unknown): string => (typeof key === 'string' ? key.slice(0, 80) : String(key));

/** The first text after all that begin with `prefix`; undefined if there is none. */
function prefixEnd(prefix: string): string | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const code = prefix.charCodeAt(i);
    if (code < 0xffff) return prefix.slice(0, i) + String.fromCharCode(code + 1);
  }
  return undefined;
}
