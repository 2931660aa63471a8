// The simulated disk, when nothing goes wrong, does what real files do: the same random calls on both give the same
// results, the same error codes and the same files.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Disk } from '../../backends/fs/disk';
import { nodeDisk } from '../../backends/fs/node-disk';
import { SimDisk } from './disk';
import { Random } from './random';

const temporary = mkdtempSync(join(tmpdir(), 'tidemark-conformance-'));
afterAll(() => rmSync(temporary, { recursive: true }));

/** One disk with the files that a program has opened on it, by the program's own numbers. */
interface Side {
  readonly disk: Disk;
  readonly root: string;
  readonly open: Map<number, number>;
}

type Call = (side: Side) => Promise<unknown>;

const folders = ['/x', '/x/y', '/z'];
const names = ['a', 'b', 'c'];

function randomCall(random: Random, step: number, opened: readonly number[]): Call {
  const anyPath = () => `${random.pick(['', '', ...folders])}/${random.pick(names)}`;
  const [path, other, number] = [anyPath(), anyPath(), random.pick([-1, ...opened, ...opened])];
  const file = (side: Side) => side.open.get(number) ?? 999;
  const bytes = random.bytes(random.below(50));
  const [offset, position, size] = [random.below(bytes.length + 1), random.below(60), random.below(80)];
  const calls: Record<string, Call> = {
    open: async (side) => {
      const flag = random.pick(['r', 'r+', 'wx'] as const);
      side.open.set(step, await side.disk.open(side.root + path, flag, 0o600));
    },
    close: async (side) => {
      const taken = file(side);
      side.open.delete(number);
      await side.disk.close(taken);
    },
    write: (side) => side.disk.write(file(side), bytes, offset, bytes.length - offset),
    read: async (side) => {
      const into = new Uint8Array(40);
      return [await side.disk.read(file(side), into, 3, 30, position), into];
    },
    truncate: (side) => side.disk.truncate(file(side), size),
    size: (side) => side.disk.size(file(side)),
    fdatasync: (side) => side.disk.fdatasync(file(side)),
    fsync: (side) => side.disk.fsync(file(side)),
    rename: (side) => side.disk.rename(side.root + path, side.root + other),
    link: (side) => side.disk.link(side.root + path, side.root + other),
    unlink: (side) => side.disk.unlink(side.root + path),
    mkdir: async (side) => {
      const made = await side.disk.mkdir(side.root + folder);
      return made?.slice(side.root.length);
    },
    readdir: async (side) => (await side.disk.readdir(side.root + folder)).sort(),
    syncFolder: (side) => side.disk.syncFolder(side.root + folder),
    writeFileNow: async (side) => side.disk.writeFileNow(side.root + path, bytes),
  };
  const folder = random.pick(folders);
  const weights = { open: 6, close: 2, write: 8, read: 4, truncate: 2, size: 2, fdatasync: 1, fsync: 1, rename: 3 };
  const more = { link: 2, unlink: 2, mkdir: 1, readdir: 1, syncFolder: 1, writeFileNow: 1 };
  return calls[random.weighted({ ...weights, ...more })]!;
}

const outcome = async (call: Call, side: Side): Promise<unknown> => {
  try {
    return await call(side);
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

const realFiles = (root: string): Map<string, string> => {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [path.slice(root.length), readFileSync(path, 'latin1')]));
};

describe('a simulated disk without faults', () => {
  it('does what real files do', async () => {
    for (let seed = 0; seed < 150; seed++) {
      const real: Side = { disk: nodeDisk, root: mkdtempSync(join(temporary, 'run-')), open: new Map() };
      const simulated: Side = { disk: SimDisk.blank(seed), root: '', open: new Map() };
      const random = new Random(seed);
      for (let step = 0; step < 60; step++) {
        const call = random.uint32();
        const opened = [...real.open.keys()];
        const expected = await outcome(randomCall(new Random(call), step, opened), real);
        const found = await outcome(randomCall(new Random(call), step, opened), simulated);
        expect(found, `seed ${seed} step ${step}`).toEqual(expected);
      }
      for (const file of real.open.values()) await nodeDisk.close(file);
      const files = [...(simulated.disk as SimDisk).files()].map(
        ([path, bytes]) => [path, Buffer.from(bytes).toString('latin1')] as const,
      );
      expect(new Map(files), `seed ${seed}`).toEqual(realFiles(real.root));
    }
  });
});
