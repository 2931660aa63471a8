// venue.key: the seed of a venue's identity, beside its store and not in it, so that copying the store does not copy the key.
import { randomBytes } from 'node:crypto';
import { link, open, readFile, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Bytes, fromHex } from '../base/bytes';
import { TidemarkError } from '../base/errors';
import type { Logger } from '../base/seams';

const seedBytes = 32;

/** `x.key` beside `x.etch`; `name.key` beside any other folder. */
export const keyPathOf = (store: string): string =>
  join(dirname(store), `${basename(store).replace(/\.etch$/, '')}.key`);

/** Reads the seed. @returns undefined if there is no such file. @throws TidemarkError `bad_key_file`; never a new identity in place of one that cannot be read */
export async function readSeed(path: string, logger: Logger): Promise<Bytes | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ENOENT') return undefined;
    throw new TidemarkError(
      'bad_key_file',
      `${path}: cannot be read (${(cause as Error).message}); no other key is made in its place`,
      { cause },
    );
  }
  if (!/^[0-9a-f]{64}\n?$/i.test(text)) {
    throw new TidemarkError(
      'bad_key_file',
      `${path}: must hold ${seedBytes} bytes as ${2 * seedBytes} hexadecimal digits, has ${text.length} characters; restore it from a copy, or move it away to start with a new identity`,
    );
  }
  const { mode } = await stat(path);
  if (process.platform !== 'win32' && mode & 0o077) {
    logger.warn(`${path} is open to other users (mode ${(mode & 0o777).toString(8)}); chmod 600 it`);
  }
  return fromHex(text.trim());
}

/** Saves a new seed: temp file, fsync, link, fsync of the folder. @throws TidemarkError `bad_key_file`, also when there is a key by now */
export async function writeSeed(path: string, seed: Bytes): Promise<void> {
  const folder = dirname(path);
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${Buffer.from(seed).toString('hex')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path); // unlike rename, never over one that is there
    await syncFolder(folder);
  } catch (cause) {
    throw new TidemarkError('bad_key_file', `${path}: cannot be written (${(cause as Error).message})`, { cause });
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // no such call there
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
