// A folder on the real disk in which fs backends are opened, and processes that can be declared dead.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FsOptions, fsBackend, type Processes } from '../../../backends/fs';
import type { World } from '../../backend-contract';

export interface FsWorld extends World {
  /** The store, `venue.etch`. It and `data`, its parent, do not exist yet. */
  readonly folder: string;
  /** Files and folders in it, sorted. */
  names(): Promise<string[]>;
  backend(options?: FsOptions): ReturnType<typeof fsBackend>;
}

/** A process that lives until it is told otherwise. Each knows of all. */
export function fakeProcesses(): { next(): Processes; killAll(): void } {
  let pid = 1000;
  let alive = new Set<number>();
  return {
    next() {
      const self = { pid: ++pid, start: `${pid}`, host: 'here' };
      alive.add(pid);
      return { self: () => self, isAlive: (id) => alive.has(id.pid) };
    },
    killAll() {
      alive = new Set();
    },
  };
}

export async function makeFsWorld(): Promise<FsWorld> {
  const root = await mkdtemp(join(tmpdir(), 'tidemark-fs-'));
  const folder = join(root, 'data', 'venue.etch');
  const processes = fakeProcesses();
  return {
    folder,
    names: async () => (await readdir(folder)).sort(),
    backend: (options) => fsBackend(folder, { processes: processes.next(), ...options }),
    kill: () => processes.killAll(),
    async quarantined() {
      const names = await readdir(join(folder, 'quarantine')).catch(() => []);
      const kept = names.filter((name) => !name.endsWith('.why'));
      return Promise.all(kept.map(async (name) => new Uint8Array(await readFile(join(folder, 'quarantine', name)))));
    },
    destroy: () => rm(root, { recursive: true, force: true }),
  };
}
