// Stores that a live process is writing: they can be looked at and copied, and never be written by anybody else.
import { appendFile, copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { withStore } from '../../src/cli/store/files';
import {
  codeOf,
  contentOf,
  folder,
  freshPath,
  type Live,
  liveWriter,
  sampleStore,
  tidemark,
  tidemarkJson,
} from './helpers/cli';

const keyOf = (path: string) => path.replace(/\.etch$/, '.key');

let live: Live | undefined;
afterEach(async () => {
  await live?.kill();
  live = undefined;
});

describe('a store in use', () => {
  it('is said to be, with the process', async () => {
    const store = freshPath();
    live = await liveWriter(store, 'idle');
    expect((await tidemarkJson('status', store)).json.lock).toEqual({
      state: 'alive',
      pid: live.pid,
      host: expect.any(String),
      since: expect.any(String),
    });
    expect((await tidemark('verify', store)).stdout).toMatch(
      new RegExp(`^lock +in use by process ${live.pid} on`, 'm'),
    );
    await live.kill();
    expect((await tidemarkJson('status', store)).json.lock).toMatchObject({ state: 'ended', pid: live.pid });
    expect((await tidemark('status', store)).stdout).toContain('has ended without closing');
  });

  it('may have a line in progress, which is a torn tail only once its process has ended', async () => {
    const store = freshPath();
    live = await liveWriter(store, 'idle');
    const log = (await readdir(store)).find((name) => name.startsWith('log.'))!;
    await appendFile(join(store, log), '["eyJhbGci');
    expect(await tidemarkJson('verify', store)).toMatchObject({
      code: 0,
      json: { ok: true, unfinishedBytes: 10, warnings: [{ file: log, what: expect.stringContaining('in progress') }] },
    });
    expect((await tidemark('status', store)).stdout).toContain('10 bytes are being written');
    await live.kill();
    expect(await tidemarkJson('verify', store)).toMatchObject({
      code: 0,
      json: { warnings: [{ what: expect.stringContaining('torn tail') }] },
    });
    expect((await tidemark('status', store)).stdout).toContain('torn tail of 10 bytes');
  });

  it.each(['compact', 'import'])('is refused by what writes: %s', async (command) => {
    const store = freshPath();
    live = await liveWriter(store, 'idle');
    const lines = join(folder, 'one.jsonl');
    await writeFile(lines, '{"region":"r","key":"k","value":1}\n');
    const ran = await tidemark(...(command === 'import' ? ['import', lines, store] : ['compact', store]));
    expect([ran.code, codeOf(ran), ran.stdout]).toEqual([1, 'locked', '']);
    expect(ran.stderr).toContain(`process ${live.pid}`);
  });

  it('is read without damage while it is written and checkpoints come and go', async () => {
    const store = freshPath();
    live = await liveWriter(store, 'busy');
    for (const args of [
      ['verify'],
      ['status'],
      ['inspect'],
      ['inspect', 'records', 'k1'],
      ['log'],
      ['export'],
      ['verify'],
    ]) {
      const [command = '', ...more] = args;
      const before = Number(live.last());
      const { code, stdout, stderr } = await tidemark(command, store, ...more);
      expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: '' });
      expect(stdout).not.toBe('');
      await live.until((line) => Number(line) > before); // and its process writes on
    }
  });
});

describe('a backup of a store in use', () => {
  it('verifies, opens, and has all that was durable before it began', async () => {
    const store = freshPath();
    live = await liveWriter(store, 'busy');
    await live.until((line) => Number(line) > 50);
    for (let round = 0; round < 4; round++) {
      const durable = Number(live.last());
      const copy = freshPath();
      const { code, stderr } = await tidemark('backup', store, copy);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect((await tidemarkJson('verify', copy)).json).toMatchObject({
        ok: true,
        warnings: [],
        lock: { state: 'free' },
      });
      await copyFile(keyOf(store), keyOf(copy));
      const { records = {} } = await contentOf(copy);
      const last = Math.max(...Object.keys(records).map((key) => Number(key.slice(1))));
      expect(last).toBeGreaterThanOrEqual(durable);
      // All of its program's writes up to one of them: k(n-3) is deleted with each third n.
      const expected = Array.from({ length: last + 1 }, (_, n) => n).filter((n) => n % 3 !== 0 || n + 3 > last);
      const settled = (keys: number[]) => keys.filter((n) => n < last - 3);
      const found = Object.keys(records).map((key) => Number(key.slice(1)));
      expect(settled(found.sort((a, b) => a - b))).toEqual(settled(expected));
      await live.until((line) => Number(line) > durable + 100);
    }
  });
});

describe('reading what goes away meanwhile', () => {
  it('begins again with what is there then', async () => {
    const store = await sampleStore();
    let tries = 0;
    const read = await withStore(store, async ({ logs }) => {
      const bytes: number[] = [];
      if (tries++ === 0) await rm(join(store, logs[0]!.name)); // as a checkpoint would
      for (const log of logs) for await (const slab of log.stream()) bytes.push(slab.length);
      return bytes;
    });
    expect([tries, read.length]).toEqual([2, 1]);
  });

  it('begins again when an opening has cut a tail', async () => {
    const store = await sampleStore();
    let tries = 0;
    await withStore(store, async ({ logs }) => {
      const path = join(store, logs[1]!.name);
      if (tries++ === 0) await writeFile(path, (await readFile(path)).subarray(0, 100));
      for await (const _ of logs[1]!.stream());
    });
    expect(tries).toBe(2);
  });

  it('reads what was listed, whatever is appended', async () => {
    const store = await sampleStore();
    await withStore(store, async ({ logs }) => {
      const log = logs[1]!;
      await appendFile(join(store, log.name), 'more');
      let bytes = 0;
      for await (const slab of log.stream()) bytes += slab.length;
      expect(bytes).toBe(log.size);
    });
  });

  it('gives up in the end', async () => {
    const store = await sampleStore();
    const always = withStore(store, async ({ logs }) => {
      const path = join(store, logs[0]!.name);
      await writeFile(path, (await readFile(path)).subarray(1));
      for await (const _ of logs[0]!.stream());
    });
    await expect(always).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('changes faster') });
  });
});
