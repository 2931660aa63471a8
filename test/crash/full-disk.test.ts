// A disk that is really full, and is freed again. The file system is real; the clock runs twenty times as fast, because retries wait for seconds.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Clock,
  type FailureInfo,
  FlushTimeoutError,
  type OpenOptions,
  openVenue,
  type Venue,
} from '../../src/node';
import { readStore } from '../format/reader';
import { program, start, stopAll } from './child';
import type { LeaverOptions } from './children/leaver';
import { mountSmallDisk, type SmallDisk } from './small-disk';
import { Expected, lastStep, takeStep } from './steps';
import { readTrace } from './trace';

const speed = 20;
const clock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now() * speed,
  setTimeout: (callback, ms) => setTimeout(callback, ms / speed),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
};
const patience = { timeout: 20_000, interval: 5 };

let disk: SmallDisk;
let store: string;
let venue: Venue;
let expected: Expected;
let failures: FailureInfo[];
let recoveries: number[];
let warnings: string[];
let writing: NodeJS.Timeout | undefined;

async function open(options: OpenOptions = {}): Promise<Venue> {
  const warn = (message: string) => void warnings.push(message);
  const logger = { info: () => undefined, warn, error: warn };
  venue = await openVenue({ store, signals: false, clock, logger, ...options });
  venue.on('failure', (failure) => failures.push(failure));
  venue.on('recovered', (event) => recoveries.push(event.failures));
  return venue;
}

/** set() never throws because of the disk: a step that did would fail the test here. */
function takeSteps(count: number): void {
  for (let left = count; left > 0; left--) {
    takeStep(venue, expected.n + 1, 1);
    expected.take(expected.n + 1, 1);
  }
}

/** Everything is there for whoever comes next, and nothing that a crash on top could take for rot. */
async function expectWhole(): Promise<void> {
  const outside = await readStore(store);
  expect(outside.problems.filter(({ kind }) => kind !== 'torn')).toEqual([]);
  await open();
  expect(venue.health()).toMatchObject({ status: 'ok', recovery: { damage: [], holes: [], quarantined: [] } });
  expect(expected.differences(venue)).toEqual([]);
  await venue.close();
}

beforeEach(async () => {
  disk = await mountSmallDisk(2 * 1024 * 1024);
  store = join(disk.path, 'venue.etch');
  [failures, recoveries, warnings] = [[], [], []];
  expected = new Expected();
});
afterEach(async () => {
  clearInterval(writing);
  await venue.close();
  await disk.remove();
});

