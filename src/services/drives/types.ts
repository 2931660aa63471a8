// The face of a drive: the promises face of node:fs, as far as a drive has it.
import type { Dirent, Stats } from './entry';

/** `utf8`; others are refused with ERR_INVALID_ARG_VALUE. A string, so that what takes Node's `fs` takes a drive. */
export type Encoding = string;

/** What a file may be written from. Text is encoded as UTF-8. */
export type FileData = string | ArrayBufferView | AsyncIterable<string | Uint8Array>;

export interface ReadOptions<E extends Encoding | null | undefined = Encoding | null | undefined> {
  /** Text instead of bytes. */
  encoding?: E;
}

export interface WriteOptions {
  encoding?: Encoding | null | undefined;
  /** Permissions of a file that is made, less 0o022. Default 0o666. */
  mode?: number | string | undefined;
  /** `w` in place of what is there, `a` after it; with `x` nothing may be there. Numbers are refused. */
  flag?: string | number | undefined;
}

export interface MkdirOptions {
  recursive?: boolean | undefined;
  /** Permissions, less 0o022. Default 0o777. */
  mode?: number | string | undefined;
}

export interface ReaddirOptions {
  encoding?: Encoding | null | undefined;
  withFileTypes?: boolean | undefined;
  /** With all that is in its folders; names are paths then. Links are not followed. */
  recursive?: boolean | undefined;
}

/**
 * A file system in a venue: `fs.promises` of Node, with its errors (DriveError). Paths are relative to the root of the drive, however many `..` they
 * have. What a call has written is seen at once when it resolves and is durable with the venue's next sweep or flush.
 */
export interface Drive {
  /** Itself: for clients that look for `fs.promises`. */
  readonly promises: Drive;
  readFile(path: string, options?: ReadOptions<null | undefined> | null): Promise<Uint8Array>;
  readFile(path: string, options?: Encoding | ReadOptions<Encoding>): Promise<string>;
  readFile(path: string, options?: Encoding | ReadOptions | null): Promise<string | Uint8Array>;
  writeFile(path: string, data: FileData, options?: WriteOptions | string | null): Promise<void>;
  appendFile(path: string, data: FileData, options?: WriteOptions | string | null): Promise<void>;
  truncate(path: string, length?: number): Promise<void>;
  /** @param mode 1: nothing may be there */
  copyFile(from: string, to: string, mode?: number | string): Promise<void>;
  /** @returns the first folder that was made, if any */
  mkdir(path: string, options: MkdirOptions & { recursive: true }): Promise<string | undefined>;
  mkdir(path: string, options?: MkdirOptions | number | string | null): Promise<void>;
  /** Makes a folder whose name begins so. */
  mkdtemp(prefix: string): Promise<string>;
  readdir(path: string, options: ReaddirOptions & { withFileTypes: true }): Promise<Dirent[]>;
  readdir(path: string, options?: (ReaddirOptions & { withFileTypes?: false }) | string | null): Promise<string[]>;
  stat(path: string): Promise<Stats>;
  lstat(path: string): Promise<Stats>;
  /** @param mode 0: it is there; 1: it is a folder, or may be run. Reading and writing are always allowed. */
  access(path: string, mode?: number): Promise<void>;
  realpath(path: string): Promise<string>;
  unlink(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  rm(path: string, options?: { recursive?: boolean | undefined; force?: boolean | undefined }): Promise<void>;
  /** All at once, however much is beneath it: a crash leaves the old name or the new one, and everything in it. */
  rename(from: string, to: string): Promise<void>;
  symlink(target: string, path: string, type?: string | null): Promise<void>;
  readlink(path: string): Promise<string>;
  chmod(path: string, mode: number | string): Promise<void>;
  /** The time of access is not kept. */
  utimes(path: string, atime: number | string | Date, mtime: number | string | Date): Promise<void>;
}
