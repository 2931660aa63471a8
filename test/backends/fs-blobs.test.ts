// Blobs in a folder between two system calls: power that fails at each of them on the simulated disk, and each of them refused once.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fsBackend } from '../../backends/fs';
import type { Backend } from '../../src/backend';
import { SimDisk } from '../simulator/disk';
import { expectSame, pattern, pieces, venue } from './contract/stage';
import { makeFsWorld } from './helpers/fs-world';

const names = ['a', 'b'].map((digit) => digit.repeat(64));
const contents = [pattern(1_300_000, 1), pattern(100, 2)];
const processes = { self: () => ({ pid: 1, start: '1', host: 'here' }), isAlive: () => false };
const storeOn = (disk: SimDisk) => fsBackend('/data/venue.etch', { disk, processes });

/** Puts both blobs, and then the first one again. @returns how many puts have resolved, counted as they do */
function putAll(backend: Backend): { resolved: number; done: Promise<void> } {
  const progress = { resolved: 0, done: Promise.resolve() };
  progress.done = (async () => {
    await backend.open(venue);
    for (const which of [0, 1, 0]) {
      const parts = pieces(contents[which]!.subarray(0, 60), contents[which]!.subarray(60));
      await backend.blobs!.put(
        parts,
        async () => names[which]!,
        () => 0,
      );
      progress.resolved++;
    }
  })();
  return progress;
}

/** What stands is whole; what was reported is there. */
async function expectWhole(backend: Backend, resolved: number): Promise<void> {
  for (const [i, name] of names.entries()) {
    const blob = await backend.blobs!.get(name);
    if (resolved > i) expect(blob, `blob ${i} after ${resolved} puts`).toBeDefined();
    if (blob) expectSame(await blob.read(0, blob.size), contents[i]!);
  }
}

describe('blobs in a folder', () => {
  it('that were reported are there, whole, whenever the power fails; and no other is in part', async () => {
    let ended = false;
    for (let call = 1; !ended; call++) {
      for (const phase of ['before', 'after'] as const) {
        const disk = SimDisk.blank(call);
        let found: SimDisk | undefined;
        const process = disk.process();
        process.onCall = (at, when) => {
          if (at === call && when === phase) found = process.crash();
        };
        const progress = putAll(storeOn(process));
        await Promise.race([progress.done, until(() => found !== undefined)]);
        ended = found === undefined;
        const next = storeOn(found ?? process.crash());
        await next.open(venue);
        await expectWhole(next, progress.resolved);
        await next.close();
      }
    }
  });

  it('are there or not, and nothing is left of those that are not, when the disk refuses a call', async () => {
    let refused = true;
    for (let call = 1; refused; call++) {
      const disk = SimDisk.blank(call);
      const backend = storeOn(disk);
      await backend.open(venue);
      const before = disk.callCount;
      refused = false;
      disk.onCall = (at, phase, op) => {
        if (at !== before + call || phase !== 'before') return;
        refused = true;
        disk.faults.failNext(op, 'EIO');
      };
      let resolved = 0;
      for (const [i, name] of names.entries()) {
        const put = backend.blobs!.put(
          pieces(contents[i]!),
          async () => name,
          () => 0,
        );
        await put.then(
          () => resolved++,
          (error) => expect(error).toMatchObject({ code: 'io' }),
        );
      }
      disk.onCall = undefined;
      expect(resolved).toBeGreaterThanOrEqual(1);
      expect([...disk.files().keys()].filter((path) => path.endsWith('.tmp'))).toEqual([]);
      for (const [i, name] of names.entries()) {
        const blob = await backend.blobs!.get(name).catch(() => undefined);
        if (blob) expectSame(await blob.read(0, blob.size), contents[i]!);
      }
      await backend.close();
    }
  });

  it('that a killed process was writing are swept up by the next one that writes any', async () => {
    const world = await makeFsWorld();
    let backend = world.backend();
    await backend.open(venue);
    await backend.blobs!.put(
      pieces(contents[1]!),
      async () => names[1]!,
      () => 0,
    );
    await backend.close();
    const folder = join(world.folder, 'blobs');
    await writeFile(join(folder, '1.tmp'), 'half of something');
    await writeFile(join(folder, 'a friend.txt'), 'not ours');
    backend = world.backend();
    await backend.open(venue);
    await backend.blobs!.put(
      pieces(contents[0]!),
      async () => names[0]!,
      () => 0,
    );
    expect((await readdir(folder)).sort()).toEqual(['a friend.txt', ...names].sort());
    expect([...(await backend.blobs!.list(0)).keys()].sort()).toEqual(names);
    await backend.close();
    await world.destroy();
  });
});

async function until(told: () => boolean): Promise<void> {
  while (!told()) await new Promise((resolve) => setImmediate(resolve));
}
