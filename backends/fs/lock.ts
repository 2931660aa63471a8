// The file LOCK: one owner per store, a dead one's lock taken over at once and by exactly one. Knows nothing of what it guards.
//
// LOCK is never written, only linked or renamed into place, so it is whole whenever it is there. A dead owner's LOCK is not
// removed either, because between "it is dead" and "remove it" somebody else may have replaced it. Instead whoever wants
// it links a file of his own to `LOCK.<nonce of the dead owner>.next`: of all who try, one succeeds. So LOCK is the head of
// a linked list, and its last element owns the store. The winner then puts his file in LOCK's place and removes the links.
// He may have linked to an owner that LOCK no longer led to, so he follows the list once more before he believes that he won.
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { LockedError, type TidemarkError } from '../../src/backend';
import type { Disk } from './disk';
import { hasCode, ioError, readSmall, removeQuietly, using, writeAll } from './files';
import { lockName } from './names';
import type { Processes, ProcessId } from './processes';

export interface Lock {
  /** What a recovery report should say of how it was taken. */
  readonly notes: readonly string[];
  /** Whether LOCK still names us. One small read. */
  isOurs(): Promise<boolean>;
  /** Removes LOCK if it still names us. */
  release(): Promise<void>;
}

/** Whom a lock file names. */
interface Owner {
  /** Of its opening, not of its process. For a file that cannot be read: the hash of its bytes. */
  readonly nonce: string;
  /** Undefined when the file cannot be read. */
  readonly id?: ProcessId;
  readonly since?: string;
}

/** Far more than a lock file has. What is longer is not one. */
const lockBytesMax = 4096;
/** A list grows only when a winner dies between two calls, and a new try means that somebody else got ahead. */
const listLengthMax = 100;
const triesMax = 100;

/** Openings of this process that wanted to give their lock back and could not: dead, though the process lives. */
const abandoned = new Set<string>();

const noncePattern = /^[0-9a-f]{32}$/;

/** @throws LockedError while another owner lives. */
export async function acquireLock(disk: Disk, folder: string, processes: Processes): Promise<Lock> {
  const self = await processes.self();
  const nonce = randomBytes(16).toString('hex');
  const lockPath = join(folder, lockName);
  const temporary = `${lockPath}.tmp.${nonce}`;
  const nextOf = (owner: Owner) => linkOf(lockPath, owner);
  const content = new TextEncoder().encode(`${JSON.stringify({ ...self, nonce, since: new Date().toISOString() })}\n`);

  async function isAlive({ id, nonce }: Owner): Promise<boolean> {
    if (!id || abandoned.has(nonce)) return false;
    return id.host !== self.host || (await processes.isAlive(id));
  }

  /** @returns false when `path` is there already. */
  async function linkTo(path: string): Promise<boolean> {
    for (;;) {
      try {
        await disk.link(temporary, path);
        return true;
      } catch (error) {
        if (hasCode(error, 'EEXIST')) return false;
        if (!hasCode(error, 'ENOENT')) throw error;
      }
      // The first time round; or else a winner took our file for rubbish while it was still empty.
      await using(disk, temporary, 'wx', async (file) => {
        await writeAll(disk, file, content);
        await disk.fsync(file); // a LOCK that a loss of power emptied would name nobody
      });
    }
  }

  const isOursAt = async (path: string) => (await readOwner(disk, path))?.nonce === nonce;

  async function removeIfOurs(path: string): Promise<void> {
    if (await isOursAt(path)) await disk.unlink(path);
  }

  /** One attempt. @returns the list that led to us, ourselves left out; undefined if somebody got ahead. */
  async function take(): Promise<Owner[] | undefined> {
    const owners = await follow(disk, lockPath);
    const last = owners.at(-1);
    if (!last) return (await linkTo(lockPath)) ? [] : undefined;
    if (await isAlive(last)) throw refusal(folder, lockPath, last, self);
    const link = nextOf(last);
    try {
      if (!(await linkTo(link))) return undefined;
      const again = await follow(disk, lockPath);
      if (again.at(-1)?.nonce === nonce) {
        await disk.rename(temporary, lockPath);
        for (const owner of again.slice(0, -1)) await removeQuietly(disk, nextOf(owner));
        return again.slice(0, -1);
      }
    } catch (error) {
      await removeIfOurs(link).catch(() => abandoned.add(nonce));
      throw error;
    }
    await removeIfOurs(link);
    return undefined;
  }

  async function release(): Promise<void> {
    try {
      await removeIfOurs(lockPath);
    } catch (cause) {
      abandoned.add(nonce);
      throw ioError('remove', lockPath, cause);
    }
  }

  try {
    for (let tries = 0; tries < triesMax; tries++) {
      const before = await take();
      if (!before) continue;
      await sweep(disk, folder, isAlive).catch(() => {}); // rubbish is in nobody's way: the next winner tries again
      return { notes: before.slice(-1).map(takeover), isOurs: () => isOursAt(lockPath), release };
    }
    throw new Error(`somebody got ahead ${triesMax} times`);
  } catch (cause) {
    await release().catch(() => {});
    throw ioError('take', lockPath, cause);
  } finally {
    await removeQuietly(disk, temporary);
  }
}

