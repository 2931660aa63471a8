// The file-system calls that the fs backend makes, as an interface: the simulator's disk (test/simulator) loses, tears
// and lies like a real one. Paths are absolute. Every method fails as node:fs does: an Error with `code` ('ENOENT', 'ENOSPC', ...).
import type { Bytes } from '../../src/backend';

/** 'r' read; 'wx' create for writing, fails if it exists; 'r+' read and write what exists. */
export type OpenFlag = 'r' | 'wx' | 'r+';

export interface Disk {
  open(path: string, flag: OpenFlag, mode?: number): Promise<number>;
  close(file: number): Promise<void>;
  /** Writes at the file's end or, after `r+`, at its start; returns how many bytes were taken, which may be fewer. */
  write(file: number, bytes: Bytes, offset: number, length: number): Promise<number>;
  read(file: number, bytes: Bytes, offset: number, length: number, position: number): Promise<number>;
  fdatasync(file: number): Promise<void>;
  fsync(file: number): Promise<void>;
  truncate(file: number, size: number): Promise<void>;
  size(file: number): Promise<number>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for one file; EEXIST if `to` is there: the one atomic "create with this content". */
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Creates a folder and missing parents; fine if it is there. Returns the first folder that it made, if any. */
  mkdir(path: string): Promise<string | undefined>;
  /** Names in a folder. */
  readdir(path: string): Promise<string[]>;
  /** Makes creations, renames and removals in a folder durable. Does nothing where the platform has no such call (Windows). */
  syncFolder(path: string): Promise<void>;
  /** For appendNow, in one call: creates `path`, writes every byte (looping over short writes), fdatasyncs, closes, syncs the folder. */
  writeFileNow(path: string, bytes: Bytes): void;
}
