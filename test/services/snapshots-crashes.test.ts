// Snapshot files under crashes at every call, and with every call failing once: the file is always one whole generation, and never an older one than
// was reported durable.
import { describe, expect, it } from 'vitest';
import { SimClock } from '../simulator/clock';
import { SimDisk } from '../simulator/disk';
import { type Fault, type Op, possible } from '../simulator/faults';
import { Machine } from '../simulator/machine';
import { Random } from '../simulator/random';
import { folder, generationOf, leftovers, Process, pathOf } from './snapshots-world';

const keys = ['', '-b'];

/** What is found after a process has ended. @returns the generations by key */
function check(
  disk: SimDisk,
  durable: ReadonlyMap<string, number>,
  newest: ReadonlyMap<string, number>,
): Map<string, number> {
  const found = new Map<string, number>();
  const files = disk.files();
  for (const key of keys) {
    const bytes = files.get(pathOf(key));
    if (!bytes) expect(durable.get(key), 'what was durable is there').toBeUndefined();
    else {
      const generation = generationOf(bytes);
      expect(generation).toBeGreaterThanOrEqual(durable.get(key) ?? 0);
      expect(generation).toBeLessThanOrEqual(newest.get(key)!);
      found.set(key, generation);
    }
    const backup = files.get(`${pathOf(key)}.bak`);
    if (backup) expect(generationOf(backup)).toBeLessThanOrEqual(found.get(key) ?? Infinity);
  }
  return found;
}

/** Four generations of one file, two of another beside them. */
async function program(process: Process, first: number): Promise<void> {
  const other = (async () => {
    await process.save(first, '-b');
    await process.save(first + 1, '-b');
  })();
  for (let n = 0; n < 4; n++) await process.save(first + n);
  await other;
}

async function run(world: SimClock, process: Process, first: number): Promise<void> {
  let done = false;
  void program(process, first).then(() => {
    done = true;
  });
  await world.run(() => done || process.isOver);
}

interface World {
  clock: SimClock;
  machine: Machine;
  disk: SimDisk;
}
function newWorld(seed: number): World {
  const clock = new SimClock();
  return { clock, machine: new Machine(new Random(seed)), disk: SimDisk.blank(seed, clock) };
}

/** Another process after it: removes what was left, goes on, and power fails once all is said to be durable. */
async function goOn({ clock, machine }: World, disk: SimDisk, first: number): Promise<void> {
  const next = new Process(disk, machine, clock);
  await run(clock, next, first);
  expect(leftovers(next.disk)).toEqual([]);
  const after = next.end('power');
  machine.losePower();
  const found = check(after, next.durable, next.newest);
  expect([...found.values()]).toEqual([first + 3, first + 1]);
  expect(generationOf(after.files().get(`${pathOf('')}.bak`)!)).toBe(first + 2);
}

describe('a process that ends at any call', () => {
  it.each(['power', 'kill'] as const)('leaves whole files, none older than was durable (%s)', async (how) => {
    const seen = { points: 0, left: 0, older: 0, newer: 0 };
    for (const phase of ['before', 'after'] as const)
      for (let at = 1, over = false; !over; at++)
        for (let seed = at; seed < at + (how === 'power' ? 6 : 2) * 1000; seed += 1000) {
          const world = newWorld(seed);
          const { clock, machine } = world;
          // Half of them on what an earlier process has left.
          const earlier = seed % 2 === 0 ? new Process(world.disk, machine, clock) : undefined;
          if (earlier) {
            await run(clock, earlier, 1);
            world.disk = earlier.end('kill');
          }
          const process = new Process(world.disk, machine, clock);
          if (earlier) for (const [key, generation] of earlier.durable) process.durable.set(key, generation);
          process.disk.onCall = (call, when) => {
            if (call === at && when === phase) process.disk.kill();
          };
          await run(clock, process, 10);
          over = !process.isOver;
          if (over) break;
          seen.points++;
          const disk = process.end(how);
          if (how === 'power') machine.losePower();
          if (leftovers(disk).length > 0) seen.left++;
          const found = check(disk, process.durable, process.newest);
          for (const [key, generation] of found) {
            if (generation > (process.durable.get(key) ?? 0)) seen.newer++;
            else if (generation < process.newest.get(key)!) seen.older++;
          }
          await goOn(world, disk, 20);
        }
    // Had crashes not fallen between the two, they would have shown nothing.
    expect(seen.points).toBeGreaterThan(100);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
    console.log(`crashes (${how}) of a process that writes snapshots: ${JSON.stringify(seen)}`);
  });
});

