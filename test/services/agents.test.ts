// Agents in one process at a time, under virtual time: mailboxes, acknowledgement, errors, states, crashes, closing.
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { type AgentHandler, IllegalTransition, openAgents } from '../../src/services/agents';
import { joinAgents, joinDeliveries, joinStates } from '../../src/services/agents/records';
import { checkJoin } from '../../src/testing';
import { gate } from '../venue/helpers';
import { live, next, noting, settle, waiting } from './agents-world';

const code = (code: string) => expect.objectContaining({ code });
const day = 86_400_000;

describe('a message', () => {
  it('is durable when send() resolves, and handled after a crash', async () => {
    const first = await live({});
    await first.agents.create('a');
    const id = await first.agents.send('a', { n: 1 });
    expect(id).toMatch(/^a\/[0-9a-z]{21}$/);
    const { handled, handler } = noting();
    await next(first, { handlers: { a: handler } });
    await settle();
    expect(handled).toEqual([[{ n: 1 }, 1]]);
  });

  it('is handled once, in the order of sending, when all goes well', async () => {
    const { handled, handler } = noting();
    const { agents } = await live({}, { handlers: { a: handler } });
    await agents.create('a');
    await Promise.all([1, 2, 3, undefined].map((n) => agents.send('a', n)));
    await settle(20);
    expect(handled).toEqual([1, 2, 3, undefined].map((n) => [n, 1]));
  });

  it('waits while another one of the same agent is handled; other agents go on', async () => {
    const { handled, handler } = waiting();
    const { agents } = await live({}, { handlers: { t: handler } });
    for (const name of ['a', 'b']) await agents.create(name, { type: 't' });
    for (const name of ['a', 'a', 'b']) await agents.send(name, name);
    await settle();
    expect(handled.map(({ message }) => message)).toEqual(['a', 'b']);
    handled[0]!.finish();
    await settle();
    expect(handled.map(({ message }) => message)).toEqual(['a', 'b', 'a']);
  });

  it('is delivered to no agent whose handler is not registered, and to it as soon as it is', async () => {
    const first = await live({});
    await first.agents.create('a', { type: 't' });
    await first.agents.send('a', 1);
    await first.agents.wakeAt('a', 0);
    const other = noting();
    const { agents, clock } = await next(first, { handlers: { a: other.handler } });
    await clock.advance(day);
    expect(other.handled).toEqual([]);
    const { handled, handler } = noting();
    agents.handle('t', handler);
    expect(handled).toEqual([]); // not in the turn of registering
    await settle(20);
    expect(handled).toEqual([
      [undefined, 1],
      [1, 1],
    ]);
  });

  it('is delivered again after a crash before its acknowledgement, and counted; the count is durable before the handler runs', async () => {
    const one = waiting();
    let life = await live({}, { handlers: { a: one.handler } });
    await life.agents.create('a');
    await life.agents.send('a', 'm');
    await settle();
    const seen = [one.handled[0]!.context.delivery];
    const ids = new Set([one.handled[0]!.context.id]);
    for (let i = 0; i < 3; i++) {
      const { handled, handler } = waiting();
      life = await next(life, { handlers: { a: handler } });
      await settle();
      seen.push(handled[0]!.context.delivery);
      ids.add(handled[0]!.context.id);
    }
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(ids.size).toBe(1);
  });

  it('does not reach its handler while its count cannot be made durable', async () => {
    const { handled, handler } = noting();
    const { agents, backend } = await live({}, { handlers: { a: handler } });
    await agents.create('a');
    const { opened, open } = gate();
    let appends = 0;
    backend.instead.append = async (pass) => {
      if (++appends === 2) await opened;
      return pass();
    };
    await agents.send('a', 1);
    await settle();
    expect([appends, handled]).toEqual([2, []]);
    open();
    await settle();
    expect(handled).toEqual([[1, 1]]);
  });

  it('that is gone from the mailbox is gone together with what its handler wrote: state, messages, wakes', async () => {
    const one = waiting();
    const first = await live({}, { handlers: { a: one.handler } });
    for (const name of ['a', 'b']) await first.agents.create(name);
    await first.agents.send('a', 'm');
    await settle();
    const { context, finish } = one.handled[0]!;
    context.state.set({ seen: 1 });
    context.send('b', 'from a');
    context.wakeAt(first.clock.now() + 1000);
    expect(context.state.get()).toEqual({ seen: 1 });
    await first.clock.advance(500); // sweeps go by
    expect(first.agents.get('a')!.state).toBeUndefined();

    const two = waiting();
    const b = noting();
    const second = await next(first, { handlers: { a: two.handler, b: b.handler } });
    await second.clock.advance(2000);
    expect(two.handled.map(({ message, context }) => [message, context.delivery])).toEqual([['m', 2]]);
    expect(b.handled).toEqual([]);
    two.handled[0]!.context.state.set({ seen: 1 });
    two.handled[0]!.context.send('b', 'from a');
    two.handled[0]!.finish();
    await settle(20);
    expect(second.agents.get('a')!.state).toEqual({ seen: 1 });
    expect(b.handled).toEqual([['from a', 1]]);
    finish(); // whoever is dead says nothing
    await second.clock.advance(100);
    const third = await next(second, {});
    expect(third.agents.get('a')!.state).toEqual({ seen: 1 });
    expect(third.venue.region('tidemark.agents.mail').size).toBe(0);
    expect(third.venue.region('tidemark.agents.deliveries').size).toBe(0);
  });

  it('names who is to get it: an agent that is there', async () => {
    const { agents } = await live({});
    await expect(agents.send('nobody', 1)).rejects.toThrow(code('not_found'));
    await expect(agents.wakeAt('nobody', 1)).rejects.toThrow(code('not_found'));
    await expect(agents.schedule(1, 'nobody')).rejects.toThrow(code('not_found'));
    for (const name of ['', 'a/b', 'x'.repeat(257)]) await expect(agents.create(name)).rejects.toThrow(code('bad_key'));
    await agents.create('a');
    await expect(agents.send('a', () => 1)).rejects.toThrow(code('bad_value'));
  });
});

