// A region: one named map as its users see it. Which value wins, what is refused, and who hears of it; how entries are kept is entries.ts's.
import { TidemarkError } from '../base/errors';
import { stampAt } from '../lattice/clock';
import { joinEntries, TOMBSTONE } from '../lattice/joins';
import type { StoredEntry } from '../log/entries';
import { deepFreeze, found, textOf } from '../log/values';
import { admit, checkKey, place } from './admit';
import { Entries } from './entries';
import type { Host, RegionRules } from './host';
import { HIDDEN, type Odd, TAGGED, UNKNOWN } from './overlay';
import { type ScanOptions, scan } from './scan';
import { type Change, type Listener, Subscribers } from './subscribers';

/** A value on its way into an entry. */
export interface Write {
  value: unknown;
  stamp: number;
  tagged: boolean;
}

type Source = 'local' | 'remote' | 'recovered';

export class RegionState extends Entries {
  readonly subscribers: Subscribers<unknown>;
  /** What the store says of the join, until the program declares one. */
  storedJoin = 'lww';
  declared = false;
  /** What the program declared it with, if it did. */
  options: object | undefined;
  rules: RegionRules | undefined;
  /** Entries that a join we do not have yet (a function of the program's) has still to be applied to. */
  unjoined: StoredEntry[] = [];

  constructor(name: string, host: Host) {
    super(name, host);
    this.subscribers = new Subscribers(name, host.logger);
  }

  get(key: string): unknown {
    this.rules?.expire();
    const slot = this.overlay.index.get(key);
    const value = slot === undefined ? this.read(key) : this.overlay.values[slot];
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
    this.countSome(Number.POSITIVE_INFINITY);
    return this.live;
  }

  /** Declared, or with entries: not only looked at. */
  get exists(): boolean {
    return this.declared || this.overlay.index.size > 0 || this.base.chunks.length > 0;
  }

