// Virtual time: timers fire in order when the world is run, the wall clock jumps when it is told to. Knows nothing of
// disks or venues. A process of the world gets a `ProcessClock`, so that its timers die with it.
import type { Clock } from '../../src/base/seams';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  readonly owner: object;
}

/** Real, so that every microtask of the program under test has run: there is no virtual substitute for that. */
const drainMicrotasks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Far more turns than any program takes: a loop that never waits is a failure to report, not a hang. */
const turnsMax = 1_000_000;

export class SimClock implements Clock {
  private time = 0;
  private wall: number;
  private order = 0;
  private timers: Timer[] = [];
  private turns: { owner: object; resolve: () => void }[] = [];
  /** Timers that fired, for tests of idleness. */
  fired = 0;

  constructor(wallMs = Date.UTC(2025, 0, 1)) {
    this.wall = wallMs;
  }

  now(): number {
    return Math.floor(this.wall + this.time);
  }

  elapsed(): number {
    return this.time;
  }

  setTimeout(callback: () => void, ms: number): unknown {
    return this.arm(this, callback, ms);
  }

  clearTimeout(timer: unknown): void {
    const at = this.timers.indexOf(timer as Timer);
    if (at >= 0) this.timers.splice(at, 1);
  }

  nextTurn(): Promise<void> {
    return this.yieldFor(this);
  }

  /** Moves the wall clock, not the time that has passed. */
  jump(ms: number): void {
    this.wall += ms;
  }

  /** Timers that have not fired: all, or one process's. */
  pending(owner?: object): number {
    return owner ? this.timers.filter((timer) => timer.owner === owner).length : this.timers.length;
  }

  /** The clock as one process sees it. */
  process(): ProcessClock {
    return new ProcessClock(this);
  }

  /** @internal */
  arm(owner: object, callback: () => void, ms: number): Timer {
    const timer: Timer = { at: this.time + Math.max(0, ms), order: this.order++, callback, owner };
    let place = this.timers.length;
    while (place > 0 && this.timers[place - 1]!.at > timer.at) place--;
    this.timers.splice(place, 0, timer);
    return timer;
  }

  /** @internal */
  yieldFor(owner: object): Promise<void> {
    return new Promise((resolve) => this.turns.push({ owner, resolve }));
  }

  /** @internal Drops everything that a process was waiting for. */
  forget(owner: object): void {
    this.timers = this.timers.filter((timer) => timer.owner !== owner);
    this.turns = this.turns.filter((turn) => turn.owner !== owner);
  }

  /**
   * Runs the world until `done`: lets all that can run now run, then moves to the next timer.
   * @throws when nothing is left that could make it happen.
   */
  async run(done: () => boolean): Promise<void> {
    for (let turn = 0; turn < turnsMax; turn++) {
      await drainMicrotasks();
      if (done()) return;
      if (!this.step(Infinity)) throw new Error('nothing is left to wait for: some promise will never settle');
    }
    throw new Error(`not done after ${turnsMax} turns`);
  }

  /** Runs the world until `work` settles. */
  async runUntil<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    work.then(settle, settle);
    await this.run(() => settled);
    return work;
  }

  /** Runs the world for `ms`, whether or not anything happens in them; stops early when `done`. */
  async advance(ms: number, done: () => boolean = () => false): Promise<void> {
    const end = this.time + ms;
    for (let turn = 0; turn < turnsMax; turn++) {
      await drainMicrotasks();
      if (done()) return;
      if (this.step(end)) continue;
      this.time = end;
      return;
    }
    throw new Error(`not done after ${turnsMax} turns`);
  }

  /** One turn: whoever yielded goes on; else the next timer up to `end` fires. False when there is neither. */
  private step(end: number): boolean {
    if (this.turns.length > 0) {
      for (const { resolve } of this.turns.splice(0)) resolve();
      return true;
    }
    const next = this.timers[0];
    if (!next || next.at > end) return false;
    this.timers.shift();
    this.time = Math.max(this.time, next.at);
    this.fired++;
    next.callback();
    return true;
  }
}

/** A process's clock. After `end()` nothing it was waiting for happens, and nothing it asks for later either. */
export class ProcessClock implements Clock {
  private ended = false;

  constructor(private readonly clock: SimClock) {}

  now(): number {
    return this.clock.now();
  }

  elapsed(): number {
    return this.clock.elapsed();
  }

  setTimeout(callback: () => void, ms: number): unknown {
    return this.ended ? undefined : this.clock.arm(this, callback, ms);
  }

  clearTimeout(timer: unknown): void {
    this.clock.clearTimeout(timer);
  }

  nextTurn(): Promise<void> {
    return this.ended ? new Promise(() => {}) : this.clock.yieldFor(this);
  }

  /** Its timers that have not fired. */
  get pending(): number {
    return this.clock.pending(this);
  }

  end(): void {
    this.ended = true;
    this.clock.forget(this);
  }
}
