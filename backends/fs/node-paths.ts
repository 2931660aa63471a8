// What Node's file system says of paths beyond the Disk's calls: where links lead, whose a file is, and replacing one in this very turn. Knows nothing
// of when.
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { chmod, chown, lstat, readlink, realpath, type stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { TidemarkError } from '../../src/backend';
import { ifThere } from './files';
import { writeAllNow } from './node-disk';
import type { Paths, Place } from './snapshots';

/** As many as Linux follows. */
const linksMax = 40;
/** Without the bits that would let the new file run as its owner. */
const permissions = 0o777;

type Stats = Awaited<ReturnType<typeof stat>>;

function fileOf(path: string, stats: Stats): NonNullable<Place['file']> {
  if (!stats.isFile())
    throw new TidemarkError('exists', `${path} is there and is no file: nothing is put in its place`);
  const { size, mode, uid, gid } = stats;
  return { size: Number(size), mode: Number(mode) & permissions, uid: Number(uid), gid: Number(gid) };
}

const isOurs = ({ uid, gid }: NonNullable<Place['file']>): boolean =>
  uid === process.geteuid?.() && gid === process.getegid?.();

export const nodePaths: Paths = {
  async follow(path) {
    let at = path;
    for (let links = 0; links < linksMax; links++) {
      const stats = await ifThere(lstat(at));
      if (!stats?.isSymbolicLink()) return stats ? { path: at, file: fileOf(at, stats) } : { path: at };
      // It leads on from the folder that it really is in.
      at = resolve((await ifThere(realpath(dirname(at)))) ?? dirname(at), await readlink(at));
    }
    throw new TidemarkError('io', `${path}: more than ${linksMax} symbolic links, one after the other`);
  },
  async imitate(path, file) {
    // Only root may give files away; for all others what they replace becomes theirs.
    if (process.getuid && !isOurs(file)) await chown(path, file.uid, file.gid).catch(() => undefined);
    await chmod(path, file.mode); // what the umask took away when it was made
  },
  replaceNow(given, temporaryOf, bytes, mode) {
    const there = lstatSync(given, { throwIfNoEntry: false });
    if (!there) mkdirSync(dirname(given), { recursive: true });
    const path = there?.isSymbolicLink() ? realpathSync(given) : given;
    const stats = statSync(path, { throwIfNoEntry: false });
    const file = stats && fileOf(path, stats);
    const temporary = temporaryOf(path);
    try {
      const handle = openSync(temporary, 'wx', file ? file.mode : mode);
      try {
        writeAllNow(handle, bytes);
        if (file && process.getuid && !isOurs(file)) chownSync(temporary, file.uid, file.gid);
        if (file) chmodSync(temporary, file.mode);
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
      renameSync(temporary, path);
    } catch (error) {
      nodePaths.removeNow(temporary);
      throw error;
    }
  },
  removeNow(path) {
    try {
      unlinkSync(path);
    } catch {
      // it is not there any more, or not yet
    }
  },
};
