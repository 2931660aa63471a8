// Traces: checkpoints of work in several steps, recorded once, kept for as long as one says.
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { type Envelope, openTraces, type Traces, type TracesOptions } from '../../src/services/traces';
import { settle } from '../venue/helpers';
import { newOrigin, type Origin, openTab } from '../venue/pages';

const open = async (origin: Origin, options: TracesOptions = {}) => {
  const tab = await openTab(origin);
  return { tab, traces: openTraces(tab.venue, options) };
};

const envelope = (step: number, more: Partial<Envelope> = {}): Envelope => ({
  traceId: 't',
  circuit: 'order',
  schematicVersion: 1,
  step,
  outcomeKind: 'success',
  timestampMs: 1000 + step,
  payload: { n: step },
  ...more,
});

const code = (code: string) => expect.objectContaining({ code });

/** What the store has, for whoever opens it next. */
const reopened = async (origin: Origin): Promise<Traces> => (await open(origin)).traces;

describe('append records each checkpoint once', () => {
  it('durably before it resolves', async () => {
    const origin = newOrigin();
    const { tab, traces } = await open(origin);
    await traces.append(envelope(0));
    tab.kill();
    expect((await reopened(origin)).load('t')?.envelopes).toEqual([envelope(0)]);
  });

  it('the same again is a no-op, whatever the order of its keys, also when it was read from the store', async () => {
    const origin = newOrigin();
    const { tab, traces } = await open(origin);
    const payload = { b: [{ y: 1, x: 2 }], a: null, 10: 0, 9: -0, gone: undefined };
    await traces.append(envelope(0, { payload }));
    const sweeps = tab.venue.health().sweeps;
    const again = { b: [{ x: 2, y: 1 }], 9: 0, 10: 0, a: null };
    await traces.append(Object.fromEntries(Object.entries(envelope(0, { payload: again })).reverse()) as never);
    expect(tab.venue.health().sweeps).toBe(sweeps);
    tab.kill();
    const next = await reopened(origin);
    await next.append(envelope(0, { payload: again }));
    expect(next.load('t')).toMatchObject({ envelopes: [{ payload: again }], conflicts: [] });
  });

  it.each([
    ['payload', { payload: { n: 7 } }],
    ['time', { timestampMs: 7 }],
    ['outcome', { outcomeKind: 'fault' }],
    ['version', { schematicVersion: '1' }],
  ])('a different %s at that place is refused, and changes nothing', async (_, more) => {
    const { traces } = await open(newOrigin());
    await traces.append(envelope(0));
    await expect(traces.append(envelope(0, more))).rejects.toThrow(code('conflict'));
    expect(traces.load('t')?.envelopes).toEqual([envelope(0)]);
  });

  it('another step, node or trace is another place', async () => {
    const { traces } = await open(newOrigin());
    const all = [
      envelope(0),
      envelope(0, { nodeId: '' }),
      envelope(0, { nodeId: 'a' }),
      envelope(0, { nodeId: 'a\u0000b' }),
      envelope(9),
      envelope(10),
      envelope(36 ** 6 - 1, { nodeId: 'last' }),
    ];
    await Promise.all([...all].reverse().map((one) => traces.append(one)));
    await traces.append(envelope(0, { traceId: 't2', payload: 'other' }));
    await traces.append(envelope(0, { traceId: 't\u0001', payload: 'odd' }));
    expect(traces.load('t')?.envelopes).toEqual(all);
    expect(traces.list().map(({ traceId }) => traceId)).toEqual(['t', 't\u0001', 't2']);
  });

  it.each([
    ['a trace id that is empty', { traceId: '' }, 'bad_option'],
    ['a trace id with NUL', { traceId: 'a\u0000b' }, 'bad_option'],
    ['a negative step', { step: -1 }, 'bad_option'],
    ['a step in between', { step: 0.5 }, 'bad_option'],
    ['a step too far', { step: 36 ** 6 }, 'bad_option'],
    ['no circuit', { circuit: undefined }, 'bad_option'],
    ['a time that is text', { timestampMs: 'now' }, 'bad_option'],
    ['a time that is none', { timestampMs: Number.NaN }, 'bad_value'],
    ['a Date', { payload: { at: new Date(0) } }, 'bad_value'],
    ['a Map', { payload: [new Map()] }, 'bad_value'],
    ['a bigint', { payload: 1n }, 'bad_value'],
    ['a function', { payload: { run: () => 0 } }, 'bad_value'],
    ['a cycle', { payload: cycle() }, 'bad_value'],
  ])('%s is refused', async (_, more, expected) => {
    const { tab, traces } = await open(newOrigin());
    await expect(traces.append(envelope(0, more as never))).rejects.toThrow(code(expected));
    expect(tab.venue.unsaved.get()).toBe(false);
  });

  it('says so when it cannot be made durable in time, and loses nothing', async () => {
    const origin = newOrigin();
    const { tab, traces } = await open(origin, { flushTimeoutMs: 300 });
    tab.appends = false;
    const failed = traces.append(envelope(0)).catch((error) => error);
    await origin.clock.advance(299);
    expect(await Promise.race([failed, 'waits'])).toBe('waits');
    await origin.clock.advance(1);
    expect(await failed).toEqual(code('flush_timeout'));
    expect(traces.load('t')?.envelopes).toEqual([envelope(0)]);
  });
});