/** Whose a store is, as somebody sees it who only looks. `elsewhere`: on another host, which counts as alive. */
export interface LockState extends Partial<Pick<ProcessId, 'pid' | 'host'>> {
  readonly state: 'free' | 'alive' | 'elsewhere' | 'ended' | 'unreadable';
  readonly since?: string;
}

/** Looks at LOCK and changes nothing. The answer may be old when it comes. */
export async function lookAtLock(disk: Disk, folder: string, processes: Processes): Promise<LockState> {
  const lockPath = join(folder, lockName);
  const last = (await follow(disk, lockPath)).at(-1);
  if (!last) return { state: 'free' };
  const { id, since } = last;
  if (!id) return { state: 'unreadable' };
  const { host } = await processes.self();
  const state = id.host !== host ? 'elsewhere' : (await processes.isAlive(id)) ? 'alive' : 'ended';
  return { state, pid: id.pid, host: id.host, ...(since && { since }) };
}

/** Removes what others left beside LOCK when they died. Nothing but the file LOCK leads to us, so no list needs them. */
async function sweep(disk: Disk, folder: string, isAlive: (owner: Owner) => Promise<boolean>): Promise<void> {
  for (const name of await disk.readdir(folder)) {
    if (!/^LOCK\.(tmp\.[0-9a-f]{32}|[0-9a-f]{32}\.next)$/.test(name)) continue;
    const path = join(folder, name);
    const owner = await readOwner(disk, path);
    if (owner && !(await isAlive(owner))) await removeQuietly(disk, path);
  }
}

const linkOf = (lockPath: string, { nonce }: Owner): string => `${lockPath}.${nonce}.next`;

/** The owners from LOCK on, the last of whom has the store. */
async function follow(disk: Disk, lockPath: string): Promise<Owner[]> {
  const owners: Owner[] = [];
  for (let path = lockPath; owners.length < listLengthMax; ) {
    const owner = await readOwner(disk, path);
    if (!owner) break;
    owners.push(owner);
    path = linkOf(lockPath, owner);
  }
  return owners;
}

async function readOwner(disk: Disk, path: string): Promise<Owner | undefined> {
  const bytes = await readSmall(disk, path, lockBytesMax);
  if (!bytes) return undefined;
  try {
    const { pid, start, host, boot, nonce, since } = JSON.parse(new TextDecoder().decode(bytes)) as Record<
      string,
      unknown
    >;
    const isId =
      Number.isSafeInteger(pid) && (pid as number) > 0 && typeof start === 'string' && typeof host === 'string';
    if (isId && typeof nonce === 'string' && noncePattern.test(nonce)) {
      const id = { pid: pid as number, start, host, ...(typeof boot === 'string' && { boot }) };
      return { nonce, id, ...(typeof since === 'string' && { since }) };
    }
  } catch {
    // not JSON: named by its bytes, below
  }
  return { nonce: createHash('sha256').update(bytes).digest('hex').slice(0, 32) };
}

function takeover({ id, since, nonce }: Owner): string {
  if (!id) return `took over a LOCK that names nobody (unreadable, SHA-256 ${nonce}...)`;
  return `took over the lock of process ${id.pid} on ${id.host}${since ? `, held since ${since}` : ''}: it has ended without closing`;
}

function refusal(folder: string, lockPath: string, { id, since }: Owner, self: ProcessId): TidemarkError {
  const { pid, host, start } = id!; // only an owner that can be named is alive
  const held = since ? ` since ${since}` : '';
  const here = host === self.host;
  const who =
    here && pid === self.pid && start === self.start ? `this process (pid ${pid})` : `process ${pid} on ${host}`;
  const advice = here
    ? 'close it there first'
    : `whether it still runs cannot be seen from ${self.host}; if you know that it does not, delete ${lockPath}`;
  return new LockedError(
    { pid, host, ...(since && { since }) },
    `${folder} is in use by ${who}${held} (${lockPath}): ${advice}`,
  );
}
