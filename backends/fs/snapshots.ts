// Snapshots as files: each one whole, under a name that always stands for a whole one. Works on a Disk and on what a path leads to; knows nothing of
// requests and retries, and nothing of the store's own files.
import { basename, dirname, join } from 'node:path';
import type { Bytes } from '../../src/backend';
import type { Disk } from './disk';
import { attempt, ioError, readExactly, removeQuietly, syncAncestors, using, writeAll } from './files';
import type { Processes, ProcessId } from './processes';

/** What a file system says of a name, links followed. */
export interface Place {
  /** The name to be replaced: the end of all symbolic links, whether or not there is a file. */
  readonly path: string;
  readonly file?: { readonly size: number; readonly mode: number; readonly uid: number; readonly gid: number };
}

/** What a Disk does not know of files. */
export interface Paths {
  follow(path: string): Promise<Place>;
  /** Makes a file belong to whom another one does, and open to the same. */
  imitate(path: string, file: NonNullable<Place['file']>): Promise<void>;
  /** Replaces a file in this turn. @param temporary the name for it until then, as a function of the real path */
  replaceNow(path: string, temporary: (path: string) => string, bytes: Bytes, mode: number): void;
  removeNow(path: string): void;
}

export interface SnapshotFilesOptions {
  readonly disk: Disk;
  readonly paths: Paths;
  readonly processes: Processes;
  /** Hexadecimal digits that no other thread has: no two use one temporary file. */
  readonly nonce: string;
  readonly backup: boolean;
  /** Of new files, less the umask. */
  readonly mode: number;
}

export interface SnapshotFiles {
  write(path: string, bytes: Bytes): Promise<void>;
  writeNow(path: string, bytes: Bytes): void;
}

/** Each write holds a file open: 10,000 keys at once must not need 10,000 of them. */
const writesMax = 64;
/** Code points of the target's name in the temporary one: names have a limit of 255 bytes, and code points up to 4. */
const namePartMax = 40;
/** pid, start of that process in hexadecimal, nonce, number. */
const temporaryName = /\.(\d{1,10})-([0-9a-f]*)-[0-9a-f]+-\d+\.tidemark-tmp$/;

export function snapshotFiles({ disk, paths, processes, nonce, backup, mode }: SnapshotFilesOptions): SnapshotFiles {
  const prepared = new Map<string, Promise<void>>();
  const waiting: (() => void)[] = [];
  /** By path as it was given: what would still be renamed over what writeNow has put there. */
  const underWay = new Map<string, Set<string>>();
  let self: ProcessId | undefined;
  let writes = 0;
  let count = 0;

  const temporaryOf = (path: string): string => {
    const part = [...basename(path)].slice(0, namePartMax).join('');
    const { pid = 0, start = '' } = self ?? {};
    const process = `${pid}-${Buffer.from(start).toString('hex')}`;
    return join(dirname(path), `${part}.${process}-${nonce}-${count++}.tidemark-tmp`);
  };

  /** The folder is there, for good, and holds nothing that a crash has left. */
  async function prepare(folder: string): Promise<void> {
    if ((await attempt('create', folder, disk.mkdir(folder))) !== undefined) prepared.delete(folder);
    let ready = prepared.get(folder);
    if (!ready) {
      ready = settle(folder);
      prepared.set(folder, ready);
      ready.catch(() => prepared.delete(folder));
    }
    await ready;
  }

  async function settle(folder: string): Promise<void> {
    // Whoever made it may have died before it was durable.
    await syncAncestors(disk, folder);
    // A folder that may be written but not read is fine, too.
    for (const name of await disk.readdir(folder).catch(() => [])) {
      const [, pid, start = ''] = temporaryName.exec(name) ?? [];
      // Should its process live after all, on another machine that shares the folder: its rename fails, and is tried again.
      if (
        pid !== undefined &&
        !(await processes.isAlive({ ...self!, pid: Number(pid), start: Buffer.from(start, 'hex').toString() }))
      )
        await removeQuietly(disk, join(folder, name));
    }
  }

  /** A new file with these bytes, durable but for its name. */
  async function create(temporary: string, bytes: Bytes, like: Place['file']): Promise<void> {
    const file = await disk.open(temporary, 'wx', like ? like.mode : mode);
    try {
      await writeAll(disk, file, bytes);
      const size = await disk.size(file);
      if (size !== bytes.length) throw new Error(`${size} of ${bytes.length} bytes are there`);
      if (like) await paths.imitate(temporary, like);
      await disk.fsync(file);
    } finally {
      await disk.close(file).catch(() => undefined);
    }
  }

  /** The file that stands there gets a second name, under which it stays. Where there are no second names, a copy. */
  async function keep({ path, file }: Place): Promise<void> {
    // What others leave when they are killed is often empty: no reason to lose the last good one.
    if (!file || file.size === 0) return;
    const temporary = temporaryOf(path);
    try {
      try {
        await disk.link(path, temporary);
      } catch {
        const bytes = await using(disk, path, 'r', async (from) => readExactly(disk, from, 0, await disk.size(from)));
        await create(temporary, bytes, file);
      }
      await disk.rename(temporary, `${path}.bak`);
    } finally {
      // Also when all went well: if both are names of one file already, a rename leaves both.
      await removeQuietly(disk, temporary);
    }
  }

  async function replace(given: string, bytes: Bytes): Promise<void> {
    self ??= await processes.self();
    const place = await paths.follow(given);
    const { path, file } = place;
    const temporary = temporaryOf(path);
    const mine = underWay.get(given) ?? new Set();
    underWay.set(given, mine.add(temporary));
    try {
      await prepare(dirname(path));
      await create(temporary, bytes, file);
      if (backup) await keep(place);
      await disk.rename(temporary, path);
      await disk.syncFolder(dirname(path));
    } catch (error) {
      await removeQuietly(disk, temporary);
      throw error;
    } finally {
      mine.delete(temporary);
      if (mine.size === 0) underWay.delete(given);
    }
  }

  return {
    async write(path, bytes) {
      if (writes < writesMax) writes++;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        await replace(path, bytes);
      } catch (cause) {
        throw ioError('save', path, cause);
      } finally {
        const next = waiting.shift();
        if (next) next();
        else writes--;
      }
    },
    writeNow(path, bytes) {
      // What the threads are still doing must not come after: without its temporary file it fails.
      for (const temporary of underWay.get(path) ?? []) paths.removeNow(temporary);
      try {
        paths.replaceNow(path, temporaryOf, bytes, mode);
      } catch (cause) {
        throw ioError('save', path, cause);
      }
    },
  };
}
