// WHEN things are written: the policy of a persistence writer and nothing else. Requests coalesce and the newest state wins; a delay after the
// first; a forced write at once; retries with growing pauses until it works; bounded waiting. Knows nothing of what is written.
import { FlushTimeoutError } from '../base/errors';
import type { Clock } from '../base/seams';

export interface SweeperOptions {
  clock: Clock;
  /** From the first request to the write; with maxWaitMs from the last one. */
  delayMs: number;
  /** Each request puts the write off, but no further than this after the first. At least delayMs. */
  maxWaitMs?: number;
  /** Pauses between retries start at delayMs, or this, and double. */
  retryMsMin: number;
  retryMsMax: number;
  /**
   * Writes all that is there when it is called (and what an earlier call did not get written). Never called while a call is running.
   * @param forced somebody waits for it: as durable as can be.
   */
  write(forced: boolean): Promise<void>;
  /** How much is not written, for an error message. */
  unsaved(): number;
  /** A write failed; the next try is in so many ms. */
  failed(error: unknown, forced: boolean, retryInMs: number): void;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
  /** Its time ran out. */
  gone: boolean;
}

export class Sweeper {
  private timer: unknown;
  private running: Promise<void> | undefined;
  /** Requested while running, or since the last write. */
  private wanted = false;
  /** In the clock's elapsed ms: when the write is due at the latest, and when it is as requests stand. */
  private latest = 0;
  private due = 0;
  private waiters: Waiter[] = [];
  /** Those that the present write serves. */
  private served: Waiter[] = [];
  private failures = 0;
  private lastError: unknown;
  private stopped: Error | undefined;

  constructor(private readonly options: SweeperOptions) {}

  /** Something changed: it will be written within delayMs, or maxWaitMs. Cheap; called for every change. */
  request(): void {
    const { clock, delayMs, maxWaitMs } = this.options;
    if (maxWaitMs !== undefined) {
      const now = clock.elapsed();
      if (!this.wanted) this.latest = now + maxWaitMs;
      this.due = Math.min(now + delayMs, this.latest);
    }
    if (this.wanted) return;
    this.wanted = true;
    if (!this.running && this.timer === undefined) this.arm(delayMs);
  }

  /**
   * Resolves when all that was there when it was called is written. Flushes of one turn share one write.
   * @throws FlushTimeoutError after timeoutMs; the write goes on being tried.
   */
  flush(timeoutMs?: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const { clock, unsaved } = this.options;
      if (this.stopped) throw this.stopped;
      const waiter: Waiter = { resolve, reject, gone: false };
      if (timeoutMs !== undefined && timeoutMs < 2 ** 31) {
        const timer = clock.setTimeout(() => {
          waiter.gone = true;
          reject(new FlushTimeoutError(unsaved(), timeoutMs, { cause: this.lastError }));
        }, timeoutMs);
        waiter.resolve = () => {
          clock.clearTimeout(timer);
          resolve();
        };
        waiter.reject = (error) => {
          clock.clearTimeout(timer);
          reject(error);
        };
      }
      this.waiters.push(waiter);
      this.start();
    });
  }

  /** Resolves when no write is running. */
  async settled(): Promise<void> {
    await this.running;
  }

  /** No more writes. What is running goes on; who waits is told why. */
  stop(why: Error): void {
    this.stopped = why;
    this.disarm();
    this.tellStopped([...this.served, ...this.waiters]);
  }

  private tellStopped(waiters: readonly Waiter[]): void {
    for (const { reject } of waiters) reject(this.stopped!);
  }

  private arm(ms: number): void {
    if (this.stopped) return;
    const { clock } = this.options;
    this.timer = clock.setTimeout(() => {
      this.timer = undefined;
      // Moving the timer at each request would cost more than the request.
      const restMs = this.due - clock.elapsed();
      if (restMs > 0) this.arm(restMs);
      else this.start();
    }, ms);
  }

  private disarm(): void {
    if (this.timer === undefined) return;
    this.options.clock.clearTimeout(this.timer);
    this.timer = undefined;
  }

  private start(): void {
    if (this.running) return;
    this.disarm();
    this.running = this.run();
  }

  private async run(): Promise<void> {
    // A microtask later, so that all flushes of this turn are in.
    await undefined;
    this.served = this.waiters;
    this.waiters = [];
    this.wanted = false;
    try {
      await this.options.write(this.served.length > 0);
    } catch (error) {
      this.running = undefined;
      this.wanted = true;
      this.lastError = error;
      if (this.stopped) return;
      this.waiters = [...this.served.filter((waiter) => !waiter.gone), ...this.waiters];
      const { delayMs, retryMsMin, retryMsMax } = this.options;
      const retryInMs = Math.min(retryMsMax, Math.max(delayMs, retryMsMin) * 2 ** this.failures++);
      const forced = this.served.length > 0;
      this.served = [];
      // Armed first: who hears of the failure may ask for a flush.
      this.arm(retryInMs);
      this.options.failed(error, forced, retryInMs);
      return;
    }
    this.running = undefined;
    this.failures = 0;
    for (const waiter of this.served) waiter.resolve();
    this.served = [];
    if (this.stopped) return;
    if (this.waiters.length > 0) this.start();
    else if (this.wanted) this.arm(this.options.delayMs);
  }
}
