// Traces that several writers write at the same time, who hear of each other late or die: all end equal, the first one counts, and whoever came
// second learns it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Envelope, openTraces, type TraceOutcome, type Traces } from '../../src/services/traces';
import { type Claims, canonical, joinClaims } from '../../src/services/traces/records';
import { checkJoin } from '../../src/testing';
import { settle } from '../venue/helpers';
import { newOrigin, type Origin, openTab } from '../venue/pages';

const open = async (origin: Origin) => {
  const tab = await openTab(origin);
  return { tab, traces: openTraces(tab.venue, { keepMs: { success: 0 } }) };
};

const envelope = (payload: unknown, step = 0): Envelope => ({
  traceId: 't',
  circuit: 'order',
  schematicVersion: 1,
  step,
  outcomeKind: 'success',
  timestampMs: 1000,
  payload,
});

const runs = { numRuns: Number(process.env.RUNS ?? 100), seed: Number(process.env.SEED ?? 7) };

describe('the join of what two writers put in one place', () => {
  it('is commutative, associative and idempotent', () => {
    const value = fc.anything({ maxDepth: 2, maxKeys: 3 }).filter((value) => {
      try {
        return value !== undefined && canonical(value, '') !== undefined;
      } catch {
        return false;
      }
    });
    const claim = fc.tuple(
      fc.constantFrom('0a', '0b', '0c'),
      value.map((one) => canonical(one, '')),
    );
    const claims = fc
      .array(claim, { minLength: 1, maxLength: 3 })
      .map((list) => list.reduce<Claims>((all, one) => joinClaims(all, [one]), []));
    fc.assert(
      fc.property(fc.array(claims, { minLength: 1, maxLength: 4 }), (samples) => {
        expect(checkJoin(joinClaims, samples)).toEqual([]);
      }),
      runs,
    );
  });
});

describe('two writers that have not heard of each other', () => {
  /** Both write before either hears. @returns what became of it, the first writer's first */
  async function both(write: (traces: Traces, n: number) => Promise<void>) {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const first = write(one.traces, 1);
    await origin.clock.advance(0);
    origin.clock.jump(1);
    const second = write(two.traces, 2);
    const settled = await origin.clock.runUntil(Promise.allSettled([first, second]));
    await settle();
    return { origin, one, two, settled };
  }

  /** Both say that it is durable before they look. */
  async function deafly(write: (traces: Traces, n: number) => Promise<void>) {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    one.tab.hears = two.tab.hears = false;
    const first = write(one.traces, 1);
    origin.clock.jump(1);
    const second = write(two.traces, 2);
    return { origin, one, two, settled: await origin.clock.runUntil(Promise.allSettled([first, second])) };
  }

  it('and record different things in one place: the first counts, the second is rejected and its own is found', async () => {
    for (const how of [both, deafly]) {
      const { origin, one, two, settled } = await how((traces, n) => traces.append(envelope(n)));
      expect(settled[0]).toMatchObject({ status: 'fulfilled' });
      expect(settled[1]).toMatchObject({ status: 'rejected', reason: { code: 'conflict' } });
      if (how === both) continue; // the second one knew, and has written nothing
      for (const { traces } of [one, two, await open(origin)]) {
        await traces.append(envelope(1)); // catches up
        expect(traces.load('t')).toMatchObject({ envelopes: [envelope(1)], conflicts: [envelope(2)] });
      }
    }
  });

  it('and record the same: both are right', async () => {
    const { settled, one } = await deafly((traces) => traces.append(envelope('same')));
    expect(settled).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }]);
    expect(one.traces.load('t')).toMatchObject({ envelopes: [envelope('same')], conflicts: [] });
  });

  it('and complete a trace differently: the first counts, the second is rejected', async () => {
    const { settled, two } = await deafly((traces, n) => traces.complete('t', n === 1 ? 'success' : 'fault'));
    expect(settled[0]).toMatchObject({ status: 'fulfilled' });
    expect(settled[1]).toMatchObject({ status: 'rejected', reason: { code: 'illegal_transition' } });
    expect(two.traces.load('t')).toMatchObject({ outcome: 'success', otherOutcomes: ['fault'] });
  });

  it('one purges a trace, the other one records in it: what it recorded is an open trace', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    await one.traces.append(envelope(0));
    await settle();
    two.tab.hears = false;
    await one.traces.complete('t', 'success');
    await one.traces.purge();
    await one.tab.venue.flush();
    await two.traces.append(envelope(1, 1));
    await settle();
    for (const { traces } of [one, two, await open(origin)]) {
      expect(traces.list({ outcome: 'open' })).toMatchObject([{ traceId: 't' }]);
      expect(traces.load('t')?.envelopes).toEqual([envelope(1, 1)]);
    }
  });

  it('one purges a trace, the other one says again what was recorded there: it begins anew with that', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    await one.traces.append(envelope(0));
    await settle();
    two.tab.hears = false;
    await one.traces.complete('t', 'success');
    await one.traces.purge();
    await one.tab.venue.flush();
    await two.traces.append(envelope(0));
    await settle();
    for (const { traces } of [one, two, await open(origin)])
      expect(traces.load('t')).toMatchObject({ envelopes: [envelope(0)], outcome: undefined, circuit: 'order' });
  });
});