describe('on a full disk', () => {
  it('everything goes on in memory, is told, and is saved by itself once there is room again', async () => {
    await open();
    takeSteps(50);
    await venue.flush();
    await disk.fill(5000); // so that the next commit is cut in the middle
    const before = expected.n;
    takeSteps(50);
    await expect.poll(() => failures.length, patience).toBeGreaterThan(0);
    expect(failures[0]).toMatchObject({
      target: `fs:${store}`,
      reason: 'sweep',
      code: 'ENOSPC',
      newerPending: false,
      retryInMs: 100,
    });

    // Writing goes on all the time, while the retries get rarer.
    writing = setInterval(() => takeSteps(1), 10);
    await expect.poll(() => failures.at(-1)!.retryInMs, patience).toBe(5000);
    clearInterval(writing);
    const waits = failures.map(({ retryInMs }) => retryInMs);
    expect(waits).toEqual(waits.map((_, i) => Math.min(5000, 100 * 2 ** i)));
    expect(failures.every(({ code }) => code === 'ENOSPC')).toBe(true);
    expect(failures.at(-1)!.newerPending).toBe(true);
    expect(failures.at(-1)!.unsaved).toBeGreaterThan(failures[0]!.unsaved);

    const health = venue.health();
    expect(health).toMatchObject({ status: 'failing', lastFailure: { code: 'ENOSPC' }, failures: waits.length });
    expect(health.reasons[0]).toContain('ENOSPC');
    expect(health.unsaved.entries).toBeGreaterThanOrEqual(failures.at(-1)!.unsaved);
    expect(health.unsaved.regions).toEqual(['films', 'last']);
    expect(venue.unsaved.get()).toBe(true);
    expect(lastStep(venue.root)).toBe(before);
    expect(warnings).toHaveLength(waits.length);

    const refused = await venue.flush({ timeoutMs: 300 }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(FlushTimeoutError);
    expect(refused).toMatchObject({ code: 'flush_timeout', unsaved: venue.health().unsaved.entries });
    expect(recoveries).toEqual([]);

    await disk.free();
    await expect.poll(() => recoveries, patience).toEqual([failures.length]);
    expect(venue.unsaved.get()).toBe(false);
    expect(venue.health()).toMatchObject({ status: 'ok', unsaved: { entries: 0 } });
    expect(lastStep(venue.root)).toBe(expected.n);
    // Many tries, but they have left nothing behind.
    expect((await readdir(store)).filter((name) => name.startsWith('log.'))).toHaveLength(2);
    expect(await venue.close()).toMatchObject({ durable: true });
    await expectWhole();
  });

  it('a flush that nobody limits waits, and resolves once there is room', async () => {
    await open();
    await disk.fill();
    takeSteps(20);
    const flushed = venue.flush();
    await expect.poll(() => failures.length, patience).toBeGreaterThan(2);
    expect(failures[0]).toMatchObject({ reason: 'flush', code: 'ENOSPC' });
    await disk.free();
    await flushed;
    expect(lastStep(venue.root)).toBe(20);
    await venue.close();
    await expectWhole();
  });

  it('retries do not come one after the other without a pause, not even where sweeps have none', async () => {
    await open({ sweepMs: 0 });
    await disk.fill();
    takeSteps(20);
    await expect.poll(() => failures.length, patience).toBeGreaterThan(9);
    expect(failures.at(-1)!.retryInMs).toBe(5000);
  });

  it('close() ends, and names what it could not save', async () => {
    await open();
    takeSteps(10);
    await venue.flush();
    await disk.fill();
    takeSteps(50);
    const report = await venue.close();
    expect(report).toMatchObject({ durable: false, unsaved: { entries: 51, regions: ['films', 'last'] } });
    expect(warnings.at(-1)).toContain('51 entries unsaved');
    await disk.free();
    expected = new Expected();
    for (let n = 1; n <= 10; n++) expected.take(n, 1);
    await expectWhole();
  });

  it('a store is refused with the system’s word, and opens once there is room', async () => {
    await open();
    takeSteps(10);
    await venue.close();
    await disk.fill();
    await expect(open()).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('ENOSPC') });
    await disk.free();
    await expectWhole();
  });
});

describe('a disk that fills up while a checkpoint is made', () => {
  it('keeps the old state, goes on saving what fits, and takes the checkpoint later', async () => {
    await open();
    takeSteps(1500);
    await venue.flush();
    await venue.checkpoint();
    takeSteps(500);
    await venue.flush();
    await disk.fill(200 * 1024);
    await expect(venue.checkpoint()).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('ENOSPC') });
    expect(failures).toMatchObject([{ reason: 'checkpoint', code: 'ENOSPC', unsaved: 0, retryInMs: undefined }]);
    expect((await readdir(store)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(await readdir(store)).toContain('checkpoint.1');

    takeSteps(20);
    await venue.flush();
    expect(venue.health()).toMatchObject({ status: 'ok', checkpoints: 1, unsaved: { entries: 0 } });
    expect((await readStore(store)).problems).toEqual([]);

    await disk.free();
    await venue.checkpoint();
    expect(venue.health().checkpoints).toBe(2);
    takeSteps(20);
    await venue.close();
    await expectWhole();
  });
});

describe('a file that may not grow any further', () => {
  it('is left with its torn end, and the very same commit goes into the next one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidemark-limit-'));
    try {
      store = join(folder, 'venue.etch');
      const trace = join(folder, 'trace');
      const limit = ['sh', '-c', 'ulimit -f 2048; exec "$0" "$@"']; // blocks of 512 bytes
      const options: LeaverOptions = { store, trace, way: 'outgrows' };
      const child = start(await program('leaver'), options, { through: limit });
      const { code, stderr } = await child.ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('EFBIG') });
      for (const { what, data } of await readTrace(trace)) if (what === 'step') expected.take(data as number, 1);

      const logs = (await readdir(store)).filter((name) => name.startsWith('log.'));
      const sizes = await Promise.all(logs.map(async (name) => (await stat(join(store, name))).size));
      expect(sizes.filter((size) => size === 1024 * 1024)).toHaveLength(3);
      const { problems } = await readStore(store);
      expect(problems.map(({ kind }) => kind)).toEqual(['torn', 'torn', 'torn']);
      await expectWhole();
      expect(venue.health().recovery.tornBytes).toBeGreaterThan(0);
    } finally {
      await stopAll();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
