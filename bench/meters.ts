// What is read off the process that measures itself: CPU, I/O, memory, turns of the event loop. Knows no workload.
import { existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { type IntervalHistogram, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

/** Counters of /proc/self/io. `rchar`, `wchar`: taken by read() and handed to write(); `write_bytes`: pages sent to the disk, mapped files included. */
export interface Io {
  readonly rchar: number;
  readonly wchar: number;
  readonly read_bytes: number;
  readonly write_bytes: number;
  readonly syscr: number;
  readonly syscw: number;
}

export function readIo(): Io {
  const text = readFileSync('/proc/self/io', 'latin1');
  const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1]);
  return {
    rchar: field('rchar'),
    wchar: field('wchar'),
    read_bytes: field('read_bytes'),
    write_bytes: field('write_bytes'),
    syscr: field('syscr'),
    syscw: field('syscw'),
  };
}

/** Milliseconds of CPU since the function that this returns was made. All threads: garbage collection and I/O too. */
export function cpuMeter(): () => number {
  const start = process.cpuUsage();
  return () => {
    const used = process.cpuUsage(start);
    return (used.user + used.system) / 1000;
  };
}

/** Event loop delay, ms. The resolution (1 ms) is part of every reading, for every contestant alike. */
export function delayMeter(): { p99(): number; max(): number } {
  const histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  return { p99: () => histogram.percentile(99) / 1e6, max: () => histogram.max / 1e6 };
}

/** Collects what can be collected, so that what is left is held. Needs --expose-gc. */
export async function settle(): Promise<void> {
  const gc = globalThis.gc;
  if (gc === undefined) throw new Error('bench: this measurement needs --expose-gc');
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

const STEADY_BYTES = 500_000;
const TRIES = 40;

export interface Memory {
  /** Live JavaScript heap and what it holds outside itself, bytes. */
  readonly held: number;
  readonly rss: number;
}

/** Read when it has come to rest: something may still be going on behind a promise that has settled. */
export async function readMemory(): Promise<Memory> {
  let before = Number.POSITIVE_INFINITY;
  for (let tries = 0; ; tries++) {
    await settle();
    const { heapUsed, external, rss } = process.memoryUsage();
    const held = heapUsed + external;
    if (Math.abs(held - before) < STEADY_BYTES || tries === TRIES) return { held, rss };
    before = held;
  }
}

/** The highest resident size so far, bytes. */
export const peakRss = (): number => process.resourceUsage().maxRSS * 1024;

export interface Turns {
  readonly worst: number;
  /** The worst after garbage collection and waiting for a core are taken off: what code itself took. */
  readonly worstOwn: number;
  readonly worstGc: number;
  /** Turns whose own time was over 10 ms. */
  readonly over10: number;
}

/** Reads the CPU time of this thread, ms; of the whole process where the kernel does not show a thread's. */
function threadCpu(): () => number {
  const path = `/proc/self/task/${process.pid}/sched`;
  const used = cpuMeter();
  if (!existsSync(path)) return used;
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(1024);
  return () => {
    used(); // asking for the process's makes the kernel bring the thread's up to date
    const text = buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0));
    return Number.parseFloat(text.slice(text.indexOf(':', text.indexOf('sum_exec_runtime')) + 1));
  };
}

/**
 * Times every turn of the event loop from one setImmediate to the next, and takes off what was not the program's doing:
 * pauses for garbage collection, and time without a core (a turn's own time is at most the CPU that its thread used).
 */
export function turnMeter(): { stop(): Promise<Turns> } {
  const pauses: { start: number; end: number }[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      pauses.push({ start: entry.startTime, end: entry.startTime + entry.duration });
  });
  observer.observe({ entryTypes: ['gc'] });
  const turns: { start: number; end: number; cpu: number }[] = [];
  const cpu = threadCpu();
  let running = true;
  let last = performance.now();
  let lastCpu = cpu();
  const step = (): void => {
    const now = performance.now();
    const used = cpu();
    turns.push({ start: last, end: now, cpu: used - lastCpu });
    last = now;
    lastCpu = used;
    if (running) setImmediate(step);
  };
  setImmediate(step);
  return {
    async stop() {
      running = false;
      // Entries of the observer come a turn later.
      await new Promise((resolve) => setTimeout(resolve, 20));
      observer.disconnect();
      let worst = 0;
      let worstOwn = 0;
      let over10 = 0;
      let next = 0;
      for (const turn of turns) {
        const length = turn.end - turn.start;
        let paused = 0;
        for (; next < pauses.length && pauses[next]!.end <= turn.end; next++) {
          const pause = pauses[next]!;
          if (pause.start >= turn.start) paused += pause.end - pause.start;
        }
        const own = Math.min(length - paused, turn.cpu);
        worst = Math.max(worst, length);
        worstOwn = Math.max(worstOwn, own);
        if (own > 10) over10++;
      }
      return { worst, worstOwn, worstGc: Math.max(0, ...pauses.map((pause) => pause.end - pause.start)), over10 };
    },
  };
}
