// The face of a drive: the promises face of node:fs, as far as a drive has it.
import type { Dirent, Stats } from './entry';

/** Text is UTF-8. */
export type Encoding = 'utf8' | 'utf-8';

/** What a file may be written from. Text is encoded as UTF-8. */
export type FileData = string | ArrayBufferView | AsyncIterable<string | Uint8Array>;

export interface ReadOptions<E extends Encoding | null | undefined = Encoding | null | undefined> {
  /** Text instead of bytes. */
  encoding?: E;
}

export interface WriteOptions {
  encoding?: string | null | undefined;
  /** Permissions of a file that is made, less 0o022. Default 0o666. */
  mode?: number | string | undefined;
  /** `w` in place of what is there, `a` after it; with `x` nothing may be there. */
  flag?: string | undefined;
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
  readFile(path: string, options: Encoding | ReadOptions<Encoding>): Promise<string>;
  readFile(path: string, options?: Encoding | ReadOptions | null): Promise<string | Uint8Array>;
  writeFile(path: string, data: FileData, options?: WriteOptions | string | null): Promise<void>;
  appendFile(path: string, data: FileData, options?: WriteOptions | string | null): Promise<void>;
  truncate(path: string, length?: number): Promise<void>;
  /** @param mode 1: nothing may be there */
  copyFile(from: string, to: string, mode?: number): Promise<void>;
  /** @returns with `recursive` the first folder that was made, if any */
  mkdir(
    path: string,
    options?: { recursive?: boolean | undefined; mode?: number | string | undefined } | number | string | null,
  ): Promise<string | undefined>;
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
