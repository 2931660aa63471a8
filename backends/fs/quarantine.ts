// The folder quarantine/: bytes that could not be used, each with a `.why` beside it. Nothing in it is ever removed or
// overwritten. Knows nothing of what the bytes were.
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { Bytes } from '../../src/backend';
import type { Disk } from './disk';
import { attempt, replaceFile } from './files';
import { quarantineName } from './names';

export interface Quarantine {
  /** Bytes, named by their hash: the same twice are kept once. @returns where. */
  keep(bytes: Bytes, why: string): Promise<string>;
  /** A file of the store, whole, under its own name or the next free one. */
  take(path: string, why: string): Promise<void>;
}

export function openQuarantine(disk: Disk, store: string): Quarantine {
  const folder = join(store, quarantineName);
  let last: Promise<unknown> = Promise.resolve();

  /** One at a time: they look at what is there before they add to it. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  }

  /** @returns the names in it. Its own name is made durable every time: who made it may have died before doing so. */
  async function enter(): Promise<Set<string>> {
    await attempt('create', folder, disk.mkdir(folder));
    await attempt('sync', store, disk.syncFolder(store));
    return new Set(await attempt('read', folder, disk.readdir(folder)));
  }

  const explain = (path: string, why: string) => replaceFile(disk, `${path}.why`, new TextEncoder().encode(`${why}\n`));
  const settle = (path: string) => attempt('sync', path, disk.syncFolder(path));

  return {
    keep: (bytes, why) =>
      inTurn(async () => {
        const name = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
        const path = join(folder, name);
        const names = await enter();
        if (!names.has(`${name}.why`)) await explain(path, why);
        if (!names.has(name)) await replaceFile(disk, path, bytes);
        await settle(folder);
        return path;
      }),

    take: (path, why) =>
      inTurn(async () => {
        const names = await enter();
        let name = basename(path);
        for (let n = 1; names.has(name); n++) name = `${basename(path)}.${n}`;
        const target = join(folder, name);
        await explain(target, why);
        await attempt('move to quarantine', path, disk.rename(path, target));
        await settle(folder);
        await settle(store);
      }),
  };
}