  /** Deletes what was last written more than so many ms ago. @returns how many. */
  purgeOlderThan(ms: number): number {
    this.host.guard();
    const before = stampAt(this.host.now() - ms);
    const old: string[] = [];
    for (const [key] of this.scan()) {
      const slot = this.overlay.index.get(key);
      const inBase = slot === undefined ? this.base.find(key)! : undefined;
      if ((inBase ? inBase.columns.stamps[inBase.at]! : this.overlay.stamps[slot!]!) < before) old.push(key);
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
    const look = (key: string) => (root ? this.rootValue(key) : this.get(key));
    return scan(overlay, base, options, inOverlay, look, () => this.base !== base, this.host.freezes);
  }

  /** Checks a value that is to be stored and returns what to keep of it; `found` has its size. @throws ValueError, TidemarkError */
  admit(key: string, value: unknown): unknown {
    return admit(this.name, key, this.rules ? this.rules.check(key, value) : value, this.host.freezes);
  }

  /** A local write, checked before. */
  write(key: string, value: unknown, tagged: boolean, size: number, stamp = this.host.stamps.next()): void {
    const { overlay } = this;
    const slot = overlay.index.get(key);
    if (slot === undefined) checkKey(this.name, key);
    else if (overlay.values[slot] === HIDDEN) {
      this.checkWritable(key);
      this.host.unhide(this.name, key);
    }
    // Under lww our own stamp is newer than all that we know: no need to look at what stands there.
    if (this.join === 'lww') this.put(slot ?? this.insert(key), value, stamp, tagged);
    else {
      const joined = this.joined(this.ownEntry(key, { value, stamp, tagged }));
      if (joined) this.apply(joined, 'local');
    }
    this.wrote(key, stamp, size);
  }

  /** Writes a value in place of what stands there, whatever the join: the same value, as a newer schema has it. */
  replace(slot: number, entry: StoredEntry, size: number): void {
    const stamp = this.host.stamps.next();
    this.place(slot, { ...entry, stamp }, 'local');
    this.wrote(entry.key, stamp, size);
  }

  private wrote(key: string, stamp: number, size: number): void {
    if (!this.transient) this.host.written(this, size);
    this.rules?.wrote(key, stamp);
    if (this.subscribers.any) this.publish([key], 'local');
  }

  private ownEntry(key: string, { value, stamp, tagged }: Write): StoredEntry {
    let epoch = 0;
    if (this.join !== 'lww') {
      const slot = this.overlay.index.get(key) ?? this.promote(key);
      // Of a key that is not there a deletion may have been forgotten, which an older checkpoint remembers.
      const forgotten = this.host.exclusive ? this.base.time : 0;
      epoch = value === TOMBSTONE ? stamp : slot === undefined ? forgotten : this.entryAt(slot).epoch;
    }
    return { key, value, stamp, tagged, version: this.version, epoch };
  }

  /**
   * Joins an entry from another writer (`remote`) or from the store (`recovered`).
   * @returns whether it changed anything. @throws what a join of the program's throws; then nothing has changed
   */
  merge(given: StoredEntry, from: 'remote' | 'recovered'): boolean {
    const { entry, hidden } = this.rules?.fit(given) ?? { entry: given };
    const joined = this.joined(entry, hidden !== undefined);
    if (from === 'remote') this.lay(entry, hidden);
    if (!joined) return false;
    this.apply(joined, from, joined === entry ? hidden : undefined);
    return true;
  }

  /** Joins the writes of a fork, whole or not at all. @returns what is to be done, and gives the keys that it changed. */
  mergeFork(writes: ReadonlyMap<string, Write>): () => string[] {
    const entries = [...writes].flatMap(([key, write]) => this.joined(this.ownEntry(key, write)) ?? []);
    return () =>
      entries.map((entry) => {
        this.apply(entry, 'local');
        this.rules?.wrote(entry.key, entry.stamp);
        return entry.key;
      });
  }

  /** What a key holds once `entry` is joined; undefined if that changes nothing. Changes nothing itself. */
  private joined(entry: StoredEntry, hidden = false): StoredEntry | undefined {
    const { overlay, join, host } = this;
    const { key } = entry;
    // A join of the program's that we do not have yet is applied when it is declared.
    const later = this.storedJoin === 'custom' && typeof join !== 'function';
    // What is newer than the whole checkpoint wins without a look at it.
    const wins = join === 'lww' && !later && entry.stamp > this.base.time;
    const slot = overlay.index.get(key) ?? (wins ? undefined : this.promote(key));
    if (slot === undefined || overlay.values[slot] === UNKNOWN) return entry;
    const held = this.entryAt(slot);
    const joined = joinEntries(hidden || overlay.values[slot] === HIDDEN ? 'lww' : join, held, entry, textOf);
    if (later) this.unjoined.push(joined === held ? entry : held);
    if (joined === held) return undefined;
    if (joined === entry) return entry;
    const value = admit(this.name, key, joined.value, host.freezes);
    return { ...joined, key, value, tagged: found.tagged, version: this.version };
  }

  private apply(entry: StoredEntry, from: Source, hidden?: Odd['hidden']): void {
    this.place(this.overlay.index.get(entry.key) ?? this.insert(entry.key), entry, from, hidden);
  }

  private place(slot: number, entry: StoredEntry, from: Source, hidden?: Odd['hidden']): void {
    const { overlay } = this;
    const { value, stamp, tagged, version, epoch } = entry;
    if (this.host.freezes) deepFreeze(value);
    if (from === 'local') this.put(slot, value, stamp, tagged);
    else {
      const shown = hidden ? HIDDEN : value;
      this.recount(slot, shown);
      overlay.values[slot] = shown;
      overlay.stamps[slot] = stamp;
      overlay.flags[slot] = (overlay.flags[slot]! & ~TAGGED) | (tagged ? TAGGED : 0) | this.changedBit;
      this.rules?.wrote(entry.key, stamp);
      if (!hidden) this.host.unhide(this.name, entry.key);
    }
    if (hidden) overlay.odd.set(slot, { version, epoch, hidden });
    else if (value !== TOMBSTONE && (version !== this.version || epoch !== 0))
      overlay.odd.set(slot, { version, epoch });
    else if (overlay.odd.size > 0) overlay.odd.delete(slot);
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

  publish(keys: readonly string[], origin: Change['origin']): void {
    if (keys.length > 0 && this.subscribers.any)
      this.subscribers.publish(keys.map((key) => ({ key, value: this.get(key), origin })));
  }
}
