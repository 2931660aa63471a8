// The real disk: which system calls its methods make. What they are good for is tested with the simulated one; that the real one
// makes them can only be seen here.
import * as fs from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeDisk } from '../../backends/fs/node-disk';

vi.mock('node:fs', { spy: true });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-disk-'));
  vi.resetAllMocks();
});
afterEach(async () => {
  vi.resetAllMocks();
  await rm(folder, { recursive: true });
});

const { open, write, fdatasync, fsync, close, ftruncate, rename } = fs;
const { openSync, writeSync, fdatasyncSync, fsyncSync, closeSync } = fs;
const watched = Object.entries({
  ...{ open, write, fdatasync, fsync, close, ftruncate, rename },
  ...{ openSync, writeSync, fdatasyncSync, fsyncSync, closeSync },
});

/** Calls of node:fs in the order in which they were made, with the path or number that each was given. */
function made(): [string, unknown][] {
  return watched
    .flatMap(([name, call]) => {
      const { calls, invocationCallOrder } = vi.mocked(call as (...args: unknown[]) => unknown).mock;
      return calls.map(([at], i) => ({ order: invocationCallOrder[i]!, call: [name, at] as [string, unknown] }));
    })
    .sort((a, b) => a.order - b.order)
    .map(({ call }) => call);
}

const failing = (code: string) => Object.assign(new Error(`${code}: simulated`), { code });

describe('the disk of Node', () => {
  it('syncs data, files and folders by the calls of these names', async () => {
    const file = await nodeDisk.open(join(folder, 'a'), 'wx');
    expect(await nodeDisk.write(file, new Uint8Array([1, 2, 3, 4]), 1, 2)).toBe(2);
    await nodeDisk.fdatasync(file);
    await nodeDisk.fsync(file);
    await nodeDisk.close(file);
    await nodeDisk.syncFolder(folder);
    expect(made().map(([name]) => name)).toEqual([
      'open',
      'write',
      'fdatasync',
      'fsync',
      'close',
      'open',
      'fsync',
      'close',
    ]);
    const folderNumber = made().at(-1)![1];
    expect(made().slice(-3)).toEqual([
      ['open', folder],
      ['fsync', folderNumber],
      ['close', folderNumber],
    ]);
    expect([...(await readFile(join(folder, 'a')))]).toEqual([2, 3]);
  });

  it('writes a file now: all bytes, synced, and its name too', async () => {
    const { writeSync } = await vi.importActual<typeof fs>('node:fs');
    vi.mocked(fs.writeSync).mockImplementation(((file: number, bytes: Uint8Array, at: number, length: number) =>
      writeSync(file, bytes, at, Math.min(length, 2))) as typeof fs.writeSync);
    const path = join(folder, 'now');
    nodeDisk.writeFileNow(path, new Uint8Array([1, 2, 3, 4, 5]));
    expect(made().map(([name, at]) => (typeof at === 'string' ? [name, at] : name))).toEqual([
      ['openSync', path],
      'writeSync',
      'writeSync',
      'writeSync',
      'fdatasyncSync',
      'closeSync',
      ['openSync', folder],
      'fsyncSync',
      'closeSync',
    ]);
    expect([...(await readFile(path))]).toEqual([1, 2, 3, 4, 5]);
    expect(() => nodeDisk.writeFileNow(path, new Uint8Array(1))).toThrow(/EEXIST/);
  });

  it('does not hang on a disk that takes nothing, and closes what it opened', () => {
    vi.mocked(fs.writeSync).mockReturnValue(0);
    expect(() => nodeDisk.writeFileNow(join(folder, 'none'), new Uint8Array(5))).toThrow('took 0 of 5 bytes');
    expect(made().at(-1)![0]).toBe('closeSync');
  });

  it('makes do with a file system that cannot sync folders, and with no other failure', async () => {
    for (const [code, isFine] of [
      ['EINVAL', true],
      ['ENOTSUP', true],
      ['EIO', false],
    ] as const) {
      vi.mocked(fs.fsync).mockImplementation(((_file: number, done: (error: Error) => void) =>
        done(failing(code))) as typeof fs.fsync);
      vi.mocked(fs.fsyncSync).mockImplementation(() => {
        throw failing(code);
      });
      const path = join(folder, code);
      if (isFine) {
        await nodeDisk.syncFolder(folder);
        nodeDisk.writeFileNow(path, new Uint8Array(1));
      } else {
        await expect(nodeDisk.syncFolder(folder)).rejects.toThrow(code);
        expect(() => nodeDisk.writeFileNow(path, new Uint8Array(1))).toThrow(code);
      }
    }
    const opened = made().filter(([name]) => name.startsWith('open')).length;
    expect(made().filter(([name]) => name.startsWith('close'))).toHaveLength(opened);
  });
});

describe('on Windows', () => {
  const { platform } = process;
  beforeEach(() => {
    Object.defineProperty(process, 'platform', { value: 'win32' });
    vi.resetModules();
    vi.useFakeTimers();
  });
  afterEach(() => {
    Object.defineProperty(process, 'platform', { value: platform });
    vi.useRealTimers();
  });

  function renameFails(code: string, times: number): void {
    const mock = vi.mocked(fs.rename);
    for (let i = 0; i < times; i++) {
      mock.mockImplementationOnce(((_from: string, _to: string, done: (error: Error) => void) =>
        done(failing(code))) as typeof fs.rename);
    }
    mock.mockImplementation(((_from: string, _to: string, done: (error: null) => void) =>
      done(null)) as typeof fs.rename);
  }

  it('a rename is tried again while a scanner holds the file, for half a second', async () => {
    const { nodeDisk } = await import('../../backends/fs/node-disk');
    for (const [code, times, tries] of [
      ['EPERM', 3, 4],
      ['EBUSY', 6, 7],
      ['EACCES', 99, 7],
      ['ENOENT', 1, 1],
    ] as const) {
      vi.mocked(fs.rename).mockReset();
      renameFails(code, times);
      const renamed = nodeDisk.rename('a', 'b').then(
        () => 'renamed',
        (error: Error) => error.message.slice(0, code.length),
      );
      await vi.advanceTimersByTimeAsync(500);
      expect(await renamed).toBe(times < tries ? 'renamed' : code);
      expect(vi.mocked(fs.rename)).toHaveBeenCalledTimes(tries);
    }
  });

  it('folders are not synced: there is no such call', async () => {
    const { nodeDisk } = await import('../../backends/fs/node-disk');
    await nodeDisk.syncFolder(folder);
    expect(made()).toEqual([]);
    nodeDisk.writeFileNow(join(folder, 'now'), new Uint8Array(1));
    expect(made().map(([name]) => name)).toEqual(['openSync', 'writeSync', 'fdatasyncSync', 'closeSync']);
  });
});
