// A program that works on jobs until it is killed: recovers what the life before it left, takes what is pending, asks for more. Keeps a trace of
// what it was told.
import { setTimeout as pause } from 'node:timers/promises';
import { openVenue } from '../../../src/node';
import { type Job, type JobPolicy, openJobs } from '../../../src/services/jobs';
import { openTrace } from '../../crash/trace';

export interface JobsOptions {
  store: string;
  trace: string;
  policies: Record<string, JobPolicy>;
}

const { store, trace: path, policies } = JSON.parse(process.argv[2]!) as JobsOptions;
const trace = openTrace(path);
const venue = await openVenue({ store });
const jobs = openJobs(venue, { policies, redact: ['input.secret'] });
process.send!('opened');

const { retried, failed, asked } = await jobs.recover();
for (const { id, attempt } of retried) trace('retried', [id, attempt]);
for (const { id, status } of failed) trace('ended', [id, status]);
for (const { id } of asked) trace('ended', [id, (await jobs.cancel(id, 'left behind')).status]);
process.send!('working');

let count = 0;
const ends = [jobs.complete, jobs.fail, jobs.complete, jobs.cancel, jobs.complete, jobs.reject];

async function work({ id }: Job): Promise<void> {
  const n = count++;
  const { attempt } = await jobs.start(id);
  trace('started', [id, attempt]);
  for (let step = 1; step <= 3; step++) {
    jobs.progress(id, { step });
    await pause(n % 4);
  }
  if (n % 5 === 0) {
    jobs.requireInput(id, 'go on?');
    await jobs.resume(id, 'yes');
  }
  trace('ending', id);
  const { status } = await ends[n % ends.length]!.call(jobs, id, { n });
  trace('ended', [id, status]);
}

async function worker(nth: number): Promise<never> {
  for (let n = nth; ; n++) {
    const op = Object.keys(policies)[n % 3]!;
    const job = await jobs.submit({ op, input: { n, secret: n % 7 === 0 ? 'S3CRET' : undefined }, caller: `${nth}` });
    trace('submitted', job.id);
    await work(job);
  }
}

// What was retried is pending again.
const left = jobs.list({ status: 'PENDING' }).jobs.map(work);
await Promise.all([...left, ...Array.from({ length: 4 }, (_, nth) => worker(nth))]);
