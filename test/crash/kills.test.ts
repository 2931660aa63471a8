// Real kills: children stream real records into stores and are killed with SIGKILL at random moments, many times in a row on each store. The
// pauses before the kills are drawn from a seed; where they fall in a child's work is the machine's business, and each death says where it fell.
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../simulator/random';
import { program, stopAll } from './child';
import { type Death, Lives } from './lives';

/** The issue asks for 200 kills; these make 240. */
const lives = { burst: 45, checkpoint: 45, opening: 40, start: 30, report: 35 };
/** They take about a minute together, several times that on a busy machine. */
const patience = 600_000;

let folder: string;
let streamer: string;
const stores: Lives[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-kills-'));
  streamer = await program('streamer');
});
afterAll(async () => {
  await stopAll();
  await rm(folder, { recursive: true, force: true });
  console.log(report(stores.flatMap(({ deaths }) => deaths)));
});

async function newStore(name: string): Promise<Lives> {
  await mkdir(join(folder, name));
  const store = new Lives(join(folder, name), streamer);
  stores.push(store);
  return store;
}

/** Looks at a store after every second death, so that some lives begin where another one was killed, and its lock was never released. */
async function checkNowAndThen(store: Lives, random: Random, last: boolean): Promise<void> {
  if (last || random.chance(0.5)) await store.check();
}

describe.concurrent('a store whose process is killed has all that was reported durable, and nothing that was not written', () => {
  it.each([
    ['sweeps alone', 0],
    ['sweeps and flushes', 150],
  ])(
    'in mid-burst, with %s',
    async (name, flushEvery) => {
      const store = await newStore(name);
      const random = new Random(1 + flushEvery);
      for (let life = 1; life <= lives.burst; life++) {
        await store.live({ flushEvery }, async (child) => {
          await child.said('streaming');
          await pause(random.below(300));
          child.kill();
        });
        await checkNowAndThen(store, random, life === lives.burst);
      }
      expect(store.deaths).toHaveLength(lives.burst);
      // Had nothing been on its way when they died, these deaths would have shown nothing.
      expect(store.deaths.filter(({ lost }) => lost > 0).length).toBeGreaterThan(lives.burst / 2);
    },
    patience,
  );

  it(
    'while it makes one checkpoint after the other',
    async () => {
      const store = await newStore('checkpoint');
      const random = new Random(2);
      let unfinished = 0;
      for (let life = 1; life <= lives.checkpoint; life++) {
        await store.live({ checkpoints: true }, async (child) => {
          await child.said('streaming');
          await pause(random.below(150));
          child.kill();
        });
        unfinished += (await readdir(store.store)).filter((name) => name.endsWith('.tmp')).length;
        await checkNowAndThen(store, random, life === lives.checkpoint);
      }
      expect(store.deaths.filter(({ during }) => during === 'checkpoint').length).toBeGreaterThan(lives.checkpoint / 2);
      expect(unfinished).toBeGreaterThan(0);
    },
    patience,
  );

  it(
    'while it opens and recovers, with a line half written by the one before',
    async () => {
      const store = await newStore('opening');
      const random = new Random(3);
      let torn: { log: string; at: number; bytes: Buffer } | undefined;
      for (let life = 1; life <= lives.opening; life++) {
        // Now and then it gets through, so that there is more and more to recover.
        const grows = life % 4 === 1;
        await store.live({}, async (child) => {
          await child.said(grows ? 'streaming' : 'opening');
          await pause(grows ? 150 : random.below(2 * store.openMs + 10));
          child.kill();
        });
        if (torn) await expectInQuarantine(store.store, torn);
        await checkNowAndThen(store, random, life === lives.opening);
        torn = await tearNewestLog(store.store, random);
      }
      expect(store.deaths.filter(({ during }) => during === 'recovery').length).toBeGreaterThan(lives.opening / 10);
      expect(store.tornBytes).toBeGreaterThan(0);
    },
    patience,
  );

  it(
    'right after it was started, the first time too',
    async () => {
      const random = new Random(4);
      for (let born = 0; born < lives.start; born += 3) {
        const store = await newStore(`start-${born}`);
        for (let life = 1; life <= 3; life++) {
          await store.live({}, async (child) => {
            await (life === 1 ? child.said('opening') : undefined);
            await pause(random.below(life === 1 ? 30 : 250));
            child.kill();
          });
          await checkNowAndThen(store, random, life === 3);
        }
      }
    },
    patience,
  );

  it(
    'in the very turn in which it is told that something is durable',
    async () => {
      const store = await newStore('report');
      const random = new Random(5);
      for (let life = 1; life <= lives.report; life++) {
        const checkpoints = random.chance(0.3);
        await store.live(
          { checkpoints, flushEvery: 60, diesAtReport: 1 + random.below(8) },
          () => new Promise(() => undefined),
        );
        await checkNowAndThen(store, random, life === lives.report);
      }
    },
    patience,
  );
});

/** What a process leaves that is killed between two writes: the newest log, and the beginning of one more line. */
async function tearNewestLog(
  store: string,
  random: Random,
): Promise<{ log: string; at: number; bytes: Buffer } | undefined> {
  const logs = (await readdir(store)).filter((name) => name.startsWith('log.'));
  const found = await Promise.all(logs.map(async (log) => ({ log, ...(await stat(join(store, log))) })));
  // One whose process died between creating it and the first byte has nothing to keep.
  const newest = found.filter(({ size }) => size > 1).sort((a, b) => b.mtimeMs - a.mtimeMs)[0];
  if (!newest) return undefined;
  const { log } = newest;
  const content = await readFile(join(store, log));
  const line = content.indexOf(10);
  const beginning = content.subarray(0, 1 + random.below((line > 0 ? line : content.length - 1) - 1));
  await appendFile(join(store, log), beginning);
  // There may be something torn before it that nobody has got round to cutting off.
  const at = content.lastIndexOf(10) + 1;
  return { log, at, bytes: Buffer.concat([content.subarray(at), beginning]) };
}

/** A torn tail is still there, or it is kept in quarantine, whichever moment of the recovery the kill fell into. */
async function expectInQuarantine(
  store: string,
  { log, at, bytes }: { log: string; at: number; bytes: Buffer },
): Promise<void> {
  const content = await readFile(join(store, log)).catch(() => Buffer.alloc(0));
  if (content.length > at) return expect(content.subarray(at)).toEqual(bytes);
  const quarantine = join(store, 'quarantine');
  const kept = await Promise.all((await readdir(quarantine)).map((name) => readFile(join(quarantine, name))));
  expect(kept.some((file) => file.equals(bytes))).toBe(true);
}

function report(deaths: Death[]): string {
  const during = new Map<string, number>();
  for (const death of deaths) during.set(death.during, (during.get(death.during) ?? 0) + 1);
  const ages = deaths.flatMap(({ lost, lostMs }) => (lost > 0 ? lostMs : [])).sort((a, b) => a - b);
  const at = (part: number) => ages[Math.floor(part * (ages.length - 1))]?.toFixed(0);
  return [
    `${deaths.length} kills:`,
    [...during].map(([what, count]) => `${count} in ${what}`).join(', '),
    `(${ages.length} lost something, the oldest of it ${at(0)} to ${at(1)} ms old, median ${at(0.5)} ms)`,
  ].join(' ');
}
