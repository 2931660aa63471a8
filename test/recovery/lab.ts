// Where damaged stores are laid out on a real disk and opened. Knows files, and the venue's face.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Health, type OpenOptions, openVenue, type Venue } from '../../src/node';
import type { Damaged } from './mutations';
import { type Base, type Files, readFiles, type State, silent, stateOf, storeName } from './stores';

/** No power is lost in these tests, so memory serves where it can be had as files: syncing thousands of stores is what takes the time. */
const memory = '/dev/shm';

export class Lab {
  private count = 0;
  private constructor(private readonly root: string) {}

  static async open(): Promise<Lab> {
    return new Lab(await mkdtemp(join(existsSync(memory) ? memory : tmpdir(), 'tidemark-recovery-')));
  }

  async lay(files: Damaged): Promise<Specimen> {
    const folder = join(this.root, String(this.count++));
    await mkdir(join(folder, storeName), { recursive: true });
    for (const [path, bytes] of files) {
      if (bytes === 'folder') await mkdir(join(folder, path));
      else {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), bytes, { mode: 0o600 });
      }
    }
    return new Specimen(folder);
  }

  close(): Promise<void> {
    return rm(this.root, { recursive: true, force: true });
  }
}

/** One store, and the key beside it. */
export class Specimen {
  readonly store: string;
  constructor(private readonly folder: string) {
    this.store = join(folder, storeName);
  }

  open(options: OpenOptions = {}): Promise<Venue> {
    return openVenue({ store: this.store, signals: false, logger: silent, sweepMs: 1, ...options });
  }

  /** Opens, looks and closes. */
  async look(options?: OpenOptions): Promise<Pick<Health, 'recovery' | 'status' | 'reasons'> & { state: State }> {
    const venue = await this.open(options);
    const { recovery, status, reasons } = venue.health();
    const state = stateOf(venue);
    await venue.close();
    return { recovery, status, reasons, state };
  }

  /** All that is there, but for LOCK, which is no part of the state. */
  async files(): Promise<Files> {
    const files = await readFiles(this.folder);
    files.delete(`${storeName}/LOCK`);
    return files;
  }

  /** What is kept of what could not be used, without the reasons. */
  async quarantine(): Promise<Buffer[]> {
    return [...(await this.files())].flatMap(([path, bytes]) =>
      path.startsWith(`${storeName}/quarantine/`) && !path.endsWith('.why') ? [bytes] : [],
    );
  }
}

/** What a report has when nothing was wrong. */
export const quiet = {
  fellBack: false,
  damage: [],
  holes: [],
  tornBytes: 0,
  quarantined: [],
  evicted: false,
  rolledBack: false,
};

/** A store's file by the beginning of its name, the last of them if there are several. */
export const pathIn = (base: Base, start: string): string =>
  [...base.files.keys()].filter((path) => path.startsWith(`${storeName}/${start}`)).at(-1)!;

/** The store with one of its files changed. */
export function altered(base: Base, path: string, change: (bytes: Buffer) => Buffer): Files {
  return new Map(base.files).set(path, change(Buffer.from(base.files.get(path)!)));
}

export const tornTail = Buffer.from('["eyJhbGciOiJFZERTQSIs');
/** The store with a line at the end of its last log that was never finished. */
export const torn = (base: Base): Files =>
  altered(base, pathIn(base, 'log.'), (bytes) => Buffer.concat([bytes, tornTail]));

export const flipAt =
  (at: number) =>
  (bytes: Buffer): Buffer => {
    bytes[at]! ^= 1;
    return bytes;
  };
