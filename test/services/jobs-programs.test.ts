// Random programs on jobs: one process that is killed after every one of its commits, and three tabs that do as they like, hear late, write slowly,
// sleep, leave and die. A job never has two ends, and what anybody was told stays true.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../backends/memory';
import { type Job, type JobStatus, type Jobs, openJobs } from '../../src/services/jobs';
import { SimClock } from '../simulator/clock';
import { openIn, settle } from '../venue/helpers';
import { newOrigin, openTab, type Tab } from '../venue/pages';

const finals = new Set<JobStatus>(['COMPLETE', 'FAILED', 'CANCELLED', 'REJECTED']);
const policies = { retried: 'retry', failed: 'fail' } as const;
const ops = ['retried', 'failed', 'asked'] as const;

const calls = {
  start: (jobs: Jobs, id: string) => jobs.start(id),
  progress: (jobs: Jobs, id: string) => jobs.progress(id, 'some'),
  pause: (jobs: Jobs, id: string) => jobs.pause(id),
  requireInput: (jobs: Jobs, id: string) => jobs.requireInput(id),
  requireAuth: (jobs: Jobs, id: string) => jobs.requireAuth(id),
  resume: (jobs: Jobs, id: string) => jobs.resume(id),
  complete: (jobs: Jobs, id: string) => jobs.complete(id, 'done'),
  fail: (jobs: Jobs, id: string) => jobs.fail(id),
  cancel: (jobs: Jobs, id: string) => jobs.cancel(id),
  reject: (jobs: Jobs, id: string) => jobs.reject(id),
  retry: (jobs: Jobs, id: string) => jobs.recover(id, 'retry'),
  giveUp: (jobs: Jobs, id: string) => jobs.recover(id, 'fail'),
};
type Call = keyof typeof calls;
/** Ends, as promises that say that they are durable. */
const ending: readonly Call[] = ['complete', 'fail', 'cancel', 'reject', 'giveUp'];
/** What a call may be refused with. */
const refusals = ['illegal_transition', 'lease_lost', 'conflict', 'not_found'];

const call = fc.constantFrom<Call>('start', 'start', 'start', 'complete', ...(Object.keys(calls) as Call[]));
const submit = fc.record({ do: fc.constant('submit' as const), op: fc.constantFrom(...ops) });
const act = fc.record({ do: fc.constant('call' as const), call, job: fc.nat(2) });
const wait = fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 40, 120, 1100, 5000) });
const recover = fc.record({ do: fc.constant('recover' as const) });

/** The jobs that a program has made, and what anybody was told of them. */
class Told {
  readonly ids: string[] = [];
  /** Ends that are durable, by job. */
  readonly ends = new Map<string, JobStatus>();
  /** Starts that succeeded, by job and attempt. */
  readonly starts = new Map<string, number>();

  readonly problems: string[] = [];

  of(index: number): string | undefined {
    return this.ids[index % Math.max(1, this.ids.length)];
  }

  async listen(name: Call, work: () => Job | Promise<Job>): Promise<void> {
    try {
      const job = await work();
      if (ending.includes(name)) this.ended(job);
      const attempt = `${job.id} ${job.attempt}`;
      if (name === 'start') this.starts.set(attempt, (this.starts.get(attempt) ?? 0) + 1);
    } catch (error) {
      this.refused(error as Error, name);
    }
  }

  refused(error: Error & { code?: string }, what: string): void {
    if (!refusals.includes(error.code ?? '')) this.problems.push(`${what}: ${error.stack}`);
  }

  ended({ id, status }: Job): void {
    if (!finals.has(status)) this.problems.push(`${id} was said to be finished, and is ${status}`);
    const before = this.ends.get(id) ?? status;
    if (before !== status) this.problems.push(`${id} was said to be ${before}, and then to be ${status}`);
    this.ends.set(id, status);
  }

