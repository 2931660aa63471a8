// The tree of a drive: one entry in its region for each file, folder and link, under its folder's path and its name. What is shown is a function of
// the entries: one that is not in a folder that is shown is not shown either, so it is a tree whatever tabs have merged. Knows no contents.
import { encodeUtf8 } from '../../base/bytes';
import type { Venue, WritableRegion } from '../../venue';
import { type Entry, folderType, isFolder, isLink, permissions, rootFolder, umask } from './entry';
import { type Call, failure } from './errors';

/** As Linux has them. */
const nameBytesMax = 255;
const argumentBytesMax = 4095;
const linksMax = 40;
/** A region's keys, which are as long as paths. */
const pathBytesMax = 1024;
/** A folder with more than this beneath it is not moved in one commit: half of what a fork may hold. */
const moveBytesMax = 16 * 1024 * 1024;
/** Times differ by this at least, so that two changes within one millisecond can be told apart: what a number of this size can hold. */
const mtimeStepMs = 1 / 1024;

/** Where a path leads. */
export interface Place {
  /** Path without links, dots and doubled slashes; '' for the root. */
  readonly path: string;
  /** That of the folder that it is in. */
  readonly folder: string;
  /** What stands there. */
  readonly entry: Entry | undefined;
  /** The path ends in a slash: it must be a folder. */
  readonly slash: boolean;
  /** The path ends in `.` or `..`, or is the root: there is no name to remove or to make. */
  readonly dots: '.' | '..' | '/' | undefined;
}

/** Whether a symbolic link at the end of a path is followed: `slash`: only with a slash after it; `plain`: only without. */
export type Follows = 'always' | 'slash' | 'plain' | 'never';

interface Stored {
  readonly key: string;
  readonly folder: string;
  readonly name: string;
  readonly entry: Entry;
  /** Whether it is in a folder that is shown. */
  readonly shown: boolean;
}

export type Tree = ReturnType<typeof openTree>;

