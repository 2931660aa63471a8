// A drive on a simulated disk that crashes before and after every call of a program: what is found then is what the program had made at some moment
// since it was last told that all is durable, whole, with the bytes of every file.
import { describe, expect, it } from 'vitest';
import { type Drive, openDrive } from '../../src/services/drives';
import type { Venue } from '../../src/venue';
import { SimClock } from '../simulator/clock';
import { SimDisk } from '../simulator/disk';
import { Life } from '../simulator/life';
import { Machine } from '../simulator/machine';
import { Random } from '../simulator/random';
import { newOrigin, openTab } from '../venue/pages';
import { big, expectTree, type Listing } from './drives-world';

type Step = (drive: Drive) => Promise<unknown>;

const answerMsMax = 60_000;
const flush = 'flush';
const checkpoint = 'checkpoint';

/** Large files are written, moved, replaced and removed around checkpoints, which collect what is not named any more. */
const program: (Step | typeof flush | typeof checkpoint)[] = [
  (drive) => drive.mkdir('/a/b', { recursive: true }),
  (drive) => drive.writeFile('/a/small', 'small'),
  (drive) => drive.writeFile('/a/b/large', big('1')),
  flush,
  (drive) => drive.rename('/a', '/moved'),
  (drive) => drive.writeFile('/moved/b/other', big('2')),
  (drive) => drive.writeFile('/moved/b/large', big('3')),
  checkpoint,
  (drive) => drive.rename('/moved/b', '/b'),
  flush,
  (drive) => drive.copyFile('/b/large', '/copy'),
  (drive) => drive.appendFile('/b/large', 'more'),
  (drive) => drive.rename('/b/other', '/b/large'),
  checkpoint,
  (drive) => drive.mkdir('/empty'),
  (drive) => drive.rename('/b', '/empty'),
  (drive) => drive.truncate('/copy', 39_000),
  (drive) => drive.rm('/moved', { recursive: true }),
  checkpoint,
  (drive) => drive.writeFile('/again', big('3')),
  (drive) => drive.rm('/empty', { recursive: true }),
  flush,
  checkpoint,
];

/** What the drive shows after each step. */
async function states(): Promise<Listing[]> {
  const tab = await openTab(newOrigin());
  const drive = openDrive(tab.venue, 'd');
  const all = [await expectTree(drive, tab.venue, 'd')];
  for (const step of program) {
    if (typeof step === 'function') await step(drive);
    all.push(await expectTree(drive, tab.venue, 'd'));
  }
  tab.kill();
  return all;
}

interface Crash {
  readonly call: number;
  readonly phase: 'before' | 'after';
  readonly how: 'kill' | 'power';
  /** How often a call takes time. */
  readonly slow: number;
}

class World {
  readonly clock = new SimClock();
  readonly random: Random;
  readonly machine: Machine;
  /** Steps that are done, steps that are durable, and steps that have begun. */
  done = 0;
  durable = 0;
  begun = 0;

  constructor(private readonly crash: Crash) {
    this.random = new Random(crash.call * 4 + (crash.phase === 'after' ? 1 : 0) + (crash.how === 'power' ? 2 : 0));
    this.machine = new Machine(this.random.fork());
  }

  /** @returns what the next process finds; undefined if the program came to its end first */
  async run(): Promise<Listing | undefined> {
    let disk = SimDisk.blank(this.random.uint32(), this.clock);
    const life = new Life(disk, this.machine, this.clock, this.random);
    life.disk.slowness(this.crash.slow, 20);
    life.disk.onCall = (call, phase) => {
      if (call !== this.crash.call || phase !== this.crash.phase) return;
      disk = life.end(this.crash.how);
      if (this.crash.how === 'power') this.machine.losePower();
    };
    const end = await life.drive(this.work(life), answerMsMax);
    if (end && 'error' in end) throw end.error;
    if (end) life.end('kill');
    const next = new Life(disk, this.machine, this.clock, this.random);
    const found = await next.drive(this.look(next), answerMsMax);
    if (!found || 'error' in found) throw found?.error ?? new Error('died again');
    next.end('kill');
    return end ? undefined : found.value;
  }

  private async work(life: Life): Promise<void> {
    const venue = await life.open(100);
    const drive = openDrive(venue, 'd');
    for (const step of program) {
      this.begun++;
      const before = this.done;
      if (typeof step === 'function') await step(drive);
      else if (step === 'flush') await venue.flush();
      else await venue.checkpoint();
      this.done++;
      if (step === flush) this.durable = before;
    }
  }

  private async look(life: Life): Promise<Listing> {
    const venue: Venue = await life.open(100);
    expect(venue.health().recovery).toMatchObject({ damage: [], quarantined: [] });
    const all = await expectTree(openDrive(venue, 'd'), venue, 'd');
    // What nothing names is collected, and what is named is not: checked by reading all of it once more.
    await venue.checkpoint();
    await venue.checkpoint();
    expect(await expectTree(openDrive(venue, 'd'), venue, 'd')).toEqual(all);
    const blobs = new Set([...life.disk.files().keys()].filter((path) => /blobs\/[0-9a-f]{64}$/.test(path)));
    const large = new Set(Object.values(all).filter((content) => content.length > 40));
    expect(blobs.size).toBe(large.size);
    return all;
  }
}

describe('a drive whose process crashes at any call of the disk', () => {
  it.each<[string, Pick<Crash, 'how' | 'slow'>]>([
    ['and is killed', { how: 'kill', slow: 0 }],
    ['and loses power', { how: 'power', slow: 0 }],
    ['and loses power while calls take their time', { how: 'power', slow: 0.5 }],
  ])('%s, is as the program had made it', async (_, kind) => {
    const expected = await states();
    const seen = new Set<number>();
    let crashes = 0;
    for (let call = 1, isOver = false; !isOver; call++) {
      for (const phase of ['before', 'after'] as const) {
        const world = new World({ ...kind, call, phase });
        const found = await world.run();
        isOver = found === undefined;
        if (!found) continue;
        crashes++;
        const from = world.durable;
        const state = expected.findIndex((all, i) => i >= from && JSON.stringify(all) === JSON.stringify(found));
        expect(state, `${phase} call ${call}: ${JSON.stringify(found)}`).toBeGreaterThanOrEqual(from);
        expect(state).toBeLessThanOrEqual(world.begun);
        seen.add(state);
      }
    }
    expect(crashes).toBeGreaterThan(150);
    expect(seen.size).toBeGreaterThan(6);
  });
});