  /** Holds jobs, as one venue has them now, to it. */
  check(jobs: Jobs): void {
    expect(this.problems).toEqual([]);
    for (const [id, status] of this.ends) expect(jobs.get(id)?.status).toBe(status);
    for (const [attempt, count] of this.starts) expect(count, `starts of ${attempt}`).toBe(1);
    const open = jobs.list({ status: ['PENDING', 'STARTED', 'PAUSED', 'INPUT_REQUIRED', 'AUTH_REQUIRED'] }).jobs;
    expect(open).toEqual(jobs.list().jobs.filter(({ status }) => !finals.has(status)));
    for (const job of jobs.list().jobs) {
      const history = jobs.history(job.id);
      const ends = history.filter(({ status }) => finals.has(status));
      expect(ends.map(({ status }) => status)).toEqual(finals.has(job.status) ? [job.status] : []);
      if (ends.length > 0) expect(history.at(-1)).toBe(ends[0]);
      for (const [i, { attempt }] of history.entries())
        expect(attempt).toBeGreaterThanOrEqual(history[i - 1]?.attempt ?? 1);
      if (finals.has(job.status)) expect(job).toMatchObject({ mine: false, recoverable: undefined });
    }
  }
}

describe('one process, killed after each of its commits', () => {
  const step = fc.oneof(
    { weight: 2, arbitrary: submit },
    { weight: 10, arbitrary: act },
    { weight: 2, arbitrary: wait },
  );
  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

  /** Two lives of a program. @param commits after which the first is killed */
  async function live(steps: Step[], commits: number): Promise<{ done: boolean }> {
    const clock = new SimClock();
    const store = memoryStore();
    const told = new Told();
    const first = await openIn({ clock, store, exclusive: true });
    const jobs = openJobs(first.venue, { policies });
    /** Every state that a job was ever in, by its change. */
    const states = new Map<string, string[]>();
    const shape = ({ status, attempt, changedAt, output }: Job) =>
      JSON.stringify({ status, attempt, changedAt, output });
    jobs.subscribe((job) => states.set(job.id, [...(states.get(job.id) ?? []), shape(job)]));
    let dead = commits === 0;
    let seen = 0;
    first.venue.on('sweep', () => {
      if (++seen !== commits) return;
      dead = true;
      first.kill();
    });
    for (const step of steps) {
      if (dead) break;
      if (step.do === 'submit') told.ids.push((await jobs.submit({ op: step.op, input: { n: told.ids.length } })).id);
      else if (step.do === 'wait') await clock.advance(step.ms);
      else {
        const id = told.of(step.job);
        if (id) void told.listen(step.call, async () => calls[step.call](jobs, id));
        // Some calls are made while others are still on their way.
        if (step.job !== 2) await settle(2);
      }
    }
    if (!dead) await clock.advance(200);
    first.kill();

    const second = await openIn({ clock, store, exclusive: true });
    const found = openJobs(second.venue, { policies });
    told.check(found);
    for (const job of found.list().jobs) {
      expect(states.get(job.id)).toContain(shape(job));
      expect(job.input).toEqual({ n: told.ids.indexOf(job.id) });
      expect(job.recoverable !== undefined).toBe(job.status === 'PENDING' || job.status === 'STARTED');
    }
    const before = new Map(found.list().jobs.map((job) => [job.id, job]));
    const { retried, failed, asked } = await clock.runUntil(found.recover());
    expect([...retried, ...failed, ...asked].map(({ id }) => id).sort()).toEqual(
      [...before.values()].flatMap((job) => (job.recoverable ? job.id : [])),
    );
    for (const { id, op, status, attempt } of [...retried, ...failed, ...asked])
      expect({ status, attempt }).toEqual(
        op === 'retried'
          ? { status: 'PENDING', attempt: before.get(id)!.attempt + 1 }
          : { status: op === 'failed' ? 'FAILED' : before.get(id)!.status, attempt: before.get(id)!.attempt },
      );
    for (const job of failed) told.ended(job);
    second.kill();
    const third = await openIn({ clock, store, exclusive: true });
    told.check(openJobs(third.venue));
    third.kill();
    return { done: !dead };
  }

  it('keeps every end that it was told is durable, shows what it had in hand, and does with it what its policy says', async () => {
    const property = fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 25, size: 'max' }), async (steps) => {
      for (let commits = 1; !(await live(steps, commits)).done; commits++);
    });
    await fc.assert(property, { numRuns: Number(process.env.RUNS ?? 40), seed: Number(process.env.SEED ?? 7) });
  });
});

