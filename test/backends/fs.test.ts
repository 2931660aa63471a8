// The fs backend: the contract on real files, and what it promises beyond: which files there are, in which order calls are
// made, and what is left after each of them has failed. Its lock has a test of its own.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, concatBytes, TidemarkError } from '../../src/backend';
import { backendContract, makeCommit } from '../backend-contract';
import { type FsWorld, makeFsWorld } from './helpers/fs-world';
import { type Call, type WatchedDisk, watchDisk } from './helpers/watched-disk';

backendContract('fs', makeFsWorld);

/** A poll ends as soon as it may; only a broken test waits so long. */
const patience = { timeout: 10_000, interval: 1 };
const writer = 'abcdef0123456789';
const log = `log.0.${writer}`;

async function* pieces(...parts: Uint8Array[]) {
  for (const part of parts) yield part as Uint8Array<ArrayBuffer>;
}

let world: FsWorld;
let disk: WatchedDisk;
let backend: Backend;

beforeEach(async () => {
  world = await makeFsWorld();
  disk = watchDisk();
  backend = world.backend({ disk });
});
afterEach(async () => {
  await backend.close();
  await world.destroy();
});

const append = (index: number, size?: number) => {
  const { line, at } = makeCommit(writer, index, size);
  return backend.append(line, at, 'strict');
};
const read = async (name: string) => new Uint8Array(await readFile(join(world.folder, name)));
const linesOf = (...indexes: number[]) => concatBytes(indexes.map((index) => makeCommit(writer, index).line));
const is = (op: Call['op'], name: string) => (call: Call) => call.op === op && call.name === name;

/** What the next opening finds: names of checkpoints and logs. */
async function reopen(): Promise<string[]> {
  await backend.close();
  backend = world.backend({ disk });
  const { checkpoints, logs } = await backend.open('');
  return [...checkpoints, ...logs].map(({ name }) => name);
}

async function expectIoError(work: Promise<unknown>, ...mentions: string[]): Promise<void> {
  const error = (await work.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error,
  )) as TidemarkError;
  expect(error).toBeInstanceOf(TidemarkError);
  expect(error.code).toBe('io');
  for (const mention of mentions) expect(error.message).toContain(mention);
  expect(error.cause).toBeInstanceOf(Error);
}

