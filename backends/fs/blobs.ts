// The folder blobs/: bytes outside entries, a file each under the name that the core gives it. Knows nothing of what the bytes are or who
// names them.
import { join } from 'node:path';
import type { BlobStore } from '../../src/backend';
import type { Disk } from './disk';
import { attempt, ifThere, removeQuietly, using } from './files';
import { writeLarge } from './large';
import { blobsName, isBlobName } from './names';
import { nameOf, readFileAt, streamFile } from './stored';

/** Who streams 1 GB wants little of it in memory: 45 MB above the start, with 4 MB slabs 55 and once 93; as fast. */
const slabBytes = 1024 * 1024;

export function openBlobs(disk: Disk, store: string): BlobStore {
  const folder = join(store, blobsName);
  let entered: Promise<void> | undefined;
  let puts = 0;

  /** Its own name is made durable by each opening that puts: who made it may have died before doing so. */
  async function enter(): Promise<void> {
    await attempt('create', folder, disk.mkdir(folder));
    await attempt('sync', store, disk.syncFolder(store));
    // What puts that never ended have left: nobody else has the store open.
    const names = await attempt('read', folder, disk.readdir(folder));
    for (const name of names) if (name.endsWith('.tmp')) await removeQuietly(disk, join(folder, name));
  }

  return {
    async put(pieces, name) {
      const unfinished = join(folder, `${++puts}.tmp`);
      entered ??= enter();
      await entered.catch((error) => {
        entered = undefined;
        throw error;
      });
      await writeLarge(disk, unfinished, pieces);
      try {
        const path = join(folder, await name());
        await attempt('rename', unfinished, disk.rename(unfinished, path));
        await attempt('sync', folder, disk.syncFolder(folder));
      } catch (error) {
        await removeQuietly(disk, unfinished);
        throw error;
      }
    },

    async get(name) {
      if (!isBlobName(name)) return undefined;
      const path = join(folder, name);
      const sized = using(disk, path, 'r', (file) => disk.size(file));
      const size = await attempt('open', path, ifThere(sized));
      if (size === undefined) return undefined;
      return {
        name: nameOf(path),
        size,
        stream: () => streamFile(disk, path, size, slabBytes),
        read: (offset, length) => readFileAt(disk, path, size, offset, length),
      };
    },

    async list() {
      const names = (await ifThere(disk.readdir(folder))) ?? [];
      return new Map(names.filter(isBlobName).map((name) => [name, 0]));
    },

    async delete(name) {
      if (isBlobName(name)) await removeQuietly(disk, join(folder, name));
    },
  };
}
