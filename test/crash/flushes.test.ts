// What a kill may take: nothing of what a flush was awaited for, however many wait at once; and of the rest only what the last sweep had no
// time for.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { Random } from '../simulator/random';
import { program, start, stopAll } from './child';
import type { Written } from './children/many-writers';
import { Lives } from './lives';
import { movies } from './steps';
import { readTrace, type TraceLine } from './trace';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-flushes-'));
});
afterEach(async () => {
  await stopAll();
  await rm(folder, { recursive: true, force: true });
});

describe('a flush that was awaited is never lost', () => {
  it('by any of 100 concurrent writers, killed ten times', async () => {
    const path = await program('many-writers');
    const store = join(folder, 'venue.etch');
    const random = new Random(6);
    /** Of each key: the writes that may be there, the first of them durable. */
    const possible = new Map<string, string[]>();
    let flushes = 0;
    for (let life = 1; life <= 10; life++) {
      const trace = join(folder, `trace.${life}`);
      const child = start(path, { store, trace, life });
      await child.said('writing');
      await pause(20 + random.below(150));
      child.kill();
      expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL', stderr: '' });

      for (const { what, data } of await readTrace(trace)) {
        const [key, n] = data as [string, number];
        const write = `life ${life}, n ${n}`;
        const writes = possible.get(key) ?? ['nothing'];
        if (what === 'set') possible.set(key, [...writes, write]);
        else {
          flushes++;
          possible.set(key, writes.slice(writes.indexOf(write)));
        }
      }
      const venue = await openVenue({ store, signals: false });
      expect(venue.health()).toMatchObject({ status: 'ok', recovery: { damage: [], holes: [] } });
      const region = venue.region<Written>('writers');
      for (const [key, { life, writer, n, movie }] of region) {
        expect(possible.get(key), key).toContain(`life ${life}, n ${n}`);
        expect(movie).toEqual(movies[(writer * 31 + n) % movies.length]);
        possible.set(key, [`life ${life}, n ${n}`]);
      }
      for (const [key, writes] of possible) if (!region.has(key)) expect(writes[0], key).toBe('nothing');
      for (const key of possible.keys()) if (!region.has(key)) possible.delete(key);
      await venue.close();
    }
    expect(flushes).toBeGreaterThan(1000);
  });
});

describe('what a kill takes was written within the last sweep window', () => {
  // The yardstick is a timer of 100 ms in the child itself, beside the sweep's of 100 ms: on a busy machine both are late alike. The time
  // during which an append was on its way does not count: that is the disk's.
  it('beside appends: since the oldest of it, a timer as long as the window has not fired twice', async () => {
    const store = new Lives(folder, await program('streamer'));
    const seed = '07'.repeat(32);
    store.identity = { seed };
    const random = new Random(7);
    const ticks: number[] = [];
    for (let life = 1; life <= 25; life++) {
      await store.live({ watchedWithSeed: seed }, async (child) => {
        await child.said('streaming');
        await pause(random.below(500));
        child.kill();
      });
      await store.check();
      const lines = await readTrace(join(folder, `trace.${life}`));
      const { lost } = store.deaths.at(-1)!;
      ticks.push(lost === 0 ? 0 : ticksOutsideAppends(lines, lines.filter(({ what }) => what === 'step').at(-lost)!));
    }
    expect(Math.max(...ticks)).toBeLessThanOrEqual(1);
    expect(store.deaths.filter(({ lost }) => lost > 0).length).toBeGreaterThan(5);
    console.log(`lost at each of 25 kills, ms: ${store.deaths.map(({ lostMs }) => lostMs.toFixed(0)).join(' ')}`);
  }, 300_000);
});

function ticksOutsideAppends(lines: TraceLine[], since: TraceLine): number {
  let appending = false;
  let ticks = 0;
  for (const line of lines) {
    if (line.what === 'append') appending = true;
    if (line.what === 'appended') appending = false;
    if (line.what === 'tick' && !appending && line.ms >= since.ms) ticks++;
  }
  return ticks;
}