function cycle(): unknown {
  const loop: unknown[] = [];
  loop.push(loop);
  return loop;
}

describe('resume says where to go on', () => {
  it('after the last recorded step, or after one that was recorded before', async () => {
    const { traces } = await open(newOrigin());
    for (const step of [0, 1, 2, 11]) await traces.append(envelope(step, { nodeId: `n${step}` }));
    expect(traces.resume('t')).toEqual({ traceId: 't', nextStep: 12 });
    expect(traces.resume('t', 11)).toEqual({ traceId: 't', nextStep: 12 });
    expect(traces.resume('t', 0)).toEqual({ traceId: 't', nextStep: 1 });
  });

  it('within bounds only', async () => {
    const { traces } = await open(newOrigin());
    await traces.append(envelope(0));
    await traces.append(envelope(1));
    for (const step of [-1, 2, 0.5, Number.NaN]) expect(() => traces.resume('t', step)).toThrow(code('bad_option'));
    expect(() => traces.resume('unknown')).toThrow(code('not_found'));
    await traces.complete('t', 'success');
    expect(() => traces.resume('t')).toThrow(code('illegal_transition'));
  });
});

describe('complete ends a trace once', () => {
  it('durably; the same again is a no-op, a different one is refused', async () => {
    const origin = newOrigin();
    const { tab, traces } = await open(origin);
    await traces.append(envelope(0));
    await traces.complete('t', 'compensated');
    await origin.clock.advance(1000);
    await traces.complete('t', 'compensated');
    await expect(traces.complete('t', 'success')).rejects.toThrow('trace t is compensated and cannot become success');
    await expect(traces.complete('t', 'done' as never)).rejects.toThrow(code('bad_option'));
    tab.kill();
    const next = await reopened(origin);
    expect(next.load('t')).toMatchObject({ outcome: 'compensated', endedMs: origin.clock.now() - 1000 });
    await expect(next.complete('t', 'fault')).rejects.toThrow(code('illegal_transition'));
  });

  it('and nothing new is recorded after it, but what is there may be said again', async () => {
    const { traces } = await open(newOrigin());
    await traces.append(envelope(0));
    await traces.complete('t', 'success');
    await expect(traces.append(envelope(1))).rejects.toThrow(code('illegal_transition'));
    await traces.append(envelope(0));
    expect(traces.load('t')?.envelopes).toHaveLength(1);
  });

  it('also before its first step', async () => {
    const { traces } = await open(newOrigin());
    await traces.complete('t', 'cancelled');
    expect(traces.load('t')).toMatchObject({ outcome: 'cancelled', envelopes: [] });
    expect(traces.list()).toMatchObject([{ traceId: 't', outcome: 'cancelled' }]);
  });
});

describe('interventions are kept with the trace', () => {
  it('in order of time, durably, also after it has ended', async () => {
    const origin = newOrigin();
    const { tab, traces } = await open(origin);
    await traces.append(envelope(0));
    const first = await traces.saveIntervention('t', { action: 'skip', by: 'ann', step: 0, payload: { why: 'late' } });
    await traces.complete('t', 'success');
    await traces.saveIntervention('t', { action: 'note' });
    tab.kill();
    const { interventions, envelopes } = (await reopened(origin)).load('t')!;
    expect(interventions.map(({ action }) => action)).toEqual(['skip', 'note']);
    expect(interventions[0]).toEqual(first);
    expect(envelopes).toHaveLength(1);
  });

  it('of a trace that is not there is refused', async () => {
    const { traces } = await open(newOrigin());
    await expect(traces.saveIntervention('t', { action: 'skip' })).rejects.toThrow(code('not_found'));
  });
});

