// The fs backend between two system calls: in which order they are made, and what is left after each of them has failed.
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/backend';
import { makeCommit } from '../backend-contract';
import { pieces } from './contract/stage';
import { expectIoError, is, linesOf, log, setFsStage, writer } from './helpers/fs-stage';
import type { Call } from './helpers/watched-disk';

/** A poll ends as soon as it may; only a broken backend waits so long. */
const patience = { timeout: 10_000, interval: 1 };

const stage = setFsStage();
const { append, read, reopen } = stage;

describe('append makes two system calls, and on a new file those that make it durable', () => {
  it('create, write, sync, sync the folder; from then on write and sync', async () => {
    await stage.backend.open('');
    stage.disk.take();
    await append(0);
    expect(stage.disk.take()).toEqual([`open ${log}`, `write ${log}`, `fdatasync ${log}`, 'syncFolder venue.etch']);
    await append(1);
    expect(stage.disk.take()).toEqual([`write ${log}`, `fdatasync ${log}`]);
  });

  it('issues the first of them before it returns', async () => {
    await stage.backend.open('');
    stage.disk.take();
    const first = append(0);
    expect(stage.disk.take()).toEqual([`open ${log}`]);
    await first;
    stage.disk.take();
    const second = append(1);
    expect(stage.disk.take()).toEqual([`write ${log}`]);
    await second;
  });

  it('is not resolved before the last of them is', async () => {
    await stage.backend.open('');
    for (const [index, op] of (['syncFolder', 'fdatasync'] as const).entries()) {
      const letGo = stage.disk.hold((call) => call.op === op);
      let settled = false;
      const appended = append(index).then(() => {
        settled = true;
      });
      await expect.poll(() => stage.disk.calls.at(-1)!.op, patience).toBe(op);
      await new Promise(setImmediate);
      expect(settled).toBe(false);
      letGo();
      await appended;
    }
  });

  it('writes a line whole however little the disk takes at a time', async () => {
    await stage.backend.open('');
    stage.disk.writeLimit = 7;
    await append(0);
    await append(1);
    expect(await read(log)).toEqual(linesOf(0, 1));
  });

  it('gives up on a disk that takes nothing', async () => {
    await stage.backend.open('');
    stage.disk.writeLimit = 0;
    await expectIoError(append(0), 'write', join(stage.world.folder, log));
  });
});

describe('a file that failed once is never written to again', () => {
  for (const [op, code] of [
    ['fdatasync', 'EIO'],
    ['write', 'EIO'],
  ] as const) {
    it(`after ${code} of ${op} the same bytes go to a new file`, async () => {
      await stage.backend.open('');
      await append(0);
      const lift = stage.disk.fail(code, is(op, log));
      await expectIoError(append(1), join(stage.world.folder, log), code);
      lift();
      stage.disk.take();
      await append(1);
      await append(2);
      expect(stage.disk.take().filter((call) => call.endsWith(log))).toEqual([]);
      expect(await read(`${log}.1`)).toEqual(linesOf(1, 2));
      expect(stage.disk.calls.filter(is('close', log))).toHaveLength(1);
      await reopen();
    });
  }

  it('a new file whose folder could not be synced counts as failed', async () => {
    await stage.backend.open('');
    const lift = stage.disk.fail('EIO', (call) => call.op === 'syncFolder');
    await expectIoError(append(0), 'EIO');
    lift();
    stage.disk.take();
    await append(0);
    expect(stage.disk.take()).toEqual([
      `open ${log}.1`,
      `write ${log}.1`,
      `fdatasync ${log}.1`,
      'syncFolder venue.etch',
    ]);
    expect(await reopen()).toEqual([`${log}.1`]);
  });

  it('a full disk does not fill with what was tried, and is written to when there is room', async () => {
    await stage.backend.open('');
    await append(0);
    const lift = stage.disk.fail('ENOSPC', (call) => call.op === 'write');
    for (let tries = 0; tries < 10; tries++) await expectIoError(append(1), 'ENOSPC');
    expect(await stage.world.names()).toEqual(['LOCK', log]);
    lift();
    await append(1);
    expect(await stage.world.names()).toHaveLength(3);
    expect(await read(log)).toEqual(linesOf(0));
  });

  it('too many open files are an error like any other', async () => {
    await stage.backend.open('');
    const lift = stage.disk.fail('EMFILE', (call) => call.op === 'open');
    await expectIoError(append(0), 'create', 'EMFILE');
    lift();
    await append(0);
  });

  it('appendNow throws, and the next one succeeds', async () => {
    await stage.backend.open('');
    const { line, at } = makeCommit(writer, 0);
    const lift = stage.disk.fail('ENOSPC', (call) => call.op === 'writeFileNow');
    expect(() => stage.backend.appendNow!(line, at)).toThrow(/ENOSPC/);
    lift();
    stage.backend.appendNow!(line, at);
    expect(await reopen()).toEqual([`${log}.2`]);
  });
});

