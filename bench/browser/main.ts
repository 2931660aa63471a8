// The browser half of the benchmark: measures Tidemark beside its peers and the physical limits in Chromium, and writes
// bench/BROWSER.md. It measures; it never fails for being slow.
import { writeFileSync } from 'node:fs';
import { document, goalTable, type Measured, machine, resultTable } from '../report';
import type { Scale } from '../workload';
import { Laboratory } from './lab';
import { durable } from './workloads/durable';
import { leaving } from './workloads/leave';
import { open } from './workloads/open';
import { set } from './workloads/set';
import { size } from './workloads/size';

const workloads = [set, durable, open, leaving, size];

export interface Run {
  /** Of workloads; none for all. */
  readonly names: readonly string[];
  readonly scale: Scale;
  readonly profiled: boolean;
  /** A folder on a real disk. */
  readonly scratch: string;
  tell(progress: string): void;
  print(text: string): void;
}

export async function benchBrowser({ names, scale, profiled, scratch, tell, print }: Run): Promise<void> {
  const unknown = names.find((name) => !workloads.some((workload) => workload.name === name));
  if (unknown !== undefined)
    throw new Error(
      `bench: no workload for the browser is called ${unknown}; there are ${workloads.map(({ name }) => name).join(', ')}`,
    );
  const laboratory = await Laboratory.open(scratch, scale, profiled, tell);
  try {
    const all: Measured[] = [];
    for (const workload of workloads) {
      if (names.length > 0 && !names.includes(workload.name)) continue;
      const results = await laboratory.measure(workload);
      const measured = { workload, results, goals: workload.judge(results) };
      all.push(measured);
      print(`\n${workload.title}\n\n${resultTable(measured)}\n\n${goalTable(measured.goals)}\n`);
    }
    if (names.length > 0 || scale.quick || profiled) return;
    writeFileSync(
      'bench/BROWSER.md',
      document(all, {
        title: 'Results in the browser',
        command: 'npm run bench -- --browser',
        date: new Date().toISOString().slice(0, 10),
        machine: `- Chromium ${laboratory.version}, driven by playwright-core, cross-origin isolated for a fine clock\n${machine(scratch)}`,
        how: 'Each measurement is a fresh load of the page in one tab of one browser',
      }),
    );
  } finally {
    await laboratory.close();
  }
}
