// What every contestant is to a page's workload: a store of records by key in one database, driven the same way. Knows no
// contestant and no workload.
import type { Note } from '../data';
import type { Options } from '../workload';

export type Entry = readonly [key: string, note: Note];

export interface Store {
  /** One write, as a program would make it, without waiting for it. */
  write(key: string, note: Note): void;
  /** Many in one go, the best way that it offers. */
  writeAll(entries: readonly Entry[]): void;
  /** Resolves when everything written is durable. */
  durable(): Promise<void>;
  /** A value, from wherever it is. */
  read(key: string): unknown;
  /** Everything into memory, for one that does not begin so. */
  readAll?(): Promise<ReadonlyMap<string, unknown>>;
  /** Wraps several writes, where each by itself would be unreasonable. */
  group?(writes: () => void): void;
  /** Of what it wrote last, where it says so. */
  bytesWritten?(): number;
  close(): void | Promise<void>;
}

export interface Contestant {
  /** @param options those of the row, of which it may know some. */
  open(database: string, options: Options): Promise<Store>;
  /** Fills a database otherwise than by writeAll(). */
  prepare?(database: string, entries: readonly Entry[], options: Options): Promise<void>;
}
