// flush() of one small write: how long until one record of 200 B is durable, the event loop free meanwhile.
import type { Contestant } from '../contestant';
import { peers } from '../contestants';
import { makeKey, makeNote } from '../data';
import { readIo } from '../meters';
import { startProfile } from '../profile';
import { quantile } from '../stats';
import { atMost, type Row, type Sample, type Workload } from '../workload';

const KEYS = 10_000;
const WARM_UP = 200;
const LONGEST_MS = 3000;

async function flushOften(contestant: Contestant, folder: string, flushes: number): Promise<Sample> {
  const store = await contestant.open(folder, { delayMs: 0 });
  for (let i = 0; i < KEYS; i++) store.write(makeKey(i), makeNote(i));
  await store.durable();
  const times: number[] = [];
  const once = async (i: number): Promise<void> => {
    const key = makeKey((i * 7919) % KEYS);
    const note = makeNote(i, 1);
    const start = performance.now();
    store.write(key, note);
    await store.durable();
    times.push(performance.now() - start);
  };
  const started = performance.now();
  const inTime = (): boolean => performance.now() - started < LONGEST_MS;
  for (let i = 0; i < Math.min(WARM_UP, flushes) && inTime(); i++) await once(i);
  times.length = 0;
  const stopProfile = startProfile();
  const before = readIo();
  for (let i = 0; i < flushes && (inTime() || times.length < 10); i++) await once(i);
  const bytes = readIo().wchar - before.wchar;
  stopProfile();
  await store.close();
  return { median: quantile(times, 0.5), p99: quantile(times, 0.99), bytes: bytes / times.length };
}

const work = 'flush() of one small write';

export const flush: Workload = {
  name: 'flush',
  title: 'flush() of one record of 200 B',
  about:
    'In a state of 10,000 records, one after the other. The limit appends as many bytes as our commit line has and syncs them, with callbacks as we do. ' +
    'SQLite syncs in the middle of the turn: the event loop stands still meanwhile.',
  columns: [
    { metric: 'median', title: 'median, ms', digits: 3 },
    { metric: 'p99', title: 'p99, ms', digits: 2 },
    { metric: 'bytes', title: 'handed to write(), B', digits: 0 },
  ],
  async plan(lab) {
    const { scale } = lab;
    const { bytes } = await lab.probe('flush', 'tidemark', { flushes: 300 });
    const row = (name: string, rounds: number, flushes: number): Row => ({
      name,
      contestant: name,
      rounds,
      options: { flushes, bytes: Math.round(bytes!) },
    });
    return [
      ...['raw', 'tidemark'].map((name) => row(name, scale.rounds(7), scale.quick ? 500 : 2000)),
      ...peers.map((peer) => row(peer.name, scale.rounds(3), scale.quick ? 30 : 500)),
    ];
  },
  run: (contestant, folder, { flushes }) => flushOften(contestant, folder, flushes!),
  judge: (results) =>
    (['median', 'p99'] as const).map((metric) =>
      atMost(
        work,
        'at most 1.5x raw append + fdatasync, median and p99',
        metric,
        results.ratio('tidemark', 'raw', metric),
        1.5,
      ),
    ),
};
