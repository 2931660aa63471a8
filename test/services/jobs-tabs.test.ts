// Jobs of several writers on one store, under virtual time: who gets a job, what the one that was second is told, and that nothing that anybody
// was told of an end changes afterwards.
import { describe, expect, it } from 'vitest';
import { type Job, type Jobs, type JobsOptions, openJobs } from '../../src/services/jobs';
import { settle } from '../venue/helpers';
import { newOrigin, type Origin, openTab, type Tab } from '../venue/pages';

interface Page {
  tab: Tab;
  jobs: Jobs;
}

async function open(origin: Origin, options?: JobsOptions): Promise<Page> {
  const tab = await openTab(origin);
  return { tab, jobs: openJobs(tab.venue, options) };
}

/** Two tabs, and a job that the first of them has submitted and both know of. */
async function two(options?: JobsOptions) {
  const origin = newOrigin();
  const [one, other] = [await open(origin, options), await open(origin, options)];
  const during = <T>(work: Promise<T>) => origin.clock.runUntil(work);
  const { id } = await during(one.jobs.submit({ op: 'op' }));
  await during(one.tab.venue.flush());
  await settle();
  return { origin, one, other, id, during };
}

/** The same, and the first runs it. */
async function running(options?: JobsOptions) {
  const world = await two(options);
  await world.during(world.one.jobs.start(world.id));
  await settle();
  return world;
}

const outcome = (work: Promise<Job>): Promise<string> =>
  work.then(
    ({ status, mine }) => (mine ? `${status} here` : status),
    (error: { code?: string; from?: string }) => `${error.code}${error.from ? ` ${error.from}` : ''}`,
  );

/** What everybody sees, also who comes later. */
async function seen(origin: Origin, id: string, pages: Page[]): Promise<string> {
  await settle();
  const fresh = await open(origin);
  const statuses = [...pages, fresh].map(({ jobs }) => jobs.get(id)!.status);
  expect(new Set(statuses).size).toBe(1);
  const ends = fresh.jobs.history(id).filter(({ status }) => /COMPLETE|FAILED|CANCELLED|REJECTED/.test(status));
  expect(ends.length).toBeLessThanOrEqual(1);
  fresh.tab.kill();
  return statuses[0]!;
}

describe('tabs see each other’s jobs', () => {
  it('as they change, and whose they are', async () => {
    const { one, other, id, during } = await two();
    const heard: string[] = [];
    other.jobs.subscribe(id, ({ status, progress }) => heard.push(`${status} ${progress}`));
    expect(other.jobs.get(id)).toMatchObject({ status: 'PENDING', recoverable: undefined });
    await during(one.jobs.start(id));
    one.jobs.progress(id, 0.5);
    await during(one.tab.venue.flush());
    await settle();
    expect(one.jobs.get(id)!.mine).toBe(true);
    expect(other.jobs.get(id)).toMatchObject({ status: 'STARTED', progress: 0.5, mine: false, recoverable: undefined });
    await during(one.jobs.complete(id, 1));
    await settle();
    expect(heard.at(-1)).toBe('COMPLETE 0.5');
    expect(other.jobs.list({ status: ['PENDING', 'STARTED'] }).jobs).toEqual([]);
  });

  it('in an index of open jobs that follows what others do, in whatever order it comes', async () => {
    const { origin, one, other, id, during } = await two();
    expect(other.jobs.list({ status: 'PENDING' }).jobs.map((job) => job.id)).toEqual([id]);
    other.tab.hears = false;
    const early = await during(one.jobs.submit({ op: 'early' }));
    await during(one.tab.venue.flush());
    await origin.clock.advance(50);
    const late = await during(other.jobs.submit({ op: 'late' }));
    other.tab.hears = true;
    await during(other.tab.venue.catchUp());
    expect(other.jobs.list({ status: 'PENDING' }).jobs.map((job) => job.id)).toEqual([id, early.id, late.id]);
    await during(one.jobs.cancel(early.id));
    await settle();
    expect(other.jobs.list({ status: 'PENDING' }).jobs.map((job) => job.id)).toEqual([id, late.id]);
  });
});

