// A store as a folder, `venue.etch/`: LOCK, checkpoints, logs, quarantine (docs/FORMAT.md). Composes the parts in this folder and
// decides in which order they happen. Knows nothing of what a line holds; every system call goes through `disk`.
import { join, resolve } from 'node:path';
import {
  type Backend,
  type Bytes,
  type Stored,
  type StoredCheckpoint,
  type StoredLog,
  TidemarkError,
} from '../../src/backend';
import { openBlobs } from './blobs';
import type { Disk } from './disk';
import { attempt, ifThere, removeQuietly, syncAncestors, using } from './files';
import { writeLarge } from './large';
import { acquireLock, type Lock } from './lock';
import { type Logs, openLogs } from './logs';
import { blobsName, checkpointName, parseName, quarantineName, unfinishedName } from './names';
import { nodeDisk } from './node-disk';
import { nodeProcesses, type Processes } from './processes';
import { openQuarantine } from './quarantine';
import { nameOf, readFileAt, streamFile } from './stored';

export type { Disk, OpenFlag } from './disk';
export type { Processes, ProcessId } from './processes';

/** What stands between the backend and the machine; tests put a simulated one there. */
export interface FsOptions {
  readonly disk?: Disk;
  readonly processes?: Processes;
}

/** What there is while the store is open. */
interface Session {
  readonly lock: Lock;
  readonly logs: Logs;
  /** Generations of the checkpoints that stand, newest first. */
  standing: number[];
  /** The highest generation that any file has had. */
  highest: number;
  /** Set once LOCK was found to be somebody else's: what we append then might be deleted by him unread. */
  lost?: TidemarkError;
}

/** The current one and the one before. */
const checkpointsKept = 2;

