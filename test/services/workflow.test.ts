// Workflows: steps in order, gone on with where they were, undone after a fault, by one runner at a time.
import { describe, expect, it } from 'vitest';
import {
  openTraces,
  runWorkflow,
  type StepContext,
  type WorkflowOptions,
  type WorkflowStep,
} from '../../src/services/traces';
import { settle } from '../venue/helpers';
import { newOrigin, type Origin, openTab } from '../venue/pages';

const open = async (origin: Origin) => {
  const tab = await openTab(origin);
  return { tab, origin, traces: openTraces(tab.venue, { flushTimeoutMs: 200, keepMs: { compensated: 0 } }) };
};
type Opened = Awaited<ReturnType<typeof open>>;

const code = (code: string) => expect.objectContaining({ code });
const boom = (message = 'boom') => {
  throw new Error(message);
};

/** Steps a, b, c, each of which notes what it does and returns what it was given and its name. */
function steps(did: string[], more: Record<string, Partial<WorkflowStep>> = {}): WorkflowStep[] {
  return ['a', 'b', 'c'].map((name) => ({
    name,
    run({ payload }: StepContext) {
      did.push(name);
      return { path: `${(payload as { path: string })?.path ?? ''}${name}` };
    },
    compensate({ payload }: StepContext) {
      did.push(`undo ${(payload as { path: string }).path}`);
    },
    ...more[name],
  }));
}

const run = ({ origin, traces }: Opened, list: WorkflowStep[], options: WorkflowOptions = {}) =>
  origin.clock.runUntil(runWorkflow(traces, 't', list, options));

/** As after a crash: another tab, when the lease of the one before has run out. */
async function afterCrash({ tab, origin }: Opened): Promise<Opened> {
  tab.kill();
  await origin.clock.advance(5000);
  return open(origin);
}

const never = () => new Promise<never>(() => {});

describe('a workflow runs its steps in order', () => {
  it('each with what the one before returned, and completes its trace', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    const result = await run(one, steps(did), { input: { path: '>' }, circuit: 'order', schematicVersion: '2' });
    expect(result).toEqual({
      traceId: 't',
      outcome: 'success',
      payload: { path: '>abc' },
      compensations: [],
      durable: true,
    });
    expect(did).toEqual(['a', 'b', 'c']);
    const { outcome, envelopes } = (await afterCrash(one)).traces.load('t')!;
    expect(outcome).toBe('success');
    expect(envelopes).toMatchObject(
      ['a', 'b', 'c'].map((nodeId, step) => ({
        nodeId,
        step,
        circuit: 'order',
        schematicVersion: '2',
        outcomeKind: 'success',
      })),
    );
  });

  it('and once it is completed it is not run again', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    await run(one, steps(did));
    expect(await run(await afterCrash(one), steps(did))).toMatchObject({
      outcome: 'success',
      payload: { path: 'abc' },
    });
    expect(did).toEqual(['a', 'b', 'c']);
  });

  it('and leaves the trace open if it is told so', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    for (let i = 0; i < 2; i++)
      expect(await run(one, steps(did), { autoComplete: false })).toMatchObject({
        outcome: 'success',
        payload: { path: 'abc' },
      });
    expect(did).toEqual(['a', 'b', 'c']);
    expect(one.traces.load('t')?.outcome).toBeUndefined();
  });

  it('with what a later life would read, also in this one', async () => {
    const one = await open(newOrigin());
    const result = await run(one, [
      { name: 'a', run: () => ({ z: undefined, n: -0 }) },
      { name: 'b', run: ({ payload }) => Object.entries(payload as object) },
      { name: 'c', run: () => undefined },
      { name: 'd', run: ({ payload }) => payload === undefined },
    ]);
    expect(one.traces.load('t')?.envelopes.map(({ payload }) => payload)).toEqual([
      { n: 0 },
      [['n', 0]],
      undefined,
      true,
    ]);
    expect(result.payload).toBe(true);
  });

  it('none at all is a success', async () => {
    expect(await run(await open(newOrigin()), [])).toMatchObject({ outcome: 'success', durable: true });
  });

  it('two of one name are refused', async () => {
    const { traces } = await open(newOrigin());
    await expect(runWorkflow(traces, 't', [...steps([]), ...steps([])])).rejects.toThrow(code('bad_option'));
  });

  it('and stops when somebody completes its trace', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    const list = steps(did, { b: { run: () => one.traces.complete('t', 'cancelled') } });
    expect(await run(one, list)).toMatchObject({ outcome: 'cancelled', payload: { path: 'a' } });
    expect(did).toEqual(['a']);
  });
});

