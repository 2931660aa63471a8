// Small stores to be damaged: made through the venue's face with a fixed seed, fixed chance and fixed clock, so that every byte of them is the
// same in each run, and left as a killed process leaves them. Knows what was written, and nothing of damage.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fsBackend } from '../../backends/fs';
import type { Clock, Logger } from '../../src/base/seams';
import { nodeCrypto } from '../../src/platform/node-crypto';
import { open, type Venue } from '../../src/venue';
import { Random } from '../simulator/random';

/** Files by their path: `venue.key`, and those of the store as `venue.etch/NAME`. */
export type Files = Map<string, Buffer>;

/** By region and key, as `region/key`. */
export type State = Map<string, unknown>;

export interface Base {
  readonly name: string;
  readonly files: Files;
  /** What it holds. */
  readonly state: State;
  /** Every value that was ever written, by region and key. */
  readonly written: Map<string, unknown[]>;
}

export const storeName = 'venue.etch';
export const keyName = 'venue.key';
export const silent: Logger = { info() {}, warn() {}, error() {} };

export const seed = new Uint8Array(32).fill(7);
export const otherSeed = new Uint8Array(32).fill(8);

type Write = [region: string, key: string, value?: unknown];
/** One opening: commits, each with its writes, and checkpoints between them. */
type Opening = (Write[] | 'checkpoint')[];

interface Plan {
  readonly name: string;
  readonly seed: Uint8Array<ArrayBuffer>;
  /** Chance differs, and so do the venue and its writers. */
  readonly chance: number;
  /** Values tell whose they are. */
  readonly mark: string;
  readonly openings: (value: (n: number) => unknown) => Opening[];
}

/** Each opening is another process, and all of them have ended without closing. */
async function make({ name, seed, chance, mark, openings }: Plan): Promise<Base> {
  const root = await mkdtemp(join(tmpdir(), 'tidemark-base-'));
  const store = join(root, storeName);
  const random = new Random(chance);
  const crypto = { ...nodeCrypto, randomBytes: (length: number) => random.bytes(length) };
  const written = new Map<string, unknown[]>();
  const plan = openings((n) => ({ by: mark, n, text: 'abcdefgh'.repeat(1 + (n % 4)) }));
  let state: State = new Map();
  for (const [i, steps] of plan.entries()) {
    const processes = { self: () => ({ pid: i + 1, start: `${i}`, host: 'base' }), isAlive: () => false };
    const backend = fsBackend(store, { processes });
    const venue = await open({}, { backend, clock: tickingClock(i), crypto, logger: silent, freeze: false, seed });
    for (const step of steps) {
      if (step === 'checkpoint') await venue.checkpoint();
      else {
        for (const write of step) apply(venue, written, write);
        await venue.flush();
      }
    }
    state = stateOf(venue);
    await venue.close();
  }
  const files = await readFiles(root);
  files.set(`${storeName}/LOCK`, Buffer.from(lockOfTheDead));
  files.set(keyName, Buffer.from(`${Buffer.from(seed).toString('hex')}\n`));
  await rm(root, { recursive: true });
  return { name, files, state, written };
}

/** What a killed process leaves: LOCK. No pid is that high, and the nonce is fixed. */
const lockOfTheDead = `${JSON.stringify({
  pid: 2 ** 22 + 1,
  start: '4242',
  host: hostname(),
  nonce: '0123456789abcdef'.repeat(2),
  since: '2026-01-15T09:30:00.000Z',
})}\n`;

function apply(venue: Venue, written: Base['written'], [name, key, value]: Write): void {
  const region = venue.region(name, regionOptions[name]);
  if (value === undefined) region.delete(key);
  else {
    region.set(key, value);
    const place = `${name}/${key}`;
    written.set(place, [...(written.get(place) ?? []), value]);
  }
}

const regionOptions: Record<string, { join: 'max' }> = { scores: { join: 'max' } };