/** A backend that keeps a venue in `folder`, which is made if it is missing. One process at a time can have it open. */
export function fsBackend(folder: string, options: FsOptions = {}): Backend {
  const { disk = nodeDisk, processes = nodeProcesses } = options;
  const home = resolve(folder);
  const quarantine = openQuarantine(disk, home);
  const blobs = openBlobs(disk, home);
  const inFlight = new Set<Promise<unknown>>();
  let session: Session | undefined;
  let closing: Promise<void> | undefined;

  /** What close() waits for. */
  function track<T>(work: Promise<T>): Promise<T> {
    inFlight.add(work);
    const done = () => inFlight.delete(work);
    work.then(done, done);
    return work;
  }

  function live(): Session {
    if (closing || !session) throw new TidemarkError('closed', `the store ${home} is not open`);
    if (session.lost) throw session.lost;
    return session;
  }

  async function start(): Promise<Stored> {
    if (closing || session)
      throw new TidemarkError('closed', `the store ${home} was opened before; make another backend`);
    await attempt('create', home, disk.mkdir(home));
    const lock = await acquireLock(disk, home, processes);
    try {
      return await load(lock);
    } catch (error) {
      await lock.release().catch(() => {});
      throw error;
    }
  }

  async function load(lock: Lock): Promise<Stored> {
    const names = (await attempt('read', home, disk.readdir(home))).sort();
    const ours = names.flatMap((name) => {
      const parsed = parseName(name);
      return parsed ? [{ name, ...parsed }] : [];
    });
    const generations = ours.filter(({ kind }) => kind === 'checkpoint').map(({ generation }) => generation);
    const standing = generations.sort((a, b) => b - a).slice(0, checkpointsKept);

    // Names first: what stands must stand for good, and what was removed must not come back after somebody has seen the store without it.
    await attempt('sync', home, disk.syncFolder(home));
    if (ours.every(({ kind }) => kind === 'unfinished')) await syncAncestors(disk, home);

    const notes = [...lock.notes];
    const logs: StoredLog[] = [];
    for (const { name, kind, generation } of ours) {
      const path = join(home, name);
      // What says nothing can go. All else stays until a checkpoint of ours replaces it: only the core can tell that the store is ours.
      if (kind === 'unfinished') {
        notes.push(`removed ${name}, a checkpoint that was not finished`);
        await removeQuietly(disk, path);
      } else if (kind === 'log') {
        const size = await settle(path);
        if (size > 0) logs.push(storedLog(path, generation, size));
        else await removeQuietly(disk, path);
      }
    }
    const checkpoints: StoredCheckpoint[] = [];
    for (const generation of standing) checkpoints.push(await findCheckpoint(generation));
    const highest = Math.max(0, ...ours.map(({ generation }) => generation));
    session = { lock, logs: openLogs(disk, home, highest, names), standing, highest };
    return { checkpoints, logs, notes };
  }

  /**
   * Whoever wrote this log may have been killed before he synced it. Its commits count as durable from now on, so they have to be.
   * @returns its size.
   */
  const settle = (path: string): Promise<number> =>
    attempt(
      'open',
      path,
      using(disk, path, 'r+', async (file) => {
        const size = await disk.size(file);
        if (size > 0) await disk.fdatasync(file);
        return size;
      }),
    );

  const sizeOf = (path: string): Promise<number> =>
    attempt(
      'open',
      path,
      using(disk, path, 'r', (file) => disk.size(file)),
    );

  async function findCheckpoint(generation: number): Promise<StoredCheckpoint> {
    return storedCheckpoint(generation, await sizeOf(join(home, checkpointName(generation))));
  }

  function storedCheckpoint(generation: number, size: number): StoredCheckpoint {
    const path = join(home, checkpointName(generation));
    return {
      name: nameOf(path),
      generation,
      size,
      stream: () => streamFile(disk, path, size),
      read: (offset, length) => readFileAt(disk, path, size, offset, length),
      async retire(why) {
        const open = live();
        await track(quarantine.take(path, why));
        open.standing = open.standing.filter((other) => other !== generation);
      },
    };
  }

  function storedLog(path: string, generation: number, initialSize: number): StoredLog {
    let size = initialSize;
    return {
      name: nameOf(path),
      generation,
      get size() {
        return size;
      },
      stream: () => streamFile(disk, path, size),
      read: (offset, length) => readFileAt(disk, path, size, offset, length),
      async retire(why) {
        live();
        await track(quarantine.take(path, why));
      },
      async cut(to) {
        live();
        await track(attempt('cut', path, to === 0 ? removeForGood(path) : truncate(path, to)));
        size = to;
      },
    };
  }

  const truncate = (path: string, size: number): Promise<void> =>
    using(disk, path, 'r+', async (file) => {
      await disk.truncate(file, size);
      await disk.fsync(file);
    });

  /** An empty log would go at the next opening, and opening twice changes nothing: so it goes now. */
  async function removeForGood(path: string): Promise<void> {
    await disk.unlink(path);
    await disk.syncFolder(home);
  }

  async function replace(open: Session, lines: AsyncIterable<Bytes>): Promise<StoredCheckpoint> {
    const generation = ++open.highest;
    open.logs.rotate(generation);
    const unfinished = join(home, unfinishedName(generation));
    const path = join(home, checkpointName(generation));
    const size = await writeLarge(disk, unfinished, lines);
    await stand(open, unfinished, path);
    const previous = open.standing[0];
    open.standing = [generation, ...open.standing].slice(0, checkpointsKept);
    if (previous !== undefined) await removeOlderThan(previous);
    return storedCheckpoint(generation, size);
  }

  /** The moment at which a checkpoint begins to stand: all of it or nothing. */
  async function stand(open: Session, unfinished: string, path: string): Promise<void> {
    let renaming = false;
    try {
      if (!(await open.lock.isOurs())) {
        open.lost = new TidemarkError(
          'lock_lost',
          `the lock of ${home} is no longer ours: nothing more is written there; open it again`,
        );
        throw open.lost;
      }
      renaming = true;
      await attempt('rename', unfinished, disk.rename(unfinished, path));
      await attempt('sync', home, disk.syncFolder(home));
    } catch (error) {
      // Once the lock is lost, files of these names may be the new owner's.
      if (!open.lost) await removeQuietly(disk, unfinished);
      if (renaming) await removeQuietly(disk, path);
      throw error;
    }
  }

  /** What cannot be removed now is removed after the next checkpoint, or at the next open. */
  async function removeOlderThan(generation: number): Promise<void> {
    const names = await disk.readdir(home).catch(() => []);
    for (const name of names.sort()) {
      const parsed = parseName(name);
      if (parsed && parsed.generation < generation) await removeQuietly(disk, join(home, name));
    }
  }

  async function bytesIn(path: string, counts: (name: string) => boolean): Promise<number> {
    let bytes = 0;
    for (const name of await disk.readdir(path)) {
      // What goes away while we count takes no space.
      if (counts(name)) bytes += (await ifThere(using(disk, join(path, name), 'r', (file) => disk.size(file)))) ?? 0;
    }
    return bytes;
  }

  async function countBytes(): Promise<number> {
    const inFolders = [quarantineName, blobsName].map((name) => ifThere(bytesIn(join(home, name), () => true)));
    return (
      (await Promise.all(inFolders)).reduce<number>((sum, bytes = 0) => sum + bytes, 0) +
      (await bytesIn(home, (name) => parseName(name) !== undefined))
    );
  }

  async function end(): Promise<void> {
    while (inFlight.size > 0) await Promise.allSettled(inFlight);
    await session?.logs.close();
    await session?.lock.release();
  }

  return {
    target: `fs:${home}`,
    exclusive: true,
    strict: true,
    open: () => track(start()),
    async append(commit, { writer }) {
      return track(live().logs.append(commit, writer));
    },
    appendNow(commit, { writer }) {
      live().logs.appendNow(commit, writer);
    },
    async checkpoint(lines) {
      return track(replace(live(), lines));
    },
    blobs: {
      async put(pieces, name, now) {
        live();
        return track(blobs.put(pieces, name, now));
      },
      async get(name) {
        live();
        return track(blobs.get(name));
      },
      async list(before) {
        live();
        return track(attempt('read', join(home, blobsName), blobs.list(before)));
      },
      async delete(name, at) {
        live();
        return track(blobs.delete(name, at));
      },
    },
    async quarantine(bytes, why) {
      live();
      return track(quarantine.keep(bytes, why));
    },
    async usage() {
      live();
      return { bytes: await track(attempt('measure', home, countBytes())) };
    },
    close: () => (closing ??= end()),
  };
}
