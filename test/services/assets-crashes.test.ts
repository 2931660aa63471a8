// Assets in a folder on a simulated disk: a crash at every call that is made, every call failing once, and many lives with calls that overlap. What is
// found afterwards has its bytes, what a put said is there, and nothing is left lying about.
import { describe, expect, it } from 'vitest';
import type { Venue } from '../../src/node';
import { type Assets, openAssets } from '../../src/services/assets';
import type { Phase } from '../simulator/calls';
import { SimClock } from '../simulator/clock';
import { SimDisk } from '../simulator/disk';
import { type Fault, type Op, possible } from '../simulator/faults';
import { Life, storePath } from '../simulator/life';
import { Machine } from '../simulator/machine';
import type { Death } from '../simulator/program';
import { Random } from '../simulator/random';
import { type Bytes, gather, hashOf, pattern, streamOf } from './assets-bytes';

/** Larger than what is written by one call. */
const contents: readonly Bytes[] = [pattern(5, 1), pattern(1_050_000, 2), pattern(0), pattern(70_000, 3)];
const hashes = contents.map(hashOf);
const answerMsMax = 600_000;

/** What was asked and what was answered, through all lives. */
class Said {
  private readonly states = contents.map(() => ({ there: false, maybe: false, meta: new Set<unknown>([undefined]) }));

  asked(which: number, put: unknown | false): void {
    const state = this.states[which]!;
    state.maybe = true;
    if (put !== false) state.meta.add(put);
  }
  answered(which: number, put: unknown | false): void {
    this.states[which] = { there: put !== false, maybe: false, meta: new Set([put === false ? undefined : put]) };
  }
  /** Compares with what is found, which is so from now on. */
  async check(assets: Assets): Promise<void> {
    for (const [which, state] of this.states.entries()) {
      const found = assets.info(hashes[which]!);
      if (!state.maybe) expect(found !== undefined, `asset ${which} is there`).toBe(state.there);
      if (found) {
        expect(found.size).toBe(contents[which]!.length);
        expect([...state.meta]).toContain(found.meta.n);
      }
      this.answered(which, found ? found.meta.n : false);
    }
    for (const { state } of await gather(assets.verify())) expect(state).toBe('ok');
  }
}

class World {
  readonly clock = new SimClock();
  readonly said = new Said();
  private readonly random: Random;
  private readonly machine: Machine;
  disk: SimDisk;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.machine = new Machine(this.random.fork());
    this.disk = SimDisk.blank(this.random.uint32(), this.clock);
  }
  start(): Life {
    return new Life(this.disk, this.machine, this.clock, this.random);
  }
  end(life: Life, how: Death): void {
    this.disk = life.end(how);
    if (how === 'power') this.machine.losePower();
  }
  get blobs(): string[] {
    const folder = `${storePath}/blobs/`;
    return [...this.disk.files().keys()]
      .filter((path) => path.startsWith(folder))
      .map((path) => path.slice(folder.length));
  }

  /** A life without trouble: what was said is so, and nothing is left lying about. */
  async judge(): Promise<void> {
    const life = this.start();
    const end = await life.drive(this.judgeIn(await this.mustOpen(life)), answerMsMax);
    if (end && 'error' in end) throw end.error;
    this.end(life, 'power');
  }
  private async mustOpen(life: Life): Promise<Venue> {
    const end = await life.drive(life.open(100), answerMsMax);
    if (!end || 'error' in end) throw end?.error ?? new Error('it died');
    return end.value;
  }
  private async judgeIn(venue: Venue): Promise<void> {
    expect(venue.health().recovery).toMatchObject({ damage: [], holes: [] });
    const assets = openAssets(venue);
    await this.said.check(assets);
    await put(this.said, assets, 3, 99);
    expect(this.blobs.filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await venue.checkpoint();
    await venue.checkpoint();
    expect(this.blobs.sort()).toEqual(assets.list().assets.map(({ hash }) => hash));
    await this.said.check(assets);
  }
}

async function put(said: Said, assets: Assets, which: number, n: number): Promise<void> {
  said.asked(which, n);
  const bytes = contents[which]!;
  await assets.put(n % 2 ? bytes : streamOf(bytes, 700_000), { n });
  said.answered(which, n);
}
async function remove(said: Said, assets: Assets, which: number): Promise<void> {
  said.asked(which, false);
  await assets.delete(hashes[which]!);
  said.answered(which, false);
}

/** All kinds of things, the last two of them at once. @param again what is done about one that fails */
async function program(said: Said, venue: Venue, again: (work: () => Promise<void>) => Promise<void>): Promise<void> {
  const assets = openAssets(venue);
  const puts = (which: number, n: number) => again(() => put(said, assets, which, n));
  await puts(0, 1);
  await puts(1, 2);
  await puts(1, 3);
  await again(() => remove(said, assets, 0));
  await again(() => venue.checkpoint());
  await puts(2, 4);
  await puts(0, 5);
  await again(() => remove(said, assets, 1));
  await Promise.all([again(() => venue.checkpoint()), puts(1, 6), again(() => remove(said, assets, 2))]);
}
const once = (work: () => Promise<void>) => work();