describe('after a crash a workflow goes on after the last finished step', () => {
  it('and carries its payload', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    void runWorkflow(one.traces, 't', steps(did, { c: { run: never } })).catch(() => undefined);
    await one.origin.clock.advance(1000);
    const result = await run(await afterCrash(one), steps(did));
    expect(did).toEqual(['a', 'b', 'c']);
    expect(result).toMatchObject({ outcome: 'success', payload: { path: 'abc' } });
  });

  it('a step that was running is run again, under the same key', async () => {
    const one = await open(newOrigin());
    const keys: string[] = [];
    const list = (work: (n: number) => unknown) => [{ name: 'a', run: ({ key }: StepContext) => work(keys.push(key)) }];
    void runWorkflow(one.traces, 't', list(never)).catch(() => undefined);
    await one.origin.clock.advance(1000);
    await run(
      await afterCrash(one),
      list(() => 1),
    );
    expect(keys).toEqual(['t/a', 't/a']);
  });
});

describe('a step that fails is tried again as its policy says', () => {
  const flaky = (failures: number, at: number[], now: () => number) => ({
    name: 'a',
    run({ attempt }: StepContext) {
      at.push(now());
      return attempt <= failures ? boom() : attempt;
    },
  });

  it.each([
    ['doubling pauses', { attempts: 4, backoffMs: 100 }, [0, 100, 300, 700]],
    ['pauses of its own', { attempts: 4, backoffMs: (n: number) => n * 10 }, [0, 10, 30, 60]],
  ])('with %s', async (_, retry, times) => {
    const one = await open(newOrigin());
    const { clock } = one.origin;
    const at: number[] = [];
    const began = clock.elapsed();
    expect(await run(one, [flaky(3, at, () => clock.elapsed() - began)], { retry })).toMatchObject({ payload: 4 });
    expect(at).toEqual(times);
  });

  it('its own policy goes before the workflow’s; without one it is tried once', async () => {
    const one = await open(newOrigin());
    const at: number[] = [];
    const step = { ...flaky(9, at, () => 0), retry: { attempts: 2 } };
    expect(await run(one, [step], { retry: { attempts: 5 } })).toMatchObject({
      outcome: 'fault',
      fault: { message: 'boom' },
    });
    expect(at).toHaveLength(2);
    const other = await open(newOrigin());
    await run(other, [flaky(9, at, () => 0)]);
    expect(at).toHaveLength(3);
  });

  it('and not any more when the venue closes', async () => {
    const one = await open(newOrigin());
    const at: number[] = [];
    const running = runWorkflow(one.traces, 't', [flaky(9, at, () => 0)], {
      retry: { attempts: 9, backoffMs: 3600_000 },
    });
    running.catch(() => undefined);
    await one.origin.clock.advance(1000);
    await one.tab.venue.close();
    await expect(running).rejects.toThrow(code('closed'));
    expect(one.origin.clock.pending()).toBe(0);
    expect(at).toHaveLength(1);
    expect((await open(one.origin)).traces.load('t')).toBeUndefined();
  });

  it('what cannot be stored is a failure, too', async () => {
    const one = await open(newOrigin());
    const result = await run(one, [{ name: 'a', run: () => new Map() }]);
    expect(result).toMatchObject({ outcome: 'fault', fault: { message: "what 'a' returned is not JSON" } });
  });
});

