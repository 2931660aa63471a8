// tidemark restore: puts a verified copy of a backup where a store is to be. What stood there is moved aside, never deleted.
import { rename, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { removeQuietly } from '../../../backends/fs/files';
import { acquireLock, lookAtLock } from '../../../backends/fs/lock';
import { lockName } from '../../../backends/fs/names';
import { nodeDisk } from '../../../backends/fs/node-disk';
import { nodeProcesses } from '../../../backends/fs/processes';
import { CommandError } from '../errors';
import { counted, type Outcome, size } from '../output';
import type { Progress } from '../progress';
import { copyBeside, exists, placeNew, refuseInside, refuseLocked } from '../store/copy';
import { type KeyFile, readKeyFile } from '../store/key';

export async function restore(
  from: string,
  store: string,
  force: boolean,
  trusted: readonly string[],
  progress: Progress,
): Promise<Outcome> {
  refuseInside(store, from);
  refuseInside(from, store);
  const isFolder = await stat(store).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) refuseLocked(store, await lookAtLock(nodeDisk, resolve(store), nodeProcesses));
  if (!force && (await exists(store))) {
    throw new CommandError('exists', `${store} is there already; --force moves it aside and restores in its place`);
  }
  let movedTo: string | undefined;
  const { verification, leftOut } = await copyBeside(from, store, trusted, progress, async (copy) => {
    if (force && (await exists(store))) movedTo = await replace(copy, store);
    else await placeNew(copy, store);
  });
  const { checked, venue, signers } = verification;
  const key = await readKeyFile(store);
  const warning = keyWarning(key, [...signers.keys()]);
  const text = [
    `${from} -> ${store}: ${counted(checked.checkpoints, 'checkpoint')}, ${counted(checked.commits, 'commit')}, ${size(checked.bytes)}, verified`,
    ...(movedTo === undefined ? [] : [`What was there is now ${movedTo}`]),
    ...(warning === undefined ? [] : [warning]),
  ].join('\n');
  const json = {
    from,
    store,
    venue: venue ?? null,
    checked,
    leftOut,
    movedTo: movedTo ?? null,
    ...(warning !== undefined && { warning }),
  };
  return { text, json };
}

/** Moves what is there aside and the copy into its place, while nobody can open it. @returns where it is now. */
async function replace(copy: string, store: string): Promise<string> {
  const path = resolve(store);
  const aside = `${path}.before-restore-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`;
  if (await exists(aside)) throw new CommandError('exists', `${aside} is there already; try again in a second`);
  const isFolder = (await stat(path)).isDirectory();
  const lock = isFolder ? await acquireLock(nodeDisk, path, nodeProcesses) : undefined;
  try {
    await rename(path, aside);
  } catch (error) {
    await lock?.release();
    throw error;
  }
  try {
    await placeNew(copy, path);
  } catch (error) {
    throw new CommandError(
      'io',
      `${store} was moved to ${aside}, but the copy could not be put in its place: ${(error as Error).message}`,
    );
  } finally {
    if (lock) await removeQuietly(nodeDisk, join(aside, lockName)); // ours: it went with the folder
    await nodeDisk.syncFolder(dirname(path));
  }
  return aside;
}

function keyWarning({ path, did, state }: KeyFile, signers: readonly string[]): string | undefined {
  if (signers.length === 0) return undefined;
  if (state !== 'ok') return `To open it for writing its key is needed, as ${path}; a backup has none.`;
  return signers.includes(did!)
    ? undefined
    : `The key ${path} is of ${did}, but the store is signed by ${signers.join(', ')}: bring the right one, or it will be refused.`;
}
