// What a program declares of a region beyond its name: join, validation, schema version, time to live. Applied to what is stored when the
// region is declared, and to every write after that.
import { TidemarkError } from '../base/errors';
import { stampAt } from '../lattice/clock';
import { type Join, TOMBSTONE } from '../lattice/joins';
import type { StoredEntry } from '../log/entries';
import { found } from '../log/values';
import { admit, place } from './admit';
import { MOVED } from './base';
import type { Host, RegionRules } from './host';
import { HIDDEN, type Odd } from './overlay';
import type { RegionState } from './region';

/** A validator as zod, valibot and arktype offer it: https://standardschema.dev, version 1. */
export interface StandardSchema<T = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

export type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[] };

/** What a region may be declared with. */
export interface RegionOptions<T> {
  /** How two entries for one key merge. Default `lww`: the later stamp wins. */
  join?: Join<T>;
  /** Any Standard Schema; asked at set() and at load. Must answer synchronously. */
  validate?: StandardSchema<T>;
  /** Version of the values' schema, a whole number from 1 (default). */
  version?: number;
  /** Brings a value of an older version up to `version`. Needed once there are any. */
  migrate?: (value: unknown, from: number) => T;
  /** Milliseconds after which an entry counts as deleted. */
  ttl?: number;
  /** Kept in memory only: never stored, asks for no sweep. */
  transient?: boolean;
  /** When a page goes away and not everything fits into its journal, the entries of this region are kept first. */
  critical?: boolean;
}

const joins = ['lww', 'max', 'min', 'union'];

/** Declares a region; once. @throws TidemarkError `bad_option` */
export function declare(region: RegionState, host: Host, options: RegionOptions<never>): void {
  const { join = 'lww', version = 1, validate, migrate, ttl, transient = false, critical = false } = options;
  const bad = (why: string) => new TidemarkError('bad_option', `region '${region.name}': ${why}`);
  if (typeof join !== 'function' && !joins.includes(join))
    throw bad(`join must be a function or one of ${joins.join(', ')}`);
  if (!Number.isSafeInteger(version) || version < 1) throw bad('version must be a whole number from 1');
  if (validate && typeof validate['~standard']?.validate !== 'function')
    throw bad('validate must be a Standard Schema (zod, valibot, arktype, ...)');
  if (migrate && typeof migrate !== 'function') throw bad('migrate must be a function');
  if (ttl !== undefined && !(ttl > 0)) throw bad('ttl must be a number of milliseconds above 0');
  if (transient && region.size > 0) throw bad('has stored entries and cannot be transient; delete them first');
  if (version > region.version && !migrate && region.size > 0) {
    throw bad(`has entries of version ${region.version}; declare migrate to bring them to version ${version}`);
  }

  if (version !== region.version) region.label(region.version);
  Object.assign(region, { join, version, transient, critical, declared: true });
  const schema = new Schema(region, host, { validate, migrate, ttl });
  region.rules = schema;
  if (typeof join === 'function') {
    const { unjoined } = region;
    region.unjoined = [];
    for (const entry of unjoined) region.merge(entry, 'recovered');
  }
  schema.examine();
}

type Rules = { [K in 'validate' | 'migrate' | 'ttl']: RegionOptions<never>[K] | undefined };

export class Schema implements RegionRules {
  /** Keys in the order in which they expire, with the stamps they had; `expired` of them are gone. */
  private expiring: { key: string; stamp: number }[] = [];
  private expired = 0;
  private sorted = true;

  constructor(
    private readonly region: RegionState,
    private readonly host: Host,
    private readonly rules: Rules,
  ) {}

  /** A value as validation returns it. @throws TidemarkError `invalid_value` */
  check(key: string, value: unknown): unknown {
    const { validate } = this.rules;
    if (!validate) return value;
    const result = validate['~standard'].validate(value);
    const where = place(this.region.name, key);
    if (result instanceof Promise) {
      result.catch(() => undefined); // what it would have said is not asked any more
      throw new TidemarkError('bad_option', `${where}: validate must be synchronous`);
    }
    if (!result.issues) return result.value;
    const issues = result.issues.map(({ message, path = [] }) => {
      const steps = path.map((step) => (typeof step === 'object' && step !== null && 'key' in step ? step.key : step));
      return steps.length > 0 ? `${steps.join('.')}: ${message}` : message;
    });
    throw new TidemarkError('invalid_value', `${where}: ${issues.join('; ')}`);
  }

