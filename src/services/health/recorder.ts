// Remembers what a venue told: its last events and failures for diagnostics, how long sweeps took for metrics. One for each venue, begun by
// whoever asks first, and gone with it. Keeps numbers and words of Tidemark's own, never an error or a message.
import type { Venue } from '../../venue';
import { plainCode } from './redacted';

/** So many events, and so many failures, are kept. */
const keptMax = 100;
/** Upper bounds, in seconds: from an append to a fast disk up to the longest pause between retries. */
export const boundsSeconds: readonly number[] = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 5];

/** All events but `unsaved`, which says nothing that a sweep does not. */
const names = [
  'sweep',
  'flush',
  'failure',
  'recovered',
  'checkpoint',
  'joined',
  'evicted',
  'rolledBack',
  'leaving',
  'returned',
  'closing',
  'closed',
] as const;
/** Of what an event says in words, what is Tidemark's own. */
const words = new Set(['reason', 'code', 'writer']);

export interface RecordedEvent {
  /** ISO 8601, by the venue's clock. */
  at: string;
  event: (typeof names)[number];
  /** Numbers, flags, and `reason`, `code` and `writer`, as the event has them. */
  [fact: string]: string | number | boolean;
}

/** Events of what takes time. */
export const timed = ['sweep', 'flush', 'checkpoint'] as const;

export class Recorder {
  readonly since: string;
  /** Oldest first. */
  readonly events: RecordedEvent[] = [];
  readonly errors: RecordedEvent[] = [];
  private readonly totals: Record<string, number> = {};
  private measuring = false;

  constructor(private readonly venue: Venue) {
    this.since = this.now();
    for (const name of names) venue.on(name, (event) => this.keep(name, event));
  }

  /** How many there were of an event (`sweep`), how much of a number in it (`sweep.bytes`), how many within a bound (`sweep<=0.02`). */
  total(of: string): number {
    return this.totals[of] ?? 0;
  }

  /** Has the venue look how large its store is, for the next look at health. Is not waited for: the store may hang. */
  measure(): void {
    if (this.measuring) return;
    this.measuring = true;
    const done = () => {
      this.measuring = false;
    };
    this.venue.usage().then(done, done);
  }

  private now(): string {
    return new Date(this.venue.clock.now()).toISOString();
  }

  private keep(event: RecordedEvent['event'], said: object | undefined): void {
    const facts: RecordedEvent = { at: this.now(), event };
    this.count(event, 1);
    for (const [name, fact] of Object.entries(said ?? {})) {
      if (typeof fact === 'number' || typeof fact === 'boolean') facts[name] = fact;
      else if (typeof fact === 'string' && words.has(name)) facts[name] = plainCode(fact);
      if (typeof fact !== 'number') continue;
      this.count(`${event}.${name}`, fact);
      if (name === 'tookMs')
        for (const bound of boundsSeconds) if (fact <= bound * 1000) this.count(`${event}<=${bound}`, 1);
    }
    for (const list of event === 'failure' ? [this.events, this.errors] : [this.events]) {
      list.push(facts);
      if (list.length > keptMax) list.shift();
    }
  }

  private count(what: string, much: number): void {
    this.totals[what] = this.total(what) + much;
  }
}

const recorders = new WeakMap<Venue, Recorder>();

export function recorderOf(venue: Venue): Recorder {
  let recorder = recorders.get(venue);
  if (!recorder) {
    recorder = new Recorder(venue);
    recorders.set(venue, recorder);
  }
  return recorder;
}
