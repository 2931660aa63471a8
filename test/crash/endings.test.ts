// The ways in which a process ends that give it a last word: signals, exit(), errors, nothing more to do. None of them loses anything, and none
// of them is changed by a venue being open.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { type Ending, program, start, stopAll } from './child';
import type { LeaverOptions } from './children/leaver';
import { Expected, lastStep } from './steps';
import { readTrace, type TraceLine } from './trace';

let folder: string;
let store: string;
let temporary: string;
let leaver: string;

beforeAll(async () => {
  leaver = await program('leaver');
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-endings-'));
  store = join(folder, 'venue.etch');
  temporary = join(folder, 'tmp');
  await mkdir(temporary);
});
afterEach(async () => {
  await stopAll();
  await rm(folder, { recursive: true, force: true });
});

interface End extends Ending {
  trace: TraceLine[];
}

/** Runs a program to its end. @param signal sent once it streams */
async function run(
  way: LeaverOptions['way'],
  options: Partial<LeaverOptions> = {},
  signal?: NodeJS.Signals,
): Promise<End> {
  const trace = join(folder, 'trace');
  const child = start(leaver, { store, trace, way, ...options } satisfies LeaverOptions, {
    env: { TMPDIR: temporary },
  });
  if (signal) {
    await child.said('streaming');
    child.kill(signal);
  }
  return { ...(await child.ended), trace: await readTrace(trace) };
}

/** Holds the store to everything that set() took. */
async function expectNothingLost({ trace }: End): Promise<void> {
  const steps = trace.flatMap(({ what, data }) => (what === 'step' ? (data as number) : []));
  expect(steps.length).toBeGreaterThan(0);
  const expected = new Expected();
  for (const n of steps) expected.take(n, 1);
  const venue = await openVenue({ store, signals: false });
  expect(lastStep(venue)).toBe(steps.at(-1));
  expect(expected.differences(venue)).toEqual([]);
  expect(venue.health()).toMatchObject({ status: 'ok', recovery: { damage: [], holes: [] } });
  await venue.close();
}

/** That the process closed the venue in order: its lock is gone, nobody takes it over. */
const expectReleased = async () => expect(await readdir(store)).not.toContain('LOCK');

describe.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s in mid-burst', (signal) => {
  it('loses nothing, and ends the process as it always does', async () => {
    const end = await run('streams', {}, signal);
    expect(end).toMatchObject({ code: null, signal, stderr: '' });
    await expectReleased();
    await expectNothingLost(end);
  });
});

describe('a signal', () => {
  it('that comes again while the venue closes changes nothing', async () => {
    const end = await run('isToldTwice', {}, 'SIGTERM');
    expect(end).toMatchObject({ code: null, signal: 'SIGTERM' });
    await expectNothingLost(end);
  });

  it('does not end a program that handles it itself', async () => {
    const end = await run('takesItsTime', {}, 'SIGTERM');
    expect(end).toMatchObject({ code: 7, signal: null });
    expect(end.trace.map(({ what }) => what)).toContain('SIGTERM');
    await expectReleased();
    await expectNothingLost(end);
  });

  it('loses nothing when the program’s own handler calls process.exit()', async () => {
    const end = await run('exitsWhenTold', {}, 'SIGTERM');
    expect(end).toMatchObject({ code: 7, signal: null });
    await expectNothingLost(end);
  });

  it('loses nothing when the program dies of set() being refused while the venue closes', async () => {
    await expectNothingLost(await run('streamsCarelessly', {}, 'SIGTERM'));
  });

  it('ends a program that has signal-exit, which leaves that to others as we do', async () => {
    const end = await run('isWatched', {}, 'SIGTERM');
    expect(end).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(end.trace.map(({ what }) => what)).toContain('watched');
    await expectNothingLost(end);
  });

  it('closes every venue of the process', async () => {
    const end = await run('hasTwo', {}, 'SIGTERM');
    expect(end).toMatchObject({ code: null, signal: 'SIGTERM' });
    await expectNothingLost(end);
    store = `${store}.other`;
    await expectReleased();
    const venue = await openVenue({ store, signals: false });
    expect(venue.region('notes').get('n1')).toBe('one');
    await venue.close();
  });

  it('is left alone with `signals: false`', async () => {
    const end = await run('streams', { signals: false }, 'SIGTERM');
    expect(end).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(await readdir(store)).toContain('LOCK');
  });
});

describe('the end of a program loses nothing', () => {
  it('by process.exit() in mid-burst', async () => {
    const end = await run('exits');
    expect(end).toMatchObject({ code: 3, signal: null });
    await expectNothingLost(end);
  });

  it('by an exception that nobody catches', async () => {
    const end = await run('throws');
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('out of luck') });
    await expectNothingLost(end);
  });

  it('by a rejection that nobody handles', async () => {
    const end = await run('rejects');
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('out of luck') });
    await expectNothingLost(end);
  });

  it('when it sets and has nothing more to do, without a close', async () => {
    const end = await run('sets');
    expect(end).toMatchObject({ code: 0, signal: null, stderr: '' });
    await expectReleased();
    await expectNothingLost(end);
  });

  it('by the same with `signals: false`: what is not durable keeps the process alive', async () => {
    const end = await run('sets', { signals: false });
    expect(end).toMatchObject({ code: 0, signal: null });
    await expectNothingLost(end);
  });
});

describe('an idle venue', () => {
  it.each([true, false])('does not keep the process alive (signals: %s)', async (signals) => {
    const end = await run('idles', { signals });
    expect(end).toMatchObject({ code: 0, signal: null, stderr: '' });
    const { data } = end.trace.find(({ what }) => what === 'idle')!;
    expect((data as string[]).filter((name) => /Timeout|FSReq/.test(name))).toEqual([]);
    await expectNothingLost(end);
  });
});

describe('the folder of a "temp" store is gone', () => {
  it.each<[when: string, way: LeaverOptions['way'], signal?: NodeJS.Signals]>([
    ['after close()', 'closesTemp'],
    ['when the program has nothing more to do', 'sets'],
    ['after process.exit()', 'exits'],
    ['after an exception that nobody catches', 'throws'],
    ['after SIGTERM', 'streams', 'SIGTERM'],
    ['after SIGINT', 'streams', 'SIGINT'],
    ['after a SIGTERM that the program exits on', 'exitsWhenTold', 'SIGTERM'],
  ])('%s', async (_, way, signal) => {
    const end = await run(way, { store: 'temp' }, signal);
    expect(end.trace[0]).toMatchObject({ what: 'opened', data: expect.stringContaining(temporary) });
    expect(await readdir(temporary)).toEqual([]);
  });
});
