// node scripts/ts.mjs bench/services/jobs.ts: 10,000 and 100,000 jobs on a real folder: submit, run, list, open, memory; and how each grows. Each
// size and round in a process of its own; prints a table of medians, and never fails for being slow.
import { openVenue } from '../../src/node';
import { type Jobs, openJobs } from '../../src/services/jobs';
import { readMemory } from '../meters';
import { type Growth, runGrowth, type Sample } from './growth';

const sizes = [10_000, 100_000] as const;
const rounds = 3;
/** Jobs that are worked on at the same time: their flushes share commits. */
const atOnce = 1000;
/** Jobs that are not finished, among all that are. */
const open = 100;

const rows: Growth['rows'] = {
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

await runGrowth({ what: 'jobs', sizes, rounds, rows, measure });
