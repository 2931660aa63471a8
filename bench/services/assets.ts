// node scripts/ts.mjs bench/services/assets.ts: put and get of 1 KB, 1 MB and 100 MB beside node:fs on the same disk, and memory while 1 GB is
// streamed. Interleaved rounds, medians; prints tables, and never fails for being slow. ROUNDS=5, MB=1024 for the stream.
import { fork } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { type FileHandle, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openVenue, type Venue } from '../../src/node';
import { type Assets, openAssets } from '../../src/services/assets';
import { median } from '../stats';

const KB = 1024;
const MB = 1024 * KB;
const rounds = Number(process.env.ROUNDS ?? 5);
const streamed = Number(process.env.MB ?? 1024);
/** How many of a size in each round. */
const sizes = [
  { name: '1 KB', bytes: KB, times: 50 },
  { name: '1 MB', bytes: MB, times: 10 },
  { name: '100 MB', bytes: 100 * MB, times: 2 },
] as const;

interface Place {
  readonly folder: string;
  readonly venue: Venue;
  readonly assets: Assets;
}
/** What is compared. A put names what get is to read. */
interface Way {
  readonly name: string;
  put(place: Place, bytes: Uint8Array, n: number): Promise<string>;
  get(place: Place, name: string): Promise<Uint8Array>;
}

async function using<T>(path: string, flag: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flag);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}
const syncFolder = (folder: string) => using(folder, 'r', (file) => file.sync());

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  await using(path, 'w', async (file) => {
    await writeFile(file, bytes);
    await file.sync();
  });
}
async function replaceSynced(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  await writeSynced(join(folder, `${name}.tmp`), bytes);
  await rename(join(folder, `${name}.tmp`), join(folder, name));
  await syncFolder(folder);
}
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const get: Way['get'] = ({ folder }, name) => readFile(join(folder, name));

const ways: Way[] = [
  {
    name: 'writeFile + fsync; readFile',
    async put({ folder }, bytes, n) {
      await writeSynced(join(folder, `plain.${n}`), bytes);
      return `plain.${n}`;
    },
    get,
  },
  {
    name: '+ rename + folder fsync',
    async put({ folder }, bytes, n) {
      await replaceSynced(folder, `whole.${n}`, bytes);
      return `whole.${n}`;
    },
    get,
  },
  {
    name: '+ SHA-256 + a line in an index, fdatasync',
    async put({ folder }, bytes) {
      const hash = hashOf(bytes);
      await replaceSynced(folder, hash, bytes);
      await using(join(folder, 'index'), 'a', async (file) => {
        await file.write(`${hash} ${bytes.length}\n`);
        await file.datasync();
      });
      return hash;
    },
    async get(place, name) {
      const bytes = await get(place, name);
      if (hashOf(bytes) !== name) throw new Error(`bench: ${name} is damaged`);
      return bytes;
    },
  },
  {
    name: 'venue.blobs, without an entry',
    put: async ({ venue }, bytes) => (await venue.blobs.put(bytes, () => undefined)).hash,
    get: async ({ venue }, hash) => (await venue.blobs.get(hash))!,
  },
  {
    name: 'assets',
    put: async ({ assets }, bytes) => (await assets.put(bytes)).hash,
    get: async ({ assets }, hash) => (await assets.get(hash))!,
  },
];

