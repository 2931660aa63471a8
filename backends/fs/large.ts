// Writes what may be large, a checkpoint or a blob, to its temporary file, gently: appends go on beside it. To make the file stand is the
// business of whoever asked for it.
import type { Bytes } from '../../src/backend';
import type { Disk } from './disk';
import { attempt, closeQuietly, removeQuietly, writeAll } from './files';

/** One system call for many small lines. */
const writeBytes = 1024 * 1024;
/** What a sync has to wait for: with it, appends beside a 100 MB checkpoint take 12 to 24 ms at p99, without 32 to 41 (FACTS.md). */
const syncEveryBytes = 4 * 1024 * 1024;

/**
 * Writes all of `pieces` to `path`, a new file, and makes the bytes (not the name) durable. On failure the file is gone.
 * @returns its size.
 */
export async function writeLarge(disk: Disk, path: string, pieces: AsyncIterable<Bytes>): Promise<number> {
  const file = await attempt('create', path, disk.open(path, 'wx'));
  const slab = Buffer.allocUnsafeSlow(writeBytes) as Bytes; // most of it is never touched for what is small
  let filled = 0;
  let size = 0;
  let unsynced = 0;

  async function write(): Promise<void> {
    await attempt('write', path, writeAll(disk, file, slab, filled));
    size += filled;
    unsynced += filled;
    filled = 0;
    if (unsynced < syncEveryBytes) return;
    await attempt('sync', path, disk.fdatasync(file));
    unsynced = 0;
  }

  try {
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length; ) {
        const part = piece.subarray(at, at + slab.length - filled);
        slab.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === slab.length) await write();
      }
    }
    await write();
    await attempt('sync', path, disk.fsync(file));
    await closeQuietly(disk, file); // before anybody renames it: Windows does not rename an open file
    return size;
  } catch (error) {
    await closeQuietly(disk, file);
    await removeQuietly(disk, path);
    throw error;
  }
}
