// The bench's page: does one job, which its address names, and sends what it measured. Knows no contestant.
import type { Entry } from './contestant';
import { loadContestant } from './contestants';
import type { Job, Page } from './workload';
import { durable } from './workloads/durable';
import { leaving } from './workloads/leave';
import { open } from './workloads/open';
import { set } from './workloads/set';

const job = JSON.parse(decodeURIComponent(location.search.slice(1))) as Job;

const LEFT = 'left';

const page: Page = {
  database: job.database,
  entries: async (from, count, round) =>
    (
      await fetch(`/entries?${new URLSearchParams({ from: `${from}`, count: `${count}`, round: `${round}` })}`)
    ).json() as Promise<Entry[]>,
  elsewhere: `/elsewhere${location.search}`,
  leaveBehind: (sample) => sessionStorage.setItem(LEFT, JSON.stringify({ sample })),
};

async function work(): Promise<string> {
  const left = sessionStorage.getItem(LEFT);
  sessionStorage.clear();
  if (left !== null) return left;
  const workload = [set, durable, open, leaving].find(({ name }) => name === job.workload)!;
  return JSON.stringify({ sample: await workload.run(await loadContestant(job.contestant), page, job.options) });
}

async function forget(): Promise<void> {
  for (const { name } of await indexedDB.databases()) if (name?.includes(job.database)) indexedDB.deleteDatabase(name);
  for (const key of Object.keys(localStorage)) if (key.includes(job.database)) localStorage.removeItem(key);
}

const answer = await work().catch((error: Error) => JSON.stringify({ error: error.stack ?? error.message }));
if (!job.keep) await forget();
navigator.sendBeacon(`/answer?${job.id}`, answer);
