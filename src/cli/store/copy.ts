// A store copied, verified, and put in its place in one step: what backup and restore have in common. The copy is made beside its place
// under a temporary name, so that a crash leaves the old or the new, and never half of one.

import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { lstat, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { using, writeAll } from '../../../backends/fs/files';
import { blobsName } from '../../../backends/fs/names';
import { nodeDisk } from '../../../backends/fs/node-disk';
import { concatBytes, LockedError } from '../../backend';
import { linesOf, type RawLine } from '../../engine/reading';
import { parseLine } from '../../log/line';
import { nodeCrypto } from '../../platform/node-crypto';
import { CommandError } from '../errors';
import type { Progress } from '../progress';
import { tornFrom } from './check-log';
import { type BlobFile, type LogFile, type StoreFiles, withStore } from './files';
import { readKeyFile } from './key';
import { type Verification, verifyStore } from './verify';

export interface Copied {
  readonly verification: Verification;
  /** Bytes at the ends of logs that are no whole line: of a commit in the making, or one that a crash left. */
  readonly leftOut: number;
}

/** Whether there is anything of that name, also a link to nothing. */
export const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );

/** Refuses to copy a store into itself, or over itself. */
export function refuseInside(path: string, store: string): void {
  if (`${resolve(path)}${sep}`.startsWith(`${resolve(store)}${sep}`))
    throw new CommandError('usage', `${path} is ${store}, or inside it`);
}

export function refuseLocked(path: string, { state, pid, host, since }: StoreFiles['lock']): void {
  if (state !== 'alive' && state !== 'elsewhere') return;
  const owner = {
    ...(pid !== undefined && { pid }),
    ...(host !== undefined && { host }),
    ...(since !== undefined && { since }),
  };
  throw new LockedError(
    owner,
    `${path} is in use by process ${pid} on ${host}${since ? ` since ${since}` : ''}: close it there first`,
  );
}

/**
 * Copies what a store keeps into a new folder beside `target`, verifies the copy, and hands it to `place`, which renames it.
 * @throws CommandError `damaged`, with what was found; then nothing is left of the copy.
 */
export async function copyBeside(
  from: string,
  target: string,
  trusted: readonly string[],
  progress: Progress,
  place: (copy: string) => Promise<void>,
): Promise<Copied> {
  const parent = dirname(resolve(target));
  const made = await mkdir(parent, { recursive: true });
  const copy = `${resolve(target)}.${randomBytes(4).toString('hex')}.tmp`;
  const forget = removeWithProcess(copy);
  try {
    const { did } = await readKeyFile(from);
    const leftOut = await withStore(from, (files) => copyFiles(files, copy, progress), progress);
    const verification = await verifyStore(copy, [...trusted, ...(did === undefined ? [] : [did])], progress);
    if (verification.damage.length > 0) {
      throw new CommandError(
        'damaged',
        `${from} is damaged, so it was not copied; nothing was changed`,
        verification.damage,
      );
    }
    await place(copy);
    await nodeDisk.syncFolder(parent);
    if (made) await nodeDisk.syncFolder(dirname(made));
    return { verification, leftOut };
  } catch (error) {
    await rm(copy, { recursive: true, force: true });
    throw error;
  } finally {
    forget();
  }
}

/** @returns the bytes left out. */
async function copyFiles(files: StoreFiles, copy: string, progress: Progress): Promise<number> {
  progress.begin('copying', files.bytes);
  await rm(copy, { recursive: true, force: true }); // of a try before
  await mkdir(copy);
  let leftOut = 0;
  for (const file of files.checkpoints) await copyWhole(file, join(copy, file.name));
  for (const file of files.logs) leftOut += await copyLog(file, join(copy, file.name), files.lock);
  // After the logs, so that whatever those name is there.
  if (files.blobs.length > 0) await mkdir(join(copy, blobsName));
  for (const file of files.blobs) await copyWhole(file, join(copy, blobsName, file.name));
  if (files.blobs.length > 0) await nodeDisk.syncFolder(join(copy, blobsName));
  await nodeDisk.syncFolder(copy);
  return leftOut;
}

const copyWhole = (file: BlobFile, to: string): Promise<void> =>
  using(nodeDisk, to, 'wx', async (handle) => {
    for await (const slab of file.stream()) await writeAll(nodeDisk, handle, slab);
    await nodeDisk.fsync(handle);
  });

/** Whole lines, good or bad: what is bad is found when the copy is verified. But for what a crash or a write in progress explains. */
async function copyLog(file: LogFile, to: string, lock: StoreFiles['lock']): Promise<number> {
  let bad: RawLine[] = [];
  let written = 0;
  await using(nodeDisk, to, 'wx', async (handle) => {
    const write = async (lines: readonly RawLine[]) => {
      const bytes = concatBytes(lines.flatMap((line) => (line.ended ? [line.bytes, newline] : [line.bytes])));
      await writeAll(nodeDisk, handle, bytes);
      written += bytes.length;
    };
    for await (const line of linesOf(file.stream())) {
      bad.push(line);
      if (!line.ended || !parseLine(nodeCrypto, line.bytes)) continue;
      await write(bad);
      bad = [];
    }
    await write(bad.slice(0, tornFrom(bad, lock)));
    await nodeDisk.fsync(handle);
  });
  if (written === 0) await rm(to);
  return file.size - written;
}

const newline = Uint8Array.of(10);

/** A copy that is interrupted by a signal leaves nothing behind. @returns a function that ends this. */
function removeWithProcess(path: string): () => void {
  const onSignal = (signal: NodeJS.Signals) => {
    rmSync(path, { recursive: true, force: true });
    forget();
    process.kill(process.pid, signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const forget = () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return forget;
}

/** A rename that replaces nothing but, at worst, an empty folder made in this moment. */
export async function placeNew(copy: string, target: string): Promise<void> {
  if (await exists(target)) throw new CommandError('exists', `${target} is there already`);
  await rename(copy, resolve(target));
}
