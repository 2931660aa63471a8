// Assets at the limits of a machine: a disk that is really full in mid-put, and memory that stays what it was while more than fits goes through.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundle } from '../../scripts/ts.mjs';
import { type Clock, openVenue, type Venue } from '../../src/node';
import { type Assets, openAssets } from '../../src/services/assets';
import { mountSmallDisk, type SmallDisk } from '../crash/small-disk';
import { useFolder } from '../venue/helpers';
import { expectBytes, gather, pattern, streamOf, textBytes } from './assets-bytes';
import type { AssetsStreamOptions } from './children/assets-stream';

/** Retries wait for seconds. */
const speed = 20;
const clock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now() * speed,
  setTimeout: (callback, ms) => setTimeout(callback, ms / speed),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
};
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe('a disk that is full in mid-put', () => {
  let disk: SmallDisk;
  let venue: Venue;
  let assets: Assets;
  const blobs = () => readdir(join(disk.path, 'store', 'blobs'));
  const large = pattern(6_000_000, 1);
  beforeEach(async () => {
    disk = await mountSmallDisk(16 * 1024 * 1024);
    venue = await openVenue({ store: join(disk.path, 'store'), signals: false, clock, logger: silent });
    assets = openAssets(venue);
    await assets.put(textBytes('before'), { n: 1 });
  });
  afterEach(async () => {
    await venue.close();
    await disk.remove();
  });

  it.each([
    ['bytes', () => large],
    ['a stream', () => streamOf(large, 100_000)],
  ])('is a clear error, leaves nothing, and the venue goes on: %s', async (_, source) => {
    const before = await blobs();
    await disk.fill(3_000_000);
    for (let i = 0; i < 3; i++)
      await expect(assets.put(source())).rejects.toMatchObject({
        code: 'io',
        message: expect.stringMatching(/store.*ENOSPC/),
      });
    expect(await blobs()).toEqual(before);
    expect(assets.list().assets.length).toBe(1);
    expect(venue.health()).toMatchObject({ status: 'ok', unsaved: { entries: 0 } });
    // What fits still does.
    const { hash } = await assets.put(pattern(1_000_000, 2));
    expectBytes(await assets.get(hash), pattern(1_000_000, 2));
    await disk.free();
    expectBytes(await assets.get((await assets.put(source())).hash), large);
    expect((await gather(assets.verify())).map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
  });

  it('between the bytes and their entry waits for room, and is there then', async () => {
    const full = async function* () {
      yield textBytes('after');
      await disk.fill(4096); // for the bytes
    };
    let isDone = false;
    const failed = new Promise((resolve) => venue.on('failure', resolve));
    // The entry is larger than what is left of its page in the log.
    const put = assets.put(full(), { text: 'x'.repeat(10_000) }).then((asset) => {
      isDone = true;
      return asset;
    });
    expect(await failed).toMatchObject({ code: 'ENOSPC' });
    expect(isDone).toBe(false);
    await disk.free();
    expectBytes(await assets.get((await put).hash), textBytes('after'));
    expect(venue.health().status).toBe('ok');
  });
});

describe('memory', () => {
  const folder = useFolder();
  it('stays below 64 MB above what it was while 256 MB are streamed in and out', async () => {
    const program = await bundle(join(import.meta.dirname, 'children/assets-stream.ts'));
    const options: AssetsStreamOptions = { store: folder('store'), bytes: 256 * 1024 * 1024 };
    const child = spawn(process.execPath, ['--expose-gc', program, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const ended = once(child, 'close');
    const [said] = (await Promise.race([once(child, 'message'), ended])) as [string];
    expect(said).toMatch(/^268435456 in, 268435456 out, \d+ MB$/);
    expect(Number(/(\d+) MB/.exec(said)![1])).toBeLessThan(64);
    expect(await ended).toEqual([0, null]);
  }, 120_000);
});
