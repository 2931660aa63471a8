// node scripts/ts.mjs bench/services/traces.ts: traces of 20 steps, 1,000 and 10,000 of them: what appending, loading, resuming, listing, opening and
// purging take, and whether that grows faster than n log n. Prints a table; never fails for being slow.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openVenue } from '../../src/node';
import { type Envelope, openTraces } from '../../src/services/traces';
import { cpuMeter } from '../meters';
import { median } from '../stats';

const STEPS = 20;
const SIZES = [1_000, 10_000];
/** Traces whose steps are appended together: as many wait for each commit. */
const TOGETHER = 250;
/** Ends the names of CPU times. On a machine with other work only these say how something grows. */
const CPU = ', CPU';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const heldBytes = (): number => {
  collect();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
};

const idOf = (n: number): string => `order-${String(n).padStart(6, '0')}`;
const envelopeOf = (n: number, step: number): Envelope => ({
  traceId: idOf(n),
  circuit: 'order',
  schematicVersion: 3,
  step,
  nodeId: `step-${step}`,
  outcomeKind: 'success',
  timestampMs: 1_750_000_000_000 + n * STEPS + step,
  payload: {
    customer: `c${n % 977}`,
    total: n * 7 + step,
    items: ['one', 'two'],
    note: 'as it was when the step ended',
  },
});

async function measure(folder: string, size: number): Promise<Record<string, number>> {
  const times: Record<string, number> = {};
  const timed = async <T>(what: string, work: () => T | Promise<T>, rounds = 1): Promise<T> => {
    const [walls, cpus]: [number[], number[]] = [[], []];
    for (;;) {
      const start = performance.now();
      const cpu = cpuMeter();
      const result = await work();
      walls.push(performance.now() - start);
      cpus.push(cpu());
      if (walls.length < rounds) continue;
      times[what] = median(walls);
      times[what + CPU] = median(cpus);
      return result;
    }
  };
  const expect = (what: string, found: number, wanted: number) => {
    if (found !== wanted) throw new Error(`bench: ${what} gave ${found} instead of ${wanted}`);
  };
  const store = join(folder, `traces-${size}.etch`);

  const filling = await openVenue({ store, freeze: false });
  const filled = openTraces(filling);
  await timed('append, all', async () => {
    for (let from = 0; from < size; from += TOGETHER)
      for (let step = 0; step < STEPS; step++)
        await Promise.all(Array.from({ length: TOGETHER }, (_, i) => filled.append(envelopeOf(from + i, step))));
  });
  await timed('append again, 1 trace in 10', async () => {
    for (let n = 0; n < size; n += 10)
      await Promise.all(Array.from({ length: STEPS }, (_, step) => filled.append(envelopeOf(n, step))));
  });
  await timed('complete, half of them', async () => {
    for (let from = 0; from < size; from += 2 * TOGETHER)
      await Promise.all(Array.from({ length: TOGETHER }, (_, i) => filled.complete(idOf(from + 2 * i), 'success')));
  });
  await filling.checkpoint();
  await filling.close();

  const before = heldBytes();
  const venue = await timed('open', () => openVenue({ store, freeze: false }));
  const traces = await timed('openTraces', () => openTraces(venue, { keepMs: { success: 0 } }));
  times['held after opening, bytes a trace'] = (heldBytes() - before) / size;
  expect('list', (await timed('list, all, the first time', () => traces.list())).length, size);
  expect('list', (await timed('list, all', () => traces.list(), 9)).length, size);
  const listOpen = () => traces.list({ outcome: 'open' });
  expect('list of open ones', (await timed('list, open ones', listOpen, 9)).length, size / 2);
  await timed('list, a page of 100 in the middle', () => traces.list({ after: idOf(size / 2), limit: 100 }), 9);
  await timed('resume, open ones', () => {
    for (let n = 1; n < size; n += 2) expect('resume', traces.resume(idOf(n)).nextStep, STEPS);
  });
  await timed('load, all', () => {
    for (let n = 0; n < size; n++) expect('load', traces.load(idOf(n))!.envelopes.length, STEPS);
  });
  times['held after loading all, bytes a trace'] = (heldBytes() - before) / size;
  expect('purge', await timed('purge, half of them', () => traces.purge()), size / 2);
  await venue.close();
  return times;
}

const scratch = join(process.cwd(), '.tmp', `bench-traces-${process.pid}`);
mkdirSync(scratch, { recursive: true });
try {
  await measure(scratch, TOGETHER * 2); // warm: the first round would pay for compiling
  const [small, large] = [await measure(scratch, SIZES[0]!), await measure(scratch, SIZES[1]!)];
  // What n log n makes of ten times as many.
  const limit = (SIZES[1]! * Math.log(SIZES[1]! * STEPS)) / (SIZES[0]! * Math.log(SIZES[0]! * STEPS));
  const format = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 });
  const row = (cells: string[]) =>
    `${cells[0]!.padEnd(40)}${cells
      .slice(1)
      .map((cell) => cell.padStart(18))
      .join('')}\n`;
  let table = row(['ms (of CPU, all threads)', ...SIZES.map((size) => `${format(size)} traces`), 'growth']);
  for (const what of Object.keys(large)) {
    if (what.endsWith(CPU)) continue;
    const both = (of: Record<string, number>) =>
      format(of[what]!) + (what + CPU in of ? ` (${format(of[what + CPU]!)})` : '');
    const counts = what + CPU in large ? what + CPU : what;
    table += row([what, both(small), both(large), `x ${format(large[counts]! / small[counts]!)}`]);
  }
  process.stdout.write(`${table}n log n: x ${format(limit)}\n`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