  fit(entry: StoredEntry): { entry: StoredEntry; hidden?: Odd['hidden'] } {
    const { region, host } = this;
    const { key, value } = entry;
    if (value === TOMBSTONE) return { entry };
    const newer = entry.version > region.version;
    let why = `is of version ${entry.version}, this program knows ${region.version}`;
    if (!newer) {
      const migrate = this.rules.migrate as unknown as (value: unknown, from: number) => unknown;
      try {
        const migrated = entry.version < region.version ? migrate(value, entry.version) : value;
        const fitting = this.check(key, migrated);
        if (fitting === value && entry.version === region.version) return { entry };
        return {
          entry: {
            ...entry,
            value: admit(region.name, key, fitting, host.freezes),
            tagged: found.tagged,
            version: region.version,
          },
        };
      } catch (error) {
        why = (error as Error).message;
      }
    }
    host.hide(region.name, entry, why, newer);
    return { entry, hidden: { entry, why, newer } };
  }

  /** Goes through all that is stored: migrates, hides what does not fit, notes when entries expire. */
  examine(): void {
    const { region, rules } = this;
    const { version, base, overlay } = region;
    for (const chunk of base.chunks) {
      const [low, high] = chunk.meta.versions;
      if (!rules.validate && !rules.ttl && low === version && high === version) continue;
      const { keys, values } = chunk.load();
      for (let i = 0; i < keys.length; i++)
        if (values[i] !== MOVED && values[i] !== TOMBSTONE && !overlay.index.has(keys[i]!)) region.promote(keys[i]!);
    }
    for (const slot of [...overlay.index.values()]) {
      const stored = region.entryAt(slot);
      if (stored.value === TOMBSTONE || typeof stored.value === 'symbol') continue;
      const { entry, hidden } = this.fit(stored);
      if (hidden) region.conceal(slot, hidden);
      else if (stored.version < version) region.replace(slot, entry, found.size);
      else if (entry !== stored || overlay.values[slot] === HIDDEN) region.reveal(slot, entry);
      if (!hidden) this.host.unhide(region.name, stored.key);
      this.wrote(stored.key, overlay.stamps[slot]!);
    }
    this.expire();
  }

  wrote(key: string, stamp: number): void {
    if (!this.rules.ttl) return;
    const { index, stamps, values } = this.region.overlay;
    if (typeof values[index.get(key) ?? -1] === 'symbol') return; // what is deleted does not expire
    const last = this.expiring.at(-1);
    // What comes from a fork or from another writer may have been written earlier.
    if (last && last.stamp > stamp) this.sorted = false;
    this.expiring.push({ key, stamp });
    // Keys that were written again and again have a line for each time, of which one counts.
    if (this.expiring.length < 2 * index.size + 1024) return;
    this.expiring = this.expiring
      .slice(this.expired)
      .filter((line) => stamps[index.get(line.key) ?? -1] === line.stamp);
    this.expired = 0;
  }

  /** Deletes what has outlived its time. Called before every look at the region, so that no timer has to. */
  expire(): void {
    if (!this.rules.ttl) return;
    const { overlay } = this.region;
    if (!this.sorted) this.expiring = this.expiring.slice(this.expired).sort((a, b) => a.stamp - b.stamp);
    if (!this.sorted) this.expired = 0;
    this.sorted = true;
    const oldest = stampAt(this.host.now() - this.rules.ttl);
    for (let next = this.expiring[this.expired]; next && next.stamp < oldest; next = this.expiring[this.expired]) {
      this.expired++;
      const slot = overlay.index.get(next.key);
      // Written again since: its later entry in this list counts.
      if (slot === undefined || overlay.stamps[slot] !== next.stamp || typeof overlay.values[slot] === 'symbol')
        continue;
      // Just after the entry, not now: another writer may have written it again meanwhile.
      this.region.write(next.key, TOMBSTONE, false, next.key.length, next.stamp + 1);
    }
    if (this.expired > 1024 && this.expired > this.expiring.length / 2) {
      this.expiring = this.expiring.slice(this.expired);
      this.expired = 0;
    }
  }
}
