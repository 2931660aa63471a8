// What every part of the fs backend does with whole files, over a Disk: read all, write all, replace, remove, and name
// the file in the error. Knows nothing of logs, checkpoints or locks.
import { dirname } from 'node:path';
import { type Bytes, TidemarkError } from '../../src/backend';
import type { Disk } from './disk';

export const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && codes.includes(String((error as Error & { code?: unknown }).code));

export const ioError = (what: string, path: string, cause: unknown): TidemarkError =>
  cause instanceof TidemarkError
    ? cause
    : new TidemarkError('io', `cannot ${what} ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });

/** A system call whose failure says what was done to which file. */
export async function attempt<T>(what: string, path: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    throw ioError(what, path, cause);
  }
}

/** What is not there is undefined, not a failure. */
export const ifThere = <T>(call: Promise<T>): Promise<T | undefined> =>
  call.catch((error) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });

/** Writes the first `length` bytes, however few the disk takes at a time. The first call is issued before this returns. */
export async function writeAll(disk: Disk, file: number, bytes: Bytes, length = bytes.length): Promise<void> {
  for (let at = 0; at < length; ) {
    const taken = await disk.write(file, bytes, at, length - at);
    // Some disks say 0 when they are full: trying for ever would hang.
    if (taken <= 0) throw new Error(`the disk took ${taken} of ${length - at} bytes`);
    at += taken;
  }
}

/** @throws when the file ends before `length` bytes. */
export async function readExactly(disk: Disk, file: number, position: number, length: number): Promise<Bytes> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const got = await disk.read(file, bytes, at, length - at, position + at);
    if (got <= 0) throw new Error(`the file ends at ${position + at}, ${length - at} bytes are missing`);
    at += got;
  }
  return bytes;
}

/** The first `limit` bytes of a small file; undefined if there is none. */
export async function readSmall(disk: Disk, path: string, limit: number): Promise<Bytes | undefined> {
  try {
    return await using(disk, path, 'r', async (file) =>
      readExactly(disk, file, 0, Math.min(limit, await disk.size(file))),
    );
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw ioError('read', path, cause);
  }
}

/** Opens, does, closes. What closing says is not heard: whoever needs bytes to be durable has synced them before. */
export async function using<T>(
  disk: Disk,
  path: string,
  flag: 'r' | 'wx' | 'r+',
  work: (file: number) => Promise<T>,
): Promise<T> {
  const file = await disk.open(path, flag);
  try {
    return await work(file);
  } finally {
    await closeQuietly(disk, file);
  }
}

export const closeQuietly = (disk: Disk, file: number): Promise<void> => disk.close(file).catch(() => {});

/** For what may be left behind: somebody else has removed it, or the next one to open will. */
export const removeQuietly = (disk: Disk, path: string): Promise<void> => disk.unlink(path).catch(() => {});

/** Makes a file with these bytes, whole or not at all. That its name lasts is the caller's business: syncFolder. */
export async function replaceFile(disk: Disk, path: string, bytes: Bytes): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await removeQuietly(disk, temporary); // what a crash has left of the last attempt
    await using(disk, temporary, 'wx', async (file) => {
      await writeAll(disk, file, bytes);
      await disk.fsync(file);
    });
    await disk.rename(temporary, path);
  } catch (cause) {
    await removeQuietly(disk, temporary);
    throw ioError('write', path, cause);
  }
}

/**
 * What is in a folder is durable once every folder on the way to it is. All of them, each time that it may be new: whoever made one may have died
 * before he synced it, and that cannot be told afterwards.
 */
export async function syncAncestors(disk: Disk, folder: string): Promise<void> {
  for (let at = dirname(folder), below = folder; at !== below; below = at, at = dirname(at)) {
    await disk.syncFolder(at).catch((error) => {
      // A folder that we may not read is not one that we made anything in.
      if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS')) throw ioError('sync', at, error);
    });
  }
}
