// Snapshot files on a simulated disk: a process that writes them, and what whoever comes next finds. Knows nothing of what is promised.
import { snapshotFiles } from '../../backends/fs/snapshots';
import { snapshotWriter } from '../../src/services/snapshots';
import type { SnapshotWriter } from '../../src/services/snapshots/types';
import type { SnapshotWriterOptions } from '../../src/snapshots-node';
import type { SimClock } from '../simulator/clock';
import type { SimDisk } from '../simulator/disk';
import type { Machine } from '../simulator/machine';

export const folder = '/data/app';
export const pathOf = (key: string): string => `${folder}/state${key}.json`;

/** A generation as a file has it: whoever reads it can tell whether it is whole. */
export const textOf = (generation: number): string =>
  JSON.stringify({ generation, pad: 'x'.repeat(200 + (generation % 7) * 700), end: generation });

/** The generation of a whole file. @throws for all else */
export function generationOf(bytes: Uint8Array): number {
  const text = Buffer.from(bytes).toString();
  const { generation } = JSON.parse(text) as { generation: number };
  if (text !== textOf(generation)) throw new Error(`not whole: ${text.slice(0, 60)}`);
  return generation;
}

export class Process {
  readonly disk: SimDisk;
  readonly writer: SnapshotWriter;
  readonly warnings: string[] = [];
  /** By key: what is asked for, and the newest that was reported durable. */
  readonly newest = new Map<string, number>();
  readonly durable = new Map<string, number>();
  private readonly clock;
  private readonly spawned;

  constructor(disk: SimDisk, machine: Machine, world: SimClock, options: Partial<SnapshotWriterOptions> = {}) {
    this.disk = disk.process();
    this.clock = world.process();
    this.spawned = machine.spawn();
    const paths = {
      follow: async (path: string) => {
        const bytes = this.disk.files().get(path);
        return bytes ? { path, file: { size: bytes.length, mode: 0o644, uid: 0, gid: 0 } } : { path };
      },
      imitate: async () => undefined,
      replaceNow: () => undefined,
      removeNow: () => undefined,
    };
    const { backup = true, mode = 0o644 } = options;
    const files = snapshotFiles({ disk: this.disk, paths, processes: this.spawned, nonce: 'abc', backup, mode });
    const warn = (message: string) => void this.warnings.push(message);
    this.writer = snapshotWriter(
      {
        snapshot: (key) => textOf(this.newest.get(key)!),
        ...options,
        clock: this.clock,
        logger: { info: () => undefined, warn, error: warn },
      },
      {
        at: (key) => ({
          name: pathOf(key),
          write: (bytes) => files.write(pathOf(key), bytes),
          writeNow: () => undefined,
        }),
        close: () => undefined,
      },
    );
  }

  get isOver(): boolean {
    return this.disk.isDead;
  }

  /** Saves a generation; failures are tried again until it is done or the process has ended. */
  async save(generation: number, key = ''): Promise<void> {
    this.newest.set(key, generation);
    for (;;) {
      try {
        await this.writer.save(`generation ${generation}`, key);
        this.durable.set(key, generation);
        return;
      } catch {
        // again
      }
    }
  }

  end(how: 'power' | 'kill'): SimDisk {
    this.clock.end();
    this.spawned.end();
    if (how === 'power') return this.disk.crash();
    const next = this.disk.process();
    this.disk.kill();
    return next;
  }
}

export const leftovers = (disk: SimDisk): string[] =>
  [...disk.files().keys()].filter((path) => path.endsWith('.tidemark-tmp'));
