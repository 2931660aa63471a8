// node scripts/ts.mjs bench/services/jobs.ts: 10,000 and 100,000 jobs on a real folder: submit, run, list, open, memory; and how each grows. Each
// size and round in a process of its own; prints a table of medians, and never fails for being slow.
import { fork } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openVenue } from '../../src/node';
import { type Jobs, openJobs } from '../../src/services/jobs';
import { readMemory } from '../meters';
import { median } from '../stats';

const sizes = [10_000, 100_000] as const;
const rounds = 3;
/** Jobs that are worked on at the same time: their flushes share commits. */
const atOnce = 1000;
/** Jobs that are not finished, among all that are. */
const open = 100;

/** What is measured, and whether it grows with the number of jobs. */
const rows: Record<string, { unit: string; grows: boolean; digits: number }> = {
  'submit all, durable': { unit: 'ms', grows: true, digits: 0 },
  'start and complete all but 100': { unit: 'ms', grows: true, digits: 0 },
  'list all, in pages of 1,000': { unit: 'ms', grows: true, digits: 1 },
  'list 100 pending, first time': { unit: 'ms', grows: true, digits: 1 },
  'list 100 pending, then': { unit: 'ms', grows: false, digits: 3 },
  'history of 1,000 jobs': { unit: 'ms', grows: false, digits: 1 },
  'open from the log, to the first get': { unit: 'ms', grows: true, digits: 0 },
  'open from a checkpoint, to the first get': { unit: 'ms', grows: true, digits: 0 },
  'then list all': { unit: 'ms', grows: true, digits: 0 },
  'then recoverable()': { unit: 'ms', grows: true, digits: 1 },
  'memory per job, pending': { unit: 'B', grows: false, digits: 0 },
  'memory per job, finished': { unit: 'B', grows: false, digits: 0 },
  'memory per job, opened and not read': { unit: 'B', grows: false, digits: 0 },
  'memory per job, opened and listed': { unit: 'B', grows: false, digits: 0 },
  'on disk per job, after a checkpoint': { unit: 'B', grows: false, digits: 0 },
};

type Sample = Record<string, number>;

async function measure(size: number, store: string): Promise<Sample> {
  const sample: Sample = {};
  const timed = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work();
    sample[name] = performance.now() - start;
    return result;
  };
  const listed = (jobs: Jobs) => {
    let count = 0;
    let cursor: string | undefined;
    do {
      const page = jobs.list({ limit: 1000, cursor });
      count += page.jobs.length;
      cursor = page.nextCursor;
    } while (cursor);
    if (count !== size) throw new Error(`bench: ${count} jobs of ${size}`);
  };
  const heldBy = async (name: string, empty: number) => {
    sample[`memory per job, ${name}`] = ((await readMemory()).held - empty) / size;
  };

  const ids: string[] = [];
  let venue = await openVenue({ store });
  let jobs = openJobs(venue);
  let empty = (await readMemory()).held;
  await timed('submit all, durable', async () => {
    for (let n = 0; n < size; n++) {
      const input = { url: `https://example.org/articles/${n}`, model: 'small', words: 100 + (n % 400) };
      ids.push((await jobs.submit({ op: 'summarise', input, caller: `user-${n % 50}` })).id);
    }
    await venue.flush();
  });
  await heldBy('pending', empty);
  await timed('start and complete all but 100', async () => {
    for (let from = 0; from < size - open; from += atOnce) {
      const batch = ids.slice(from, Math.min(from + atOnce, size - open));
      await Promise.all(batch.map((id) => jobs.start(id)));
      await Promise.all(batch.map((id) => jobs.complete(id, { summary: `What ${id} says, in a sentence or two.` })));
    }
  });
  await heldBy('finished', empty);
  await timed('list all, in pages of 1,000', () => listed(jobs));
  for (const name of ['first time', 'then'])
    await timed(`list 100 pending, ${name}`, () => {
      if (jobs.list({ status: 'PENDING' }).jobs.length !== open) throw new Error('bench: not all are found');
    });
  jobs.history(ids[0]!); // puts in order what was written
  await timed('history of 1,000 jobs', () => {
    for (let n = 0; n < 1000; n++) jobs.history(ids[(n * 7919) % size]!);
  });
  await venue.close();

  const reopen = async (name: string) => {
    await timed(name, async () => {
      venue = await openVenue({ store });
      jobs = openJobs(venue);
      jobs.get(ids[size >> 1]!);
    });
  };
  await reopen('open from the log, to the first get');
  await venue.checkpoint();
  await venue.checkpoint(); // the one before it is kept, with its log
  sample['on disk per job, after a checkpoint'] = (await venue.usage()).bytes / 2 / size;
  await venue.close();
  venue = undefined as never;
  jobs = undefined as never;
  empty = (await readMemory()).held;
  await reopen('open from a checkpoint, to the first get');
  await heldBy('opened and not read', empty);
  await timed('then list all', () => listed(jobs));
  await timed('then recoverable()', () => jobs.recoverable());
  await heldBy('opened and listed', empty);
  await venue.close();
  return sample;
}

function inOwnProcess(size: number, store: string): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const child = fork(process.argv[1]!, [String(size), store], {
      execArgv: ['--expose-gc'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    child.on('message', (sample) => resolve(sample as Sample));
    child.on('exit', (code) => reject(new Error(`bench: ${size} jobs ended with ${code}`)));
  });
}

async function main(): Promise<void> {
  const scratch = join(process.cwd(), '.tmp', `bench-jobs-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  const samples = new Map<number, Sample[]>(sizes.map((size) => [size, []]));
  try {
    for (let round = 0; round < rounds; round++)
      for (const size of sizes) samples.get(size)!.push(await inOwnProcess(size, join(scratch, `${size}-${round}`)));
  } finally {
    rmSync(scratch, { recursive: true });
  }
  const [small, large] = sizes;
  const growth = (large / small) * (Math.log(large) / Math.log(small));
  const text = (n: number) => n.toLocaleString('en');
  console.log(
    `${''.padEnd(42)}${text(small).padStart(12)}${text(large).padStart(12)}   grows by (n log n: ${growth.toFixed(1)})`,
  );
  for (const [name, { unit, grows, digits }] of Object.entries(rows)) {
    const [few, many] = sizes.map((size) => median(samples.get(size)!.map((sample) => sample[name]!))) as [
      number,
      number,
    ];
    const cells = [few, many].map((n) =>
      `${n.toLocaleString('en', { maximumFractionDigits: digits })} ${unit}`.padStart(12),
    );
    const ratio = many / few;
    const verdict = grows ? (ratio <= growth ? 'no worse than n log n' : 'MORE than n log n') : 'not with n';
    console.log(`${name.padEnd(42)}${cells.join('')}   ${ratio.toFixed(1)}x, ${verdict}`);
  }
}

const [size, store] = process.argv.slice(2);
if (size && store) process.send!(await measure(Number(size), store), () => process.disconnect());
else await main();