describe('after a fault what was done is undone', () => {
  it('the last finished step first, each with what it returned', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    const error = new Error('no');
    const result = await run(one, steps(did, { c: { run: () => Promise.reject(error) } }));
    expect(did).toEqual(['a', 'b', 'undo ab', 'undo a']);
    const timestampMs = one.origin.clock.now();
    expect(result).toEqual({
      traceId: 't',
      outcome: 'compensated',
      payload: { path: 'ab' },
      fault: { step: 2, name: 'c', message: 'no', cause: error },
      compensations: [
        { step: 1, name: 'b', state: 'done', timestampMs },
        { step: 0, name: 'a', state: 'done', timestampMs },
      ],
      durable: true,
    });
    const { cause: _, ...fault } = result.fault!;
    expect(await run(await afterCrash(one), steps(did))).toEqual({ ...result, fault });
    expect(did).toHaveLength(4);
  });

  it('but steps that have nothing to undo: then it is a fault', async () => {
    const one = await open(newOrigin());
    const result = await run(one, [
      { name: 'a', run: () => 1 },
      { name: 'b', run: () => boom() },
    ]);
    expect(result).toMatchObject({ outcome: 'fault', compensations: [] });
    expect(one.traces.load('t')?.outcome).toBe('fault');
  });

  it('or not, if it is told so: completed as a fault', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    expect(await run(one, steps(did, { c: { run: () => boom() } }), { compensate: false })).toMatchObject({
      outcome: 'fault',
    });
    expect(did).toEqual(['a', 'b']);
    expect(one.traces.load('t')?.outcome).toBe('fault');
  });

  it('or left open, and run again from the step that failed', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    const options = { compensate: false, autoComplete: false };
    const failing = steps(did, { b: { run: () => boom() } });
    expect(await run(one, failing, options)).toMatchObject({ outcome: 'fault', fault: { name: 'b' } });
    expect(await run(one, steps(did), options)).toMatchObject({ outcome: 'success', payload: { path: 'abc' } });
    expect(did).toEqual(['a', 'b', 'c']);
  });

  it('a compensation that throws is reported, called once, and does not keep the others from it', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    const list = steps(did, {
      b: { compensate: () => boom(`undo ${did.push('try b')}`) },
      c: { run: () => boom() },
    });
    const options = { retry: { attempts: 3 } };
    const result = await run(one, list, options);
    expect(did).toEqual(['a', 'b', 'try b', 'undo a']);
    expect(result).toMatchObject({
      outcome: 'fault',
      compensations: [
        { name: 'b', state: 'failed', message: 'undo 3' },
        { name: 'a', state: 'done' },
      ],
    });
  });

  it('an idempotent one is tried again as the policy says, also by a later run of a trace that was left open', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    let works = false;
    const list = steps(did, {
      b: { idempotent: true, compensate: () => did.push('try b') && (works || boom()) },
      c: { run: () => boom() },
    });
    const options = { retry: { attempts: 2 }, autoComplete: false };
    expect(await run(one, list, options)).toMatchObject({ outcome: 'fault' });
    expect(did).toEqual(['a', 'b', 'try b', 'try b', 'undo a']);
    works = true;
    expect(await run(await afterCrash(one), list, options)).toMatchObject({ outcome: 'compensated' });
    expect(did.slice(5)).toEqual(['try b']);
  });
});

