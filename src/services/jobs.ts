// Jobs: work that is asked for, done and answered, and is still known when the process that did it is gone. Nothing is executed here: what was left
// behind is shown, and what becomes of it is the program's word. Knows the venue's face only.
import { TidemarkError } from '../base/errors';
import type { Region, Venue } from '../venue';
import { IllegalTransition } from './errors';
import { idFrom } from './ids';
import { from, isFinal, type JobStatus } from './jobs/state';
import { JobStore, type Said } from './jobs/store';
import type { Job, JobEvent, JobFilter, JobPage, JobsOptions, NewJob, Recovery } from './jobs/types';

export type * from './jobs/types';
export type { JobStatus };

/** The jobs of a venue. May be opened as often as one likes: all see the same. */
export const openJobs = (venue: Venue, options: JobsOptions = {}): Jobs => new Jobs(venue, options);

/** See openJobs(). Every call that names a job throws TidemarkError `not_found` if there is none, but for get() and history(). */
export class Jobs {
  private readonly store: JobStore;

  /** @internal */
  constructor(
    private readonly venue: Venue,
    private readonly options: JobsOptions,
  ) {
    this.store = new JobStore(venue, options.redact ?? []);
  }

  /** Asks for work. Durable with the next sweep or flush. */
  async submit(job: NewJob): Promise<Job> {
    const holder = await this.store.self();
    return this.store.find(this.store.add(job, holder));
  }

  /**
   * Takes a pending job, to run it here. Durable when it resolves; it may have been paused since.
   * @throws IllegalTransition, also if another writer took it meanwhile; TidemarkError `lease_lost` if we were out of time, `conflict` if another
   * writer is about to take it and does not get on
   */
  async start(id: string): Promise<Job> {
    return this.store.take(id, from.start);
  }

  /** Goes on with a job under the writer that holds it; if that one is gone, here: `mine` says which. Durable when it resolves. @throws as start() */
  async resume(id: string, answer?: unknown): Promise<Job> {
    const { store } = this;
    const { holder } = store.check(id, from.resume, 'STARTED');
    if (!(await store.isAlive(holder))) return store.take(id, from.resume, answer);
    store.change(id, store.check(id, from.resume, 'STARTED'), 'STARTED', { detail: answer });
    await this.venue.flush();
    return store.find(id);
  }

  /** Reports how far it has come; the last report is kept. @throws TidemarkError `lease_lost` if another writer holds it, or may */
  progress(id: string, progress: unknown): Job {
    this.store.report(id, this.store.check(id, from.progress, 'STARTED', true), progress);
    return this.store.find(id);
  }

  /** Asks whoever runs it to wait. */
  pause(id: string, reason?: unknown): Job {
    return this.wait(id, from.pause, 'PAUSED', reason);
  }

  /** Waits for an answer: resume(id, answer). @throws TidemarkError `lease_lost` as progress() */
  requireInput(id: string, question?: unknown): Job {
    return this.wait(id, from.requireInput, 'INPUT_REQUIRED', question, true);
  }

  /** Waits for somebody to log in: resume(id). @throws TidemarkError `lease_lost` as progress() */
  requireAuth(id: string, question?: unknown): Job {
    return this.wait(id, from.requireAuth, 'AUTH_REQUIRED', question, true);
  }

  private wait(id: string, from: readonly JobStatus[], to: JobStatus, detail: unknown, reports = false): Job {
    this.store.change(id, this.store.check(id, from, to, reports), to, { detail });
    return this.store.find(id);
  }

  /**
   * Durable when it resolves, and final.
   * @throws IllegalTransition, also if another writer finished it at the same moment and was first; TidemarkError `lease_lost` as progress()
   */
  async complete(id: string, output?: unknown): Promise<Job> {
    return this.store.finish(id, this.store.check(id, from.complete, 'COMPLETE', true), 'COMPLETE', { output });
  }

  /**
   * Durable when it resolves, and final. Nothing happens to a finished job: look at the `status` of what you get.
   * @throws TidemarkError `lease_lost` as progress()
   */
  fail(id: string, error?: unknown): Promise<Job> {
    return this.endOnce(id, 'FAILED', { error: plain(error) }, true);
  }

  /** Durable when it resolves, and final. Nothing happens to a finished job: look at the `status` of what you get. */
  cancel(id: string, reason?: unknown): Promise<Job> {
    return this.endOnce(id, 'CANCELLED', { detail: reason });
  }

  private async endOnce(id: string, status: JobStatus, said: Said, reports = false): Promise<Job> {
    const { store } = this;
    if (!isFinal(store.state(id).status))
      return store.finish(id, store.check(id, from.end, status, reports), status, said);
    await this.venue.flush();
    return store.find(id);
  }

