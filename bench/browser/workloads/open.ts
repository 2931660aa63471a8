// Opening what is stored, on a fresh page, to the first value.
import { atMost, type Goal, type Row, type Sample } from '../../workload';
import type { Contestant } from '../contestant';
import { openFilled } from '../filled';
import { quiet } from '../ticker';
import { type Page, peers, type Workload } from '../workload';

const RAW_RATIO_MAX = 1.5;
/** Entries that a busy page writes between two sweeps. */
const SWEEP = 1000;
/** They read one value without the others; what they need to have them all is another row. */
const readOne = ['idb-keyval', 'dexie', 'localforage'];

async function fill(contestant: Contestant, page: Page, options: Row['options']): Promise<Sample> {
  await (await openFilled(contestant, page, options, options.size!)).close();
  return {};
}

/** Nothing is closed: the page goes, as pages do. */
async function openAndRead(contestant: Contestant, page: Page, options: Row['options']): Promise<Sample> {
  const [[key] = ['']] = await page.entries(options.size! >> 1, 1, 0);
  await quiet();
  const began = performance.now();
  const store = await contestant.open(page.database, options);
  const opened = performance.now();
  const value = options.all ? (await store.readAll!()).get(key) : await store.read(key);
  const read = performance.now();
  if (value === undefined) throw new Error(`${page.database} has no ${key}`);
  return { toFirst: read - began, get: read - opened };
}

const rowName = (name: string, size: number): string => `${size / 1000}k: ${name}`;

export const open: Workload = {
  name: 'open',
  title: 'Opening 10,000 and 100,000 entries of 200 B to the first get()',
  about:
    'A fresh load of the page for each, the database there and its files in the page cache; the page before it went without closing anything. Tidemark once with all in a checkpoint and ' +
    'once as 1,000 entries a sweep leave it: 10,000 all in the log, of 100,000 as many in a checkpoint as it has made by itself. The raw get is the JSON text of the same entries as one record, opened and got and not looked at. ' +
    'idb-keyval, Dexie and localForage can read one value without the others, asynchronously, which is another thing than state in memory: they have a row for that and one for everything into a Map.',
  columns: [
    { metric: 'toFirst', title: 'to first get(), ms', digits: 1 },
    { metric: 'get', title: 'of it the get(), ms', digits: 1 },
  ],
  async plan(lab) {
    const { scale } = lab;
    const rows: Row[] = [];
    for (const size of scale.quick ? [10_000] : [10_000, 100_000]) {
      const add = async (name: string, contestant: string, options: Row['options'] = {}, kind = ''): Promise<void> => {
        const prepared = `open-${size}-${contestant}${kind}`;
        await lab.prepare(prepared, 'open', contestant, { size, fill: 1, ...options });
        const rounds = scale.quick ? 3 : 5;
        rows.push({ name: rowName(name, size), contestant, rounds, options: { size, ...options }, prepared });
      };
      await add('Tidemark, checkpoint', 'tidemark', { checkpoint: 1 }, '-checkpoint');
      await add('Tidemark, as written', 'tidemark', { atOnce: SWEEP }, '-written');
      await add('raw get of one record', 'raw-get');
      await add('raw getAll of parts of 32 KiB', 'raw-parts');
      await add('raw get + JSON.parse into a Map', 'raw-json');
      for (const [contestant, name] of Object.entries(peers)) {
        if (!readOne.includes(contestant)) await add(name, contestant);
        else {
          await add(`${name}, all into a Map`, contestant, { all: 1 });
          await add(`${name}, one value`, contestant);
        }
      }
    }
    return rows;
  },
  run: (contestant, page, options) => (options.fill ? fill : openAndRead)(contestant, page, options),
  judge(results) {
    const sizes = [10_000, 100_000].filter((size) => results.has(rowName('raw get of one record', size)));
    const inMemory = Object.entries(peers).map(([contestant, name]) =>
      readOne.includes(contestant) ? `${name}, all into a Map` : name,
    );
    return sizes.flatMap((size) =>
      ['checkpoint', 'as written'].flatMap((how): Goal[] => {
        const own = rowName(`Tidemark, ${how}`, size);
        const work = `open ${size / 1000}k entries to first get(), ${how}`;
        const times = inMemory.map((name) => ({ name, ratio: results.ratio(rowName(name, size), own, 'toFirst') }));
        const faster = times.filter(({ ratio }) => ratio.median < 1);
        return [
          {
            work,
            goal: 'fastest of all that have their state in memory',
            measured: `opening takes ${times.map(({ name, ratio }) => `${name} ${ratio.median.toFixed(1)}x`).join(', ')} of ours`,
            reached: faster.length === 0,
            by: faster.map(({ name }) => name).join(', '),
          },
          atMost(
            work,
            `at most ${RAW_RATIO_MAX}x one raw get of the same bytes`,
            own,
            results.ratio(own, rowName('raw get of one record', size), 'toFirst'),
            RAW_RATIO_MAX,
          ),
        ];
      }),
    );
  },
};
