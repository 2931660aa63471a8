// The Disk of Node: node:fs and nothing else. Callbacks, not FileHandle: an append costs what its two system calls cost.
import {
  close,
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstat,
  fsync,
  fsyncSync,
  ftruncate,
  link,
  mkdir,
  open,
  openSync,
  read,
  readdir,
  rename,
  unlink,
  write,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Bytes } from '../../src/backend';
import type { Disk } from './disk';
import { hasCode } from './files';

const isWindows = process.platform === 'win32';

/** A virus scanner or an indexer holds a file for some ms after it was written; with these waits, for up to half a second. */
const renameWaitsMs = isWindows ? [10, 20, 40, 80, 150, 200] : [];

type Done<T> = (error: Error | null, result: T) => void;

const called = <T>(call: (done: Done<T>) => void): Promise<T> =>
  new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));

const renameOnce = (from: string, to: string) =>
  called<void>((done) => rename(from, to, done as (error: Error | null) => void));

/** Folders of some network and user-space file systems cannot be synced; they say so, and there is no other way. */
const isUnsupported = (error: unknown) => hasCode(error, 'EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP');

export const nodeDisk: Disk = {
  open: (path, flag, mode) => called<number>((done) => open(path, flag, mode, done)),
  close: (file) => called<void>((done) => close(file, done as (error?: Error | null) => void)),
  write: (file, bytes, offset, length) =>
    new Promise((resolve, reject) => {
      write(file, bytes, offset, length, null, (error, taken) => (error ? reject(error) : resolve(taken)));
    }),
  read: (file, bytes, offset, length, position) =>
    called<number>((done) => read(file, bytes, offset, length, position, done)),
  fdatasync: (file) => called<void>((done) => fdatasync(file, done as (error: Error | null) => void)),
  fsync: (file) => called<void>((done) => fsync(file, done as (error: Error | null) => void)),
  truncate: (file, size) => called<void>((done) => ftruncate(file, size, done as (error: Error | null) => void)),
  size: (file) => called<number>((done) => fstat(file, (error, stats) => done(error, error ? 0 : stats.size))),
  async rename(from, to) {
    for (const waitMs of renameWaitsMs) {
      try {
        return await renameOnce(from, to);
      } catch (error) {
        if (!hasCode(error, 'EPERM', 'EACCES', 'EBUSY')) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
    return renameOnce(from, to);
  },
  link: (from, to) => called<void>((done) => link(from, to, done as (error: Error | null) => void)),
  unlink: (path) => called<void>((done) => unlink(path, done as (error: Error | null) => void)),
  mkdir: (path) => called<string | undefined>((done) => mkdir(path, { recursive: true }, done)),
  readdir: (path) => called<string[]>((done) => readdir(path, done)),
  async syncFolder(path) {
    if (isWindows) return;
    const folder = await nodeDisk.open(path, 'r');
    try {
      await nodeDisk.fsync(folder);
    } catch (error) {
      if (!isUnsupported(error)) throw error;
    } finally {
      await nodeDisk.close(folder);
    }
  },
  writeFileNow(path, bytes) {
    const file = openSync(path, 'wx');
    try {
      writeAllNow(file, bytes);
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
    if (!isWindows) syncFolderNow(dirname(path));
  },
};

/** writeAll in this turn. */
export function writeAllNow(file: number, bytes: Bytes): void {
  for (let at = 0; at < bytes.length; ) {
    const taken = writeSync(file, bytes, at, bytes.length - at);
    if (taken <= 0) throw new Error(`the disk took ${taken} of ${bytes.length - at} bytes`);
    at += taken;
  }
}

function syncFolderNow(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  } finally {
    closeSync(folder);
  }
}
