// The files of a store as somebody sees them who only looks: listed without its lock and never changed, also while a process
// writes it. All files but LOCK only grow, or appear and disappear whole (docs/FORMAT.md), so what is left to do is to list again
// when one of the list has gone. Knows names and bytes, not what the bytes mean.
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type LockState, lookAtLock } from '../../../backends/fs/lock';
import { blobsName, isBlobName, lockName, parseName, quarantineName } from '../../../backends/fs/names';
import { nodeDisk } from '../../../backends/fs/node-disk';
import { nodeProcesses } from '../../../backends/fs/processes';
import { readFileAt, streamFile } from '../../../backends/fs/stored';
import { type Bytes, TidemarkError } from '../../backend';
import { CommandError } from '../errors';
import type { Progress } from '../progress';

export interface StoreFile {
  readonly name: string;
  readonly generation: number;
  /** As it was listed. What is appended later is not read. */
  readonly size: number;
  stream(): AsyncIterable<Bytes>;
  read(offset: number, length: number): Promise<Bytes>;
}

export interface LogFile extends StoreFile {
  readonly writer: string;
  /** 0 for the writer's first file of a generation. */
  readonly attempt: number;
}

/** A blob: named by the SHA-256 of its bytes. */
export type BlobFile = Omit<StoreFile, 'generation' | 'read'>;

export interface StoreFiles {
  /** Absolute. */
  readonly folder: string;
  /** As it was before the sizes were taken. */
  readonly lock: LockState;
  /** Newest first. */
  readonly checkpoints: readonly StoreFile[];
  /** Oldest generation first; of one writer in the order in which they were begun. */
  readonly logs: readonly LogFile[];
  readonly blobs: readonly BlobFile[];
  /** Of checkpoints, logs and blobs. */
  readonly bytes: number;
  readonly quarantine: { readonly files: number; readonly bytes: number };
}

/** More tries than a checkpoint a second would cost. */
const triesMax = 20;

/**
 * Lists a store and works with what was listed; begins again when a file went away meanwhile.
 * @throws CommandError `not_found`
 */
export async function withStore<T>(
  path: string,
  work: (files: StoreFiles) => Promise<T>,
  progress?: Progress,
): Promise<T> {
  const folder = resolve(path);
  for (let tries = 0; tries < triesMax; tries++) {
    const seen = { changed: false };
    const files = await list(folder, path, seen, progress);
    if (!files) continue;
    try {
      const result = await work(files);
      if (!seen.changed) return result;
    } catch (error) {
      if (!seen.changed) throw error;
    }
  }
  throw new TidemarkError('io', `${path} changes faster than it can be read; try again`);
}

/** @returns undefined if something went away while it was listed. */
async function list(
  folder: string,
  path: string,
  seen: { changed: boolean },
  progress?: Progress,
): Promise<StoreFiles | undefined> {
  const names = await namesIn(folder, path);
  const lock = await lookAtLock(nodeDisk, folder, nodeProcesses);
  const checkpoints: StoreFile[] = [];
  const logs: LogFile[] = [];
  for (const name of names) {
    const parsed = parseName(name);
    if (!parsed || parsed.kind === 'unfinished') continue;
    const file = join(folder, name);
    const found = await stat(file).catch(absent);
    if (!found) return undefined;
    const { size } = found;
    const stored: StoreFile = {
      name,
      generation: parsed.generation,
      size,
      stream: () => watched(file, size, seen, progress),
      read: (offset, length) => watch(file, size, seen, () => readFileAt(nodeDisk, file, size, offset, length)),
    };
    if (parsed.kind === 'checkpoint') checkpoints.push(stored);
    else {
      const [, , writer, attempt = '0'] = name.split('.');
      logs.push({ ...stored, writer: writer!, attempt: Number(attempt) });
    }
  }
  const blobs: BlobFile[] = [];
  for (const name of (await readdir(join(folder, blobsName)).catch(absent))?.sort() ?? []) {
    if (!isBlobName(name)) continue;
    const file = join(folder, blobsName, name);
    const found = await stat(file).catch(absent);
    if (found) blobs.push({ name, size: found.size, stream: () => watched(file, found.size, seen, progress) });
  }
  const { bytes } = totalOf([...checkpoints, ...logs, ...blobs]);
  const quarantine = await quarantineOf(folder);
  // A list that was made while names changed may have some of before and some of after.
  if ((await namesIn(folder, path)).join() !== names.join()) return undefined;
  checkpoints.sort((a, b) => b.generation - a.generation);
  logs.sort(
    (a, b) =>
      a.generation - b.generation || (a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : a.attempt - b.attempt),
  );
  return { folder, lock, checkpoints, logs, blobs, bytes, quarantine };
}

async function namesIn(folder: string, path: string): Promise<string[]> {
  let names: string[];
  try {
    names = (await readdir(folder)).sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new CommandError('not_found', `${path}: there is no such store`);
    if (code === 'ENOTDIR') throw new CommandError('not_found', `${path} is not a store: a store is a folder`);
    throw new TidemarkError('io', `${path}: ${message}`, { cause: error });
  }
  // A venue that was opened and closed without a write leaves an empty folder.
  const isOurs = (name: string) =>
    parseName(name) || name.startsWith(lockName) || [blobsName, quarantineName].includes(name);
  if (names.length > 0 && !names.some(isOurs)) {
    throw new CommandError('not_found', `${path} is a folder, but not a store: it has no checkpoint, log or LOCK`);
  }
  return names;
}

/** How many files, and their bytes. */
export const totalOf = (files: readonly { readonly size: number }[]): { files: number; bytes: number } => ({
  files: files.length,
  bytes: files.reduce((sum, { size }) => sum + size, 0),
});

async function quarantineOf(folder: string): Promise<{ files: number; bytes: number }> {
  const path = join(folder, quarantineName);
  const names = (await readdir(path).catch(absent)) ?? [];
  const kept = names.filter((name) => !name.endsWith('.why') && !name.endsWith('.tmp'));
  let bytes = 0;
  for (const name of kept) bytes += (await stat(join(path, name)).catch(absent))?.size ?? 0;
  return { files: kept.length, bytes };
}

function absent(error: unknown): undefined {
  if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
}

async function* watched(
  path: string,
  size: number,
  seen: { changed: boolean },
  progress?: Progress,
): AsyncGenerator<Bytes> {
  const slabs = streamFile(nodeDisk, path, size);
  try {
    for (;;) {
      const { done, value } = await watch(path, size, seen, () => slabs.next());
      if (done) return;
      progress?.add(value.length);
      yield value;
    }
  } finally {
    await slabs.return();
  }
}

/** A read that fails because the file is not what it was: removed after a checkpoint, or cut by a process that opens the store. */
async function watch<T>(path: string, size: number, seen: { changed: boolean }, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const now = await stat(path).catch(absent);
    if (!now || now.size < size) seen.changed = true;
    throw error;
  }
}
