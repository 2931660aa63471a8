// Jobs in one venue: the table of states, what is durable when, order, pages, history, redaction, and what is found after a restart.
import { describe, expect, it } from 'vitest';
import type { MemoryStore } from '../../backends/memory';
import { timeOfId } from '../../src/services/ids';
import { type Job, type JobStatus, type Jobs, type JobsOptions, openJobs } from '../../src/services/jobs';
import type { SimClock } from '../simulator/clock';
import { openIn } from '../venue/helpers';

interface Opened {
  jobs: Jobs;
  clock: SimClock;
  store: MemoryStore;
  venue: Awaited<ReturnType<typeof openIn>>['venue'];
  /** Opens it again as the next process would, after a crash of this one. */
  again(options?: JobsOptions): Promise<Opened>;
}

async function open(options: JobsOptions = {}, world: { clock?: SimClock; store?: MemoryStore } = {}): Promise<Opened> {
  const { venue, clock, store, kill } = await openIn({ ...world, exclusive: true });
  const again = (next = options) => {
    kill();
    return open(next, { clock, store });
  };
  return { jobs: openJobs(venue, options), clock, store, venue, again };
}

const started =
  (then: (jobs: Jobs, id: string) => unknown) =>
  async (jobs: Jobs, id: string): Promise<void> => {
    await jobs.start(id);
    await then(jobs, id);
  };

/** Ways to bring a job into each state. */
const ways: Record<JobStatus, (jobs: Jobs, id: string) => unknown> = {
  PENDING: () => undefined,
  STARTED: (jobs, id) => jobs.start(id),
  PAUSED: started((jobs, id) => jobs.pause(id)),
  INPUT_REQUIRED: started((jobs, id) => jobs.requireInput(id)),
  AUTH_REQUIRED: started((jobs, id) => jobs.requireAuth(id)),
  COMPLETE: started((jobs, id) => jobs.complete(id)),
  FAILED: (jobs, id) => jobs.fail(id),
  CANCELLED: (jobs, id) => jobs.cancel(id),
  REJECTED: (jobs, id) => jobs.reject(id),
};

async function jobIn(jobs: Jobs, status: JobStatus, op = 'op'): Promise<Job> {
  const { id } = await jobs.submit({ op });
  await ways[status](jobs, id);
  expect(jobs.get(id)!.status).toBe(status);
  return jobs.get(id)!;
}

const statuses = Object.keys(ways) as JobStatus[];
const finals: JobStatus[] = ['COMPLETE', 'FAILED', 'CANCELLED', 'REJECTED'];
const calls: { [name: string]: { to: JobStatus; from: JobStatus[]; call: (jobs: Jobs, id: string) => unknown } } = {
  start: { to: 'STARTED', from: ['PENDING'], call: (jobs, id) => jobs.start(id) },
  progress: { to: 'STARTED', from: ['STARTED', 'PAUSED'], call: (jobs, id) => jobs.progress(id, 1) },
  pause: { to: 'PAUSED', from: ['STARTED'], call: (jobs, id) => jobs.pause(id) },
  requireInput: { to: 'INPUT_REQUIRED', from: ['STARTED'], call: (jobs, id) => jobs.requireInput(id) },
  requireAuth: { to: 'AUTH_REQUIRED', from: ['STARTED'], call: (jobs, id) => jobs.requireAuth(id) },
  resume: {
    to: 'STARTED',
    from: ['PAUSED', 'INPUT_REQUIRED', 'AUTH_REQUIRED'],
    call: (jobs, id) => jobs.resume(id),
  },
  complete: { to: 'COMPLETE', from: ['STARTED', 'PAUSED'], call: (jobs, id) => jobs.complete(id) },
  fail: { to: 'FAILED', from: statuses, call: (jobs, id) => jobs.fail(id) },
  cancel: { to: 'CANCELLED', from: statuses, call: (jobs, id) => jobs.cancel(id) },
  reject: {
    to: 'REJECTED',
    from: ['PENDING', 'STARTED', 'PAUSED', 'INPUT_REQUIRED', 'AUTH_REQUIRED'],
    call: (jobs, id) => jobs.reject(id),
  },
};