  /** Refuses it. Durable when it resolves, and final. @throws IllegalTransition, also if another writer finished it at the same moment and was first */
  async reject(id: string, reason?: unknown): Promise<Job> {
    return this.store.finish(id, this.store.check(id, from.end, 'REJECTED'), 'REJECTED', { detail: reason });
  }

  get(id: string): Job | undefined {
    return this.store.get(id);
  }

  /** In order of submission. Jobs that are not finished are found without a look at those that are. */
  list({ status, since, limit = Number.POSITIVE_INFINITY, cursor }: JobFilter = {}): JobPage {
    const { store } = this;
    const wanted = status === undefined ? undefined : [status].flat();
    const after = cursor === undefined ? '' : `${cursor}\0`;
    const oldest = since === undefined ? '' : idFrom(since);
    const start = after > oldest ? after : oldest;
    const ids = wanted && !wanted.some(isFinal) ? store.open.from(start) : keys(store.records.scan({ from: start }));
    const jobs: Job[] = [];
    for (const id of ids) {
      const job = store.get(id);
      if (!job || (wanted && !wanted.includes(job.status))) continue;
      if (jobs.length >= limit) return { jobs, nextCursor: jobs.at(-1)?.id };
      jobs.push(job);
    }
    return { jobs, nextCursor: undefined };
  }

  /** What was done with a job, in order. Two writers that did not know of each other may both be in it; of ends there is one. */
  history(id: string): JobEvent[] {
    return this.store.history(id);
  }

  /** Calls `listener` with each job that changes, here or elsewhere, in that turn. @returns a function that ends it */
  subscribe(listener: (job: Job) => void): () => void;
  subscribe(id: string, listener: (job: Job) => void): () => void;
  subscribe(...given: [(job: Job) => void] | [string, (job: Job) => void]): () => void {
    const listener = given.at(-1) as (job: Job) => void;
    const [id] = given;
    const tell = (changes: readonly { key: string }[]) => {
      for (const { key } of changes) {
        const job = this.get(key);
        if (job) listener(job);
      }
    };
    const regions: Region[] = [this.store.records, this.store.states];
    const stops = regions.map((region) =>
      typeof id === 'string' ? region.subscribe(id, tell) : region.subscribe(tell),
    );
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Jobs that wait or run under a writer that is not known to be alive. */
  recoverable(): Job[] {
    return this.list({ status: ['PENDING', 'STARTED'] }).jobs.filter((job) => job.recoverable);
  }

  /** Does with all that are recoverable what the policies of their ops say. Durable when it resolves. */
  recover(): Promise<Recovery>;
  /**
   * Does it with one: `retry` makes it the next attempt of the same job, to be started again. Durable when it resolves.
   * @throws TidemarkError `redacted` if its input was; IllegalTransition if it is not recoverable
   */
  recover(id: string, how: 'retry' | 'fail'): Promise<Job>;
  async recover(id?: string, how?: 'retry' | 'fail'): Promise<Job | Recovery> {
    const holder = await this.store.self();
    await this.venue.catchUp(); // who has renewed its lease is not gone
    if (id !== undefined) return this.recoverOne(this.store.find(id), how!, holder);
    const found = this.recoverable();
    const policyOf = ({ op, redacted }: Job) => {
      const policy = this.options.policies?.[op];
      return policy === 'retry' && redacted ? 'ask' : (policy ?? 'ask');
    };
    const all = async (policy: 'retry' | 'fail') => {
      const jobs = found.filter((job) => policyOf(job) === policy);
      return Promise.all(jobs.map((job) => this.recoverOne(job, policy, holder)));
    };
    const [retried, failed] = await Promise.all([all('retry'), all('fail')]);
    return { retried, failed, asked: found.filter((job) => policyOf(job) === 'ask') };
  }

  private async recoverOne(job: Job, how: 'retry' | 'fail', holder: string): Promise<Job> {
    const { store } = this;
    const { id, status, recoverable, redacted } = job;
    const retries = how === 'retry';
    if (!recoverable) throw new IllegalTransition(`job ${id}`, status, retries ? 'PENDING' : 'FAILED');
    const state = store.state(id);
    if (!retries) {
      const error = plain(new TidemarkError('lease_lost', recoverable.reason));
      return store.finish(id, state, 'FAILED', { error });
    }
    if (redacted) {
      const what = `${redacted.join(', ')} was redacted and is not stored`;
      throw new TidemarkError('redacted', `job ${id} cannot be retried: ${what}; submit it anew`);
    }
    store.change(id, { ...state, attempt: state.attempt + 1, holder }, 'PENDING', {});
    await this.venue.flush();
    return store.find(id);
  }
}

/** An error as it can be stored. */
const plain = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error;
  const { name, message, code } = error as Error & { code?: unknown };
  return { name, message, code };
};

function* keys(entries: Iterable<readonly [string, unknown]>): Generator<string> {
  for (const [key] of entries) yield key;
}