describe('what is moved out of the way is safe before it is gone', () => {
  /** Those that change something, temporary names without what makes them so. */
  const changes = () =>
    stage.disk
      .take()
      .filter((call) => !/^(open|read|size|close|readdir|unlink .*tmp)/.test(call))
      .map((call) => call.replace(/(LOCK\.tmp)\..*/, '$1'));

  async function reopenWithLog() {
    await stage.backend.open('');
    await append(0);
    await stage.backend.close();
    const next = stage.world.backend({ disk: stage.disk });
    const { logs } = await next.open('');
    stage.disk.take();
    return { next, found: logs[0]! };
  }

  it('a cut is synced; a log that is cut to nothing goes at once, for good', async () => {
    const { next, found } = await reopenWithLog();
    await found.cut(20);
    expect(changes()).toEqual([`truncate ${log}`, `fsync ${log}`]);
    await found.cut(0);
    expect(changes()).toEqual([`unlink ${log}`, 'syncFolder venue.etch']);
    await next.close();
  });

  it('bytes in quarantine are synced, and so is every name on the way to them', async () => {
    await stage.backend.open('');
    stage.disk.take();
    const place = basename(await stage.backend.quarantine(new Uint8Array([1]), 'a test says so'));
    expect(changes()).toEqual([
      'mkdir quarantine',
      'syncFolder venue.etch',
      ...[`${place}.why.tmp`, `${place}.tmp`].flatMap((name) => [`write ${name}`, `fsync ${name}`, `rename ${name}`]),
      'syncFolder quarantine',
    ]);
  });

  it('a retired file has its new name for good, and then loses the old one for good', async () => {
    const { next, found } = await reopenWithLog();
    await found.retire('a test says so');
    expect(changes()).toEqual([
      'mkdir quarantine',
      'syncFolder venue.etch',
      `write ${log}.why.tmp`,
      `fsync ${log}.why.tmp`,
      `rename ${log}.why.tmp`,
      `rename ${log}`,
      'syncFolder quarantine',
      'syncFolder venue.etch',
    ]);
    await next.close();
  });

  it('a lock has its bytes for good before it has its name', async () => {
    await stage.backend.open('');
    const calls = changes();
    const synced = calls.indexOf('fsync LOCK.tmp');
    expect(synced).toBeGreaterThan(calls.indexOf('write LOCK.tmp'));
    expect(calls.lastIndexOf('link LOCK')).toBeGreaterThan(synced);
  });
});

describe('a checkpoint stands at one moment', () => {
  const bytes = new Uint8Array(10 * 1024 * 1024).map((_, at) => at * 31 + (at >> 12));

  async function* small() {
    for (let at = 0; at < bytes.length; at += 65_000) yield bytes.subarray(at, at + 65_000) as Uint8Array<ArrayBuffer>;
  }

  it('synced before it is named, named for good before anything older goes', async () => {
    await stage.backend.open('');
    for (let round = 1; round <= 2; round++) {
      await append(round);
      await stage.backend.checkpoint(pieces(bytes.subarray(0, 10)), {}, 0);
    }
    stage.disk.take();
    await stage.backend.checkpoint(pieces(bytes.subarray(0, 10)), {}, 0);
    expect(stage.disk.take().filter((call) => !/^(open|read|size|close|readdir) /.test(call))).toEqual([
      'write checkpoint.3.tmp',
      'fsync checkpoint.3.tmp',
      'rename checkpoint.3.tmp',
      'syncFolder venue.etch',
      'unlink checkpoint.1',
      `unlink log.1.${writer}`,
    ]);
  });

  it('written in few large pieces, synced as it goes', async () => {
    await stage.backend.open('');
    stage.disk.take();
    await stage.backend.checkpoint(small(), {}, 0);
    const calls = stage.disk.take();
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
    await stage.backend.open('');
    await append(0);
    await stage.backend.checkpoint(pieces(bytes.subarray(0, 1000)), {}, 0);
    let index = 1;
    for (const [code, matches] of cases) {
      await append(index++);
      const lift = stage.disk.fail(code, matches);
      await expectIoError(stage.backend.checkpoint(small(), {}, 1), code);
      lift();
      await append(index++);
      expect((await stage.world.names()).filter((name) => name.startsWith('checkpoint'))).toEqual(['checkpoint.1']);
    }
    const made = await stage.backend.checkpoint(small(), {}, 1);
    expect(made!.generation).toBe(2 + cases.length);
    const found = await reopen();
    expect(found.slice(0, 2)).toEqual([made!.name, 'checkpoint.1']);
    const logs = await Promise.all(found.slice(2).map(read));
    const text = new TextDecoder('latin1').decode(concatBytes(logs));
    for (let i = 1; i < index; i++) expect(text).toContain(`["${writer} ${i}",`);
  });

  it('old files that cannot be removed are no failure, and go with the next one', async () => {
    await stage.backend.open('');
    for (let round = 0; round < 2; round++) await stage.backend.checkpoint(pieces(bytes.subarray(0, 10)), {}, 0);
    for (const code of ['EBUSY', undefined]) {
      const lift = code && stage.disk.fail(code, (call) => call.op === 'unlink' || call.op === 'readdir');
      await stage.backend.checkpoint(pieces(bytes.subarray(0, 10)), {}, 0);
      if (lift) lift();
      const standing = (await stage.world.names()).filter((name) => name.startsWith('checkpoint'));
      expect(standing).toEqual(
        code ? ['checkpoint.1', 'checkpoint.2', 'checkpoint.3'] : ['checkpoint.3', 'checkpoint.4'],
      );
    }
  });

  it('not at all once the lock is somebody else’s; nor is anything appended from then on', async () => {
    await stage.backend.open('');
    await append(0);
    await writeFile(join(stage.world.folder, 'LOCK'), '{}');
    const { line, at } = makeCommit(writer, 1);
    await expect(stage.backend.checkpoint(small(), {}, 0)).rejects.toMatchObject({ code: 'lock_lost' });
    expect(await stage.world.names()).not.toContain('checkpoint.1');
    await expect(append(1)).rejects.toMatchObject({ code: 'lock_lost' });
    expect(() => stage.backend.appendNow!(line, at)).toThrow(/lock/);
    await expect(stage.backend.checkpoint(small(), {}, 0)).rejects.toMatchObject({ code: 'lock_lost' });
    await stage.backend.close();
    expect(await readFile(join(stage.world.folder, 'LOCK'), 'utf8')).toBe('{}');
  });
});
