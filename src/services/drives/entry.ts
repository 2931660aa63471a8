// What is stored of a file, a folder or a symbolic link, and what is told of it. Knows nothing of where it stands.
import { encodeUtf8 } from '../../base/bytes';

/** An entry of a drive's region. */
export interface Entry {
  /** Type and permissions, as POSIX has them. */
  readonly mode: number;
  /** Ms since 1970, with a fraction. */
  readonly mtime: number;
  /** Content of a small file. */
  readonly data?: Uint8Array;
  /** Hash of the content of a large one, and how many bytes it has. */
  readonly blob?: string;
  readonly size?: number;
  /** Of a symbolic link. */
  readonly target?: string;
}

export const fileType = 0o100000;
export const folderType = 0o040000;
export const linkType = 0o120000;
const types = 0o170000;
export const permissions = 0o7777;
/** What a process usually does not give to others. */
export const umask = 0o022;

export const isFolder = ({ mode }: Pick<Entry, 'mode'>): boolean => (mode & types) === folderType;
export const isFile = ({ mode }: Pick<Entry, 'mode'>): boolean => (mode & types) === fileType;
export const isLink = ({ mode }: Pick<Entry, 'mode'>): boolean => (mode & types) === linkType;

/** The root has no entry: it can be neither removed nor changed. */
export const rootFolder: Entry = { mode: folderType | 0o755, mtime: 0 };

/** What node:fs asks of both. */
class Typed {
  constructor(readonly mode: number) {}
  isFile(): boolean {
    return isFile(this);
  }
  isDirectory(): boolean {
    return isFolder(this);
  }
  isSymbolicLink(): boolean {
    return isLink(this);
  }
  isBlockDevice(): boolean {
    return false;
  }
  isCharacterDevice(): boolean {
    return false;
  }
  isFIFO(): boolean {
    return false;
  }
  isSocket(): boolean {
    return false;
  }
}

/** What node:fs tells of a file. All times are the time of the last change; `ino` is made from the path. */
export class Stats extends Typed {
  readonly dev = 1;
  readonly ino: number;
  readonly nlink = 1;
  readonly uid = 0;
  readonly gid = 0;
  readonly rdev = 0;
  readonly size: number;
  readonly blksize = 4096;
  readonly blocks: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;

  constructor(path: string, { mode, mtime, data, size, target }: Entry) {
    super(mode);
    this.ino = numberOf(path);
    this.size = size ?? data?.length ?? (target === undefined ? 0 : encodeUtf8(target).length);
    this.blocks = Math.ceil(this.size / 512);
    this.atimeMs = this.mtimeMs = this.ctimeMs = this.birthtimeMs = mtime;
  }
  get atime(): Date {
    return new Date(this.mtimeMs);
  }
  get mtime(): Date {
    return new Date(this.mtimeMs);
  }
  get ctime(): Date {
    return new Date(this.mtimeMs);
  }
  get birthtime(): Date {
    return new Date(this.mtimeMs);
  }
}

/** What readdir({ withFileTypes: true }) tells. */
export class Dirent extends Typed {
  constructor(
    readonly name: string,
    /** The folder that it is in, as readdir was asked for it. */
    readonly parentPath: string,
    mode: number,
  ) {
    super(mode);
  }
  /** What Node 20 calls it. */
  get path(): string {
    return this.parentPath;
  }
}

/** 53 bits of a path: who compares `ino` to see whether two paths are one file is not misled. */
function numberOf(path: string): number {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b);
  }
  return (low >>> 0) + (high >>> 11) * 2 ** 32;
}