describe('an error', () => {
  it('suspends the agent with the error and one timeline entry, drops what the handler wrote, and keeps the message', async () => {
    const { handled, handler } = waiting();
    const life = await live({}, { handlers: { a: handler } });
    const { agents, clock } = life;
    await agents.create('a');
    const id = await agents.send('a', 'm');
    await settle();
    handled[0]!.context.state.set('half');
    handled[0]!.context.send('a', 'never');
    handled[0]!.fail(new RangeError('too far'));
    await settle();
    const error = { name: 'RangeError', message: 'too far' };
    expect(agents.get('a')).toMatchObject({ status: 'SUSPENDED', error, state: undefined });
    expect(agents.timeline('a').slice(1)).toEqual([
      { at: expect.any(Number), what: 'suspended', error, event: id, delivery: 1 },
    ]);
    await clock.advance(day);
    expect(handled).toHaveLength(1);

    const two = waiting();
    const second = await next(life, { handlers: { a: two.handler } });
    await settle();
    expect(second.agents.get('a')).toMatchObject({ status: 'SUSPENDED', error });
    expect(two.handled).toEqual([]);
    await second.agents.resume('a');
    await settle();
    expect(two.handled.map(({ message, context }) => [message, context.delivery])).toEqual([['m', 2]]);
    expect(second.agents.get('a')).toMatchObject({ status: 'RUNNING', error: undefined });
    two.handled[0]!.finish();
    await settle();
    expect(second.agents.get('a')!.status).toBe('SLEEPING');
    expect(second.agents.timeline('a').map(({ what }) => what)).toEqual(['created', 'suspended', 'resumed']);
  });

  it('may be thrown at once, be anything, and come from what cannot be stored', async () => {
    const { agents } = await live(
      {},
      {
        handlers: {
          a: () => {
            throw 'words';
          },
          b: (_, { state }) => state.set(() => 1),
        },
      },
    );
    for (const name of ['a', 'b']) {
      await agents.create(name);
      await agents.send(name);
    }
    await settle();
    expect(agents.get('a')!.error).toEqual({ name: 'Error', message: 'words' });
    expect(agents.get('b')!.error).toMatchObject({ name: 'ValueError' });
  });

  it('is what a handler gets that goes on with its context after it has returned', async () => {
    const { handled, handler } = waiting();
    const { agents } = await live({}, { handlers: { a: handler } });
    await agents.create('a');
    await agents.send('a', 1);
    await settle();
    const { context, finish } = handled[0]!;
    finish();
    await settle();
    for (const late of [() => context.state.set(1), () => context.send('a', 1), () => context.wakeAt(1)])
      expect(late).toThrow(code('closed'));
  });
});