/** Times each way at one size, call by call in turns: whatever else the machine does meets all of them alike. @returns ms by way and call */
async function measure(scratch: string, bytes: Uint8Array, times: number): Promise<Map<string, number[]>> {
  const samples = new Map<string, number[]>();
  const counter = new DataView(bytes.buffer);
  let n = 0;
  for (let round = 0; round <= rounds; round++) {
    const places: (Place & { way: Way; names: string[] })[] = [];
    for (const way of ways) {
      const folder = join(scratch, `${round}.${places.length}`);
      mkdirSync(folder);
      const venue = await openVenue({ store: join(folder, 'store') });
      places.push({ way, names: [], folder, venue, assets: openAssets(venue) });
    }
    const inTurns = async (call: 'put' | 'get', work: (place: (typeof places)[number], i: number) => Promise<void>) => {
      for (let i = 0; i < times; i++)
        for (let turn = 0; turn < places.length; turn++) {
          const place = places[(i + round + turn) % places.length]!;
          const start = performance.now();
          await work(place, i);
          const name = `${call} ${place.way.name}`;
          // The first round warms up.
          if (round > 0) samples.set(name, [...(samples.get(name) ?? []), performance.now() - start]);
        }
    };
    await inTurns('put', async (place, i) => {
      counter.setUint32(0, n++);
      place.names.push(await place.way.put(place, bytes, i));
    });
    await inTurns('get', async (place, i) => {
      const found = await place.way.get(place, place.names[i]!);
      if (found.length !== bytes.length) throw new Error(`bench: ${place.names[i]} is short`);
    });
    for (const { venue, folder } of places) {
      await venue.close();
      rmSync(folder, { recursive: true });
    }
  }
  return samples;
}

/** Streams so many bytes in and out. Its memory is read from outside, so that nothing it does goes unseen. */
async function stream(store: string): Promise<void> {
  const venue = await openVenue({ store });
  const assets = openAssets(venue);
  const piece = randomFillSync(new Uint8Array(64 * KB));
  await assets.put(piece);
  for await (const _ of (await assets.getStream(hashOf(piece)))!);
  globalThis.gc!();
  const start = process.memoryUsage.rss();
  const peak = { put: 0, get: 0 };
  const look = (phase: keyof typeof peak) => {
    peak[phase] = Math.max(peak[phase], process.memoryUsage.rss() - start);
  };
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < (streamed * MB) / piece.length; n++) {
      new DataView(piece.buffer).setUint32(0, n);
      yield piece.slice(); // as a network hands them out
      look('put');
    }
  }
  const times = [performance.now()];
  const { hash } = await assets.put(pieces());
  times.push(performance.now());
  for await (const _ of (await assets.getStream(hash))!) look('get');
  times.push(performance.now());
  await venue.close();
  process.send!({ peak, times });
}

async function main(): Promise<void> {
  const scratch = join(process.cwd(), '.tmp', `bench-assets-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  const text = (n: number) => n.toLocaleString('en', { maximumFractionDigits: n < 10 ? 2 : n < 100 ? 1 : 0 });
  try {
    const tables = [];
    for (const { bytes, times } of sizes)
      tables.push(await measure(scratch, randomFillSync(new Uint8Array(bytes)), times));
    for (const call of ['put', 'get']) {
      console.log(
        `${`${call}, ms (and times the first)`.padEnd(46)}${sizes.map(({ name }) => name.padStart(18)).join('')}`,
      );
      for (const { name } of ways) {
        const cells = tables.map((samples) => {
          const [ms, bar] = [name, ways[0]!.name].map((way) => median(samples.get(`${call} ${way}`)!)) as [
            number,
            number,
          ];
          return `${text(ms)} (${text(ms / bar)}x)`.padStart(18);
        });
        console.log(`${name.padEnd(46)}${cells.join('')}`);
      }
    }
    const { peak, times } = await new Promise<{ peak: { put: number; get: number }; times: number[] }>(
      (resolve, reject) => {
        const child = fork(process.argv[1]!, [join(scratch, 'streamed')], { execArgv: ['--expose-gc'] });
        child.on('message', (told) => resolve(told as never));
        child.on('exit', (code) => reject(new Error(`bench: the stream ended with ${code}`)));
      },
    );
    for (const [i, call] of (['put', 'get'] as const).entries()) {
      const rate = streamed / ((times[i + 1]! - times[i]!) / 1000);
      console.log(
        `${streamed} MB ${call} as a stream: ${text(rate)} MB/s, memory at most ${text(peak[call] / MB)} MB above the start`,
      );
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

const [store] = process.argv.slice(2);
await (store ? stream(store) : main());
