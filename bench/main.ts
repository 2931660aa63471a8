// npm run bench [-- name...] [--browser] [--quick] [--profile]: measures Tidemark beside its peers and the physical limits, in Node
// and then in Chromium, or there alone; prints tables and writes bench/RESULTS.md, bench/results.json and bench/BROWSER.md. It never fails for being slow.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchBrowser } from './browser/main';
import { Laboratory, serve } from './lab';
import { document, goalTable, type Measured, machine, resultTable } from './report';
import type { Scale } from './workload';
import { workloads } from './workloads';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    child: { type: 'string' },
    browser: { type: 'boolean' },
    quick: { type: 'boolean' },
    profile: { type: 'boolean' },
  },
});

if (values.child !== undefined) await serve(values.child, workloads);
else await bench(positionals, values.quick === true);

async function bench(names: readonly string[], quick: boolean): Promise<void> {
  const scale: Scale = { quick, many: quick ? 50_000 : 1_000_000, rounds: (full) => (quick ? 1 : full) };
  const profiled = values.profile === true;
  // In the repository and not in the folder for temporary files, which may be in memory.
  const scratch = join(process.cwd(), '.tmp', `bench-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  const started = performance.now();
  const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(0)} s`.padStart(6);
  const tell = (text: string): void => {
    process.stderr.write(`${seconds()}  ${text}\n`);
  };
  try {
    if (!values.browser) await benchNode(names, scale, scratch, tell);
    if (values.browser || names.length === 0) await benchBrowser({ names, scale, profiled, scratch, tell, print });
    tell('done');
  } finally {
    rmSync(scratch, { recursive: true, maxRetries: 10 }); // a browser that has just ended may still be writing
  }
}

async function benchNode(
  names: readonly string[],
  scale: Scale,
  scratch: string,
  tell: (text: string) => void,
): Promise<void> {
  const unknown = names.find((name) => !workloads.some((workload) => workload.name === name));
  if (unknown !== undefined)
    throw new Error(
      `bench: no workload is called ${unknown}; there are ${workloads.map(({ name }) => name).join(', ')}`,
    );
  if (values.profile) process.env.BENCH_PROFILE = '1';
  const laboratory = new Laboratory(process.argv[1]!, scratch, scale, tell);
  const all: Measured[] = [];
  for (const workload of workloads) {
    if (names.length > 0 && !names.includes(workload.name)) continue;
    const results = await laboratory.measure(workload);
    const measured = { workload, results, goals: workload.judge(results) };
    all.push(measured);
    print(`\n${workload.title}\n\n${resultTable(measured)}\n\n${goalTable(measured.goals)}\n`);
  }
  // Part of the work or a fraction of it says nothing worth keeping, and sampling slows what it samples.
  if (names.length === 0 && !scale.quick && !values.profile) write(all, scratch);
}

function write(all: readonly Measured[], scratch: string): void {
  const date = new Date().toISOString().slice(0, 10);
  const about = { date, machine: machine(scratch) };
  const how = 'Each measurement is a fresh process';
  writeFileSync('bench/RESULTS.md', document(all, { ...about, title: 'Results', command: 'npm run bench', how }));
  const records = all.map(({ workload, results, goals }) => ({
    name: workload.name,
    title: workload.title,
    rows: results.toJSON(),
    goals,
  }));
  writeFileSync('bench/results.json', `${JSON.stringify({ ...about, workloads: records }, null, 1)}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