describe('a store is a folder of plain files', () => {
  it('one log per generation and writer, holding the lines and nothing else', async () => {
    await backend.open('');
    await append(0);
    await append(1);
    const other = makeCommit('0011', 0);
    await backend.append(other.line, other.at, 'relaxed');
    expect(await world.names()).toEqual(['LOCK', 'log.0.0011', log]);
    expect(await read(log)).toEqual(linesOf(0, 1));

    await backend.checkpoint(pieces(new Uint8Array([1, 2, 3])), {}, 0);
    await append(2);
    expect(await world.names()).toEqual(['LOCK', 'checkpoint.1', 'log.0.0011', log, `log.1.${writer}`]);
    expect(await read('checkpoint.1')).toEqual(new Uint8Array([1, 2, 3]));
    expect(await read(`log.1.${writer}`)).toEqual(linesOf(2));
    await backend.close();
    expect(await world.names()).not.toContain('LOCK');
  });

  it('a file that another opening began is not appended to', async () => {
    await backend.open('');
    await append(0);
    await reopen();
    await append(1);
    expect(await read(log)).toEqual(linesOf(0));
    expect(await read(`${log}.1`)).toEqual(linesOf(1));
  });

  it('appendNow takes a file of its own', async () => {
    await backend.open('');
    await append(0);
    const { line, at } = makeCommit(writer, 1);
    backend.appendNow!(line, at);
    await append(2);
    expect(await read(log)).toEqual(linesOf(0, 2));
    expect(await read(`${log}.1`)).toEqual(linesOf(1));
  });

  it('quarantine has a reason beside everything, and overwrites nothing', async () => {
    await backend.open('');
    const place = await backend.quarantine(new Uint8Array([9, 9]), 'no such writer');
    expect(new Uint8Array(await readFile(place))).toEqual(new Uint8Array([9, 9]));
    expect(await readFile(`${place}.why`, 'utf8')).toBe('no such writer\n');
    expect(dirname(place)).toBe(join(world.folder, 'quarantine'));

    for (const why of ['first', 'second']) {
      await writeFile(join(world.folder, 'log.0.77'), why);
      await backend.close();
      backend = world.backend();
      const { logs } = await backend.open('');
      await logs[0]!.retire(why);
    }
    const inQuarantine = (name: string) => readFile(join(world.folder, 'quarantine', name), 'utf8');
    expect(await inQuarantine('log.0.77')).toBe('first');
    expect(await inQuarantine('log.0.77.why')).toBe('first\n');
    expect(await inQuarantine('log.0.77.1')).toBe('second');
    expect(await inQuarantine('log.0.77.1.why')).toBe('second\n');
  });

  it('refuses a writer whose log it would not find again', async () => {
    await backend.open('');
    for (const bad of ['../x', 'ABC', '', 'a.b']) {
      const { line, at } = makeCommit(bad, 0);
      await expect(backend.append(line, at, 'strict')).rejects.toMatchObject({ code: 'bad_option' });
    }
    expect(await world.names()).toEqual(['LOCK']);
  });

  it('is used only while it is open', async () => {
    const { line, at } = makeCommit(writer, 0);
    await expect(append(0)).rejects.toMatchObject({ code: 'closed' });
    await backend.open('');
    await backend.close();
    await expect(append(0)).rejects.toMatchObject({ code: 'closed' });
    expect(() => backend.appendNow!(line, at)).toThrow(TidemarkError);
    await expect(backend.checkpoint(pieces(), {}, 0)).rejects.toMatchObject({ code: 'closed' });
    await expect(backend.open('')).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('open leaves a folder in which all that stands will stand', () => {
  it('syncs every folder on the way to a store with nothing in it, whoever made them', async () => {
    for (let round = 0; round < 2; round++) {
      await reopen();
      const synced = disk.take().filter((call) => call.startsWith('syncFolder'));
      expect(synced).toContain('syncFolder data');
      expect(synced.at(-1)).toBe('syncFolder '); // the root
    }
    await append(0);
    disk.take();
    await reopen();
    expect(disk.take().filter((call) => call.startsWith('syncFolder'))).toEqual(['syncFolder venue.etch']);
  });

  it('syncs what it found before it tells of it: the last owner may have been killed before he did', async () => {
    await backend.open('');
    await append(0);
    disk.take();
    await reopen();
    expect(disk.take()).toEqual(expect.arrayContaining([`fdatasync ${log}`, 'syncFolder venue.etch']));
  });

  it('removes an unfinished checkpoint, and says so; keeps what is not its own', async () => {
    await backend.open('');
    await append(0);
    await backend.close();
    const strange = ['checkpoint.3.bak', 'log.x.y', 'notes.txt', 'checkpoint.01', 'log.0.ABC', 'log.0.aa.0'];
    for (const name of ['checkpoint.9.tmp', ...strange]) await writeFile(join(world.folder, name), 'x');
    backend = world.backend();
    const stored = await backend.open('');
    expect(stored.notes).toEqual([expect.stringContaining('checkpoint.9.tmp')]);
    expect(stored.logs.map(({ name }) => name)).toEqual([log]);
    expect(await world.names()).toEqual(['LOCK', log, ...strange].sort());
    // its number is not given again
    expect((await backend.checkpoint(pieces(), {}, 0))!.generation).toBe(10);
  });

  it('removes empty logs and what is older than the checkpoint before the newest', async () => {
    await mkdir(world.folder, { recursive: true });
    for (const name of [
      'checkpoint.2',
      'checkpoint.4',
      'checkpoint.5',
      'log.2.aa',
      'log.3.aa',
      'log.4.aa',
      'log.5.aa',
      'log.6.aa',
    ]) {
      await writeFile(join(world.folder, name), 'x');
    }
    await writeFile(join(world.folder, 'log.5.bb'), '');
    expect(await reopen()).toEqual(['checkpoint.5', 'checkpoint.4', 'log.4.aa', 'log.5.aa', 'log.6.aa']);
    expect(await world.names()).toEqual(['LOCK', 'checkpoint.4', 'checkpoint.5', 'log.4.aa', 'log.5.aa', 'log.6.aa']);
    await append(0);
    expect(await world.names()).toContain(`log.6.${writer}`);
  });

  it('keeps all logs while there is one checkpoint', async () => {
    await mkdir(world.folder, { recursive: true });
    for (const name of ['checkpoint.1', 'log.0.aa', 'log.1.aa']) await writeFile(join(world.folder, name), 'x');
    expect(await reopen()).toEqual(['checkpoint.1', 'log.0.aa', 'log.1.aa']);
  });

  it('that fails names the path, gives the lock back, and may be tried again', async () => {
    await mkdir(dirname(world.folder), { recursive: true });
    await writeFile(world.folder, 'a file');
    await expectIoError(backend.open(''), world.folder);

    await world.destroy();
    world = await makeFsWorld();
    backend = world.backend({ disk });
    const lift = disk.fail('EIO', is('syncFolder', 'data'));
    await expectIoError(backend.open(''), join(world.folder, '..'), 'EIO');
    expect(await world.names()).toEqual([]);
    lift();
    await backend.open('');
  });
});

describe('append makes two system calls, and on a new file those that make it durable', () => {
  it('create, write, sync, sync the folder; from then on write and sync', async () => {
    await backend.open('');
    disk.take();
    await append(0);
    expect(disk.take()).toEqual([`open ${log}`, `write ${log}`, `fdatasync ${log}`, 'syncFolder venue.etch']);
    await append(1);
    expect(disk.take()).toEqual([`write ${log}`, `fdatasync ${log}`]);
  });

  it('issues the first of them before it returns', async () => {
    await backend.open('');
    disk.take();
    const first = append(0);
    expect(disk.take()).toEqual([`open ${log}`]);
    await first;
    disk.take();
    const second = append(1);
    expect(disk.take()).toEqual([`write ${log}`]);
    await second;
  });

  it('is not resolved before the last of them is', async () => {
    await backend.open('');
    for (const [index, op] of (['syncFolder', 'fdatasync'] as const).entries()) {
      const letGo = disk.hold((call) => call.op === op);
      let settled = false;
      const appended = append(index).then(() => {
        settled = true;
      });
      await expect.poll(() => disk.calls.at(-1)!.op, patience).toBe(op);
      await new Promise(setImmediate);
      expect(settled).toBe(false);
      letGo();
      await appended;
    }
  });

  it('writes a line whole however little the disk takes at a time', async () => {
    await backend.open('');
    disk.writeLimit = 7;
    await append(0);
    await append(1);
    expect(await read(log)).toEqual(linesOf(0, 1));
  });

  it('gives up on a disk that takes nothing', async () => {
    await backend.open('');
    disk.writeLimit = 0;
    await expectIoError(append(0), 'write', join(world.folder, log));
  });
});

describe('a file that failed once is never written to again', () => {
  for (const [op, code] of [
    ['fdatasync', 'EIO'],
    ['write', 'EIO'],
  ] as const) {
    it(`after ${code} of ${op} the same bytes go to a new file`, async () => {
      await backend.open('');
      await append(0);
      const lift = disk.fail(code, is(op, log));
      await expectIoError(append(1), join(world.folder, log), code);
      lift();
      disk.take();
      await append(1);
      await append(2);
      expect(disk.take().filter((call) => call.endsWith(log))).toEqual([]);
      expect(await read(`${log}.1`)).toEqual(linesOf(1, 2));
      expect(disk.calls.filter(is('close', log))).toHaveLength(1);
      await reopen();
    });
  }

  it('a new file whose folder could not be synced counts as failed', async () => {
    await backend.open('');
    const lift = disk.fail('EIO', (call) => call.op === 'syncFolder');
    await expectIoError(append(0), 'EIO');
    lift();
    disk.take();
    await append(0);
    expect(disk.take()).toEqual([`open ${log}.1`, `write ${log}.1`, `fdatasync ${log}.1`, 'syncFolder venue.etch']);
    expect(await reopen()).toEqual([`${log}.1`]);
  });

  it('a full disk does not fill with what was tried, and is written to when there is room', async () => {
    await backend.open('');
    await append(0);
    const lift = disk.fail('ENOSPC', (call) => call.op === 'write');
    for (let tries = 0; tries < 10; tries++) await expectIoError(append(1), 'ENOSPC');
    expect(await world.names()).toEqual(['LOCK', log]);
    lift();
    await append(1);
    expect(await world.names()).toHaveLength(3);
    expect(await read(log)).toEqual(linesOf(0));
  });

  it('too many open files are an error like any other', async () => {
    await backend.open('');
    const lift = disk.fail('EMFILE', (call) => call.op === 'open');
    await expectIoError(append(0), 'create', 'EMFILE');
    lift();
    await append(0);
  });

  it('appendNow throws, and the next one succeeds', async () => {
    await backend.open('');
    const { line, at } = makeCommit(writer, 0);
    const lift = disk.fail('ENOSPC', (call) => call.op === 'writeFileNow');
    expect(() => backend.appendNow!(line, at)).toThrow(/ENOSPC/);
    lift();
    backend.appendNow!(line, at);
    expect(await reopen()).toEqual([`${log}.2`]);
  });
});

describe('a checkpoint stands at one moment', () => {
  const bytes = new Uint8Array(10 * 1024 * 1024).map((_, at) => at * 31 + (at >> 12));

  async function* small() {
    for (let at = 0; at < bytes.length; at += 65_000) yield bytes.subarray(at, at + 65_000) as Uint8Array<ArrayBuffer>;
  }

  it('synced before it is named, named for good before anything older goes', async () => {
    await backend.open('');
    for (let round = 1; round <= 2; round++) {
      await append(round);
      await backend.checkpoint(pieces(bytes.subarray(0, 10)), {}, 0);
    }
    disk.take();
    await backend.checkpoint(pieces(bytes.subarray(0, 10)), {}, 0);
    expect(disk.take().filter((call) => !/^(open|read|size|close|readdir) /.test(call))).toEqual([
      'write checkpoint.3.tmp',
      'fsync checkpoint.3.tmp',
      'rename checkpoint.3.tmp',
      'syncFolder venue.etch',
      'unlink checkpoint.1',
      `unlink log.1.${writer}`,
    ]);
  });

  it('written in few large pieces, synced as it goes', async () => {
    await backend.open('');
    disk.take();
    await backend.checkpoint(small(), {}, 0);
    const calls = disk.take();
    expect(calls.filter((call) => call === 'write checkpoint.1.tmp')).toHaveLength(10);
    expect(calls.filter((call) => call === 'fdatasync checkpoint.1.tmp')).toHaveLength(2);
    expect(Buffer.compare(await read('checkpoint.1'), bytes)).toBe(0);
  });

  it('whatever fails before: rejected, nothing left of it, appends go on, and the next one stands', async () => {
    const cases: [string, (call: Call) => boolean][] = [
      ['EMFILE', (call) => call.op === 'open' && call.name.endsWith('.tmp')],
      ['ENOSPC', (call) => call.op === 'write' && call.name.endsWith('.tmp')],
      ['EIO', (call) => call.op === 'fdatasync' && call.name.endsWith('.tmp')],
      ['EIO', (call) => call.op === 'fsync' && call.name.endsWith('.tmp')],
      ['EIO', (call) => call.op === 'read' && call.name === 'LOCK'],
      ['EIO', (call) => call.op === 'rename'],
      ['EIO', (call) => call.op === 'syncFolder'],
    ];
    await backend.open('');
    await append(0);
    await backend.checkpoint(pieces(bytes.subarray(0, 1000)), {}, 0);
    let index = 1;
    for (const [code, matches] of cases) {
      await append(index++);
      const lift = disk.fail(code, matches);
      await expectIoError(backend.checkpoint(small(), {}, 1), code);
      lift();
      await append(index++);
      expect((await world.names()).filter((name) => name.startsWith('checkpoint'))).toEqual(['checkpoint.1']);
    }
    const made = await backend.checkpoint(small(), {}, 1);
    expect(made!.generation).toBe(2 + cases.length);
    const found = await reopen();
    expect(found.slice(0, 2)).toEqual([made!.name, 'checkpoint.1']);
    const logs = await Promise.all(found.slice(2).map(read));
    const text = new TextDecoder('latin1').decode(concatBytes(logs));
    for (let i = 1; i < index; i++) expect(text).toContain(`["${writer} ${i}",`);
  });

  it('old files that cannot be removed are no failure, and go with the next one', async () => {
    await backend.open('');
    for (let round = 0; round < 2; round++) await backend.checkpoint(pieces(bytes.subarray(0, 10)), {}, 0);
    for (const code of ['EBUSY', undefined]) {
      const lift = code && disk.fail(code, (call) => call.op === 'unlink' || call.op === 'readdir');
      await backend.checkpoint(pieces(bytes.subarray(0, 10)), {}, 0);
      if (lift) lift();
      const standing = (await world.names()).filter((name) => name.startsWith('checkpoint'));
      expect(standing).toEqual(
        code ? ['checkpoint.1', 'checkpoint.2', 'checkpoint.3'] : ['checkpoint.3', 'checkpoint.4'],
      );
    }
  });

  it('not at all once the lock is somebody else’s; nor is anything appended from then on', async () => {
    await backend.open('');
    await append(0);
    await writeFile(join(world.folder, 'LOCK'), '{}');
    const { line, at } = makeCommit(writer, 1);
    await expect(backend.checkpoint(small(), {}, 0)).rejects.toMatchObject({ code: 'lock_lost' });
    expect(await world.names()).not.toContain('checkpoint.1');
    await expect(append(1)).rejects.toMatchObject({ code: 'lock_lost' });
    expect(() => backend.appendNow!(line, at)).toThrow(/lock/);
    await expect(backend.checkpoint(small(), {}, 0)).rejects.toMatchObject({ code: 'lock_lost' });
    await backend.close();
    expect(await readFile(join(world.folder, 'LOCK'), 'utf8')).toBe('{}');
  });
});

describe('reading', () => {
  it('reads one slab ahead', async () => {
    await backend.open('');
    const made = await backend.checkpoint(pieces(new Uint8Array(9 * 1024 * 1024)), {}, 0);
    disk.take();
    const slabs = made!.stream()[Symbol.asyncIterator]();
    await slabs.next();
    expect(disk.take()).toEqual(['open checkpoint.1', 'read checkpoint.1', 'read checkpoint.1']);
    await slabs.return!();
    expect(disk.take()).toEqual(['close checkpoint.1']);
  });

  it('that fails names the file, also when it fails ahead of the reader', async () => {
    await backend.open('');
    const made = await backend.checkpoint(pieces(new Uint8Array(9 * 1024 * 1024)), {}, 0);
    const slabs = made!.stream()[Symbol.asyncIterator]();
    const lift = disk.fail(
      'EIO',
      ({ op }) => op === 'read' && disk.calls.filter(is('read', 'checkpoint.1')).length > 1,
    );
    expect((await slabs.next()).value).toHaveLength(4 * 1024 * 1024);
    await new Promise(setImmediate);
    await expectIoError(slabs.next(), join(world.folder, 'checkpoint.1'), 'EIO');
    lift();
    await writeFile(join(world.folder, 'checkpoint.1'), 'cut off');
    await expectIoError(made!.read(0, 100), 'checkpoint.1', '93 bytes are missing');
  });
});