describe('of writers that do the same at the same moment one is first, and each is told', () => {
  it('two start it: one has it', async () => {
    const { origin, one, other, id, during } = await two();
    const told = await during(Promise.all([outcome(one.jobs.start(id)), outcome(other.jobs.start(id))]));
    expect(told.sort()).toEqual(['STARTED here', 'illegal_transition STARTED']);
    expect(await seen(origin, id, [one, other])).toBe('STARTED');
    expect([one, other].filter(({ jobs }) => jobs.get(id)!.mine)).toHaveLength(1);
    expect(one.jobs.history(id).map(({ status }) => status)).toEqual(['PENDING', 'STARTED']);
  });

  it('one that had not heard that another has started it: is told so', async () => {
    const { origin, one, other, id, during } = await two();
    other.tab.hears = false;
    await during(one.jobs.start(id));
    await settle();
    expect(other.jobs.get(id)!.status).toBe('PENDING');
    expect(await during(outcome(other.jobs.start(id)))).toBe('illegal_transition STARTED');
    expect(await seen(origin, id, [one, other])).toBe('STARTED');
    expect(one.jobs.get(id)!.mine).toBe(true);
  });

  it('what is done to a job by one that had not heard of its end does not come after it', async () => {
    const { origin, one, other, id, during } = await running();
    other.tab.hears = false;
    await during(one.jobs.complete(id));
    other.jobs.pause(id);
    await during(other.jobs.resume(id));
    other.jobs.pause(id);
    await during(other.tab.venue.flush());
    await during(other.tab.venue.catchUp());
    expect(await seen(origin, id, [one, other])).toBe('COMPLETE');
    for (const { jobs } of [one, other]) expect(jobs.history(id).at(-1)!.status).toBe('COMPLETE');
  });

  it('five start it: one has it', async () => {
    const { origin, one, other, id, during } = await two();
    const pages = [one, other, await open(origin), await open(origin), await open(origin)];
    const told = await during(Promise.all(pages.map(({ jobs }) => outcome(jobs.start(id)))));
    expect(told.filter((word) => word === 'STARTED here')).toHaveLength(1);
    expect(pages.filter(({ jobs }) => jobs.get(id)!.mine)).toHaveLength(1);
  });

  it.each(['cancel', 'reject', 'fail'] as const)(
    'one completes it, another calls %s: one end, and both know which',
    async (call) => {
      const { origin, one, other, id, during } = await running();
      if (call === 'fail') {
        // Not while the one that holds it is alive.
        await expect(other.jobs.fail(id)).rejects.toMatchObject({ code: 'lease_lost' });
        return;
      }
      const told = await during(Promise.all([outcome(one.jobs.complete(id, 1)), outcome(other.jobs[call](id))]));
      const end = await seen(origin, id, [one, other]);
      expect(told).toEqual(
        end === 'COMPLETE'
          ? ['COMPLETE', call === 'cancel' ? 'COMPLETE' : 'illegal_transition COMPLETE']
          : [`illegal_transition ${end}`, end],
      );
    },
  );

  it('who recovers it twice makes one attempt of it', async () => {
    const { origin, one, other, id, during } = await running();
    const third = await open(origin);
    one.tab.kill();
    await origin.clock.advance(5000);
    await during(Promise.all([other.jobs.recover(id, 'retry'), third.jobs.recover(id, 'retry')]));
    await settle();
    for (const { jobs } of [other, third]) expect(jobs.get(id)).toMatchObject({ status: 'PENDING', attempt: 2 });
    const told = await during(Promise.all([outcome(other.jobs.start(id)), outcome(third.jobs.start(id))]));
    expect(told.sort()).toEqual(['STARTED here', 'illegal_transition STARTED']);
  });

  it('a report that is made while another one pauses it is kept, and so is the pause', async () => {
    const { origin, one, other, id, during } = await running();
    other.jobs.pause(id, 'wait');
    one.jobs.progress(id, 'half');
    await during(Promise.all([one.tab.venue.flush(), other.tab.venue.flush()]));
    await settle();
    for (const { jobs } of [one, other])
      expect(jobs.get(id)).toMatchObject({ status: 'PAUSED', detail: 'wait', progress: 'half' });
    expect(await seen(origin, id, [one, other])).toBe('PAUSED');
    // Whoever runs it may have finished before it heard of the pause.
    expect(await during(outcome(one.jobs.complete(id)))).toBe('COMPLETE');
  });
});