describe('a call that fails once', () => {
  it('costs a try and nothing else: the newest generation is durable, and nothing is left behind', async () => {
    const ops = new Map<Op, number>();
    const rehearsal = newWorld(1);
    const first = new Process(rehearsal.disk, rehearsal.machine, rehearsal.clock);
    first.disk.onCall = (_, phase, op) => {
      if (phase === 'before') ops.set(op, (ops.get(op) ?? 0) + 1);
    };
    await run(rehearsal.clock, first, 1);
    expect([...ops.keys()].sort()).toEqual(
      expect.arrayContaining([
        'close',
        'fsync',
        'link',
        'mkdir',
        'open',
        'rename',
        'size',
        'syncFolder',
        'unlink',
        'write',
      ]),
    );
    let failures = 0;
    for (const [op, times] of ops)
      for (const fault of new Set<Fault>(possible[op]))
        for (let skip = 0; skip < times; skip++) {
          const world = newWorld(skip + 1);
          const process = new Process(world.disk, world.machine, world.clock);
          process.disk.faults.failNext(op, fault, skip);
          await run(world.clock, process, 1);
          failures++;
          expect(process.writer.state()).toMatchObject({
            unsaved: 0,
            pending: false,
            writing: false,
            lastError: undefined,
          });
          // What cannot be removed now is removed by the next process.
          if (op !== 'unlink') expect(leftovers(process.disk)).toEqual([]);
          const disk = process.end('power');
          world.machine.losePower();
          expect([...check(disk, process.durable, process.newest).values()]).toEqual([4, 2]);
          await goOn(world, disk, 20);
        }
    expect(failures).toBeGreaterThan(80);
  });

  it('and so does everything at once: failures, slow calls, two processes, and ends at any time', async () => {
    const runs = Number(process.env.RUNS ?? 150);
    const seen = { crashes: 0, failures: 0 };
    for (let seed = 1; seed <= runs; seed++) {
      const random = new Random(seed);
      const world = newWorld(seed);
      const { clock, machine } = world;
      const durable = new Map<string, number>();
      const newest = new Map<string, number>();
      for (let life = 0; life < 4; life++) {
        // Two processes, each with a file of its own and both with a third one, which is whole, whoever wrote it last.
        const each = ['', '-b'].map((key) => {
          const process = new Process(world.disk, machine, clock, { debounceMs: 5 });
          process.disk.faults.set({ rate: random.chance(0.5) ? 0.05 : 0 });
          process.disk.slowness(0.3, 20);
          return { key, process };
        });
        const end = 20 + random.below(120);
        let calls = 0;
        for (const { process } of each)
          process.disk.onCall = (_, phase) => {
            if (phase === 'before' && ++calls === end) for (const one of each) one.process.disk.kill();
          };
        let done = 0;
        for (const { key, process } of each)
          void (async () => {
            for (let n = 1; n <= 5; n++) {
              await process.save(life * 10 + n, key);
              await process.save(life * 10 + n, '-shared');
            }
            done++;
          })();
        await clock.run(() => done === 2 || each.some(({ process }) => process.isOver));
        const isOver = each.some(({ process }) => process.isOver);
        if (isOver) seen.crashes++;
        const how = random.chance(0.5) ? 'power' : 'kill';
        for (const { key, process } of each) {
          if (process.warnings.length > 0) seen.failures++;
          const [was, is] = [process.durable.get(key), process.newest.get(key)];
          if (was !== undefined) durable.set(key, was);
          newest.set(key, is!);
          world.disk = process.end(how);
        }
        if (how === 'power') machine.losePower();
        check(world.disk, durable, newest);
        const shared = world.disk.files().get(pathOf('-shared'));
        if (shared) generationOf(shared);
      }
      const last = new Process(world.disk, machine, clock);
      let done = false;
      void last.save(99).then(() => {
        done = true;
      });
      await clock.run(() => done);
      expect(leftovers(last.disk)).toEqual([]);
      expect([...last.disk.files().keys()].every((path) => path.startsWith(folder))).toBe(true);
    }
    expect(seen.crashes).toBeGreaterThan(runs / 2);
  });
});
