// Opening a large store: to the first read, and on until every value was read; and what that leaves in memory.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from '../contestant';
import { makeKey, makeNote, randomFrom, shuffled, touch } from '../data';
import { peakRss, readMemory } from '../meters';
import { startProfile } from '../profile';
import { openNotes } from '../tidemark';
import { atMost, type Goal, type Options, type Results, type Row, type Sample, type Workload } from '../workload';

const MB = 1e6;
const PER_FLUSH = 20_000;

/** Fills a store. `size` records exist already when `more` of them are written: half over old ones, half new. */
async function fill(contestant: Contestant, folder: string, { size, more }: Options): Promise<Sample> {
  if (contestant.name === 'tidemark') return fillTidemark(folder, size!, more!);
  const store = await contestant.open(folder, { delayMs: 0 });
  // In key order, which suits every tree best and takes the least time.
  const keys = Array.from({ length: size! }, (_, i) => ({ key: makeKey(i), i })).sort((a, b) =>
    a.key < b.key ? -1 : 1,
  );
  for (const [nth, { key, i }] of keys.entries()) {
    store.write(key, makeNote(i));
    if (contestant.incremental && nth % PER_FLUSH === 0) await store.durable();
  }
  await store.durable();
  await store.close();
  return {};
}

async function fillTidemark(folder: string, size: number, more: number): Promise<Sample> {
  const { venue, notes } = await openNotes(folder);
  // The values are the same after the further writes, so that every store holds the same records.
  const entries = more === 0 ? size : more;
  for (let i = 0; i < entries; i++) {
    const record = more === 0 ? i : i % 2 === 0 ? size + i / 2 : (i * 7919) % size;
    notes.set(makeKey(record), makeNote(record));
    if (i % PER_FLUSH === 0) await venue.flush();
  }
  await venue.flush();
  if (more === 0) await venue.checkpoint();
  await venue.close();
  return {};
}

/** So that the disk is not measured: the same for every contestant, whose files were written a while ago. */
function warmFiles(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    const path = join(folder, name);
    if (statSync(path).isFile()) readFileSync(path);
  }
}

async function openAndRead(contestant: Contestant, folder: string, { size, byKey }: Options): Promise<Sample> {
  warmFiles(folder);
  const random = randomFrom(4);
  const order = byKey ? shuffled(size!, random) : new Uint32Array(0);
  const keys = Array.from(order, (i) => makeKey(i));
  const middle = makeKey(size! >> 1);
  const empty = await readMemory();

  const stopProfile = startProfile();
  const start = performance.now();
  const store = await contestant.open(folder, { delayMs: 0 });
  const opened = performance.now();
  let sum = touch(store.read(middle)!);
  const first = performance.now();
  if (!byKey) stopProfile();
  const fresh = await readMemory();

  const reading = performance.now();
  sum = 0;
  let count = 0;
  if (byKey) {
    for (const key of keys) {
      sum += touch(store.read(key)!);
      count++;
    }
  } else {
    await store.each((note) => {
      sum += touch(note);
      count++;
    });
  }
  const read = performance.now();
  if (byKey) stopProfile();
  const all = await readMemory();
  await store.close();
  return {
    toFirst: first - start,
    firstGet: first - opened,
    readAll: read - reading,
    total: first - start + read - reading,
    heldFresh: (fresh.held - empty.held) / MB,
    rssFresh: fresh.rss / MB,
    rssAll: all.rss / MB,
    peak: peakRss() / MB,
    count,
    sum,
  };
}

const limit = 'json';
const plain = 'tidemark';
const withLog = 'tidemark, 100k more in the log';
const byKey = (row: string): string => `${row}, get() by key`;

const contestants = ['json', 'json-lines', 'tidemark', 'sqlite-full', 'lmdb', 'level', 'lowdb'];