describe('an end that somebody was told of stays', () => {
  it('also when one that was made before it becomes durable after it', async () => {
    const { origin, one, other, id, during } = await running();
    other.tab.appends = false; // its disk is slow
    const cancelled = outcome(other.jobs.cancel(id));
    await origin.clock.advance(1);
    expect(await during(outcome(one.jobs.complete(id, 1)))).toBe('COMPLETE');
    other.tab.going.leave(); // what it had becomes durable with its last breath
    await settle();
    expect(await seen(origin, id, [one])).toBe('COMPLETE');
    other.tab.appends = true;
    other.tab.going.resume();
    await settle();
    expect(await seen(origin, id, [one, other])).toBe('COMPLETE');
    expect(one.jobs.history(id).map(({ status }) => status)).toEqual(['PENDING', 'STARTED', 'COMPLETE']);
    other.tab.kill();
    void cancelled;
  });

  /** Of two ends at the same moment, the first is the one that this tab made: both are durable before either looks. */
  async function dispute(world: Awaited<ReturnType<typeof running>>, then: { dies?: boolean } = {}) {
    const { origin, one, other, id } = world;
    const rivals: unknown[] = [];
    other.tab.venue
      .region<{ rivals?: object }>('tidemark.jobs.states')
      .subscribe(id, (changes) => rivals.push(...changes.map(({ value }) => value?.rivals)));
    const first = outcome(other.jobs.cancel(id));
    origin.clock.jump(1);
    const second = outcome(one.jobs.complete(id, 1));
    if (then.dies) one.tab.venue.on('sweep', () => one.tab.kill());
    await settle();
    return { first, second, rivals };
  }

  it('and who was first of all, but not alone, waits until the others have given way', async () => {
    const world = await running();
    const { origin, one, other, id, during } = world;
    const { first, second, rivals } = await dispute(world);
    expect(await during(Promise.all([first, second]))).toEqual(['CANCELLED', 'illegal_transition CANCELLED']);
    expect(rivals.map((each) => each && Object.values(each))).toEqual([undefined, [0], [1], undefined]);
    expect(await seen(origin, id, [one, other])).toBe('CANCELLED');
  });

  it('or are gone', async () => {
    const world = await running();
    const { origin, other, id, during } = world;
    const began = origin.clock.elapsed();
    const { first, rivals } = await dispute(world, { dies: true });
    expect(other.jobs.get(id)!.status).toBe('CANCELLED');
    expect(Object.values(rivals.at(-1) as object)).toEqual([0]);
    expect(await during(first)).toBe('CANCELLED');
    expect(origin.clock.elapsed() - began).toBeGreaterThan(1000);
    expect(origin.clock.elapsed() - began).toBeLessThanOrEqual(5000);
    expect(await seen(origin, id, [other])).toBe('CANCELLED');
  });

  it('unless the venue is closed before it is known: then that is said', async () => {
    const world = await running();
    const { origin, other } = world;
    const { first } = await dispute(world, { dies: true });
    await other.tab.venue.close();
    expect(await first).toBe('closed');
    expect(origin.clock.pending()).toBe(0);
  });

  it('also between tabs that hear nothing of each other, unless they look', async () => {
    const world = await running();
    const { origin, one, other, id, during } = world;
    one.tab.hears = other.tab.hears = false;
    const { first, second } = await dispute(world);
    expect(await during(Promise.all([first, second]))).toEqual(['CANCELLED', 'illegal_transition CANCELLED']);
    one.tab.hears = other.tab.hears = true;
    await during(Promise.all([one.tab.venue.catchUp(), other.tab.venue.catchUp()]));
    expect(await seen(origin, id, [one, other])).toBe('CANCELLED');
  });

  it('also when the one that waits did not hear that another one was told', async () => {
    const { origin, one, other, id, during } = await running();
    const slowly = ({ tab }: Page, delays: number[]) => {
      const { append } = tab.backend;
      tab.backend.append = async (...commit) => {
        const ms = delays.shift();
        if (ms) await new Promise<void>((resolve) => origin.clock.setTimeout(resolve, ms));
        return append(...commit);
      };
    };
    other.tab.hears = false;
    // This one looks before the other end is durable, and seals its own; the other looks before that is durable.
    slowly(one, [0, 100]);
    slowly(other, [50]);
    const cancelled = outcome(other.jobs.cancel(id));
    origin.clock.jump(1);
    const completed = outcome(one.jobs.complete(id));
    await origin.clock.advance(60);
    expect([one, other].map(({ jobs }) => jobs.get(id)!.status)).toEqual(['COMPLETE', 'CANCELLED']);
    expect(await during(Promise.all([cancelled, completed]))).toEqual(['COMPLETE', 'COMPLETE']);
    expect(await seen(origin, id, [one, other])).toBe('COMPLETE');
  });
});

