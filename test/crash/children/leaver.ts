// A program that ends in one of the ways in which programs end, in the middle of its work, and leaves the rest to the library. Keeps a trace of
// what set() took.
import { onExit } from 'signal-exit';
import { type OpenOptions, openVenue } from '../../../src/node';
import { lastStep, takeStep } from '../steps';
import { openTrace } from '../trace';

export interface LeaverOptions {
  store: string;
  trace: string;
  way: keyof typeof ways;
  signals?: boolean;
}

const { store, trace: path, way, signals = true } = JSON.parse(process.argv[2]!) as LeaverOptions;
const trace = openTrace(path);

/** What a program does that has been told nothing of signals: it goes on until set() refuses. */
const stopsWhenClosed = (error: unknown): void => {
  if ((error as { code?: string }).code !== 'closed') throw error;
  trace('refused');
};
const fails = (error: unknown): never => {
  throw error;
};

const ways = {
  /** Streams until it is told to go. */
  streams: () => stream(stopsWhenClosed),
  /** The same, but what set() throws while the venue closes is caught by nobody. */
  streamsCarelessly: () => stream(fails),
  exits: () => stream(fails, (n) => n === 500 && process.exit(3)),
  throws: () =>
    stream(fails, (n) => {
      if (n === 500) throw new Error('out of luck');
    }),
  rejects: () => stream(fails, (n) => void (n === 500 && Promise.reject(new Error('out of luck')))),
  /** Writes once and has nothing more to do. */
  sets: () => step(),
  /** Has flushed and has nothing more to do. */
  async idles() {
    step();
    await venue.flush();
    setImmediate(() => trace('idle', process.getActiveResourcesInfo()));
  },
  /** Was told to go, and says itself when. */
  takesItsTime() {
    process.on('SIGTERM', () => trace('SIGTERM'));
    venue.on('closed', () => {
      // Longer than a signal takes to arrive that this process sends itself.
      setTimeout(() => process.exit(7), 200);
    });
    stream(stopsWhenClosed);
  },
  /** Exits in its own handler, which comes after the library's. */
  exitsWhenTold() {
    process.on('SIGTERM', () => process.exit(7));
    stream(fails);
  },
  /** Has a package that watches signals and leaves the end to others. */
  isWatched() {
    onExit(() => trace('watched'));
    stream(stopsWhenClosed);
  },
  /** Is told again while the venue closes, as by an impatient user. */
  isToldTwice() {
    venue.on('closing', () => process.kill(process.pid, 'SIGINT'));
    stream(stopsWhenClosed);
  },
  /** Two venues; the other one's trace counts. */
  async hasTwo() {
    const other = await open({ store: `${store}.other` });
    stream(stopsWhenClosed);
    other.region('notes').set('n1', 'one');
  },
  /** Streams until it has seen three failures and got over them. */
  outgrows() {
    let times = 0;
    venue.on('recovered', () => ++times === 3 && venue.close());
    stream(stopsWhenClosed);
  },
  async closesTemp() {
    step();
    await venue.close();
  },
};

const open = async (options: OpenOptions) => {
  const venue = await openVenue({ signals, ...options });
  trace('opened', venue.health().target);
  return venue;
};

const venue = await open({ store });
let n = lastStep(venue);

function step(): void {
  takeStep(venue, n + 1, 1);
  n++;
  trace('step', n);
}

function stream(refused: (error: unknown) => void, then?: (n: number) => void): void {
  try {
    for (let left = 5; left > 0; left--) {
      step();
      then?.(n);
    }
  } catch (error) {
    refused(error);
    return;
  }
  setTimeout(() => stream(refused, then), 1);
  if (n >= 100) process.send!('streaming');
}

await ways[way]();
