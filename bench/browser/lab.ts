// Runs measurements: each on a fresh load of the page, in one tab of one Chromium with a profile of its own, the rows of a
// workload in turns (A B C A B C), so that a slow minute of the machine hits all alike. Knows nothing of what is measured.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { bySelfTime } from '../profile';
import { type Lab, type Options, Results, type Row, type Sample, type Scale } from '../workload';
import { bundlePage } from './bundles';
import { type Answer, type PageServer, servePage } from './server';
import type { Job } from './workload';

const EXECUTABLE = '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const LONGEST_MS = 180_000;
const PROFILE_US = 100;

/** What the laboratory needs to know of a workload. */
interface Planned {
  readonly name: string;
  plan(lab: Lab): Promise<readonly Row[]>;
  /** Instead of a run in the page. */
  weigh?(contestant: string): Promise<Sample>;
}

export class Laboratory implements Lab {
  private readonly prepared = new Set<string>();
  private count = 0;
  private answered: (answer: Answer) => void = () => {};

  private constructor(
    private readonly browser: BrowserContext,
    private readonly page: Page,
    private readonly devtools: CDPSession,
    private server: PageServer,
    readonly scale: Scale,
    private readonly profiled: boolean,
    private readonly tell: (progress: string) => void,
  ) {}

  /** @param scratch a folder on a real disk. @param profiled whether to print where the time of each measurement went. */
  static async open(
    scratch: string,
    scale: Scale,
    profiled: boolean,
    tell: (progress: string) => void,
  ): Promise<Laboratory> {
    if (!existsSync(EXECUTABLE)) throw new Error(`bench: ${EXECUTABLE} is not there: apt-get install chromium`);
    const { chromium } = await import('playwright-core');
    const browser = await chromium.launchPersistentContext(join(scratch, 'chromium'), {
      executablePath: EXECUTABLE,
      args: ARGUMENTS,
    });
    const page = browser.pages()[0]!;
    let laboratory: Laboratory | undefined;
    const server = await servePage(await bundlePage(), (id, answer) => {
      if (id === laboratory?.count) laboratory.answered(answer);
    });
    laboratory = new Laboratory(browser, page, await browser.newCDPSession(page), server, scale, profiled, tell);
    return laboratory;
  }

  get version(): string {
    return this.browser.browser()!.version();
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.server.close();
  }

  async prepare(name: string, workload: string, contestant: string, options: Options): Promise<void> {
    if (this.prepared.has(name)) return;
    this.tell(`${workload}: preparing ${name}`);
    await this.ask({ workload, contestant, options, database: name, keep: true });
    this.prepared.add(name);
  }

  probe(workload: string, contestant: string, options: Options): Promise<Sample> {
    return this.ask({ workload, contestant, options });
  }

  async measure(workload: Planned): Promise<Results> {
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

  private async sampleOf(workload: Planned, { contestant, options, prepared }: Row): Promise<Sample> {
    if (workload.weigh) return workload.weigh(contestant);
    const job = { workload: workload.name, contestant, options };
    if (!this.profiled) return this.ask({ ...job, ...(prepared !== undefined && { database: prepared, keep: true }) });
    await this.devtools.send('Profiler.enable');
    await this.devtools.send('Profiler.setSamplingInterval', { interval: PROFILE_US });
    await this.devtools.send('Profiler.start');
    const sample = await this.ask({ ...job, ...(prepared !== undefined && { database: prepared, keep: true }) });
    const { profile } = await this.devtools.send('Profiler.stop');
    process.stderr.write(`${bySelfTime(profile).join('\n')}\n`);
    return sample;
  }

  private async ask(job: Omit<Job, 'id' | 'database' | 'keep'> & Partial<Job>): Promise<Sample> {
    const id = ++this.count;
    const whole: Job = { id, database: `${job.workload}-${id}`, keep: false, ...job };
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<Answer>((resolve) => {
      this.answered = resolve;
      timer = setTimeout(() => resolve({ error: `no answer for ${LONGEST_MS} ms` }), LONGEST_MS);
      this.page
        .goto(`${this.server.origin}/?${encodeURIComponent(JSON.stringify(whole))}`, { waitUntil: 'commit' })
        .catch((error: Error) => resolve({ error: error.message }));
    });
    clearTimeout(timer);
    if (answer.sample) return answer.sample;
    throw new Error(`bench: ${job.workload} of ${job.contestant}: ${answer.error}`);
  }
}