describe('who holds a job', () => {
  it('is the one that started it; only that one reports on it while it is alive', async () => {
    const { origin, one, other, id, during } = await running();
    for (const report of [
      () => other.jobs.progress(id, 1),
      () => other.jobs.requireInput(id),
      () => other.jobs.requireAuth(id),
      () => other.jobs.complete(id),
      () => other.jobs.fail(id),
    ])
      await expect((async () => report())()).rejects.toMatchObject({ code: 'lease_lost' });
    expect(one.jobs.get(id)).toEqual({ ...other.jobs.get(id), mine: true });
    one.tab.kill();
    await origin.clock.advance(5000);
    expect(await during(other.jobs.complete(id, 'found'))).toMatchObject({ status: 'COMPLETE', output: 'found' });
  });

  it('stays the same over a pause by another, and is another when it is gone', async () => {
    const { origin, one, other, id, during } = await running();
    other.jobs.pause(id);
    await during(other.tab.venue.flush());
    await settle();
    expect(one.jobs.get(id)).toMatchObject({ status: 'PAUSED', mine: true });
    expect(await during(outcome(other.jobs.resume(id)))).toBe('STARTED');
    await settle();
    expect(one.jobs.get(id)).toMatchObject({ status: 'STARTED', mine: true });
    one.jobs.requireInput(id, '?');
    await during(one.tab.venue.flush());
    await settle();
    one.tab.kill();
    await origin.clock.advance(5000);
    expect(other.jobs.get(id)).toMatchObject({ status: 'INPUT_REQUIRED', recoverable: undefined });
    expect(await during(outcome(other.jobs.resume(id, 'yes')))).toBe('STARTED here');
  });

  it('stays the same to one that did not hear that it lives', async () => {
    const { origin, one, other, id, during } = await running();
    one.jobs.pause(id);
    await during(one.tab.venue.flush());
    await settle();
    other.tab.hears = false;
    await origin.clock.advance(10_000);
    expect(await during(outcome(other.jobs.resume(id)))).toBe('STARTED');
    await settle();
    expect(one.jobs.get(id)).toMatchObject({ status: 'STARTED', mine: true });
  });

  it('is not it any more after it was out of time, and learns it before it writes a result', async () => {
    const { origin, one, other, id, during } = await running();
    origin.clock.jump(3_600_000); // it slept
    for (const report of [
      () => one.jobs.progress(id, 1),
      () => one.jobs.complete(id),
      () => one.jobs.fail(id),
      () => one.jobs.requireInput(id),
    ])
      await expect((async () => report())()).rejects.toMatchObject({ code: 'lease_lost' });
    expect(one.jobs.get(id)).toMatchObject({ status: 'STARTED', mine: false, recoverable: {} });
    await origin.clock.advance(100);
    expect(await during(other.jobs.recover(id, 'retry'))).toMatchObject({ attempt: 2 });
    expect(await during(outcome(other.jobs.start(id)))).toBe('STARTED here');
    await settle();
    await expect(one.jobs.complete(id, 'late')).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await during(outcome(other.jobs.complete(id, 'in time')))).toBe('COMPLETE');
  });

  it('may be nobody: one that was out of time just when it took it is told', async () => {
    const { origin, one, id, during } = await two();
    const { append } = one.tab.backend;
    one.tab.backend.append = async (...commit) => {
      // Its disk is slow, once it has taken the job.
      if (one.jobs.get(id)!.status === 'STARTED')
        await new Promise<void>((resolve) => origin.clock.setTimeout(resolve, 6000));
      return append(...commit);
    };
    expect(await during(outcome(one.jobs.start(id)))).toBe('lease_lost');
    expect(one.jobs.get(id)).toMatchObject({ status: 'STARTED', mine: false, recoverable: {} });
  });

  it('is not known for good while one is about to take it that does not get on', async () => {
    const { origin, one, other, id, during } = await two();
    const { append } = one.tab.backend;
    one.tab.backend.append = async (...commit) => {
      await append(...commit);
      await new Promise<void>((resolve) => origin.clock.setTimeout(resolve, 2000));
    };
    const first = outcome(one.jobs.start(id));
    await settle();
    expect(await during(outcome(other.jobs.start(id)))).toBe('conflict');
    expect(await during(first)).toBe('STARTED here');
  });
});

