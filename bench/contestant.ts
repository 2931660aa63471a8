// What every contestant is to a workload: a store of records by key, driven the same way. Knows no contestant and no
// workload.
import type { Note } from './data';

export interface Store {
  /** One write, as a program would make it. */
  write(key: string, note: Note): void;
  read(key: string): Note | undefined;
  /** Hands every value to `visit`. */
  each(visit: (note: Note) => void): void | Promise<void>;
  /** Resolves when everything written is as durable as this contestant makes it. */
  durable(): Promise<void>;
  close(): void | Promise<void>;
}

export interface OpenOptions {
  /** How long writes may wait to be made durable together, ms; 0 when each is to go at once. */
  readonly delayMs: number;
}

export interface Contestant {
  readonly name: string;
  /** As the report calls it. */
  readonly title: string;
  /** Whether durable() survives loss of power, and if not, why not. */
  readonly durability: 'yes' | 'no fsync' | 'memory only';
  /** Whether a write can be read back in the same turn. If not, write() only notes it down. */
  readonly readBack: boolean;
  /** Whether durable() costs what changed, not what there is. */
  readonly incremental: boolean;
  /** Whether it makes itself durable in time, without being told. */
  readonly sweeps?: boolean;
  open(folder: string, options: OpenOptions): Promise<Store>;
}

/** Imports a peer from bench/node_modules, where scripts/ts.mjs puts the program. Its types are not needed to check this project, so it need
 * not be installed for that. */
export const load = async <Module>(name: string): Promise<Module> => (await import(name)) as Module;
