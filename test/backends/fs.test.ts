// The fs backend: the contract on real files, and what it promises beyond: which files there are, and what opening makes of
// those that it finds. Its failures and its lock have tests of their own.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TidemarkError } from '../../src/backend';
import { backendContract, makeCommit } from '../backend-contract';
import { pieces } from './contract/stage';
import { expectIoError, is, linesOf, log, setFsStage, writer } from './helpers/fs-stage';
import { makeFsWorld } from './helpers/fs-world';

backendContract('fs', makeFsWorld);

const stage = setFsStage();
const { append, read, reopen } = stage;

describe('a store is a folder of plain files', () => {
  it('one log per generation and writer, holding the lines and nothing else', async () => {
    await stage.backend.open('');
    await append(0);
    await append(1);
    const other = makeCommit('0011', 0);
    await stage.backend.append(other.line, other.at, 'relaxed');
    expect(await stage.world.names()).toEqual(['LOCK', 'log.0.0011', log]);
    expect(await read(log)).toEqual(linesOf(0, 1));

    await stage.backend.checkpoint(pieces(new Uint8Array([1, 2, 3])), {}, 0);
    await append(2);
    expect(await stage.world.names()).toEqual(['LOCK', 'checkpoint.1', 'log.0.0011', log, `log.1.${writer}`]);
    expect(await read('checkpoint.1')).toEqual(new Uint8Array([1, 2, 3]));
    expect(await read(`log.1.${writer}`)).toEqual(linesOf(2));
    await stage.backend.close();
    expect(await stage.world.names()).not.toContain('LOCK');
  });

  it('a file that another opening began is not appended to', async () => {
    await stage.backend.open('');
    await append(0);
    await reopen();
    await append(1);
    expect(await read(log)).toEqual(linesOf(0));
    expect(await read(`${log}.1`)).toEqual(linesOf(1));
  });

  it('appendNow takes a file of its own', async () => {
    await stage.backend.open('');
    await append(0);
    const { line, at } = makeCommit(writer, 1);
    stage.backend.appendNow!(line, at);
    await append(2);
    expect(await read(log)).toEqual(linesOf(0, 2));
    expect(await read(`${log}.1`)).toEqual(linesOf(1));
  });

  it('quarantine has a reason beside everything, and overwrites nothing', async () => {
    await stage.backend.open('');
    const place = await stage.backend.quarantine(new Uint8Array([9, 9]), 'no such writer');
    expect(new Uint8Array(await readFile(place))).toEqual(new Uint8Array([9, 9]));
    expect(await readFile(`${place}.why`, 'utf8')).toBe('no such writer\n');
    expect(dirname(place)).toBe(join(stage.world.folder, 'quarantine'));

    for (const why of ['first', 'second']) {
      await writeFile(join(stage.world.folder, 'log.0.77'), why);
      await stage.backend.close();
      const next = stage.world.backend();
      const { logs } = await next.open('');
      await logs[0]!.retire(why);
      await next.close();
    }
    const inQuarantine = (name: string) => readFile(join(stage.world.folder, 'quarantine', name), 'utf8');
    expect(await inQuarantine('log.0.77')).toBe('first');
    expect(await inQuarantine('log.0.77.why')).toBe('first\n');
    expect(await inQuarantine('log.0.77.1')).toBe('second');
    expect(await inQuarantine('log.0.77.1.why')).toBe('second\n');
  });

  it('refuses a writer whose log it would not find again', async () => {
    await stage.backend.open('');
    for (const bad of ['../x', 'ABC', '', 'a.b']) {
      const { line, at } = makeCommit(bad, 0);
      await expect(stage.backend.append(line, at, 'strict')).rejects.toMatchObject({ code: 'bad_option' });
    }
    expect(await stage.world.names()).toEqual(['LOCK']);
  });

  it('is used only while it is open', async () => {
    const { line, at } = makeCommit(writer, 0);
    await expect(append(0)).rejects.toMatchObject({ code: 'closed' });
    await stage.backend.open('');
    await stage.backend.close();
    await expect(append(0)).rejects.toMatchObject({ code: 'closed' });
    expect(() => stage.backend.appendNow!(line, at)).toThrow(TidemarkError);
    await expect(stage.backend.checkpoint(pieces(), {}, 0)).rejects.toMatchObject({ code: 'closed' });
    await expect(stage.backend.open('')).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('open leaves a folder in which all that stands will stand', () => {
  it('syncs every folder on the way to a store with nothing in it, whoever made them', async () => {
    for (let round = 0; round < 2; round++) {
      await reopen();
      const synced = stage.disk.take().filter((call) => call.startsWith('syncFolder'));
      expect(synced).toContain('syncFolder data');
      expect(synced.at(-1)).toBe('syncFolder '); // the root
    }
    await append(0);
    stage.disk.take();
    await reopen();
    expect(stage.disk.take().filter((call) => call.startsWith('syncFolder'))).toEqual(['syncFolder venue.etch']);
  });

  it('syncs what it found before it tells of it: the last owner may have been killed before he did', async () => {
    await stage.backend.open('');
    await append(0);
    stage.disk.take();
    await reopen();
    expect(stage.disk.take()).toEqual(expect.arrayContaining([`fdatasync ${log}`, 'syncFolder venue.etch']));
  });

  it('removes an unfinished checkpoint, and says so; keeps what is not its own', async () => {
    await stage.backend.open('');
    await append(0);
    await stage.backend.close();
    const strange = ['checkpoint.3.bak', 'log.x.y', 'notes.txt', 'checkpoint.01', 'log.0.ABC', 'log.0.aa.0'];
    for (const name of ['checkpoint.9.tmp', ...strange]) await writeFile(join(stage.world.folder, name), 'x');
    const next = stage.world.backend();
    const stored = await next.open('');
    expect(stored.notes).toEqual([expect.stringContaining('checkpoint.9.tmp')]);
    expect(stored.logs.map(({ name }) => name)).toEqual([log]);
    expect(await stage.world.names()).toEqual(['LOCK', log, ...strange].sort());
    // its number is not given again
    expect((await next.checkpoint(pieces(), {}, 0))!.generation).toBe(10);
    await next.close();
  });

  it('removes empty logs, and what is older than the checkpoint before the newest once one of ours stands', async () => {
    await mkdir(stage.world.folder, { recursive: true });
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
      await writeFile(join(stage.world.folder, name), 'x');
    }
    await writeFile(join(stage.world.folder, 'log.5.bb'), '');
    const logs = ['log.2.aa', 'log.3.aa', 'log.4.aa', 'log.5.aa', 'log.6.aa'];
    expect(await reopen()).toEqual(['checkpoint.5', 'checkpoint.4', ...logs]);
    expect(await stage.world.names()).toEqual(['LOCK', 'checkpoint.2', 'checkpoint.4', 'checkpoint.5', ...logs]);
    await stage.backend.checkpoint(pieces(new Uint8Array([1])), {}, 5);
    expect(await stage.world.names()).toEqual(['LOCK', 'checkpoint.5', 'checkpoint.7', 'log.5.aa', 'log.6.aa']);
    await append(0);
    expect(await stage.world.names()).toContain(`log.7.${writer}`);
  });

  it('keeps all logs while there is one checkpoint', async () => {
    await mkdir(stage.world.folder, { recursive: true });
    for (const name of ['checkpoint.1', 'log.0.aa', 'log.1.aa']) await writeFile(join(stage.world.folder, name), 'x');
    expect(await reopen()).toEqual(['checkpoint.1', 'log.0.aa', 'log.1.aa']);
  });

  it('that fails names the path, gives the lock back, and may be tried again', async () => {
    const { folder } = stage.world;
    await mkdir(dirname(folder), { recursive: true });
    await writeFile(folder, 'a file');
    await expectIoError(stage.backend.open(''), folder);
    await rm(folder);

    const lift = stage.disk.fail('EIO', is('syncFolder', 'data'));
    await expectIoError(stage.backend.open(''), dirname(folder), 'EIO');
    expect(await stage.world.names()).toEqual([]);
    lift();
    await stage.backend.open('');
  });
});

describe('reading', () => {
  it('reads one slab ahead', async () => {
    await stage.backend.open('');
    const made = await stage.backend.checkpoint(pieces(new Uint8Array(9 * 1024 * 1024)), {}, 0);
    stage.disk.take();
    const slabs = made!.stream()[Symbol.asyncIterator]();
    await slabs.next();
    expect(stage.disk.take()).toEqual(['open checkpoint.1', 'read checkpoint.1', 'read checkpoint.1']);
    await slabs.return!();
    expect(stage.disk.take()).toEqual(['close checkpoint.1']);
  });

  it('that fails names the file, also when it fails ahead of the reader', async () => {
    await stage.backend.open('');
    const made = await stage.backend.checkpoint(pieces(new Uint8Array(9 * 1024 * 1024)), {}, 0);
    const slabs = made!.stream()[Symbol.asyncIterator]();
    const lift = stage.disk.fail(
      'EIO',
      ({ op }) => op === 'read' && stage.disk.calls.filter(is('read', 'checkpoint.1')).length > 1,
    );
    expect((await slabs.next()).value).toHaveLength(4 * 1024 * 1024);
    await new Promise(setImmediate);
    await expectIoError(slabs.next(), join(stage.world.folder, 'checkpoint.1'), 'EIO');
    lift();
    await writeFile(join(stage.world.folder, 'checkpoint.1'), 'cut off');
    await expectIoError(made!.read(0, 100), 'checkpoint.1', '93 bytes are missing');
  });
});