describe('the states', () => {
  type Verb = 'suspend' | 'resume' | 'terminate';
  it.each<[string, Verb[], Record<Verb | 'send', string>]>([
    ['SLEEPING', [], { suspend: 'SUSPENDED', resume: 'SLEEPING', terminate: 'TERMINATED', send: 'SLEEPING' }],
    [
      'SUSPENDED',
      ['suspend'],
      { suspend: 'SUSPENDED', resume: 'SLEEPING', terminate: 'TERMINATED', send: 'SUSPENDED' },
    ],
    ['TERMINATED', ['terminate'], { suspend: 'throws', resume: 'throws', terminate: 'TERMINATED', send: 'throws' }],
  ])('%s', async (status, verbs, outcomes) => {
    for (const [verb, outcome] of Object.entries(outcomes) as [Verb | 'send', string][]) {
      const { agents } = await live({});
      await agents.create('a');
      for (const before of verbs) await agents[before]('a');
      expect(agents.get('a')!.status).toBe(status);
      const lines = agents.timeline('a').length;
      if (outcome === 'throws') {
        const error = await agents[verb]('a').then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(error).toBeInstanceOf(IllegalTransition);
        expect(error).toMatchObject({ code: 'illegal_transition', from: 'TERMINATED' });
      } else await agents[verb]('a');
      expect(agents.get('a')!.status).toBe(outcome === 'throws' ? status : outcome);
      expect(agents.timeline('a').length - lines).toBe(agents.get('a')!.status === status ? 0 : 1);
    }
  });

  it('RUNNING while a handler runs; after a crash SLEEPING at once, before any handler is registered', async () => {
    const { handler } = waiting();
    const first = await live({}, { handlers: { a: handler } });
    await first.agents.create('a');
    await first.agents.send('a', 1);
    await settle();
    expect(first.agents.get('a')!.status).toBe('RUNNING');
    expect([...first.agents.all()].map(({ agent, status }) => [agent, status])).toEqual([['a', 'RUNNING']]);
    const second = await next(first);
    expect(second.agents.get('a')!.status).toBe('SLEEPING');
  });

  it('SUSPENDED in mid-run: the handler is told, its result counts, and nothing follows it', async () => {
    const { handled, handler } = waiting();
    const { agents } = await live({}, { handlers: { a: handler } });
    await agents.create('a');
    await agents.send('a', 1);
    await agents.send('a', 2);
    await settle();
    let told = 0;
    const { signal, state } = handled[0]!.context;
    signal.addEventListener('abort', () => void told++);
    await agents.suspend('a');
    expect([told, signal.aborted, signal.reason]).toEqual([1, true, 'suspended']);
    state.set('done');
    handled[0]!.finish();
    await settle();
    expect(agents.get('a')).toMatchObject({ status: 'SUSPENDED', state: 'done', error: undefined });
    expect(handled).toHaveLength(1);
    await agents.resume('a');
    await settle();
    expect(handled[1]!.message).toBe(2);
  });

  it('SUSPENDED in mid-run: a handler that stops with an error is no failure, and is given the message again', async () => {
    const { handled, handler } = waiting();
    const { agents } = await live({}, { handlers: { a: handler } });
    await agents.create('a');
    await agents.send('a', 1);
    await settle();
    await agents.suspend('a');
    handled[0]!.fail(new Error('stopped'));
    await settle();
    expect(agents.get('a')).toMatchObject({ status: 'SUSPENDED', error: undefined });
    await agents.resume('a');
    await settle();
    expect(handled.map(({ message, context }) => [message, context.delivery])).toEqual([
      [1, 1],
      [1, 2],
    ]);
  });

  it('TERMINATED is durable when terminate() resolves, for ever, and takes along what waits and what a running handler would write', async () => {
    const { handled, handler } = waiting();
    const first = await live({}, { handlers: { a: handler } });
    await first.agents.create('a');
    for (const message of [1, 2]) await first.agents.send('a', message);
    await first.agents.wakeAt('a', day);
    await first.agents.schedule({ every: 1000 }, 'a', 3);
    await settle();
    handled[0]!.context.state.set('late');
    await first.agents.terminate('a');
    expect(handled[0]!.context.signal.reason).toBe('terminated');
    handled[0]!.finish();
    await first.clock.advance(10_000);
    expect(first.agents.get('a')).toMatchObject({ status: 'TERMINATED', state: undefined });
    const second = await next(first, { handlers: { a: handler } });
    await second.clock.advance(10_000);
    expect(second.agents.get('a')!.status).toBe('TERMINATED');
    expect(handled).toHaveLength(1);
    for (const left of ['mail', 'wakes', 'schedules', 'deliveries'])
      expect(second.venue.region(`tidemark.agents.${left}`).size).toBe(0);
    expect(second.agents.list()).toEqual([]);
    expect((await second.agents.create('a')).status).toBe('TERMINATED');
  });

  it('TERMINATED is the last that is said of an agent, also when its handler fails at that moment', async () => {
    for (let microtasks = 0; microtasks < 8; microtasks++) {
      const { agents } = await live({});
      agents.handle('a', async () => {
        void agents.terminate('a');
        for (let i = 0; i < microtasks; i++) await undefined;
        throw new Error('at the same moment');
      });
      await agents.create('a');
      await agents.send('a');
      await settle(10);
      expect(agents.timeline('a').at(-1)!.what).toBe('terminated');
    }
  });

  it('a handler may end its own agent', async () => {
    const life = await live({});
    life.agents.handle('a', (message) => life.agents[message as 'suspend' | 'terminate']('a'));
    await life.agents.create('a');
    await life.agents.send('a', 'suspend');
    await settle(10);
    expect(life.agents.get('a')).toMatchObject({ status: 'SUSPENDED', error: undefined });
    await life.agents.send('a', 'terminate');
    await life.agents.resume('a');
    await settle(10);
    expect(life.agents.get('a')).toMatchObject({ status: 'TERMINATED', error: undefined });
  });

  it('creating what is there changes nothing; under another type it is refused', async () => {
    const { agents } = await live({});
    const made = await agents.create('a', { type: 't' });
    expect(made).toMatchObject({ agent: 'a', type: 't', status: 'SLEEPING', created: expect.any(Number) });
    await agents.suspend('a');
    expect((await agents.create('a', { type: 't' })).status).toBe('SUSPENDED');
    await expect(agents.create('a')).rejects.toThrow(code('conflict'));
    expect(agents.get('b')).toBeUndefined();
  });
});