describe('whatever writers do, whenever they hear of each other, and whenever they die', () => {
  it('they end equal; what was acknowledged is there, or is there as a conflict', async () => {
    const at = fc.nat(2);
    const traceId = fc.constantFrom('a', 'b');
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          at,
          do: fc.constant('append' as const),
          traceId,
          step: fc.nat(2),
          nodeId: fc.constantFrom(undefined, 'n'),
          payload: fc.constantFrom<unknown>(1, 'two', { x: 1, y: 2 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          at,
          do: fc.constant('complete' as const),
          traceId,
          outcome: fc.constantFrom<TraceOutcome>('success', 'fault', 'cancelled'),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          at,
          do: fc.constantFrom('deaf' as const, 'hear' as const, 'stuck' as const, 'kill' as const),
        }),
      },
      { weight: 3, arbitrary: fc.record({ at, do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 150) }) },
      { weight: 1, arbitrary: fc.record({ at, do: fc.constant('jump' as const), ms: fc.constantFrom(-5000, 5000) }) },
    );
    let conflicts = 0;
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const origin = newOrigin();
      const tabs = [await open(origin), await open(origin), await open(origin)];
      const acknowledged: Envelope[] = [];
      const ended: { traceId: string; outcome: TraceOutcome }[] = [];
      const others: unknown[] = [];
      const refused = (error: { code: string }) => {
        if (!['conflict', 'illegal_transition'].includes(error.code)) others.push(error);
      };
      for (const step of steps) {
        const { tab, traces } = tabs[step.at]!;
        if (step.do === 'append') {
          const { traceId, nodeId, payload } = step;
          const one = { ...envelope(payload, step.step), traceId, ...(nodeId && { nodeId }) };
          traces.append(one).then(() => acknowledged.push(one), refused);
        } else if (step.do === 'complete') {
          const { traceId, outcome } = step;
          traces.complete(traceId, outcome).then(() => ended.push({ traceId, outcome }), refused);
        } else if (step.do === 'deaf') tab.hears = false;
        else if (step.do === 'hear') tab.hears = true;
        else if (step.do === 'stuck')
          tab.appends = false; // for good: what is on its way then never arrives
        else if (step.do === 'wait') await origin.clock.advance(step.ms);
        else if (step.do === 'jump') origin.clock.jump(step.ms);
        else {
          tab.kill();
          tabs[step.at] = await open(origin);
        }
      }
      await origin.clock.advance(200);
      for (const { tab } of tabs) if (!tab.appends) tab.kill();
      const alive = [...tabs.filter(({ tab }) => tab.appends), await open(origin)];
      for (const { tab } of alive) await origin.clock.runUntil(tab.venue.catchUp());
      const stands = alive.map(({ traces }) => ['a', 'b'].map((id) => traces.load(id)));
      for (const stand of stands) expect(stand).toEqual(stands[0]);
      expect(others).toEqual([]);
      for (const one of acknowledged) {
        const { envelopes, conflicts } = stands[0]![one.traceId === 'a' ? 0 : 1]!;
        expect([...envelopes, ...conflicts]).toContainEqual(one);
      }
      for (const { traceId, outcome } of ended) {
        const { outcome: first, otherOutcomes } = stands[0]![traceId === 'a' ? 0 : 1]!;
        expect([first, ...otherOutcomes]).toContain(outcome);
      }
      for (const trace of stands[0]!) {
        conflicts += trace ? trace.conflicts.length + trace.otherOutcomes.length : 0;
        const places = trace?.envelopes.map(({ step, nodeId }) => `${step} ${nodeId}`) ?? [];
        expect(new Set(places).size).toBe(places.length);
      }
      for (const { tab } of alive) tab.kill();
    });
    await fc.assert(property, runs);
    expect(conflicts, 'conflicts in all these worlds').toBeGreaterThan(runs.numRuns / 20);
  });
});
