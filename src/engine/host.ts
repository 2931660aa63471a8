// What a region needs of the venue it is in, and of what the program declared of it. Interfaces only.
import type { Logger } from '../base/seams';
import type { StampClock } from '../lattice/clock';
import type { StoredEntry } from '../log/entries';
import type { Forkable } from './fork';
import type { Notes } from './notes';
import type { Odd } from './overlay';

export interface Host {
  readonly stamps: StampClock;
  readonly logger: Logger;
  /** Whether values are frozen as they come in. */
  readonly freezes: boolean;
  /** Whether nobody else can write the store. */
  readonly exclusive: boolean;
  /** Wall clock, ms since 1970. */
  now(): number;
  /** @throws TidemarkError `closed` */
  guard(): void;
  /** After a local write, of about so many bytes: counts it and asks for a sweep. */
  written(region: Forkable, bytes: number): void;
  /** The same for several regions at once: all of it goes into one commit. */
  writtenTogether(regions: readonly Forkable[], bytes: number): void;
  /** So many bytes that are to go into one commit are about to be written. */
  room(bytes: number): void;
  /** An entry cannot be encoded: its value was changed in place after it was set. */
  broken(region: string, key: string, error: Error): void;
  /** An entry is kept but not shown. */
  hide(region: string, entry: StoredEntry, why: string, newer: boolean): void;
  /** It is not there any more. */
  unhide(region: string, key: string): void;
  /** What slots of a region held before the parts of the fork that are on their way, oldest first. */
  frozenNotes(region: Forkable): Notes[];
}

/** What a program declared: see schema.ts. */
export interface RegionRules {
  /** A value as validation returns it. @throws TidemarkError `invalid_value` */
  check(key: string, value: unknown): unknown;
  /** A stored entry as this program wants it; or why it is not to be shown. */
  fit(entry: StoredEntry): { entry: StoredEntry; hidden?: Odd['hidden'] };
  /** Deletes what has outlived its time. Called before every look at the region, so that no timer has to. */
  expire(): void;
  wrote(key: string, stamp: number): void;
}