describe('a compensation is run once, over crashes', () => {
  const failing = (did: string[], b: Partial<WorkflowStep>) => steps(did, { b, c: { run: () => boom() } });

  /** Dies while b is being undone. */
  async function diesInMid(did: string[], b: Partial<WorkflowStep>) {
    const one = await open(newOrigin());
    const compensate = () => did.push('undo b') && never();
    void runWorkflow(one.traces, 't', failing(did, { ...b, compensate })).catch(() => undefined);
    await one.origin.clock.advance(1000);
    expect(did).toEqual(['a', 'b', 'undo b']);
    return afterCrash(one);
  }

  it('one that a crash cut off is not run again but reported; the others are run', async () => {
    const did: string[] = [];
    const two = await diesInMid(did, {});
    const result = await run(two, failing(did, {}));
    expect(did.slice(3)).toEqual(['undo a']);
    expect(result).toMatchObject({
      outcome: 'fault',
      fault: { name: 'c', message: 'boom' },
      compensations: [
        { name: 'b', state: 'in_doubt' },
        { name: 'a', state: 'done' },
      ],
    });
  });

  it('unless its step is idempotent: then it is run again', async () => {
    const did: string[] = [];
    const two = await diesInMid(did, { idempotent: true });
    expect(await run(two, failing(did, { idempotent: true }))).toMatchObject({ outcome: 'compensated' });
    expect(did.slice(3)).toEqual(['undo ab', 'undo a']);
  });

  it('one that was noted and then not run, because that did not get durable, is run later', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    const list = failing(did, {});
    list[2]!.run = () => {
      // The fault gets durable, what follows it does not.
      const { append } = one.tab.backend;
      let left = 1;
      one.tab.backend.append = (...call) => (left-- > 0 ? append(...call) : Promise.reject(new Error('full')));
      return boom();
    };
    await expect(run(one, list)).rejects.toThrow(code('flush_timeout'));
    expect(did).toEqual(['a', 'b']);
    expect(one.traces.idempotency.get('t', 'b')).toBeUndefined();
    one.tab.kill();
    await one.origin.clock.advance(5000);
    const two = await open(one.origin);
    expect(await run(two, failing(did, {}))).toMatchObject({ outcome: 'compensated' });
    expect(did.slice(2)).toEqual(['undo ab', 'undo a']);
  });

  it('nor is it in doubt when the venue closes just before it is run', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    const list = failing(did, {});
    let closing: Promise<unknown> | undefined;
    one.tab.venue.region('tidemark.traces.compensations').subscribe(() => {
      closing ??= Promise.resolve().then(() => one.tab.venue.close());
    });
    const running = runWorkflow(one.traces, 't', list).catch((error) => error);
    expect(await one.origin.clock.runUntil(running)).toEqual(code('closed'));
    await closing;
    expect(did).toEqual(['a', 'b']);
    expect(await run(await open(one.origin), failing(did, {}))).toMatchObject({ outcome: 'compensated' });
    expect(did.slice(2)).toEqual(['undo ab', 'undo a']);
  });

  it('what is known of it is purged by age, but not while its trace is open', async () => {
    const one = await open(newOrigin());
    const { traces, origin } = one;
    const did: string[] = [];
    await run(one, failing(did, {}), { autoComplete: false });
    await origin.clock.advance(1000);
    expect(traces.idempotency.purgeOlderThan(0)).toBe(0);
    expect(await run(one, failing(did, {}))).toMatchObject({ outcome: 'compensated' });
    expect(did).toHaveLength(4);
    expect(traces.idempotency.purgeOlderThan(2000)).toBe(0);
    expect(traces.idempotency.purgeOlderThan(999)).toBe(2);
    expect(traces.idempotency.get('t', 'a')).toBeUndefined();
    expect(await run(one, failing(did, {}))).toMatchObject({ outcome: 'compensated', compensations: [] });
    expect(did).toHaveLength(4);
  });

  it('and forgotten with its trace, so that its id can be used again', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    await run(one, failing(did, {}));
    expect(await one.traces.purge()).toBe(1);
    expect(await run(one, failing(did, {}))).toMatchObject({ outcome: 'compensated' });
    expect(did).toEqual(['a', 'b', 'undo ab', 'undo a', 'a', 'b', 'undo ab', 'undo a']);
  });
});

describe('a workflow has one runner at a time', () => {
  it('in one venue', async () => {
    const one = await open(newOrigin());
    let finish!: () => void;
    const first = runWorkflow(one.traces, 't', [
      { name: 'a', run: () => new Promise<void>((done) => (finish = done)) },
    ]);
    await settle();
    await expect(run(one, [{ name: 'a', run: () => boom('twice') }])).rejects.toThrow(code('conflict'));
    finish();
    expect(await one.origin.clock.runUntil(first)).toMatchObject({ outcome: 'success' });
    expect(await run(one, [{ name: 'a', run: () => boom('again') }])).toMatchObject({ outcome: 'success' });
  });

  it('of two tabs that begin at the same moment one runs it', async () => {
    const origin = newOrigin();
    for (let i = 0; i < 5; i++) {
      const [one, two] = [await open(origin), await open(origin)];
      one.tab.hears = two.tab.hears = false;
      const did: string[] = [];
      const slowly = [
        { name: 'a', run: () => did.push('a') && new Promise((done) => origin.clock.setTimeout(() => done(1), 2000)) },
      ];
      const settled = await origin.clock.runUntil(
        Promise.allSettled([one, two].map(({ traces }) => runWorkflow(traces, `t${i}`, slowly))),
      );
      expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(did).toEqual(['a']);
      one.tab.kill();
      two.tab.kill();
    }
  });

  it('one that slept while it ran writes no result, and the one that took over does', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    let wake!: (result: string) => void;
    const did: string[] = [];
    const slow = { b: { run: () => new Promise((done) => (wake = done)) } };
    const first = runWorkflow(one.traces, 't', steps(did, slow));
    first.catch(() => undefined);
    await origin.clock.advance(1000);
    origin.clock.jump(3600_000);
    expect(await run(two, steps(did))).toMatchObject({ outcome: 'success', payload: { path: 'abc' } });
    wake('late');
    await expect(origin.clock.runUntil(first)).rejects.toThrow(code('lease_lost'));
    for (const { traces } of [one, two])
      expect(traces.load('t')).toMatchObject({ outcome: 'success', conflicts: [], otherOutcomes: [] });
  });

  it.each([{}, { compensate: false, autoComplete: false }])(
    'and one whose step fails because it slept has not failed, %o',
    async (options) => {
      const one = await open(newOrigin());
      const list = steps([], {
        b: {
          run({ check }) {
            one.origin.clock.jump(3600_000);
            check();
          },
        },
      });
      await expect(run(one, list, options)).rejects.toThrow(code('lease_lost'));
      expect(one.traces.load('t')?.envelopes.map(({ outcomeKind }) => outcomeKind)).toEqual(['success']);
    },
  );
});

