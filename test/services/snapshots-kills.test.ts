// Real programs that keep files: killed with SIGKILL in mid-snapshot many times in a row, out of disk, or at an end that leaves them a last word.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bundle } from '../../scripts/ts.mjs';
import { createSnapshotWriter, type SnapshotFailure } from '../../src/snapshots-node';
import { start, stopAll } from '../crash/child';
import { mountSmallDisk, type SmallDisk } from '../crash/small-disk';
import { readTrace } from '../crash/trace';
import { Random } from '../simulator/random';
import type { SnapshotsOptions } from './children/snapshots';
import { sample, wholeOf } from './snapshots-value';

const lives = Number(process.env.LIVES ?? 50);
const keys = ['small', 'large', 'busy'];

let program: string;
let folder: string;
let trace: string;
beforeAll(async () => {
  program = await bundle(join(import.meta.dirname, 'children/snapshots.ts'));
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-snapshots-'));
  trace = join(folder, 'trace');
  await mkdir(join(folder, 'files'));
});
afterEach(async () => {
  await stopAll();
  await rm(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, 'files', name);
const found = async (name: string) => wholeOf(await readFile(at(name)).catch(() => undefined));
const leftovers = async () => (await readdir(join(folder, 'files'))).filter((name) => name.endsWith('.tidemark-tmp'));

describe('files of a process that is killed in mid-snapshot, fifty times', () => {
  it('are whole each time, none older than was saved, and so are their backups', async () => {
    const random = new Random(5);
    const saved = new Map<string, number>();
    const set = new Map<string, number>();
    const counts = { saved: 0, left: 0, newer: 0 };
    let after = 0;
    for (let life = 1; life <= lives; life++) {
      await rm(trace, { force: true });
      const child = start(program, {
        folder: join(folder, 'files'),
        trace,
        after,
        way: 'killed',
      } satisfies SnapshotsOptions);
      await child.said('saving');
      await pause(random.below(250));
      child.kill();
      expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL', stderr: '' });
      for (const { what, data } of await readTrace(trace)) {
        const [key, generation] = data as [string, number];
        (what === 'saved' ? saved : set).set(key, generation);
        if (what === 'saved') counts.saved++;
        after = Math.max(after, generation);
      }
      if ((await leftovers()).length > 0) counts.left++;
      for (const key of keys) {
        if ((await readdir(join(folder, 'files'))).includes(`${key}.json`)) {
          const generation = await found(`${key}.json`);
          expect(generation, `${key} is whole`).toBeDefined();
          expect(generation).toBeGreaterThanOrEqual(saved.get(key) ?? 0);
          expect(generation).toBeLessThanOrEqual(set.get(key)!);
          if (generation! > (saved.get(key) ?? 0)) counts.newer++;
        } else expect(saved.get(key)).toBeUndefined();
        if ((await readdir(join(folder, 'files'))).includes(`${key}.json.bak`)) {
          const backup = await found(`${key}.json.bak`);
          expect(backup, `${key}.bak is whole`).toBeDefined();
          expect(backup).toBeLessThanOrEqual((await found(`${key}.json`))!);
        }
      }
    }
    // Had nothing been under way when they died, these deaths would have shown nothing.
    expect(counts.left).toBeGreaterThan(0);
    expect(counts.saved).toBeGreaterThan(0);
    const last = start(program, {
      folder: join(folder, 'files'),
      trace,
      after,
      way: 'exits',
    } satisfies SnapshotsOptions);
    await last.ended;
    const tidy = createSnapshotWriter({ target: at('tidy'), snapshot: () => '', signals: false });
    await tidy.save('tidy');
    expect(await leftovers()).toEqual([]);
    console.log(`${lives} kills of a program that saves snapshots: ${JSON.stringify(counts)}`);
  }, 600_000);
});

describe('a file that two processes write at the same time', () => {
  it('is whole whenever somebody looks, and so is its backup', async () => {
    const children = [1, 2].map((nth) =>
      start(program, {
        folder: join(folder, 'files'),
        trace: join(folder, `trace.${nth}`),
        after: nth * 1000,
        way: 'killed',
      } satisfies SnapshotsOptions),
    );
    await Promise.all(children.map((child) => child.said('saving')));
    const seen = new Set<number>();
    const broken: string[] = [];
    await expect
      .poll(
        async () => {
          for (const name of ['small.json', 'large.json', 'small.json.bak']) {
            if (!(await readdir(join(folder, 'files'))).includes(name)) continue;
            const generation = await found(name);
            if (generation === undefined) broken.push(name);
            else if (name === 'small.json') seen.add(generation);
          }
          return Math.min(...[1, 2].map((nth) => [...seen].filter((one) => Math.floor(one / 1000) === nth).length));
        },
        { interval: 1, timeout: 30_000 },
      )
      .toBeGreaterThan(5);
    expect(broken).toEqual([]);
    for (const child of children) child.kill();
    for (const child of children) expect((await child.ended).stderr).toBe('');
  });
});

describe('what is pending when a process ends', () => {
  it.each<[SnapshotsOptions['way'], NodeJS.Signals | undefined, object, number]>([
    ['runs out', undefined, { code: 0, stderr: '' }, 1],
    ['exits', undefined, { code: 7, stderr: '' }, 1],
    ['throws', undefined, { code: 1, stderr: expect.stringContaining('on purpose') }, 2],
    ['waits for a signal', 'SIGTERM', { code: null, signal: 'SIGTERM', stderr: '' }, 1],
    ['waits for a signal', 'SIGINT', { code: null, signal: 'SIGINT', stderr: '' }, 1],
  ])('is saved: one that %s %s', async (way, signal, ending, generation) => {
    await writeFile(at('small.json'), '{}');
    const child = start(program, { folder: join(folder, 'files'), trace, after: 0, way } satisfies SnapshotsOptions);
    if (signal) {
      await child.said('waiting');
      child.kill(signal);
    }
    expect(await child.ended).toMatchObject(ending);
    expect(await found('small.json')).toBe(generation);
    expect(await leftovers()).toEqual([]);
  });

  it('is saved over what is being written at that moment', async () => {
    for (let after = 0; after < 12; after++) {
      const way = 'exits in mid-write';
      const child = start(program, { folder: join(folder, 'files'), trace, after, way } satisfies SnapshotsOptions);
      expect(await child.ended).toEqual({ code: 7, signal: null, stderr: '' });
      expect(await found('small.json')).toBe(after + 2);
    }
  });

  it('a writer that has nothing to do does not keep its process', async () => {
    const way = 'is asked for nothing';
    const child = start(program, { folder: join(folder, 'files'), trace, after: 0, way } satisfies SnapshotsOptions);
    expect(await child.ended).toEqual({ code: 0, signal: null, stderr: '' });
    expect(await readdir(join(folder, 'files'))).toEqual([]);
  });
});

describe('on a full disk', () => {
  let disk: SmallDisk;
  beforeEach(async () => {
    disk = await mountSmallDisk(512 * 1024);
  });
  afterEach(() => disk.remove());

  it('the old file stays whole, failures say why, and it is saved by itself once there is room', async () => {
    const target = join(disk.path, 'state.json');
    let generation = 1;
    const failures: SnapshotFailure[] = [];
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    const writer = createSnapshotWriter({
      target,
      snapshot: () => JSON.stringify(sample(generation, 60_000)),
      debounceMs: 10,
      backup: true,
      signals: false,
      logger: { info: () => undefined, warn, error: warn },
    });
    writer.subscribe(({ lastError }) => {
      if (lastError && lastError !== failures.at(-1)) failures.push(lastError);
    });
    await writer.save('first');
    await disk.fill(20_000);
    generation = 2;
    await expect(writer.save('second')).rejects.toMatchObject({
      code: 'io',
      message: expect.stringMatching(/cannot save .*state\.json: .*ENOSPC/),
    });
    generation = 3;
    writer.request({ reason: 'third' });
    await expect.poll(() => failures.length, { timeout: 20_000 }).toBeGreaterThan(2);
    expect(failures.at(-1)).toMatchObject({ target, code: 'ENOSPC', unsaved: 1, newerPending: false, reason: 'third' });
    expect(warnings.length).toBeGreaterThan(0);
    expect(wholeOf(await readFile(target))).toBe(1);
    expect((await readdir(disk.path)).filter((name) => name.endsWith('.tidemark-tmp'))).toEqual([]);
    await disk.free();
    await expect.poll(() => writer.state(), { timeout: 20_000 }).toMatchObject({ unsaved: 0, lastError: undefined });
    expect(wholeOf(await readFile(target))).toBe(3);
    expect(wholeOf(await readFile(`${target}.bak`))).toBe(1);
    expect(await writer.close()).toEqual({ durable: true, unsaved: [] });
  });
});
