// set() on the main thread: what a write costs whoever makes it.

import { median } from '../../stats';
import type { Row, Sample } from '../../workload';
import type { Contestant } from '../contestant';
import { openFilled } from '../filled';
import { endOfTurn, quiet } from '../ticker';
import { type Page, peers, type Workload } from '../workload';

const KEYS = 10_000;
const WARM_UP = 4;
const TIMES_FASTER = 5;

async function setOften(contestant: Contestant, page: Page, batches: number, batch: number): Promise<Sample> {
  const store = await openFilled(contestant, page, {}, KEYS);
  const fresh = await page.entries(0, KEYS, 1);
  const calls: number[] = [];
  const turns: number[] = [];
  const empty: number[] = [];
  for (let i = 0; i < WARM_UP + batches; i++) {
    const some = Array.from({ length: batch }, (_, j) => fresh[((i * batch + j) * 7919) % KEYS]!);
    const writes = (): void => {
      for (const [key, note] of some) store.write(key, note);
    };
    await quiet();
    const idle = endOfTurn();
    const before = performance.now();
    while (performance.now() < before + 1);
    const over = performance.now();
    empty.push((await idle) - over);
    const ended = endOfTurn();
    const began = performance.now();
    if (store.group) store.group(writes);
    else writes();
    const called = performance.now();
    calls.push(((called - began) / batch) * 1e6);
    turns.push((((await ended) - began) / batch) * 1e6);
    await store.durable();
  }
  await store.close();
  const call = median(calls.slice(WARM_UP));
  // Noticing the end of a turn takes a little, too; but no turn is shorter than what was called in it.
  return { call, turn: Math.max(call, median(turns.slice(WARM_UP)) - (median(empty) / batch) * 1e6) };
}

export const set: Workload = {
  name: 'set',
  title: 'set() on the main thread, 10,000 keys of 200 B',
  about:
    'Batches of writes to keys that are there, made without waiting; between batches everything becomes durable, which is not counted. "Call" is until the calls ' +
    'have returned, "turn" until the page can do anything else: most peers only make a promise in the call and do their work in its microtasks, in the same turn. ' +
    'TinyBase has a batch in one transaction, since it would save its whole table once for each.',
  columns: [
    { metric: 'turn', title: 'turn, ns a write', digits: 0 },
    { metric: 'call', title: 'of it the call, ns', digits: 0 },
  ],
  async plan({ scale }) {
    const options = scale.quick ? { batches: 4, batch: 100 } : { batches: 12, batch: 200 };
    const row = (name: string, contestant: string): Row => ({ name, contestant, rounds: scale.rounds(3), options });
    return [row('Tidemark', 'tidemark'), ...Object.entries(peers).map(([name, title]) => row(title, name))];
  },
  run: (contestant, page, { batches, batch }) => setOften(contestant, page, batches!, batch!),
  judge(results) {
    const ratios = (metric: 'turn' | 'call') =>
      Object.values(peers).map((name) => ({ name, ratio: results.ratio(name, 'Tidemark', metric).median }));
    const list = (metric: 'turn' | 'call'): string =>
      ratios(metric)
        .map(({ name, ratio }) => `${name} ${ratio.toFixed(1)}x`)
        .join(', ');
    const slower = ratios('turn').filter(({ ratio }) => ratio < TIMES_FASTER);
    return [
      {
        work: 'set() on the main thread, 10k keys',
        goal: `faster than every peer by ${TIMES_FASTER}x or more`,
        measured: `the turn of a write takes ${list('turn')} of ours; of it the call, which may only make a promise: ${list('call')}`,
        reached: slower.length === 0,
        by: slower.map(({ name }) => name).join(', '),
      },
    ];
  },
};