describe('steps that another version has recorded', () => {
  /** Version 1 has finished a and b. */
  async function begun(did: string[]) {
    const one = await open(newOrigin());
    void runWorkflow(one.traces, 't', steps(did, { c: { run: never } })).catch(() => undefined);
    await one.origin.clock.advance(1000);
    did.length = 0;
    return afterCrash(one);
  }
  /** Version 2 does b and a in one. */
  const next = (did: string[]): WorkflowStep[] => [
    { ...steps(did)[0]!, name: 'ba' },
    { ...steps(did)[2]!, name: 'c' },
  ];

  it('are refused by default, and left as they are', async () => {
    const did: string[] = [];
    const two = await begun(did);
    await expect(run(two, steps(did), { schematicVersion: 2 })).rejects.toThrow(
      'workflow t is of workflow 1; these are of workflow 2',
    );
    expect(await run(two, steps(did))).toMatchObject({ outcome: 'success', payload: { path: 'abc' } });
  });

  it('are done again on demand; that and what was there is kept as an intervention', async () => {
    const did: string[] = [];
    const two = await begun(did);
    const result = await run(two, next(did), { schematicVersion: 2, onVersionChange: 'restart' });
    expect(result).toMatchObject({ outcome: 'success', payload: { path: 'ac' } });
    expect(did).toEqual(['a', 'c']);
    expect(two.traces.load('t')).toMatchObject({
      envelopes: [{ nodeId: 'ba', schematicVersion: 2 }, { nodeId: 'c' }],
      interventions: [
        {
          action: 'restart',
          payload: { schematicVersion: 1, finished: [{ name: 'a' }, { name: 'b', payload: { path: 'ab' } }] },
        },
      ],
      conflicts: [],
    });
  });

  it('are migrated by a function that says what of the new steps is finished', async () => {
    const did: string[] = [];
    const two = await begun(did);
    const result = await run(two, next(did), {
      schematicVersion: 2,
      onVersionChange(finished, version) {
        expect([finished, version]).toEqual([
          [
            { name: 'a', payload: { path: 'a' } },
            { name: 'b', payload: { path: 'ab' } },
          ],
          1,
        ]);
        return [{ name: 'ba', payload: { path: 'BA' } }];
      },
    });
    expect(result).toMatchObject({ outcome: 'success', payload: { path: 'BAc' } });
    expect(did).toEqual(['c']);
    expect(two.traces.load('t')?.envelopes).toMatchObject([{ nodeId: 'ba', schematicVersion: 2 }, { nodeId: 'c' }]);
  });

  it('are not migrated to what is not the beginning of the new steps', async () => {
    const did: string[] = [];
    const two = await begun(did);
    const options: WorkflowOptions = { schematicVersion: 2, onVersionChange: () => [{ name: 'c' }] };
    await expect(run(two, next(did), options)).rejects.toThrow(code('conflict'));
    expect(two.traces.load('t')?.envelopes).toMatchObject([{ nodeId: 'a', schematicVersion: 1 }, { nodeId: 'b' }]);
  });

  it('and are being undone cannot be done again, but migrated', async () => {
    const did: string[] = [];
    const one = await open(newOrigin());
    const failing = steps(did, { b: { compensate: never }, c: { run: () => boom() } });
    void runWorkflow(one.traces, 't', failing).catch(() => undefined);
    await one.origin.clock.advance(1000);
    const two = await afterCrash(one);
    await expect(run(two, steps(did), { schematicVersion: 2, onVersionChange: 'restart' })).rejects.toThrow(
      'being undone',
    );
    const result = await run(two, steps(did), { schematicVersion: 2, onVersionChange: (finished) => finished });
    expect(result.compensations).toMatchObject([
      { name: 'b', state: 'in_doubt' },
      { name: 'a', state: 'done' },
    ]);
    expect(did).toEqual(['a', 'b', 'undo a']);
  });

  it('under the same version are refused when they are others', async () => {
    const did: string[] = [];
    const two = await begun(did);
    await expect(run(two, next(did))).rejects.toThrow("has 'a' as step 0; these have 'ba' as step 0");
    await expect(run(two, steps(did).slice(0, 1))).rejects.toThrow("has 'b' as step 1");
    await expect(run(two, steps(did), { circuit: 'other', onVersionChange: 'restart' })).rejects.toThrow(
      code('conflict'),
    );
    expect(did).toEqual([]);
  });
});

