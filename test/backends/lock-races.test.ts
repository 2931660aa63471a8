// The lock under interleavings that real processes would meet once in a million runs: contenders whose file-system calls
// happen in an order drawn from a seed, on a real folder, and some of whom die between two calls or in the middle of one.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Disk } from '../../backends/fs/disk';
import { acquireLock, type Lock } from '../../backends/fs/lock';
import { nodeDisk } from '../../backends/fs/node-disk';
import type { Processes } from '../../backends/fs/processes';
import { LockedError } from '../../src/backend';

/** mulberry32: https://github.com/cprosche/mulberry32 */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-races-'));
});
afterEach(() => rm(folder, { recursive: true }));

class Contender implements Processes {
  alive = true;
  lock: Lock | undefined;
  outcome: 'trying' | 'holds' | 'refused' | 'released' = 'trying';
  /** The call that it waits for the disk to make. */
  pending: { make(): Promise<void>; happen(): Promise<unknown> } | undefined;

  constructor(
    readonly pid: number,
    private readonly all: readonly Contender[],
  ) {}

  self = () => ({ pid: this.pid, start: '1', host: 'here' });
  isAlive = ({ pid }: { pid: number }) => this.all.some((other) => other.pid === pid && other.alive);

  /** The real disk, each call of which waits until it is let through. */
  readonly disk: Disk = new Proxy(nodeDisk, {
    get:
      (target, op: keyof Disk) =>
      (...args: unknown[]) => {
        if (op === 'fsync') return Promise.resolve(); // nothing here is about loss of power
        const happen = () => (target[op] as (...args: unknown[]) => Promise<unknown>)(...args);
        return new Promise((resolve, reject) => {
          this.pending = { happen, make: () => happen().then(resolve, reject) };
        });
      },
  });

  async enter(): Promise<void> {
    try {
      this.lock = await acquireLock(this.disk, folder, this);
      this.outcome = 'holds';
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      this.outcome = 'refused';
    }
  }

  async leave(): Promise<void> {
    await this.lock!.release();
    this.outcome = 'released';
  }
}

/** Lets microtasks run until everybody waits for the disk again. */
const settle = () => new Promise(setImmediate);

/** One story: `count` contenders in turn, some of whom die, those who were refused leaving, those who won going on or leaving. */
async function play(seed: number, count: number, deaths: boolean): Promise<Contender[]> {
  const next = random(seed);
  const all: Contender[] = [];
  const failures: unknown[] = [];
  const run = (work: Promise<void>) => void work.catch((error) => failures.push(error));
  let leaving = new Set<Contender>();

  const start = () => {
    const contender = new Contender(all.length + 1, all);
    all.push(contender);
    run(contender.enter());
  };
  for (let i = 0; i < count; i++) start();

  for (;;) {
    await settle();
    if (failures.length > 0) throw failures[0];
    const holders = all.filter(({ alive, outcome }) => alive && outcome === 'holds');
    expect(holders.filter((holder) => !leaving.has(holder)).length, `holders, seed ${seed}`).toBeLessThan(2);
    leaving = new Set([...leaving].filter(({ outcome }) => outcome === 'holds'));

    const waiting = all.filter(({ alive, pending }) => alive && pending);
    const [holder] = holders;
    const roll = next();
    if (holder && !leaving.has(holder) && roll < 0.05) {
      leaving.add(holder);
      run(holder.leave());
    } else if (deaths && holder && roll < 0.08) {
      holder.alive = false;
    } else if (waiting.length === 0) {
      return all;
    } else {
      const contender = waiting[Math.floor(next() * waiting.length)]!;
      const { make, happen } = contender.pending!;
      contender.pending = undefined;
      if (deaths && next() < 0.04) {
        contender.alive = false;
        if (next() < 0.5) await happen().catch(() => {}); // it has happened, and nobody was told
      } else await make();
    }
  }
}

/** Ten times as many have been tried by hand. */
const seeds = 200;

describe('in any order of calls', () => {
  it('nobody holds the lock beside another, and somebody gets it', async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      if (seed % 2)
        await writeFile(
          join(folder, 'LOCK'),
          JSON.stringify({ pid: 98, start: '1', host: 'here', nonce: 'd'.repeat(32) }),
        );
      const all = await play(seed, 4, false);
      const outcomes = all.map(({ outcome }) => outcome);
      expect(
        outcomes.filter((outcome) => outcome === 'holds' || outcome === 'released').length,
        `seed ${seed}`,
      ).toBeGreaterThan(0);
      expect(await readdir(folder), `seed ${seed}`).toEqual(outcomes.includes('holds') ? ['LOCK'] : []);
      await rm(join(folder, 'LOCK'), { force: true });
    }
  }, 60_000);

  it('nobody holds it beside another when some die on the way, and the next one gets it and cleans up', async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const all = await play(seed, 5, true);
      const holder = all.find(({ alive, outcome }) => alive && outcome === 'holds');
      const last = { self: () => ({ pid: 99, start: '1', host: 'here' }), isAlive: all[0]!.isAlive };
      if (holder) {
        await expect(acquireLock(nodeDisk, folder, last)).rejects.toBeInstanceOf(LockedError);
        holder.alive = false;
      }
      const lock = await acquireLock(nodeDisk, folder, last);
      expect(await readdir(folder), `seed ${seed}`).toEqual(['LOCK']);
      await lock.release();
    }
  }, 120_000);
});