describe('list', () => {
  it('has traces in order of their ids, by outcome and in pages', async () => {
    const origin = newOrigin();
    const { traces } = await open(origin);
    const ids = Array.from({ length: 10 }, (_, i) => `t${i}`);
    for (const [i, traceId] of ids.entries()) {
      for (const step of [0, 1]) await traces.append(envelope(step, { traceId }));
      if (i % 2) await traces.complete(traceId, i % 3 ? 'success' : 'fault');
      if (i === 4) await traces.saveIntervention(traceId, { action: 'note' });
    }
    const listed = (...options: Parameters<Traces['list']>) => traces.list(...options).map(({ traceId }) => traceId);
    expect(listed()).toEqual(ids);
    expect(listed({ outcome: 'open' })).toEqual(['t0', 't2', 't4', 't6', 't8']);
    expect(listed({ outcome: 'fault' })).toEqual(['t3', 't9']);
    expect(listed({ outcome: 'success', after: 't1', limit: 1 })).toEqual(['t5']);
    expect(listed({ after: 't7' })).toEqual(['t8', 't9']);
    expect(listed({ limit: 3 })).toEqual(['t0', 't1', 't2']);
    expect(listed({ limit: 0 })).toEqual([]);
    const now = origin.clock.now();
    expect(traces.list({ limit: 2 })).toEqual([
      { traceId: 't0', circuit: 'order', startedMs: now, otherOutcomes: [] },
      { traceId: 't1', circuit: 'order', startedMs: now, otherOutcomes: [], outcome: 'success', endedMs: now },
    ]);
  });
});

describe('purge deletes what was completed long enough ago', () => {
  it('by outcome, and returns how many', async () => {
    const origin = newOrigin();
    const { tab, traces } = await open(origin, { keepMs: { success: 1000, fault: 5000, cancelled: 0 } });
    for (const outcome of ['success', 'fault', 'cancelled', 'compensated'] as const) {
      await traces.append(envelope(0, { traceId: outcome }));
      await traces.saveIntervention(outcome, { action: 'note' });
      await traces.complete(outcome, outcome);
    }
    await traces.append(envelope(0, { traceId: 'open' }));
    const left = () => traces.list().map(({ traceId }) => traceId);
    expect(await traces.purge()).toBe(1);
    expect(left()).toEqual(['compensated', 'fault', 'open', 'success']);
    await origin.clock.advance(999);
    expect(await traces.purge()).toBe(0);
    await origin.clock.advance(1);
    expect(await traces.purge()).toBe(1);
    await origin.clock.advance(1e9);
    expect(await traces.purge()).toBe(1);
    expect(left()).toEqual(['compensated', 'open']);
    expect(tab.venue.region('tidemark.traces.records').size).toBe(3);
    await tab.venue.close();
    const next = await reopened(origin);
    expect(next.list().map(({ traceId }) => traceId)).toEqual(['compensated', 'open']);
    expect(next.load('success')).toBeUndefined();
  });

  it('and the id may be used again', async () => {
    const { traces } = await open(newOrigin(), { keepMs: { success: 0 } });
    await traces.append(envelope(0));
    await traces.complete('t', 'success');
    expect(await traces.purge()).toBe(1);
    await traces.append(envelope(0, { payload: 'new' }));
    await traces.complete('t', 'fault');
    expect(traces.load('t')).toMatchObject({ outcome: 'fault', envelopes: [{ payload: 'new' }] });
  });

  it('lets others work meanwhile', async () => {
    const origin = newOrigin();
    const { traces } = await open(origin, { keepMs: { success: 0 } });
    await Promise.all(Array.from({ length: 450 }, (_, i) => traces.complete(`t${i}`, 'success')));
    const purging = traces.purge();
    await settle(1);
    expect(traces.list()).toHaveLength(250);
    expect(await origin.clock.runUntil(purging)).toBe(450);
  });
});

describe('an idle service', () => {
  it('has no timer, and ends with its venue', async () => {
    const origin = newOrigin();
    const { tab, traces } = await open(origin);
    await traces.append(envelope(0));
    expect(origin.clock.pending()).toBe(0);
    await tab.venue.close();
    await expect(traces.append(envelope(1))).rejects.toThrow(code('closed'));
    await expect(traces.complete('t', 'success')).rejects.toThrow(code('closed'));
    expect(traces.load('t')?.envelopes).toHaveLength(1);
  });

  it('may be opened twice', async () => {
    const venue = await openVenue({ store: 'temp', signals: false });
    const [one, two] = [openTraces(venue), openTraces(venue)];
    await one.append(envelope(0));
    await expect(two.append(envelope(0, { payload: 1 }))).rejects.toThrow(code('conflict'));
    await venue.close();
  });
});