/** A second later with every look: no two writes have one time. */
function tickingClock(opening: number): Clock {
  let now = Date.UTC(2026, 0, 15, 9 + opening);
  return {
    now: () => {
      now += 1000;
      return now;
    },
    elapsed: () => 0,
    setTimeout: (callback, ms) => setTimeout(callback, ms),
    clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
    nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

/** All that a venue shows. */
export function stateOf(venue: Venue): State {
  return new Map(
    venue.regions.flatMap((name) =>
      [...venue.region(name)].map(([key, value]) => [`${name}/${key}`, value] as [string, unknown]),
    ),
  );
}

/** Every file below a folder; folders only through their files. */
export async function readFiles(root: string): Promise<Files> {
  const files: Files = new Map();
  for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(path.slice(root.length + 1), await readFile(path));
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const logOnly: Plan['openings'] = (value) => [
  [
    [
      ['notes', 'first', value(1)],
      ['notes', 'often', value(2)],
    ],
    [
      ['notes', 'often', value(3)],
      ['jobs', 'gone', value(4)],
    ],
    [
      ['notes', 'third', value(5)],
      ['jobs', 'gone'],
      ['scores', 'best', 12],
    ],
    [['notes', 'often', value(6)]],
  ],
  [
    [
      ['jobs', 'second writer', value(7)],
      ['scores', 'best', 10],
    ],
    [
      ['notes', 'third', value(8)],
      ['notes', 'last', value(9)],
    ],
  ],
];

const oneCheckpoint: Plan['openings'] = (value) => [
  [
    [
      ['notes', 'first', value(1)],
      ['notes', 'often', value(2)],
      ['jobs', 'gone', value(3)],
    ],
    [
      ['jobs', 'stays', value(4)],
      ['jobs', 'gone'],
      ['agents', 'a', value(5)],
    ],
    'checkpoint',
    [['notes', 'often', value(6)]],
    [['notes', 'after', value(7)]],
  ],
  [
    [['jobs', 'late', value(8)]],
    [
      ['jobs', 'stays'],
      ['notes', 'after', value(9)],
    ],
  ],
];

const twoCheckpoints: Plan['openings'] = (value) => [
  [
    [
      ['notes', 'first', value(1)],
      ['jobs', 'old', value(2)],
      ['agents', 'a', value(3)],
    ],
    [['notes', 'often', value(4)]],
    'checkpoint',
    [['notes', 'often', value(5)]],
  ],
  [
    [
      ['jobs', 'middle', value(6)],
      ['agents', 'b', value(7)],
    ],
    [
      ['jobs', 'old'],
      ['notes', 'n', value(8)],
    ],
    'checkpoint',
    [['notes', 'often', value(9)]],
    [['jobs', 'middle', value(10)]],
  ],
  [
    [['agents', 'c', value(11)]],
    [
      ['notes', 'n'],
      ['agents', 'c', value(12)],
    ],
  ],
];

const tagged: Plan['openings'] = () => [
  [
    [
      ['notes', 'bytes', Uint8Array.from({ length: 40 }, (_, i) => 6 * i)],
      ['notes', 'date', { at: new Date(1_700_000_000_000), not: new Date(Number.NaN) }],
      ['notes', 'ключ 🌊', 'šó "quoted"\n\\'],
    ],
    [
      [
        'notes',
        'map',
        new Map<unknown, unknown>([
          ['a', 1n],
          [2, new Set([3, 'x'])],
        ]),
      ],
      ['scores', 'best', -0],
      ['notes', 'date', { $: ['date', 5] }],
    ],
    'checkpoint',
    [['notes', 'numbers', [Number.NaN, Number.NEGATIVE_INFINITY, 2n ** 70n, null, { deep: [{ $: 1 }] }]]],
    [
      ['scores', 'best', 3.5],
      ['notes', 'bytes', new Uint8Array([255])],
    ],
  ],
];

const plans: readonly Pick<Plan, 'name' | 'openings'>[] = [
  { name: 'logs alone', openings: logOnly },
  { name: 'a checkpoint', openings: oneCheckpoint },
  { name: 'two checkpoints', openings: twoCheckpoints },
  { name: 'tagged values', openings: tagged },
];

/** The stores to be damaged. */
export const makeBases = (): Promise<Base[]> =>
  Promise.all(plans.map((plan, i) => make({ ...plan, seed, chance: 100 + i, mark: 'ours' })));

/** Stores with the same files that are not ours: of another key, and of our key but another venue. */
export async function makeStrangers(): Promise<{ otherKey: Base[]; otherVenue: Base[] }> {
  const stranger = (key: Uint8Array<ArrayBuffer>, mark: string, chance: number) =>
    Promise.all(plans.map((plan, i) => make({ ...plan, seed: key, chance: chance + i, mark })));
  return { otherKey: await stranger(otherSeed, 'theirs', 200), otherVenue: await stranger(seed, 'another', 300) };
}
