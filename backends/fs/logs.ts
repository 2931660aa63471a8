// The log files that are being appended to: one per generation and writer, and a fresh one after every failure. Knows
// nothing of lines, locks or of when a checkpoint is due.
import { join } from 'node:path';
import { type Bytes, TidemarkError } from '../../src/backend';
import type { Disk } from './disk';
import { closeQuietly, ioError, removeQuietly, writeAll } from './files';
import { logName, parseName } from './names';

export interface Logs {
  /** Durable when it resolves. Issues its first call before it returns. */
  append(commit: Bytes, writer: string): Promise<void>;
  /** Durable when it returns, in a file of its own. */
  appendNow(commit: Bytes, writer: string): void;
  /** From here on commits go to this generation's files. */
  rotate(generation: number): void;
  close(): Promise<void>;
}

interface Log {
  readonly path: string;
  /** Undefined until it has been created. */
  file?: number;
  /** Whether an append to it has succeeded: bytes and name are durable. */
  proven: boolean;
  busy: boolean;
}

/** @param taken names in the folder, so that no file is ever appended to that another opening began. */
export function openLogs(disk: Disk, folder: string, generation: number, taken: Iterable<string>): Logs {
  const names = new Set(taken);
  const logs = new Map<string, Log>();
  let closings = Promise.resolve();
  let current = generation;
  let attempts = 0;

  function freshPath(writer: string, attempt: number): string {
    let name = logName(current, writer, attempt);
    while (names.has(name)) name = logName(current, writer, ++attempts);
    if (!parseName(name)) throw new TidemarkError('bad_option', `a writer's id is lower-case hex, not "${writer}"`);
    names.add(name);
    return join(folder, name);
  }

  function begin(writer: string): Log {
    const log: Log = { path: freshPath(writer, 0), proven: false, busy: false };
    logs.set(writer, log);
    return log;
  }

  /** After a failure nothing is certain of this file: a second fdatasync may report success for pages that were dropped. */
  async function poison(writer: string, log: Log): Promise<void> {
    if (logs.get(writer) === log) logs.delete(writer);
    if (log.file === undefined) return;
    await closeQuietly(disk, log.file);
    // On a full disk every retry would leave one more file.
    if (!log.proven) await removeQuietly(disk, log.path);
  }

  function retire(log: Log): void {
    const { file } = log;
    if (file !== undefined) closings = closings.then(() => closeQuietly(disk, file));
  }

  return {
    async append(commit, writer) {
      const log = logs.get(writer) ?? begin(writer);
      let doing = 'create';
      log.busy = true;
      try {
        log.file ??= await disk.open(log.path, 'wx');
        doing = 'write';
        await writeAll(disk, log.file, commit);
        doing = 'sync';
        await disk.fdatasync(log.file);
        if (!log.proven) {
          doing = 'sync the folder of';
          await disk.syncFolder(folder);
          log.proven = true;
        }
      } catch (cause) {
        await poison(writer, log);
        throw ioError(doing, log.path, cause);
      } finally {
        log.busy = false;
      }
      if (logs.get(writer) !== log) retire(log); // a checkpoint has begun meanwhile
    },

    appendNow(commit, writer) {
      const path = freshPath(writer, ++attempts);
      try {
        disk.writeFileNow(path, commit);
      } catch (cause) {
        throw ioError('write', path, cause);
      }
    },

    rotate(generation) {
      current = generation;
      for (const log of logs.values()) if (!log.busy) retire(log);
      logs.clear();
    },

    async close() {
      for (const log of logs.values()) retire(log);
      logs.clear();
      await closings;
    },
  };
}
