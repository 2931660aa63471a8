// Runs measurements: each in a fresh process and a folder of its own, the rows of a workload in turns (A B C A B C), so
// that a slow minute of the machine hits all alike. Knows nothing of what is measured.
import { fork } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findContestant } from './contestants';
import { type Lab, type Options, Results, type Row, type Sample, type Scale, type Workload } from './workload';

/** What a child is told. */
interface Job {
  readonly workload: string;
  readonly contestant: string;
  readonly folder: string;
  readonly options: Options;
}

const LONGEST_MS = 300_000;
const HEAP_MB = 8192;

/** What a child does: one measurement, sent to the parent. */
export async function serve(text: string, workloads: readonly Workload[]): Promise<void> {
  const job = JSON.parse(text) as Job;
  const workload = workloads.find(({ name }) => name === job.workload)!;
  const contestant = findContestant(job.contestant, job.options.bytes);
  if (contestant === undefined) throw new Error(`bench: no contestant is called ${job.contestant}`);
  const sample = await workload.run(contestant, job.folder, job.options);
  await new Promise((resolve) => process.send!(sample, resolve));
  process.disconnect();
}

export class Laboratory implements Lab {
  private readonly prepared = new Map<string, string>();
  private count = 0;

  /** @param program what node runs for a child. @param scratch a folder on a real disk. */
  constructor(
    private readonly program: string,
    private readonly scratch: string,
    readonly scale: Scale,
    private readonly tell: (progress: string) => void,
  ) {}

  async prepare(name: string, workload: string, contestant: string, options: Options, from?: string): Promise<void> {
    if (this.prepared.has(name)) return;
    this.tell(`${workload}: preparing ${name}`);
    const folder = this.freshFolder(from === undefined ? undefined : this.preparedFolder(from));
    await this.child({ workload, contestant, folder, options });
    this.prepared.set(name, folder);
  }

  async probe(workload: string, contestant: string, options: Options): Promise<Sample> {
    const folder = this.freshFolder();
    const sample = await this.child({ workload, contestant, folder, options });
    rmSync(folder, { recursive: true });
    return sample;
  }

  async measure(workload: Workload): Promise<Results> {
    const rows = await workload.plan(this);
    const samples = new Map<string, Sample[]>(rows.map((row) => [row.name, []]));
    const rounds = Math.max(...rows.map((row) => row.rounds));
    for (let round = 0; round < rounds; round++) {
      for (const row of rows) {
        if (round >= row.rounds) continue;
        this.tell(`${workload.name}: ${row.name}, round ${round + 1} of ${row.rounds}`);
        samples.get(row.name)!.push(await this.sampleOf(workload, row));
      }
    }
    return new Results(samples);
  }

  private async sampleOf(workload: Workload, row: Row): Promise<Sample> {
    const prepared = row.prepared === undefined ? undefined : this.preparedFolder(row.prepared);
    const folder = prepared !== undefined && !row.copy ? prepared : this.freshFolder(prepared);
    const sample = await this.child({
      workload: workload.name,
      contestant: row.contestant,
      folder,
      options: row.options,
    });
    if (folder !== prepared) rmSync(folder, { recursive: true });
    return sample;
  }

  private preparedFolder(name: string): string {
    const folder = this.prepared.get(name);
    if (folder === undefined) throw new Error(`bench: ${name} was not prepared`);
    return folder;
  }

  private freshFolder(copyOf?: string): string {
    const folder = join(this.scratch, String(this.count++));
    mkdirSync(folder, { recursive: true });
    if (copyOf !== undefined) cpSync(copyOf, folder, { recursive: true });
    return folder;
  }

  private child(job: Job): Promise<Sample> {
    return new Promise((resolve, reject) => {
      const child = fork(this.program, ['--child', JSON.stringify(job)], {
        execArgv: ['--expose-gc', `--max-old-space-size=${HEAP_MB}`],
        env: { ...process.env, NODE_ENV: 'production' },
        timeout: LONGEST_MS,
      });
      let sample: Sample | undefined;
      child.on('message', (message) => {
        sample = message as Sample;
      });
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        if (sample !== undefined && code === 0) resolve(sample);
        else reject(new Error(`bench: ${job.workload} of ${job.contestant} ended with ${signal ?? code}`));
      });
    });
  }
}
