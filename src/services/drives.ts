// A file system in a venue: the promises face of node:fs, in a region of its own. Here are the calls, one by one; the tree and the contents are in
// drives/. Knows the venue's face only.
import type { Venue } from '../venue';
import { asksText, bytesOf, checkPath, collected, flagsOf, isStream, modeOf, timeOf } from './drives/arguments';
import { contentsIn } from './drives/contents';
import { Dirent, type Entry, isFile, isFolder, isLink, linkType, permissions, Stats } from './drives/entry';
import { type Call, type DriveError, failure } from './drives/errors';
import { checkLength, openTree, type Place, wellFormed } from './drives/tree';
import type { Drive, FileData } from './drives/types';
import { newId } from './ids';

export type * from './drives/types';
export type { Dirent, DriveError, Stats };

/**
 * Opens the drive of that name; it is there when something is written. @param name at most 48 characters. @throws TidemarkError `bad_key` for
 * another
 */
export function openDrive(venue: Venue, name: string): Drive {
  const tree = openTree(venue, `tidemark.drives.${name}`);
  const contents = contentsIn(venue, tree);

  const makeFolder = (call: Call, path: string, mode: number): string => {
    const place = tree.walk(call, path, 'never');
    if (place.entry) throw failure('EEXIST', call);
    tree.make(place, mode);
    return path;
  };

  const makeFolders = (call: Call, path: string, mode: number): string | undefined => {
    let first: string | undefined;
    let folder = '';
    let isNew = false;
    checkLength(call, path);
    for (const { index, 0: name } of path.matchAll(/[^/]+/g)) {
      const end = index + name.length;
      let place = tree.walk(call, name, 'never', folder);
      const isThere = place.entry !== undefined;
      if (!isThere) {
        tree.make(place, mode, isNew);
        first ??= path.slice(0, end);
      } else {
        place = tree.find(call, name, 'always', folder);
        if (!isFolder(place.entry!)) throw failure(end < path.length ? 'ENOTDIR' : 'EEXIST', call);
      }
      isNew = !isThere;
      folder = place.path;
    }
    return first;
  };

  const writeFile = async (path: string, data: FileData, options: unknown, usual: string): Promise<void> => {
    const call: Call = ['open', checkPath(path)];
    const { append, exclusive } = flagsOf(options, usual);
    const opening = { exclusive, mode: modeOf(typeof options === 'string' ? null : options, 0o666) };
    if (isStream(data) && !append) return contents.writeStream(call, path, data, opening);
    const bytes = isStream(data) ? await collected(data) : bytesOf(data);
    await contents[append ? 'append' : 'write'](call, path, bytes, opening);
  };

  /** Changes what is told of a file, and not its content. */
  const change = (call: Call, path: string, changed: (entry: Entry) => Partial<Entry>): void => {
    const place = tree.find(call, path);
    if (place.path === '') throw failure('EPERM', call);
    const entry = { ...place.entry, ...changed(place.entry) };
    tree.put(place, entry, entry.mtime);
  };

  /** What has a name of its own. */
  const named = (call: Call, path: string, ofDots: Record<'.' | '..' | '/', string>): Place & { entry: Entry } => {
    const place = tree.walk(call, path, 'never');
    const { dots, entry } = place;
    if (dots) throw failure(ofDots[dots], call);
    if (!entry) throw failure('ENOENT', call);
    return { ...place, entry };
  };

  const drive = {
    async readFile(path: string, options?: unknown) {
      const call: Call = ['open', checkPath(path)];
      return contents.read(call, path, asksText(options));
    },
    writeFile: (path: string, data: FileData, options?: unknown) => writeFile(path, data, options, 'w'),
    appendFile: (path: string, data: FileData, options?: unknown) => writeFile(path, data, options, 'a'),
    async truncate(path: string, length = 0) {
      await contents.truncate(['open', checkPath(path)], path, Math.max(0, length));
    },
    async copyFile(from: string, to: string, mode = 0) {
      const call: Call = ['copyfile', checkPath(from, 'src'), checkPath(to, 'dest')];
      const source = tree.find(call, from);
      const { mtime: _, ...entry } = source.entry;
      const place = contents.opened(call, to, { exclusive: (mode & 1) !== 0, mode: 0 });
      if (isFolder(source.entry)) throw failure('EISDIR', call);
      if (place.path !== source.path) tree.put(place, entry);
    },
    async mkdir(path: string, options?: unknown) {
      const call: Call = ['mkdir', checkPath(path)];
      const mode = modeOf(options, 0o777);
      if ((options as { recursive?: boolean } | undefined)?.recursive) return makeFolders(call, path, mode);
      makeFolder(call, path, mode);
      return undefined;
    },
    async mkdtemp(prefix: string) {
      return makeFolder(['mkdtemp', checkPath(prefix, 'prefix')], `${prefix}${newId(venue)}`, 0o700);
    },
    async readdir(path: string, options?: unknown) {
      asksText(options);
      const { withFileTypes, recursive } = (options ?? {}) as { withFileTypes?: boolean; recursive?: boolean };
      const folder = tree.findFolder(['scandir', checkPath(path)], path);
      const found: [under: string, name: string, mode: number][] = [];
      if (recursive) {
        for (const { folder: its, name, entry, shown } of tree.beneath(folder))
          if (shown) found.push([its.slice(folder.length + 1), name, entry.mode]);
      } else for (const [name, { mode }] of tree.members(folder)) found.push(['', name, mode]);
      return found.map(([under, name, mode]) =>
        withFileTypes
          ? new Dirent(name, under ? `${path.replace(/\/$/, '')}/${under}` : path, mode)
          : under
            ? `${under}/${name}`
            : name,
      );
    },
    async stat(path: string) {
      const place = tree.find(['stat', checkPath(path)], path);
      return new Stats(place.path, place.entry);
    },
    async lstat(path: string) {
      const place = tree.find(['lstat', checkPath(path)], path, 'slash');
      return new Stats(place.path, place.entry);
    },
    async access(path: string, mode = 0) {
      const call: Call = ['access', checkPath(path)];
      const { entry } = tree.find(call, path);
      if (mode & 1 && isFile(entry) && (entry.mode & 0o111) === 0) throw failure('EACCES', call);
    },
    async realpath(path: string) {
      return tree.find(['realpath', checkPath(path)], path).path || '/';
    },
    async unlink(path: string) {
      const call: Call = ['unlink', checkPath(path)];
      const place = named(call, path, { '.': 'EISDIR', '..': 'EISDIR', '/': 'EISDIR' });
      if (isFolder(place.entry)) throw failure('EISDIR', call);
      if (place.slash) throw failure('ENOTDIR', call);
      tree.remove(place);
    },
    async rmdir(path: string) {
      const call: Call = ['rmdir', checkPath(path)];
      const place = named(call, path, { '.': 'EINVAL', '..': 'ENOTEMPTY', '/': 'EBUSY' });
      if (!isFolder(place.entry)) throw failure('ENOTDIR', call);
      if (!tree.isEmpty(place.path)) throw failure('ENOTEMPTY', call);
      tree.remove(place);
    },
    async rm(path: string, { recursive = false, force = false } = {}) {
      const call: Call = ['rm', checkPath(path)];
      try {
        const { entry } = tree.find(['lstat', path], path, 'slash');
        if (isFolder(entry) && !recursive)
          throw Object.assign(failure('EISDIR', call), { code: 'ERR_FS_EISDIR', errno: 21 });
      } catch (error) {
        if (force && (error as DriveError).code === 'ENOENT') return;
        throw error;
      }
      const place = named(call, path, { '.': 'EINVAL', '..': 'ENOTEMPTY', '/': 'EBUSY' });
      if (!isFolder(place.entry) && place.slash) throw failure('ENOTDIR', call);
      tree.remove(place);
    },
    async rename(from: string, to: string) {
      const call: Call = ['rename', checkPath(from, 'oldPath'), checkPath(to, 'newPath')];
      tree.move(call, tree.walk(call, from, 'never'), tree.walk(call, to, 'never'));
    },
    async symlink(target: string, path: string) {
      const call: Call = ['symlink', checkPath(target, 'target'), checkPath(path)];
      checkLength(call, target);
      const place = tree.walk(call, path, 'never');
      if (place.dots || place.entry) throw failure('EEXIST', call);
      if (place.slash) throw failure('ENOENT', call);
      tree.put(place, { mode: linkType | 0o777, target: wellFormed(target) });
    },
    async readlink(path: string) {
      const call: Call = ['readlink', checkPath(path)];
      const { entry } = tree.find(call, path, 'slash');
      if (!isLink(entry)) throw failure('EINVAL', call);
      return entry.target!;
    },
    async chmod(path: string, mode: number | string) {
      const given = modeOf(mode, Number.NaN) & permissions;
      change(['chmod', checkPath(path)], path, (entry) => ({ mode: (entry.mode & ~permissions) | given }));
    },
    async utimes(path: string, _atime: unknown, mtime: unknown) {
      const time = timeOf(mtime);
      change(['utime', checkPath(path)], path, () => ({ mtime: time }));
    },
  };
  return Object.assign(drive, { promises: drive }) as unknown as Drive;
}
