// A region: one named map as its users see it. Which value wins, what is refused, and who hears of it; how entries are kept is entries.ts's.
import { TidemarkError } from '../base/errors';
import { stampAt } from '../lattice/clock';
import { joinEntries, TOMBSTONE } from '../lattice/joins';
import type { StoredEntry } from '../log/entries';
import { deepFreeze, found, storable, textOf } from '../log/values';
import { admit, checkKey, place } from './admit';
import { Entries } from './entries';
import type { Host, RegionRules } from './host';
import { HIDDEN, TAGGED, UNKNOWN } from './overlay';
import { type ScanOptions, scan } from './scan';
import { type Change, type Listener, Subscribers } from './subscribers';

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
    return scan(overlay, base, options, inOverlay, this.host.freezes);
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
      const epoch = value === TOMBSTONE ? stamp : current === undefined ? 0 : this.entryAt(current).epoch;
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
    if (from === 'remote') this.lay(slot, entry);
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
      const epoch =
        this.join === 'lww' ? 0 : value === TOMBSTONE ? stamp : slot === undefined ? 0 : this.entryAt(slot).epoch;
      if (!this.merge({ key, value, stamp, tagged, version: this.version, epoch }, 'local')) continue;
      changed.push(key);
      this.rules?.wrote(key, stamp);
    }
    return changed;
  }

  publish(keys: readonly string[], origin: Change['origin']): void {
    if (keys.length > 0 && this.subscribers.any)
      this.subscribers.publish(keys.map((key) => ({ key, value: this.get(key), origin })));
  }
}
