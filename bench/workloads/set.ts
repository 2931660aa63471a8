// set() as the caller sees it, checks included: 10,000 hot keys, and a million that are inserted and then overwritten.
import type { Contestant, Store } from '../contestant';
import { peers } from '../contestants';
import { makeKey, makeNote, type Note, randomFrom, shuffled } from '../data';
import { startProfile } from '../profile';
import { median } from '../stats';
import { atMost, type Goal, type Results, type Row, type Sample, type Workload } from '../workload';

const HOT_KEYS = 10_000;
// Values are made just before they are set, as a program does, and the making is not timed: a batch of them stays in
// the cache of a core.
const BATCH = 1000;
const BATCHES_PER_FLUSH = 10;

/** Writes `order` of the keys. @returns nanoseconds a write: the mean, and the median of batches, which leaves out most garbage collection. */
async function timeWrites(
  contestant: Contestant,
  store: Store,
  keys: readonly string[],
  order: Uint32Array,
  round: number,
): Promise<{ mean: number; usual: number }> {
  const batches: number[] = [];
  for (let from = 0, batch = 1; from < order.length; from += BATCH, batch++) {
    const notes: Note[] = [];
    const to = Math.min(order.length, from + BATCH);
    for (let i = from; i < to; i++) notes.push(makeNote(order[i]!, round));
    const start = performance.now();
    for (let i = from; i < to; i++) store.write(keys[order[i]!]!, notes[i - from]!);
    if (!contestant.readBack) await store.durable();
    batches.push(((performance.now() - start) * 1e6) / (to - from));
    if (batch % BATCHES_PER_FLUSH === 0 && contestant.incremental) await store.durable();
  }
  return { mean: batches.reduce((sum, ns) => sum + ns, 0) / batches.length, usual: median(batches) };
}

async function hot(contestant: Contestant, folder: string, writes: number): Promise<Sample> {
  const store = await contestant.open(folder, { delayMs: 0 });
  const random = randomFrom(1);
  const keys = Array.from({ length: HOT_KEYS }, (_, i) => makeKey(i));
  const draw = (n: number): Uint32Array => Uint32Array.from({ length: n }, () => Math.floor(random() * HOT_KEYS));
  await timeWrites(contestant, store, keys, shuffled(HOT_KEYS, random), 0);
  await timeWrites(contestant, store, keys, draw(Math.min(writes, 10 * HOT_KEYS)), 1);
  const order = draw(writes);
  const stopProfile = startProfile();
  const { mean, usual } = await timeWrites(contestant, store, keys, order, 2);
  stopProfile();
  await store.close();
  return { hot: mean, usual };
}

async function large(contestant: Contestant, folder: string, size: number): Promise<Sample> {
  const store = await contestant.open(folder, { delayMs: 0 });
  const random = randomFrom(2);
  const keys = Array.from({ length: size }, (_, i) => makeKey(i));
  const stopProfile = startProfile();
  const first = await timeWrites(contestant, store, keys, shuffled(size, random), 0);
  const again = await timeWrites(contestant, store, keys, shuffled(size, random), 1);
  stopProfile();
  await store.close();
  return { first: first.mean, firstUsual: first.usual, again: again.mean, againUsual: again.usual };
}

const contestants = ['map', 'tidemark'];
const peerNames = peers.map((peer) => peer.name);

export const setHot: Workload = {
  name: 'set',
  title: 'set(), 10,000 hot keys',
  about:
    'Nanoseconds a write, over 200 B records, in random order over keys that exist. Between batches of 10,000, untimed, what writes incrementally is made durable, and the Map turns as much into text; ' +
    'lowdb writes by assigning to a bare object; level and hypercore cannot be read back at once, so their time includes the wait for a batch of 1,000.',
  columns: [
    { metric: 'hot', title: 'mean, ns', digits: 0 },
    { metric: 'usual', title: 'median batch, ns', digits: 0 },
  ],
  async plan({ scale }) {
    const row = (name: string, rounds: number, writes: number): Row => ({
      name,
      contestant: name,
      rounds,
      options: { writes },
    });
    return [
      ...contestants.map((name) => row(name, scale.rounds(5), scale.quick ? 200_000 : 1_000_000)),
      ...peerNames.map((name) => row(name, scale.rounds(3), scale.quick ? 50_000 : 200_000)),
    ];
  },
  run: (contestant, folder, { writes }) => hot(contestant, folder, writes!),
  judge: (results) => [
    atMost(work, goalOfMap, '10k hot keys', results.ratio('tidemark', 'map', 'hot'), 3),
    fasterThanPeers(results, 'hot', '10k hot keys'),
  ],
};

export const setLarge: Workload = {
  name: 'set-large',
  title: 'set(), a million keys',
  about: 'As above: every key inserted once in random order, then every key overwritten once in another random order.',
  columns: [
    { metric: 'first', title: 'insert, mean ns', digits: 0 },
    { metric: 'firstUsual', title: 'median batch', digits: 0 },
    { metric: 'again', title: 'overwrite, mean ns', digits: 0 },
    { metric: 'againUsual', title: 'median batch', digits: 0 },
  ],
  async plan({ scale }) {
    const row = (name: string, rounds: number): Row => ({
      name,
      contestant: name,
      rounds,
      options: { size: scale.many },
    });
    // Hypercore and level are asynchronous, and inside a transaction SQLite is the same either way: the table above is enough.
    return [
      ...contestants.map((name) => row(name, scale.rounds(3))),
      ...peers.filter((peer) => peer.readBack && peer.name !== 'sqlite-normal').map((peer) => row(peer.name, 1)),
    ];
  },
  run: (contestant, folder, { size }) => large(contestant, folder, size!),
  judge: (results) =>
    (['first', 'again'] as const).flatMap((metric) => {
      const what = metric === 'first' ? '1M keys, inserted' : '1M keys, overwritten';
      return [
        atMost(work, goalOfMap, what, results.ratio('tidemark', 'map', metric), 3),
        fasterThanPeers(results, metric, what),
      ];
    }),
};

const work = 'set() as the caller sees it';
const goalOfMap = 'at most 3x a bare Map.set of a fresh entry';

function fasterThanPeers(results: Results, metric: string, what: string): Goal {
  const mine = results.median('tidemark', metric);
  const rivals = peers.filter((peer) => peer.readBack && results.has(peer.name));
  const faster = rivals.filter((peer) => results.median(peer.name, metric) <= mine);
  const next = rivals
    .map((peer) => ({ name: peer.name, ratio: results.median(peer.name, metric) / mine }))
    .sort((a, b) => a.ratio - b.ratio)
    .map(({ name, ratio }) => `${name} ${ratio.toFixed(1)}x`);
  return {
    work,
    goal: "faster than every peer's write that can be read back at once",
    measured: `${what}: a write takes ${next.join(', ')} of ours`,
    reached: faster.length === 0,
    ...(faster.length > 0 && { by: faster.map((peer) => peer.title).join(', ') }),
  };
}