describe('when nothing gets durable', () => {
  const stuckInB = (one: Opened, did: string[], more: Record<string, Partial<WorkflowStep>> = {}) =>
    steps(did, {
      b: {
        run() {
          one.tab.backend.append = () => Promise.reject(new Error('full'));
          did.push('b');
          return { path: 'ab' };
        },
      },
      ...more,
    });

  it('a workflow halts, and the same process goes on when the disk is back', async () => {
    const one = await open(newOrigin());
    const { append } = one.tab.backend;
    const did: string[] = [];
    await expect(run(one, stuckInB(one, did))).rejects.toThrow(code('flush_timeout'));
    expect(did).toEqual(['a', 'b']);
    one.tab.backend.append = append;
    await one.origin.clock.advance(10_000);
    expect(await run(one, steps(did))).toMatchObject({ outcome: 'success', payload: { path: 'abc' }, durable: true });
    expect(did).toEqual(['a', 'b', 'c']);
  });

  it('or goes on if it is told so, and says that nothing of it is durable', async () => {
    const one = await open(newOrigin());
    const did: string[] = [];
    const result = await run(one, stuckInB(one, did), { onPersistenceFailure: 'continue' });
    expect(result).toMatchObject({ outcome: 'success', payload: { path: 'abc' }, durable: false });
    const two = await afterCrash(one);
    expect(two.traces.load('t')).toMatchObject({ envelopes: [{ nodeId: 'a' }] });
    expect(two.traces.load('t')!.outcome).toBeUndefined();
  });

  it('says that it is durable after all if it got so by the end', async () => {
    const one = await open(newOrigin());
    const { append } = one.tab.backend;
    const did: string[] = [];
    const list = stuckInB(one, did, {
      c: {
        async run({ payload }) {
          one.tab.backend.append = append;
          await one.tab.venue.flush();
          return payload;
        },
      },
    });
    expect(await run(one, list, { onPersistenceFailure: 'continue' })).toMatchObject({
      outcome: 'success',
      durable: true,
    });
    expect((await afterCrash(one)).traces.load('t')).toMatchObject({ outcome: 'success' });
  });

  it('a compensation that is not idempotent is not run even then; an idempotent one is', async () => {
    for (const idempotent of [false, true]) {
      const one = await open(newOrigin());
      const did: string[] = [];
      const list = stuckInB(one, did, { c: { run: () => boom() } }).map((step) => ({ ...step, idempotent }));
      const running = run(one, list, { onPersistenceFailure: 'continue' });
      if (idempotent) expect(await running).toMatchObject({ outcome: 'compensated', durable: false });
      else await expect(running).rejects.toThrow(code('flush_timeout'));
      expect(did).toEqual(idempotent ? ['a', 'b', 'undo ab', 'undo a'] : ['a', 'b']);
    }
  });
});

describe('a venue that is closed', () => {
  it('runs nothing', async () => {
    const one = await open(newOrigin());
    await one.tab.venue.close();
    await expect(runWorkflow(one.traces, 't', [{ name: 'a', run: () => boom('ran') }])).rejects.toThrow(code('closed'));
  });
});