export const open: Workload = {
  name: 'open',
  title: 'Opening a million records of 200 B (page cache warm), then reading every value',
  about:
    'Tidemark verifies every digest and signature on opening; no peer does. SQLite, lmdb and level read lazily and keep nothing decoded. "Iterate" visits every value in the store\'s own order, "get() by key" asks for each key in random order. ' +
    'Memory is what is left after garbage collection: before the first value but one is read, after all are. A bare Node process takes about 50 MB. TinyBase has a tenth of the records, since a full state takes it a minute.',
  columns: [
    { metric: 'toFirst', title: 'to first get(), ms', digits: 0 },
    { metric: 'firstGet', title: 'of it the get(), ms', digits: 1 },
    { metric: 'readAll', title: 'then all, ms', digits: 0 },
    { metric: 'total', title: 'open + all, ms', digits: 0 },
    { metric: 'rssFresh', title: 'RSS before, MB', digits: 0 },
    { metric: 'rssAll', title: 'RSS after, MB', digits: 0 },
    { metric: 'peak', title: 'peak, MB', digits: 0 },
  ],
  async plan(lab) {
    const { scale } = lab;
    const size = scale.many;
    const more = size / 10;
    for (const name of contestants) await lab.prepare(name, 'open', name, { fill: 1, size, more: 0 });
    await lab.prepare('tinybase', 'open', 'tinybase', { fill: 1, size: size / 10, more: 0 });
    await lab.prepare(withLog, 'open', plain, { fill: 1, size, more }, plain);
    const row = (name: string, contestant: string, prepared: string, rounds: number, options: Options): Row => ({
      name,
      contestant,
      rounds,
      prepared,
      options,
    });
    const both = (name: string, contestant: string, prepared: string, rounds: number, records = size): Row[] => [
      row(name, contestant, prepared, rounds, { size: records, byKey: 0 }),
      row(byKey(name), contestant, prepared, rounds, { size: records, byKey: 1 }),
    ];
    return [
      ...['json', 'tidemark'].flatMap((name) => both(name, name, name, scale.rounds(3))),
      row('json-lines', 'json-lines', 'json-lines', scale.rounds(3), { size, byKey: 0 }),
      row(withLog, plain, withLog, scale.rounds(3), { size: size + more / 2, byKey: 0 }),
      ...['sqlite-full', 'lmdb', 'level'].flatMap((name) => both(name, name, name, 1)),
      row('lowdb', 'lowdb', 'lowdb', 1, { size, byKey: 0 }),
      row('tinybase, a tenth', 'tinybase', 'tinybase', 1, { size: size / 10, byKey: 0 }),
    ];
  },
  run: (contestant, folder, options) =>
    options.fill ? fill(contestant, folder, options) : openAndRead(contestant, folder, options),
  judge(results) {
    const against = (row: string, metric: string, over: string, overMetric = metric) =>
      results.ratio(row, over, metric, overMetric);
    const first = 'open 1M entries after a checkpoint, verified, to first get()';
    const all = 'open and then read every value';
    const whole = 'at most 1x of read + JSON.parse into a Map';
    return [
      atMost(
        first,
        'at most a quarter of reading and JSON.parsing it into a Map',
        'to first get()',
        against(plain, 'toFirst', limit),
        0.25,
      ),
      atMost(
        first,
        'the same with 100k entries still in the log: at most half',
        'to first get()',
        against(withLog, 'toFirst', limit),
        0.5,
      ),
      atMost(all, whole, 'by iteration', against(plain, 'total', limit), 1),
      atMost(all, whole, 'by get() on each key', against(byKey(plain), 'total', byKey(limit)), 1),
      fewerMegabytes(results, all, plain, limit),
      fewerMegabytes(results, all, byKey(plain), byKey(limit)),
    ];
  },
};

function fewerMegabytes(results: Results, work: string, mine: string, theirs: string): Goal {
  const ours = results.median(mine, 'rssAll');
  const limits = results.median(theirs, 'rssAll');
  return {
    work,
    goal: 'fewer MB resident',
    measured: `${mine}: ${ours.toFixed(0)} MB, JSON ${limits.toFixed(0)} MB`,
    reached: ours < limits,
    ...(ours >= limits && { by: `${(ours - limits).toFixed(0)} MB more` }),
  };
}