export function openTree(venue: Venue, regionName: string) {
  const region = venue.region<Entry>(regionName);
  let last = 0;
  /** The time of a change: later than that of any before. */
  const now = (): number => {
    last = Math.max(venue.clock.now(), last + mtimeStepMs);
    return last;
  };

  /**
   * @param folder where the path begins
   * @throws ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG: what is missing on the way; that nothing is at its end is for the caller to judge
   */
  const walk = (call: Call, path: string, follows: Follows, folder = ''): Place => {
    checkLength(call, path);
    const rest = steps(path);
    let slash = path.endsWith('/');
    let dots: Place['dots'] = '/';
    let links = 0;
    while (rest.length > 0) {
      const name = rest.pop()!;
      if (name === '.' || name === '..') {
        if (name === '..') folder = parentOf(folder);
        dots = name;
        continue;
      }
      const here = `${folder}/${name}`;
      if (isLonger(name, nameBytesMax) || isLonger(here, pathBytesMax)) throw failure('ENAMETOOLONG', call);
      const entry = region.get(`${folder}\0${name}`);
      const isLast = rest.length === 0;
      if (entry && isLink(entry) && (!isLast || follows === 'always' || follows === (slash ? 'slash' : 'plain'))) {
        if (++links > linksMax) throw failure('ELOOP', call);
        const target = entry.target!;
        if (isLast) slash ||= target.endsWith('/');
        if (target.startsWith('/')) {
          folder = '';
          dots = '/';
        }
        rest.push(...steps(target));
        continue;
      }
      if (isLast) return { path: here, folder, entry, slash, dots: undefined };
      if (!entry) throw failure('ENOENT', call);
      if (!isFolder(entry)) throw failure('ENOTDIR', call);
      folder = here;
      dots = undefined;
    }
    const entry = folder === '' ? rootFolder : region.get(keyOf(folder));
    return { path: folder, folder: parentOf(folder), entry, slash, dots };
  };

  /** What must be there. @throws ENOENT, ENOTDIR besides */
  const find = (call: Call, path: string, follows: Follows = 'always', folder?: string): Place & { entry: Entry } => {
    const place = walk(call, path, follows, folder);
    const { entry, slash } = place;
    if (!entry) throw failure('ENOENT', call);
    if (slash && !isFolder(entry)) throw failure('ENOTDIR', call);
    return { ...place, entry };
  };

  /** What must be a folder. */
  const findFolder = (call: Call, path: string): string => {
    const place = find(call, path);
    if (!isFolder(place.entry)) throw failure('ENOTDIR', call);
    return place.path;
  };

  /**
   * Writes the folders on the way to what is written, outermost first: who has deleted one of them elsewhere, before this and without knowing it,
   * deleted what was older. @param changed time at which the last of them got or lost a name
   */
  const confirm = (into: WritableRegion<Entry>, folder: string, changed?: number): void => {
    for (let end = 0; end < folder.length; ) {
      const next = folder.indexOf('/', end + 1);
      end = next < 0 ? folder.length : next;
      const key = keyOf(folder.slice(0, end));
      const entry = into.get(key)!;
      into.set(key, changed !== undefined && end === folder.length ? { ...entry, mtime: changed } : entry);
    }
  };

  /** Writes what stands at a place. */
  const put = ({ path, folder, entry: before }: Place, entry: Omit<Entry, 'mtime'>, mtime = now()): void => {
    confirm(region, folder, before ? undefined : mtime);
    region.set(keyOf(path), { ...entry, mtime });
  };

  /** Makes a folder where nothing is. @param isConfirmed whether the one that it is in was made just before */
  const make = ({ path, folder }: Place, mode: number, isConfirmed = false): void => {
    clear(path); // what was deleted elsewhere is not to come back
    const mtime = now();
    if (!isConfirmed) confirm(region, folder, mtime);
    region.set(keyOf(path), { mode: folderType | (mode & permissions & ~umask), mtime });
  };

  /** All that is stored beneath a folder, each after the folder that it is in. */
  const beneath = function* (path: string): Generator<Stored> {
    const folders = new Set([path]);
    for (const prefix of [`${path}\0`, `${path}/`])
      for (const [key, entry] of region.scan({ prefix })) {
        const [folder, name] = key.split('\0') as [string, string];
        const shown = folders.has(folder);
        if (shown && isFolder(entry)) folders.add(`${folder}/${name}`);
        yield { key, folder, name, entry, shown };
      }
  };

  /** Deletes what is stored beneath a path. */
  const clear = (path: string): void => {
    for (const { key } of [...beneath(path)]) region.delete(key);
  };

  /** Removes what stands at a place, and all beneath it. */
  const remove = ({ path, entry }: Place): void => {
    region.delete(keyOf(path)); // first: from then on nothing beneath it is shown
    if (entry && isFolder(entry)) clear(path);
  };

  /** The direct members of a folder, in order of their names. */
  const members = function* (path: string): Generator<[name: string, entry: Entry]> {
    const prefix = `${path}\0`;
    for (const [key, entry] of region.scan({ prefix })) yield [key.slice(prefix.length), entry];
  };

  const isEmpty = (path: string): boolean => members(path).next().done === true;

  const move = (call: Call, from: Place, to: Place): void => {
    const { entry } = from;
    if (from.dots || to.dots) throw failure('EBUSY', call);
    if (!entry) throw failure('ENOENT', call);
    if (!isFolder(entry) && (from.slash || to.slash)) throw failure('ENOTDIR', call);
    if (to.path.startsWith(`${from.path}/`)) throw failure('EINVAL', call);
    if (from.path.startsWith(`${to.path}/`)) throw failure('ENOTEMPTY', call);
    if (from.path === to.path) return;
    if (to.entry && isFolder(to.entry)) {
      if (!isFolder(entry)) throw failure('EISDIR', call);
      if (!isEmpty(to.path)) throw failure('ENOTEMPTY', call);
    } else if (to.entry && isFolder(entry)) throw failure('ENOTDIR', call);

    const all = isFolder(entry) ? [...beneath(from.path)] : [];
    let bytes = 0;
    const moved = all
      .filter(({ shown }) => shown)
      .map(({ folder, name, entry }) => {
        const path = `${to.path}${folder.slice(from.path.length)}/${name}`;
        if (isLonger(path, pathBytesMax)) throw failure('ENAMETOOLONG', call);
        bytes += 3 * path.length + 256 + (entry.data?.length ?? 0);
        return [keyOf(path), entry] as const;
      });
    const fork = venue.fork();
    const forked = fork.region<Entry>(regionName);
    // What does not fit into one commit is written beforehand where nothing is shown yet, and removed afterwards where nothing is shown any more.
    const bulk: WritableRegion<Entry> = bytes > moveBytesMax ? region : forked;
    try {
      if (isFolder(entry)) {
        if (bulk === region) region.delete(keyOf(to.path));
        for (const { key } of [...beneath(to.path)]) bulk.delete(key);
      }
      for (const [key, entry] of moved) bulk.set(key, entry);
      confirm(forked, to.folder, now());
      forked.delete(keyOf(from.path));
      forked.set(keyOf(to.path), entry);
      if (bulk === region) fork.sync();
      for (const { key } of all) bulk.delete(key);
      fork.sync();
    } finally {
      fork.drop();
    }
  };

  return { walk, find, findFolder, put, make, beneath, remove, members, isEmpty, move };
}

/** @throws ENOENT, ENAMETOOLONG */
export function checkLength(call: Call, text: string): void {
  if (text === '') throw failure('ENOENT', call);
  if (isLonger(text, argumentBytesMax)) throw failure('ENAMETOOLONG', call);
}

/** As UTF-8 writes halves of characters. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd');

/** Names on a path, the last one first. */
const steps = (path: string): string[] => wellFormed(path).split('/').filter(Boolean).reverse();
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

function keyOf(path: string): string {
  const folder = parentOf(path);
  return `${folder}\0${path.slice(folder.length + 1)}`;
}

const isLonger = (text: string, bytes: number): boolean =>
  text.length * 3 > bytes && (text.length > bytes || encodeUtf8(text).length > bytes);
