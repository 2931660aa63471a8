// What was changed is made durable in one go: how long the main thread is held by it, and how long it takes.
import { median } from '../../stats';
import { atMost, type Goal, type Results, type Row, type Sample } from '../../workload';
import type { Contestant } from '../contestant';
import { openFilled } from '../filled';
import { quiet, Ticker } from '../ticker';
import { type Page, peers, type Workload } from '../workload';

const KEYS = 10_000;
const WARM_UP = 2;
const MANY = 1000;
const HELD_MS_MAX = 4;
const RAW_RATIO_MAX = 1.5;

async function makeDurable(contestant: Contestant, page: Page, options: Row['options']): Promise<Sample> {
  const { entries = 0, repeats = 0 } = options;
  const store = await openFilled(contestant, page, options, KEYS);
  const [writing, held, longest, taken]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let i = -WARM_UP; i < repeats * 2; i++) {
    const changed = await page.entries(0, entries, i + 3);
    await quiet();
    const began = performance.now();
    store.writeAll(changed);
    const written = performance.now();
    // The ticker takes a core for itself, so every other time goes without it.
    const ticker = i % 2 === 0 ? undefined : new Ticker();
    await store.durable();
    const ended = performance.now();
    ticker?.stop();
    if (i < 0) continue;
    writing.push(written - began);
    if (ticker) {
      held.push(ticker.held);
      longest.push(ticker.longest);
    } else taken.push(ended - written);
  }
  const bytes = store.bytesWritten?.() ?? options.bytes;
  await store.close();
  return {
    ...(options.bytes === undefined && { writing: median(writing) }),
    held: median(held),
    longest: median(longest),
    taken: median(taken),
    ...(bytes !== undefined && { bytes }),
  };
}

const work = 'make changed entries durable';
const rowName = (name: string, entries: number): string => `${entries.toLocaleString('en')}: ${name}`;
const sizes = [1, 100, MANY, 10_000];
const CONTROL = 'control: 10 ms of nothing';

function judgeHeld(results: Results): Goal[] {
  return ['Tidemark, sweep', 'Tidemark, flush'].map((name) => {
    const row = rowName(name, MANY);
    const held = results.median(row, 'held');
    const longest = results.median(row, 'longest');
    return {
      work: `${work}, main thread held`,
      goal: `at most ${HELD_MS_MAX} ms for 1,000`,
      measured: `${name}: ${held.toFixed(1)} ms in all, ${longest.toFixed(1)} ms at a stretch`,
      reached: held <= HELD_MS_MAX,
      by: `${(held - HELD_MS_MAX).toFixed(1)} ms`,
    };
  });
}

export const durable: Workload = {
  name: 'durable',
  title: '1 to 10,000 of 10,000 entries changed, made durable in one go',
  about:
    'Connections are open. "Writing" is until the calls that write have returned, "held" all stretches of half a millisecond and more, from then until it is durable, in which ' +
    'the page could do nothing else, "until durable" the time from then on (measured without the ticker). The raw record is as many bytes as our commit has, put as one ArrayBuffer in one transaction ' +
    'with commit(); in parts, as records of 32 KiB, which is what survives the end of a page. Peers are relaxed, as Chromium is by default, and get the best way they have for many entries; localForage has none, and is left out where it takes ten seconds. The control shows what the ticker sees of the machine itself.',
  columns: [
    { metric: 'taken', title: 'until durable, ms', digits: 2 },
    { metric: 'held', title: 'held, ms', digits: 2 },
    { metric: 'longest', title: 'longest, ms', digits: 2 },
    { metric: 'writing', title: 'before it, writing, ms', digits: 2 },
    { metric: 'bytes', title: 'bytes', digits: 0 },
  ],
  async plan(lab) {
    const { scale } = lab;
    const options = { entries: 1, repeats: 8, bytes: 0 };
    const rows: Row[] = [{ name: CONTROL, contestant: 'control', rounds: scale.rounds(4), options }];
    for (const entries of scale.quick ? [1, MANY] : sizes) {
      const repeats = scale.quick ? 3 : entries > MANY ? 4 : 8;
      const sweep = { entries, repeats, sweep: 1 };
      const { bytes } = await lab.probe('durable', 'tidemark', { ...sweep, repeats: 1 });
      const row = (name: string, contestant: string, options: Row['options'], rounds = 4): Row => ({
        name: rowName(name, entries),
        contestant,
        rounds: scale.rounds(rounds),
        options: { entries, repeats, ...options },
      });
      rows.push(
        row('Tidemark, sweep', 'tidemark', sweep),
        row('raw record, relaxed', 'raw-put', { bytes: bytes! }),
        row('raw record in parts, relaxed', 'raw-put', { bytes: bytes!, parts: 1 }),
        row('Tidemark, flush', 'tidemark', {}),
        row('raw record, strict', 'raw-put', { bytes: bytes!, strict: 1 }),
      );
      for (const [contestant, name] of Object.entries(peers)) {
        if (contestant === 'localforage' && entries > MANY) continue;
        rows.push(row(name, contestant, { repeats: entries > MANY ? 1 : 3 }, 2));
      }
    }
    return rows;
  },
  run: makeDurable,
  judge(results) {
    const ratios = (['taken', 'held'] as const).flatMap((metric) =>
      sizes.flatMap((entries) =>
        [
          ['Tidemark, sweep', 'raw record, relaxed'] as const,
          ['Tidemark, flush', 'raw record, strict'] as const,
        ].flatMap(([name, raw]) => {
          const over = rowName(raw, entries);
          // Of a put of a few bytes the ticker sees nothing, and there is no ratio to it.
          if (!results.has(over) || (metric === 'held' && entries < MANY)) return [];
          return atMost(
            `${work}, ${metric === 'taken' ? 'until durable' : 'main thread held'}`,
            `at most ${RAW_RATIO_MAX}x of the same bytes as one raw record`,
            rowName(name, entries),
            results.ratio(rowName(name, entries), over, metric),
            RAW_RATIO_MAX,
          );
        }),
      ),
    );
    return [...judgeHeld(results), ...ratios];
  },
};