describe('three tabs that do as they like', () => {
  const at = fc.nat(2);
  const trouble = fc.record({
    do: fc.constantFrom(
      'deaf' as const,
      'hear' as const,
      'leave' as const,
      'back' as const,
      'kill' as const,
      'flush' as const,
    ),
    dropped: fc.boolean(),
  });
  const slow = fc.record({ do: fc.constant('slow' as const), ms: fc.constantFrom(0, 3, 60, 900) });
  const jump = fc.record({ do: fc.constant('jump' as const), ms: fc.constantFrom(-3_600_000, -3, 3, 3_600_000) });
  const step = fc.tuple(
    at,
    fc.oneof(
      { weight: 3, arbitrary: submit },
      { weight: 16, arbitrary: act },
      { weight: 5, arbitrary: wait },
      { weight: 2, arbitrary: recover },
      { weight: 4, arbitrary: trouble },
      { weight: 2, arbitrary: slow },
      { weight: 1, arbitrary: jump },
    ),
  );

  interface Page {
    tab: Tab;
    jobs: Jobs;
    slowMs: number;
  }

  it('come to see the same; of those that finish a job, or start it, at the same moment one is told that it did', async () => {
    const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
      const origin = newOrigin();
      const { clock } = origin;
      const told = new Told();
      const open = async (): Promise<Page> => {
        const tab = await openTab(origin);
        const page: Page = { tab, jobs: openJobs(tab.venue, { policies }), slowMs: 0 };
        const { append } = tab.backend;
        tab.backend.append = async (...commit) => {
          if (page.slowMs > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, page.slowMs));
          return append(...commit);
        };
        return page;
      };
      const pages = [await open(), await open(), await open()];
      for (const [at, step] of steps) {
        const page = pages[at]!;
        const { tab, jobs } = page;
        const id = 'job' in step ? told.of(step.job) : undefined;
        if (step.do === 'submit')
          void jobs.submit({ op: step.op }).then(
            (job) => told.ids.push(job.id),
            (error) => told.refused(error, 'submit'),
          );
        else if (step.do === 'call' && id) void told.listen(step.call, async () => calls[step.call](jobs, id));
        else if (step.do === 'recover')
          void jobs.recover().then(
            ({ failed }) => {
              for (const job of failed) told.ended(job);
            },
            (error) => told.refused(error, 'recover'),
          );
        else if (step.do === 'wait') await clock.advance(step.ms);
        else if (step.do === 'slow') page.slowMs = step.ms;
        else if (step.do === 'jump') clock.jump(step.ms);
        else if (step.do === 'deaf') tab.hears = false;
        else if (step.do === 'hear') tab.hears = true;
        else if (step.do === 'flush') void tab.venue.flush().catch((error) => told.refused(error, 'flush'));
        else if (step.do === 'leave') {
          tab.keeps = !step.dropped;
          tab.going.leave();
          tab.keeps = true; // what it writes when it is back is not dropped
        } else if (step.do === 'back') tab.going.resume();
        else if (step.do === 'kill') {
          tab.kill();
          pages[at] = await open();
        }
        // Several steps may be taken in one turn.
        if (step.do !== 'call' || step.job === 0) await settle(1);
      }
      for (const page of pages) {
        page.slowMs = 0;
        page.tab.hears = true;
        page.tab.going.resume();
      }
      await clock.advance(8000);
      for (const { tab } of pages) await clock.runUntil(tab.venue.flush());
      for (const { tab } of pages) await clock.runUntil(tab.venue.catchUp());
      pages.push(await open());
      const views = pages.map(({ jobs }) => jobs.list().jobs.map(({ mine, ...job }) => job));
      for (const view of views) expect(view).toEqual(views[0]);
      for (const { jobs } of pages) told.check(jobs);
      for (const { tab } of pages) tab.kill();
    });
    await fc.assert(property, { numRuns: Number(process.env.RUNS ?? 60), seed: Number(process.env.SEED ?? 7) });
  }, 600_000);
});
