// The real disk with a list of the calls made, and calls that can be made to fail or to do something else.
import { basename } from 'node:path';
import type { Disk } from '../../../backends/fs/disk';
import { nodeDisk } from '../../../backends/fs/node-disk';

export type Op = keyof Disk;

export interface Call {
  readonly op: Op;
  /** The last part of the path; for calls on an open file the path that it was opened with. */
  readonly name: string;
}

export interface WatchedDisk extends Disk {
  readonly calls: Call[];
  /** Calls since the last time, as `op name`. */
  take(): string[];
  /** Calls that `matches` fail with this code until it is lifted. @returns lifts it. */
  fail(code: string, matches: (call: Call) => boolean): () => void;
  /** Calls that `matches` wait until they are let go. @returns lets them go. */
  hold(matches: (call: Call) => boolean): () => void;
  /** The most bytes that one write takes. */
  writeLimit: number;
}

export function watchDisk(): WatchedDisk {
  const calls: Call[] = [];
  const names = new Map<number, string>();
  const failures = new Set<{ code: string; matches: (call: Call) => boolean }>();
  const holds = new Set<{ until: Promise<void>; matches: (call: Call) => boolean }>();
  let taken = 0;

  /** Notes the call, in this turn, as it is issued. */
  function note(op: Op, name: string): Call {
    const call = { op, name };
    calls.push(call);
    for (const { code, matches } of failures) {
      if (matches(call)) throw Object.assign(new Error(`${code}: simulated, ${op} '${name}'`), { code });
    }
    return call;
  }
  async function enter(op: Op, name: string): Promise<void> {
    const call = note(op, name);
    for (const { until, matches } of holds) if (matches(call)) await until;
  }
  const onPath =
    <K extends 'rename' | 'link' | 'unlink' | 'mkdir' | 'readdir' | 'syncFolder'>(op: K) =>
    async (path: string, to = '') => {
      await enter(op, basename(op === 'link' ? to : path));
      return nodeDisk[op](path, to) as never;
    };
  const onFile =
    <K extends 'fdatasync' | 'fsync' | 'size'>(op: K) =>
    async (file: number) => {
      await enter(op, names.get(file)!);
      return nodeDisk[op](file) as never;
    };

  return {
    calls,
    writeLimit: Number.POSITIVE_INFINITY,
    take() {
      const since = calls.slice(taken);
      taken = calls.length;
      return since.map(({ op, name }) => `${op} ${name}`);
    },
    fail(code, matches) {
      const failure = { code, matches };
      failures.add(failure);
      return () => failures.delete(failure);
    },
    hold(matches) {
      let release = () => {};
      const until = new Promise<void>((resolve) => {
        release = resolve;
      });
      const hold = { until, matches };
      holds.add(hold);
      return () => {
        holds.delete(hold);
        release();
      };
    },
    async open(path, flag, mode) {
      await enter('open', basename(path));
      const file = await nodeDisk.open(path, flag, mode);
      names.set(file, basename(path));
      return file;
    },
    async close(file) {
      await enter('close', names.get(file)!);
      return nodeDisk.close(file);
    },
    async write(file, bytes, offset, length) {
      await enter('write', names.get(file)!);
      return this.writeLimit > 0 ? nodeDisk.write(file, bytes, offset, Math.min(length, this.writeLimit)) : 0;
    },
    async read(file, bytes, offset, length, position) {
      await enter('read', names.get(file)!);
      return nodeDisk.read(file, bytes, offset, length, position);
    },
    async truncate(file, size) {
      await enter('truncate', names.get(file)!);
      return nodeDisk.truncate(file, size);
    },
    fdatasync: onFile('fdatasync'),
    fsync: onFile('fsync'),
    size: onFile('size'),
    rename: onPath('rename'),
    link: onPath('link'),
    unlink: onPath('unlink'),
    mkdir: onPath('mkdir'),
    readdir: onPath('readdir'),
    syncFolder: onPath('syncFolder'),
    writeFileNow(path, bytes) {
      note('writeFileNow', basename(path));
      nodeDisk.writeFileNow(path, bytes);
    },
  };
}
