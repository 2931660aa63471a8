// Reading files that nobody writes any more: as a stream and at a place. Opens for every use, so that a store at rest
// holds no handle. Knows nothing of what the bytes mean.
import { basename } from 'node:path';
import type { Bytes } from '../../src/backend';
import type { Disk } from './disk';
import { attempt, closeQuietly, ioError, readExactly, using } from './files';

/** 0.2 s for 200 MB, cold hashes included; larger slabs are no faster and hold more memory. */
const largeSlabBytes = 4 * 1024 * 1024;

/** All of a file, one slab ahead of whoever reads it: the disk works while the slab before is being hashed. */
export async function* streamFile(
  disk: Disk,
  path: string,
  size: number,
  slabBytes = largeSlabBytes,
): AsyncGenerator<Bytes, void> {
  if (size === 0) return; // a log that was cut to nothing is not there any more
  const file = await attempt('open', path, disk.open(path, 'r'));
  const read = (at: number): Promise<Bytes> | undefined => {
    if (at >= size) return undefined;
    const slab = readExactly(disk, file, at, Math.min(slabBytes, size - at));
    slab.catch(() => {}); // it may fail before it is asked for; it is heard then
    return slab;
  };
  let ahead = read(0);
  try {
    for (let at = 0; ahead; ) {
      const slab = await attempt('read', path, ahead);
      at += slab.length;
      ahead = read(at);
      yield slab;
    }
  } finally {
    await ahead?.catch(() => {}); // who stops early must not close the file under a read
    await closeQuietly(disk, file);
  }
}

export async function readFileAt(
  disk: Disk,
  path: string,
  size: number,
  offset: number,
  length: number,
): Promise<Bytes> {
  if (offset < 0 || length < 0 || offset + length > size) {
    throw ioError('read', path, new RangeError(`bytes ${offset} to ${offset + length} of ${size}`));
  }
  if (length === 0) return new Uint8Array(0);
  return attempt(
    'read',
    path,
    using(disk, path, 'r', (file) => readExactly(disk, file, offset, length)),
  );
}

export const nameOf = (path: string): string => basename(path);
