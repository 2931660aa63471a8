// A program that streams steps into a store until it is killed, and keeps a trace of what it did and of what it was told is durable.
import { fsBackend } from '../../../backends/fs';
import type { Backend } from '../../../src/backend';
import { openVenue } from '../../../src/node';
import { lastStep, takeStep } from '../steps';
import { openTrace } from '../trace';

export interface StreamerOptions {
  store: string;
  trace: string;
  /** How many lives this store has had. */
  life: number;
  /** Flushes every so many steps; without, only sweeps make anything durable. */
  flushEvery?: number;
  /** Makes one checkpoint after the other meanwhile. */
  checkpoints?: boolean;
  /** Kills itself in the very turn in which it is told for the nth time that something is durable. */
  diesAtReport?: number;
  /** Traces appends and a timer of its own beside the sweep's. The identity is this seed then. */
  watchedWithSeed?: string;
}

const options = JSON.parse(process.argv[2]!) as StreamerOptions;
const trace = openTrace(options.trace);
const sweepMs = 100;

/** A backend that says when an append is on its way. */
function watched(backend: Backend): Backend {
  const append = backend.append.bind(backend);
  backend.append = async (commit, at, durability) => {
    trace('append');
    try {
      await append(commit, at, durability);
    } finally {
      trace('appended');
    }
  };
  return backend;
}

let reports = 0;
function durable(n: number): void {
  trace('durable', n);
  if (++reports === options.diesAtReport) process.kill(process.pid, 'SIGKILL');
}

trace('opening');
process.send!('opening');
const venue = await openVenue(
  options.watchedWithSeed
    ? { store: watched(fsBackend(options.store)), seed: options.watchedWithSeed, sweepMs }
    : { store: options.store, sweepMs },
);
const { status, recovery } = venue.health();
trace('opened', { last: lastStep(venue), did: venue.did, status, recovery });
venue.on('sweep', () => {
  trace('sweep');
  durable(lastStep(venue.root));
});

let n = lastStep(venue);
function burst(): void {
  for (let left = 1 + ((n * 7) % 6); left > 0; left--) {
    n++;
    trace('step', n);
    takeStep(venue, n, options.life);
    const flushed = n;
    if (options.flushEvery && n % options.flushEvery === 0) void venue.flush().then(() => durable(flushed));
  }
  setTimeout(burst, 1);
}
burst();
process.send!('streaming');

if (options.watchedWithSeed) setInterval(() => trace('tick'), sweepMs);
while (options.checkpoints) {
  trace('checkpoint');
  await venue.checkpoint();
  trace('checkpointed');
}
