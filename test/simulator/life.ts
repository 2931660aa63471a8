// One process of a simulated world, from its start to its end: it opens the store, and while it lives the world runs for it.
// Knows nothing of what is promised and checked.
import { fsBackend } from '../../backends/fs';
import type { Logger } from '../../src/base/seams';
import type { RegionOptions } from '../../src/engine/schema';
import { open, type Venue } from '../../src/venue';
import type { ProcessClock, SimClock } from './clock';
import { simulatedCrypto } from './crypto';
import type { SimDisk } from './disk';
import type { Machine } from './machine';
import type { Value } from './model';
import type { Death } from './program';
import type { Random } from './random';

export const storePath = '/data/app/venue.etch';
const seedOfKey = new Uint8Array(32).fill(7);

const silent: Logger = { info() {}, warn() {}, error() {} };

/** How regions are declared that are not as they come. */
const declared: Readonly<Record<string, RegionOptions<Stored>>> = { top: { join: 'max' } };

/** A value as a region holds it: `top` has numbers, since the greatest of them is the newest. */
export type Stored = Value | number;

export const stored = (region: string, value: Value): Stored => (region in declared ? value.n : value);

export const asValue = (found: Stored | undefined): Value | undefined =>
  typeof found === 'number' ? { n: found, pad: '' } : found;

export type End<T> = { readonly value: T } | { readonly error: unknown };

export class HangError extends Error {
  override readonly name = 'HangError';
}

export class Life {
  readonly disk: SimDisk;
  readonly clock: ProcessClock;
  /** Undefined until the store is open. */
  venue: Venue | undefined;
  /** The last resort of a process that goes. */
  writeNow: () => boolean = () => true;
  /** Whether calls of it have failed: then it may leave behind what it could not remove, until the next opening. */
  troubled = false;
  /** Whether calls of it have taken time. */
  slow = false;
  /** Flushes and checkpoints that have been asked for and have not been answered. */
  unanswered = 0;
  private readonly process: ReturnType<Machine['spawn']>;

  constructor(
    disk: SimDisk,
    machine: Machine,
    private readonly world: SimClock,
    private readonly random: Random,
  ) {
    this.disk = disk.process();
    this.clock = world.process();
    this.process = machine.spawn();
  }

  get isOver(): boolean {
    return this.disk.isDead;
  }

  async open(sweepMs: number): Promise<Venue> {
    const platform = {
      backend: fsBackend(storePath, { disk: this.disk, processes: this.process }),
      clock: this.clock,
      crypto: simulatedCrypto(this.random),
      logger: silent,
      freeze: false,
      seed: seedOfKey,
      lifecycle: (hooks: { writeNow(): boolean }) => {
        this.writeNow = hooks.writeNow;
        return () => {};
      },
    };
    const venue = await open({ sweepMs }, platform);
    for (const [name, options] of Object.entries(declared)) venue.region(name, options);
    this.venue = venue;
    return venue;
  }

  /** Counts something that must be answered in the end. */
  ask<T>(asked: Promise<T>): Promise<T> {
    this.unanswered++;
    const answered = () => {
      this.unanswered--;
    };
    asked.then(answered, answered);
    return asked;
  }

  /**
   * Runs the world until `work` settles. @returns undefined if the process died first.
   * @throws HangError after `msMax` of virtual time
   */
  async drive<T>(work: Promise<T>, msMax: number): Promise<End<T> | undefined> {
    const settled: { end?: End<T> } = {};
    work.then(
      (value) => {
        settled.end = { value };
      },
      (error: unknown) => {
        settled.end = { error };
      },
    );
    const late = this.world.elapsed() + msMax;
    await this.world.run(() => settled.end !== undefined || this.isOver || this.world.elapsed() > late);
    if (!settled.end && !this.isOver) throw new HangError(`not settled after ${msMax} ms`);
    return this.isOver ? undefined : settled.end;
  }

  leave(): void {
    this.clock.end();
    this.process.end();
  }

  /** @returns the disk as the next process finds it. */
  end(how: Death): SimDisk {
    this.leave();
    if (how === 'power') return this.disk.crash();
    const next = this.disk.process();
    this.disk.kill();
    return next;
  }
}