describe('assets of a process that ends at any call', () => {
  it.each(['power', 'kill'] as const)(
    'are whole, and those of puts that resolved are there (%s)',
    async (how) => {
      let points = 0;
      for (const phase of ['before', 'after'] as const)
        for (let at = 1, over = false; !over; at++) {
          const world = new World(at);
          const life = world.start();
          life.disk.onCall = (call, when) => {
            if (call === at && when === phase) life.disk.kill();
          };
          const end = await life.drive(
            life.open(100).then((venue) => program(world.said, venue, once)),
            answerMsMax,
          );
          if (end && 'error' in end) throw end.error;
          over = end !== undefined;
          points++;
          world.end(life, how);
          await world.judge();
        }
      // Opening twice, six puts of at least six calls and their commits, two checkpoints: all of them were crashed at.
      expect(points).toBeGreaterThan(150);
    },
    120_000,
  );
});

describe('a disk that fails once, at any call and in any way', () => {
  const ops: Record<string, number> = {};
  it('gives an error that names the file, or none; the same again succeeds, and nothing is left', async () => {
    const seen = { failed: 0, hidden: 0 };
    for (let at = 1, over = false; !over; at++)
      for (let way = 0, ways = 1; way < ways; way++) {
        const world = new World(at);
        const life = world.start();
        let failed: [Op, Fault] | undefined;
        life.disk.onCall = (call: number, phase: Phase, op: Op) => {
          if (call !== at || phase === 'after') return;
          ways = new Set(possible[op]).size;
          failed = [op, [...new Set(possible[op])][way]!];
          life.disk.faults.failNext(...failed);
        };
        let told: unknown;
        const again = async (work: () => Promise<void>) => {
          try {
            await work();
          } catch (error) {
            expect(told, 'it fails once').toBeUndefined();
            told = error;
            expect(error).toMatchObject({ code: 'io', message: expect.stringContaining(storePath) });
            await work();
          }
        };
        let end = await life.drive(life.open(100), answerMsMax);
        if (end && 'error' in end) end = await life.drive(life.open(100), answerMsMax);
        if (!end || 'error' in end) throw end?.error;
        const { value: venue } = end;
        const ended = await life.drive(program(world.said, venue, again), answerMsMax);
        if (ended && 'error' in ended) throw Object.assign(ended.error as Error, { failed, at });
        over = failed === undefined;
        if (failed) ops[failed[0]] = (ops[failed[0]] ?? 0) + 1;
        if (failed) seen[told ? 'failed' : 'hidden']++;
        world.end(life, 'power');
        await world.judge();
      }
    expect(seen.failed).toBeGreaterThan(50);
    expect(Object.keys(ops)).toEqual(
      expect.arrayContaining(['open', 'write', 'fsync', 'rename', 'syncFolder', 'mkdir', 'readdir', 'close']),
    );
  }, 120_000);
});

describe('assets through many lives, with calls that overlap', () => {
  it('are whole, and those of puts that resolved are there', async () => {
    const seeds = Number(process.env.RUNS ?? 50);
    const from = Number(process.env.SEED ?? 1);
    const counts = { lives: 0, killed: 0, collected: 0 };
    // Two that have found a bug, and some more.
    for (const seed of [1084, 1217, ...Array.from({ length: seeds }, (_, i) => from + i)]) {
      const random = new Random(seed);
      const world = new World(seed);
      for (let lives = 0; lives < 6; lives++) {
        const life = world.start();
        counts.lives++;
        life.disk.slowness(0.5, 50);
        const last = random.below(150);
        life.disk.onCall = (call, phase) => {
          if (call === last && phase === 'before') life.disk.kill();
        };
        const end = await life.drive(
          life.open(20).then(async (venue) => {
            const assets = openAssets(venue);
            await world.said.check(assets);
            venue.on('checkpoint', ({ collected }) => {
              counts.collected += collected;
            });
            const worker = async (which: number) => {
              for (let i = 0; i < 8; i++) {
                const n = lives * 100 + i;
                if (random.chance(0.3)) await venue.checkpoint();
                else if (random.chance(0.4)) await remove(world.said, assets, which);
                else await put(world.said, assets, which, n);
              }
            };
            // Each minds its own: what of two at once is the later is another test's.
            await Promise.all(contents.map((_, which) => worker(which)));
          }),
          answerMsMax,
        );
        if (end && 'error' in end) throw Object.assign(end.error as Error, { seed });
        if (!end) counts.killed++;
        world.end(life, random.pick(['power', 'kill']));
      }
      await world.judge();
    }
    expect(counts.killed).toBeGreaterThan(counts.lives / 2);
    expect(counts.collected).toBeGreaterThan(counts.lives / 20);
  }, 120_000);
});