describe('a job goes only where the table allows', () => {
  it.each(Object.keys(calls))('%s', async (name) => {
    const { to, from, call } = calls[name]!;
    const { jobs } = await open();
    for (const status of statuses) {
      const before = await jobIn(jobs, status);
      const history = jobs.history(before.id);
      const work = (async () => call(jobs, before.id))();
      if (!from.includes(status)) {
        await expect(work, status).rejects.toMatchObject({
          name: 'IllegalTransition',
          code: 'illegal_transition',
          from: status,
          to,
          message: `job ${before.id} is ${status} and cannot become ${to}`,
        });
      } else if (finals.includes(status)) await expect(work, status).resolves.toEqual(before);
      else {
        const after = (await work) as Job;
        expect(after).toEqual(jobs.get(before.id));
        expect(after.status).toBe(name === 'progress' ? status : to);
        continue;
      }
      expect(jobs.get(before.id)).toEqual(before);
      expect(jobs.history(before.id)).toEqual(history);
    }
  });

  it('and there is no job of an id that was not given out', async () => {
    const { jobs } = await open();
    expect(jobs.get('nothing')).toBeUndefined();
    expect(jobs.history('nothing')).toEqual([]);
    for (const { call } of Object.values(calls))
      await expect((async () => call(jobs, 'nothing'))()).rejects.toMatchObject({ code: 'not_found' });
    await expect(jobs.recover('nothing', 'fail')).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('what was said of a job is there', () => {
  it('from submission to its end', async () => {
    const { jobs, clock } = await open();
    const submittedAt = clock.now();
    const { id } = await jobs.submit({ op: 'sum', input: { of: [1, 2] }, caller: 'me', name: 'A sum' });
    expect(jobs.get(id)).toEqual({
      id,
      op: 'sum',
      input: { of: [1, 2] },
      caller: 'me',
      name: 'A sum',
      submittedAt,
      status: 'PENDING',
      changedAt: submittedAt,
      attempt: 1,
      mine: false,
    });
    await clock.advance(1000);
    await jobs.start(id);
    expect(jobs.progress(id, { done: 1 })).toMatchObject({ status: 'STARTED', mine: true, progress: { done: 1 } });
    expect(jobs.requireInput(id, 'and then?')).toMatchObject({
      status: 'INPUT_REQUIRED',
      detail: 'and then?',
      mine: true,
    });
    const resumed = await jobs.resume(id, 'go on');
    expect(resumed).toMatchObject({ status: 'STARTED', detail: 'go on', progress: { done: 1 }, attempt: 1 });
    await clock.advance(1000);
    expect(await jobs.complete(id, 3)).toMatchObject({
      status: 'COMPLETE',
      output: 3,
      detail: undefined,
      mine: false,
      submittedAt,
      changedAt: submittedAt + 2000,
    });
    expect(jobs.history(id)).toEqual([
      { at: submittedAt, status: 'PENDING', attempt: 1 },
      { at: submittedAt + 1000, status: 'STARTED', attempt: 1 },
      { at: submittedAt + 1000, status: 'INPUT_REQUIRED', attempt: 1, detail: 'and then?' },
      { at: submittedAt + 1000, status: 'STARTED', attempt: 1, detail: 'go on' },
      { at: submittedAt + 2000, status: 'COMPLETE', attempt: 1 },
    ]);
  });

  it('why it ended', async () => {
    const { jobs } = await open();
    const error = Object.assign(new RangeError('too far'), { code: 'E_FAR', extra: () => 1 });
    const { id } = await jobIn(jobs, 'STARTED');
    expect((await jobs.fail(id, error)).error).toEqual({ name: 'RangeError', message: 'too far', code: 'E_FAR' });
    expect((await jobs.fail((await jobIn(jobs, 'PENDING')).id, { why: 'no' })).error).toEqual({ why: 'no' });
    expect((await jobs.cancel((await jobIn(jobs, 'PAUSED')).id, 'enough')).detail).toBe('enough');
    expect((await jobs.reject((await jobIn(jobs, 'AUTH_REQUIRED')).id, 'no access')).detail).toBe('no access');
  });

  it('and what cannot be stored is refused, and changes nothing', async () => {
    const { jobs } = await open();
    await expect(jobs.submit({ op: 'op', input: () => 1 })).rejects.toThrow(TypeError);
    expect(jobs.list().jobs).toEqual([]);
    const before = await jobIn(jobs, 'STARTED');
    await expect(jobs.complete(before.id, Symbol('s'))).rejects.toThrow(TypeError);
    expect(() => jobs.progress(before.id, () => 1)).toThrow(TypeError);
    expect(jobs.get(before.id)).toEqual(before);
    expect(jobs.history(before.id)).toHaveLength(2);
  });
});

describe('complete, fail, cancel and reject resolve when the end is durable, and not before', () => {
  it.each(['complete', 'fail', 'cancel', 'reject', 'cancel of a finished one'])('%s', async (name) => {
    const { venue, backend, clock, store } = await openIn({ exclusive: true });
    const jobs = openJobs(venue);
    const { id } = await jobIn(jobs, 'STARTED');
    const root = venue.root.region<{ status: string }>('tidemark.jobs.states');
    let stuck: (() => void) | undefined;
    backend.instead.append = (pass) => new Promise((resolve) => (stuck = () => resolve(pass())));
    const [call = ''] = name.split(' ');
    if (name !== call) void jobs.complete(id);
    let done = false;
    const work = (calls[call]!.call(jobs, id) as Promise<Job>).then((job) => {
      done = true;
      expect(root.get(id)!.status).toBe(job.status);
    });
    await clock.advance(1000);
    expect({ done, durable: root.get(id)!.status }).toEqual({ done: false, durable: 'STARTED' });
    backend.instead = {};
    stuck!();
    await clock.runUntil(work);
    const next = await openIn({ store, clock, exclusive: true });
    expect(openJobs(next.venue).get(id)!.status).toBe(jobs.get(id)!.status);
    expect(finals).toContain(jobs.get(id)!.status);
  });

  it('start, too, so that no work is done that nobody knows of', async () => {
    const { jobs, again } = await open();
    const { id } = await jobs.submit({ op: 'op' });
    await jobs.start(id);
    expect((await again()).jobs.get(id)!.status).toBe('STARTED');
  });
});

describe('a job that is cancelled in the turn in which it is started', () => {
  it('is not run: start says so', async () => {
    const { jobs } = await open();
    const { id } = await jobs.submit({ op: 'op' });
    jobs.subscribe(id, ({ status }) => {
      if (status === 'STARTED') void jobs.cancel(id);
    });
    await expect(jobs.start(id)).rejects.toMatchObject({
      code: 'illegal_transition',
      from: 'CANCELLED',
      to: 'STARTED',
    });
  });
});

describe('list', () => {
  async function ten() {
    const opened = await open();
    const ids: string[] = [];
    for (let n = 0; n < 10; n++) {
      ids.push((await opened.jobs.submit({ op: `op${n}` })).id);
      if (n % 3 === 2) await opened.clock.advance(10);
    }
    return { ...opened, ids };
  }
  const idsOf = (jobs: readonly Job[]) => jobs.map(({ id }) => id);

  it('is in order of submission, whatever was done since', async () => {
    const { jobs, ids, again } = await ten();
    await jobs.start(ids[7]!);
    await jobs.cancel(ids[2]!);
    expect(idsOf(jobs.list().jobs)).toEqual(ids);
    expect(idsOf((await again()).jobs.list().jobs)).toEqual(ids);
  });

  it('goes page by page, also while more come in', async () => {
    const { jobs, ids } = await ten();
    const pages: Job[][] = [];
    let cursor: string | undefined;
    do {
      const page = jobs.list({ limit: 3, cursor });
      pages.push(page.jobs);
      cursor = page.nextCursor;
      if (pages.length === 2) ids.push((await jobs.submit({ op: 'late' })).id);
    } while (cursor);
    expect(pages.map((page) => page.length)).toEqual([3, 3, 3, 2]);
    expect(idsOf(pages.flat())).toEqual(ids);
    expect(jobs.list({ limit: 11 }).nextCursor).toBeUndefined();
  });

  it('begins at a time', async () => {
    const { jobs, ids } = await ten();
    const since = timeOfId(ids[3]!);
    expect(idsOf(jobs.list({ since }).jobs)).toEqual(ids.slice(3));
    expect(idsOf(jobs.list({ since: since + 1 }).jobs)).toEqual(ids.slice(6));
    expect(idsOf(jobs.list({ since, cursor: ids[4]! }).jobs)).toEqual(ids.slice(5));
    expect(idsOf(jobs.list({ since, cursor: ids[0]!, status: 'PENDING' }).jobs)).toEqual(ids.slice(3));
  });

  it.each(['at first', 'with an index that has followed'])('of some states, %s', async (when) => {
    const { jobs } = await open();
    if (when !== 'at first') expect(jobs.list({ status: 'PENDING' }).jobs).toEqual([]);
    const all: Job[] = [];
    for (let n = 0; n < 3; n++) for (const status of statuses) all.push(await jobIn(jobs, status));
    for (const status of statuses) {
      const wanted = all.filter((job) => job.status === status);
      expect(jobs.list({ status }).jobs).toEqual(wanted);
      const page = jobs.list({ status, limit: 2 });
      expect(page).toEqual({ jobs: wanted.slice(0, 2), nextCursor: wanted[1]!.id });
      expect(jobs.list({ status, cursor: page.nextCursor })).toEqual({ jobs: wanted.slice(2), nextCursor: undefined });
    }
    const some = all.filter(({ status }) => status === 'PAUSED' || status === 'FAILED');
    expect(jobs.list({ status: ['PAUSED', 'FAILED'] }).jobs).toEqual(some);
    expect(jobs.list({ status: [] }).jobs).toEqual([]);
  });

  it('finds the few that are not done among many that are', async () => {
    const { jobs } = await open();
    const ids: string[] = [];
    for (let n = 0; n < 3000; n++) ids.push((await jobs.submit({ op: 'op' })).id);
    expect(jobs.list({ status: 'PENDING' }).jobs).toHaveLength(3000);
    await Promise.all(ids.map((id, n) => (n % 1000 === 500 ? undefined : jobs.cancel(id))));
    expect(idsOf(jobs.list({ status: 'PENDING' }).jobs)).toEqual([ids[500], ids[1500], ids[2500]]);
    const { id } = await jobs.submit({ op: 'op' });
    expect(idsOf(jobs.list({ status: 'PENDING', cursor: ids[500]! }).jobs)).toEqual([ids[1500], ids[2500], id]);
  });
});

describe('subscribe tells of changes, in their turn', () => {
  it('of all jobs, or of one, until it is ended', async () => {
    const { jobs } = await open();
    const { id } = await jobs.submit({ op: 'a' });
    const all: string[] = [];
    const one: string[] = [];
    const stops = [
      jobs.subscribe((job) => all.push(`${job.op} ${job.status} ${job.progress}`)),
      jobs.subscribe(id, (job) => one.push(job.status)),
    ];
    const other = await jobs.submit({ op: 'b' });
    await jobs.start(id);
    jobs.progress(id, 1);
    void jobs.complete(id);
    expect(all).toEqual(['b PENDING undefined', 'a STARTED undefined', 'a STARTED 1', 'a COMPLETE 1']);
    expect(one).toEqual(['STARTED', 'STARTED', 'COMPLETE']);
    for (const stop of stops) stop();
    await jobs.cancel(other.id);
    expect(all).toHaveLength(4);
  });
});

describe('after a restart', () => {
  it('jobs that waited or ran are recoverable, with the reason and the time; all others are as they were', async () => {
    const { jobs, clock, again, venue } = await open();
    const before = new Map<JobStatus, Job>();
    for (const status of statuses) before.set(status, await jobIn(jobs, status));
    await clock.advance(500);
    const reported = await jobIn(jobs, 'STARTED');
    await clock.advance(500);
    jobs.progress(reported.id, 'half');
    const reportedAt = clock.now();
    expect(jobs.recoverable()).toEqual([]);
    await clock.advance(500);
    await venue.flush();
    const next = (await again()).jobs;
    for (const [status, job] of before) {
      const gone = status === 'PENDING' || status === 'STARTED';
      const reason = `the writer that ${status === 'PENDING' ? 'submitted' : 'ran'} it is gone`;
      expect(next.get(job.id)).toEqual({
        ...job,
        mine: false,
        recoverable: gone ? { reason, at: job.changedAt } : undefined,
      });
    }
    expect(next.get(reported.id)).toMatchObject({ progress: 'half', recoverable: { at: reportedAt } });
    expect(next.recoverable().map(({ id }) => id)).toEqual([
      before.get('PENDING')!.id,
      before.get('STARTED')!.id,
      reported.id,
    ]);
  });

  it('nothing is done by itself, however long one waits', async () => {
    const { jobs, clock, again } = await open({ policies: { op: 'retry' } });
    const { id } = await jobIn(jobs, 'STARTED');
    const next = await again();
    const found = next.jobs.recoverable();
    await clock.advance(3_600_000);
    expect(next.jobs.recoverable()).toEqual(found);
    expect(next.jobs.history(id)).toHaveLength(2);
    expect(clock.pending()).toBe(0);
  });

  it('recover() does what the policy of each op says, and is durable', async () => {
    const { jobs, again } = await open({ policies: { again: 'retry', never: 'fail' } });
    const made: Record<string, Job> = {};
    for (const op of ['again', 'never', 'whatever'])
      for (const status of ['PENDING', 'STARTED', 'PAUSED', 'COMPLETE'] as const)
        made[`${op} ${status}`] = await jobIn(jobs, status, op);
    const second = await again();
    const { retried, failed, asked } = await second.jobs.recover();
    const names = (found: readonly Job[]) =>
      found.map(({ id }) => Object.keys(made).find((key) => made[key]!.id === id));
    expect(names(retried)).toEqual(['again PENDING', 'again STARTED']);
    expect(names(failed)).toEqual(['never PENDING', 'never STARTED']);
    expect(names(asked)).toEqual(['whatever PENDING', 'whatever STARTED']);
    for (const job of retried) expect(job).toMatchObject({ status: 'PENDING', attempt: 2, recoverable: undefined });
    for (const job of failed)
      expect(job).toMatchObject({ status: 'FAILED', attempt: 1, error: { code: 'lease_lost', message: /is gone/ } });
    for (const job of asked) expect(job).toEqual(second.jobs.get(job.id));
    expect(second.jobs.recoverable()).toEqual(asked);

    const { jobs: third } = await second.again();
    for (const job of failed) expect(third.get(job.id)).toEqual(job);
    for (const job of retried) expect(third.get(job.id)).toMatchObject({ status: 'PENDING', attempt: 2 });
    expect(third.get(made['whatever PAUSED']!.id)).toMatchObject({ status: 'PAUSED' });
  });

  it('one that is to be asked about is retried, failed, or ended with what is known of it', async () => {
    const { jobs, venue, again } = await open();
    const made = await Promise.all(Array.from({ length: 4 }, () => jobIn(jobs, 'STARTED')));
    const [a, b, c, d] = made.map(({ id }) => id) as [string, string, string, string];
    jobs.progress(a, 'half');
    await venue.flush();
    const next = await again();
    const retried = await next.jobs.recover(a, 'retry');
    expect(retried).toMatchObject({ status: 'PENDING', attempt: 2, progress: undefined });
    expect(await next.jobs.recover(b, 'fail')).toMatchObject({ status: 'FAILED' });
    expect(await next.jobs.complete(c, 'it was done')).toMatchObject({ status: 'COMPLETE', output: 'it was done' });
    expect(await next.jobs.cancel(d)).toMatchObject({ status: 'CANCELLED' });
    expect(await next.jobs.start(a)).toMatchObject({ status: 'STARTED', attempt: 2, mine: true });
    expect(next.jobs.history(a).map(({ status, attempt }) => `${status} ${attempt}`)).toEqual([
      'PENDING 1',
      'STARTED 1',
      'PENDING 2',
      'STARTED 2',
    ]);
    for (const id of [a, b])
      await expect(next.jobs.recover(id, 'retry')).rejects.toMatchObject({ code: 'illegal_transition', to: 'PENDING' });
    await expect(next.jobs.recover(a, 'fail')).rejects.toMatchObject({ code: 'illegal_transition', to: 'FAILED' });
  });

  it('a job that waits for an answer goes on where it is resumed', async () => {
    for (const status of ['PAUSED', 'INPUT_REQUIRED', 'AUTH_REQUIRED'] as const) {
      const { jobs, venue, again } = await open();
      const { id } = await jobIn(jobs, status);
      await venue.flush();
      const next = (await again()).jobs;
      expect(await next.resume(id, 'yes')).toMatchObject({ status: 'STARTED', mine: true, attempt: 1, detail: 'yes' });
      expect(await next.complete(id)).toMatchObject({ status: 'COMPLETE' });
    }
  });

  it('a retry is durable when it resolves', async () => {
    const { jobs, again } = await open();
    const { id } = await jobIn(jobs, 'STARTED');
    const next = await again();
    await next.jobs.recover(id, 'retry');
    expect((await next.again()).jobs.get(id)).toMatchObject({ status: 'PENDING', attempt: 2 });
  });

  it('a pending job can be started as it is', async () => {
    const { jobs, venue, again } = await open();
    const { id } = await jobs.submit({ op: 'op' });
    await venue.flush();
    const next = (await again()).jobs;
    expect(next.get(id)!.recoverable).toBeDefined();
    expect(await next.start(id)).toMatchObject({ status: 'STARTED', attempt: 1, mine: true, recoverable: undefined });
  });
});

describe('what is to be redacted is not stored', () => {
  const secret = 'S3CRET';
  const redact = [
    'input.apiKey',
    'input.items.*.token',
    'output.session',
    'error.token',
    'detail.code',
    'progress.url',
  ];
  const input = { apiKey: secret, items: [{ token: secret, n: 1 }], model: 'm' };

  it('anywhere, of no part of a job', async () => {
    const { jobs, store, venue } = await open({ redact });
    const { id } = await jobs.submit({ op: 'op', input });
    expect(jobs.get(id)).toMatchObject({
      input: { apiKey: '[redacted]', items: [{ token: '[redacted]', n: 1 }], model: 'm' },
      redacted: ['input.apiKey', 'input.items.0.token'],
    });
    await jobs.start(id);
    jobs.progress(id, { url: secret });
    jobs.requireAuth(id, { code: secret, at: 'x' });
    await jobs.resume(id, { code: secret });
    await jobs.complete(id, { session: secret, sum: 3 });
    expect(jobs.get(id)).toMatchObject({ output: { session: '[redacted]', sum: 3 }, progress: { url: '[redacted]' } });
    const failing = await jobs.submit({ op: 'op' });
    await jobs.fail(failing.id, { token: secret });
    expect(jobs.get(failing.id)).toMatchObject({ redacted: undefined, error: { token: '[redacted]' } });
    await venue.flush();
    expect(
      store
        .commits()
        .map((commit) => new TextDecoder().decode(commit))
        .join(''),
    ).not.toContain(secret);
  });

  it('so that such a job cannot be retried, and says so', async () => {
    const { jobs, again } = await open({ redact, policies: { op: 'retry' } });
    const { id } = await jobs.submit({ op: 'op', input });
    const whole = await jobs.submit({ op: 'op', input: { model: 'm' } });
    await jobs.start(id);
    const next = (await again()).jobs;
    await expect(next.recover(id, 'retry')).rejects.toMatchObject({
      code: 'redacted',
      message: expect.stringContaining('input.apiKey'),
    });
    const { retried, asked } = await next.recover();
    expect(retried.map((job) => job.id)).toEqual([whole.id]);
    expect(asked.map((job) => job.id)).toEqual([id]);
    expect(next.get(id)).toMatchObject({ status: 'STARTED', attempt: 1 });
    expect(await next.recover(id, 'fail')).toMatchObject({ status: 'FAILED' });
  });
});

describe('a venue that has jobs', () => {
  it('may be asked for them as often as one likes', async () => {
    const { jobs, venue } = await open();
    const others = openJobs(venue, { policies: { op: 'fail' } });
    const { id } = await others.submit({ op: 'op' });
    await jobs.start(id);
    expect(others.get(id)).toEqual(jobs.get(id));
    expect(await others.complete(id)).toMatchObject({ status: 'COMPLETE' });
  });

  it('has no timer and writes nothing while nothing is done', async () => {
    const { jobs, clock, venue } = await open();
    for (const status of statuses) await jobIn(jobs, status);
    jobs.recoverable();
    await venue.flush();
    const { sweeps } = venue.health();
    await clock.advance(3_600_000);
    expect(venue.health().sweeps).toBe(sweeps);
    expect(clock.pending()).toBe(0);
  });

  it('takes no more of them once it is closed', async () => {
    const { jobs, venue } = await open();
    const { id } = await jobIn(jobs, 'STARTED');
    await venue.close();
    await expect(jobs.submit({ op: 'op' })).rejects.toMatchObject({ code: 'closed' });
    await expect(jobs.complete(id)).rejects.toMatchObject({ code: 'closed' });
    expect(jobs.get(id)!.status).toBe('STARTED');
  });
});