describe('closing', () => {
  it('tells running handlers, starts no new ones, and what was not acknowledged is delivered again', async () => {
    const one = waiting();
    const first = await live({}, { handlers: { a: one.handler } });
    await first.agents.create('a');
    for (const message of [1, 2]) await first.agents.send('a', message);
    await settle();
    const closed = first.venue.close();
    expect(one.handled[0]!.context.signal.reason).toBe('closing');
    one.handled[0]!.finish();
    await closed;
    await settle();
    expect(one.handled).toHaveLength(1);
    const { handled, handler } = noting();
    await live(first, { handlers: { a: handler } });
    await settle(20);
    expect(handled).toEqual([
      [1, 2],
      [2, 1],
    ]);
  });

  it('hands nothing to a handler when it comes while the delivery is counted', async () => {
    const { handled, handler } = noting();
    const { agents, backend, venue } = await live({}, { handlers: { a: handler } });
    await agents.create('a');
    const { opened, open } = gate();
    let appends = 0;
    backend.instead.append = async (pass) => {
      if (++appends === 2) await opened;
      return pass();
    };
    await agents.send('a', 1);
    await settle();
    expect(appends).toBe(2);
    const closed = venue.close();
    open();
    await closed;
    await settle();
    expect(handled).toEqual([]);
  });

  it('leaves no timer behind', async () => {
    const { agents, venue, clock } = await live({}, { handlers: { a: () => undefined } });
    await agents.create('a');
    await agents.wakeAt('a', clock.now() + day);
    expect(clock.pending()).toBe(1);
    await venue.close();
    expect(clock.pending()).toBe(0);
  });
});

it('an idle agent has no timer and writes nothing', async () => {
  const { agents, backend, clock } = await live({}, { handlers: { a: () => undefined } });
  await agents.create('a');
  await agents.send('a', 1);
  await clock.advance(1000);
  const { length } = backend.appends;
  expect(clock.pending()).toBe(0);
  await clock.advance(day);
  expect(backend.appends).toHaveLength(length);
});

describe('what two writers say of one agent', () => {
  const texts = fc.constantFrom('a', 'b');
  const counts = fc.integer({ min: 0, max: 3 });
  const flag = fc.constant(true as const);
  it.each([
    [
      'its record',
      joinAgents,
      fc.record(
        { type: texts, created: counts, n: counts, suspended: flag, terminated: flag },
        { requiredKeys: ['type', 'created', 'n'] },
      ),
    ],
    ['a delivery', joinDeliveries, fc.record({ n: counts, by: texts }, { requiredKeys: ['n'] })],
    ['its state', joinStates, fc.record({ n: counts, value: fc.jsonValue({ maxDepth: 1 }) })],
  ] as [string, (a: unknown, b: unknown) => unknown, fc.Arbitrary<unknown>][])(
    '%s: the join is lawful',
    (_, join, value) => {
      fc.assert(
        fc.property(fc.array(value, { maxLength: 4 }), (samples) => {
          expect(checkJoin(join, samples)).toEqual([]);
        }),
        { numRuns: 300 },
      );
    },
  );

  it('terminated is final, and suspended stands against a resume of the same moment', () => {
    const record = { type: 't', created: 1, n: 1 };
    const terminated = { ...record, n: 2, terminated: true };
    expect(joinAgents(terminated, { ...record, n: 9 })).toBe(terminated);
    const suspended = { ...record, suspended: true };
    expect(joinAgents(record, suspended)).toBe(suspended);
    const resumed = { ...record, n: 2 };
    expect(joinAgents(resumed, suspended)).toBe(resumed);
  });
});

it('handlers may say which messages and which state they take', () => {
  const handler: AgentHandler<{ n: number }, string[]> = ({ n }, { state }) =>
    state.set([...(state.get() ?? []), String(n)]);
  expectTypeOf(openAgents).toBeCallableWith({} as never, { handlers: { a: handler, b: async () => 1 } });
});
