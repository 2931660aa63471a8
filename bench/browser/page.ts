// The bench's page: does one job, which its address names, and sends what it measured. Knows no contestant.
import type { Sample } from '../workload';
import type { Entry } from './contestant';
import { loadContestant } from './contestants';
import type { Job, Page } from './workload';
import { durable } from './workloads/durable';
import { leaving } from './workloads/leave';
import { open } from './workloads/open';
import { set } from './workloads/set';

const job = JSON.parse(decodeURIComponent(location.search.slice(1))) as Job;

const answer = (what: { sample: Sample } | { error: string }): boolean =>
  navigator.sendBeacon(`/answer?${job.id}`, JSON.stringify(what));

const page: Page = {
  database: job.database,
  entries: async (from, count, round) =>
    (
      await fetch(`/entries?${new URLSearchParams({ from: `${from}`, count: `${count}`, round: `${round}` })}`)
    ).json() as Promise<Entry[]>,
  send: (sample) => answer({ sample }),
};

async function work(): Promise<Sample> {
  const workload = [set, durable, open, leaving].find(({ name }) => name === job.workload)!;
  const contestant = await loadContestant(job.contestant);
  const sample = await workload.run(contestant, page, job.options);
  if (!job.keep) {
    for (const { name } of await indexedDB.databases())
      if (name?.includes(job.database)) indexedDB.deleteDatabase(name);
  }
  return sample;
}

try {
  answer({ sample: await work() });
} catch (error) {
  answer({ error: `${(error as Error).stack ?? error}` });
}