describe('a job of a tab that is gone is recoverable', () => {
  it.each<[string, (page: Page) => unknown, number]>([
    ['within 5 s of a crash', ({ tab }) => tab.kill(), 5000],
    ['at once when it is closed', ({ tab }) => tab.venue.close(), 0],
    ['at once when the page is left', ({ tab }) => tab.going.leave(), 0],
  ])('%s', async (_, go, ms) => {
    const { origin, one, other, id, during } = await running();
    const pending = await during(one.jobs.submit({ op: 'op' }));
    await during(one.tab.venue.flush());
    await origin.clock.advance(1999);
    expect(other.jobs.recoverable()).toEqual([]);
    await go(one);
    await settle();
    await origin.clock.advance(ms);
    expect(other.jobs.recoverable().map((job) => job.id)).toEqual([id, pending.id]);
  });

  it('and one of a tab that lives is not, for as long as it lives; not even to one that did not hear of it', async () => {
    const { origin, one, other, id, during } = await running({ policies: { op: 'fail' } });
    other.tab.hears = false;
    await origin.clock.advance(60_000);
    expect(await during(other.jobs.recover())).toEqual({ retried: [], failed: [], asked: [] });
    // As far as it has heard, that tab is gone.
    for (let n = 0; n < 100 && other.jobs.recoverable().length === 0; n++) await origin.clock.advance(100);
    expect(other.jobs.recoverable()).toHaveLength(1);
    expect(await during(other.jobs.recover())).toEqual({ retried: [], failed: [], asked: [] });
    await expect(during(other.jobs.recover(id, 'fail'))).rejects.toMatchObject({ code: 'illegal_transition' });
    expect(one.jobs.get(id)).toMatchObject({ status: 'STARTED', mine: true, recoverable: undefined });
  });
});
