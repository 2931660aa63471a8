// Agents in several tabs on one store, under virtual time: only one runs a given agent, another takes over when that one is gone, and whoever was
// out of time writes nothing.
import { describe, expect, it } from 'vitest';
import { type AgentsTab, newOrigin, noting, type Origin, settle, stuckAtTimes, tabOf, waiting } from './agents-world';

/** Two tabs with a handler for `a`, the first of which runs it. */
async function running(origin: Origin) {
  const [one, two] = [waiting(), waiting()];
  const first = await tabOf(origin, { handlers: { a: one.handler } });
  const second = await tabOf(origin, { handlers: { a: two.handler } });
  await origin.clock.runUntil(first.agents.create('a'));
  await origin.clock.runUntil(first.agents.send('a', 'm'));
  await origin.clock.advance(2000);
  const firstRuns = one.handled.length === 1;
  expect([one.handled.length, two.handled.length].sort()).toEqual([0, 1]);
  const tabs = [
    { ...first, ...one },
    { ...second, ...two },
  ];
  return firstRuns ? tabs : tabs.reverse();
}

const statuses = (...tabs: AgentsTab[]) => tabs.map(({ agents }) => agents.get('a')!.status);

describe('in two tabs', () => {
  it('one runs the agent, both know that it runs, and the other stands by', async () => {
    const origin = newOrigin();
    const [runner, other] = await running(origin);
    expect(statuses(runner!, other!)).toEqual(['RUNNING', 'RUNNING']);
    await origin.clock.advance(60_000);
    expect([runner!.handled.length, other!.handled.length]).toEqual([1, 0]);
    runner!.handled[0]!.finish();
    await origin.clock.advance(1000);
    expect(statuses(runner!, other!)).toEqual(['SLEEPING', 'SLEEPING']);
    expect(other!.handled).toEqual([]);
  });

  it('whoever had the agent last has it the next time', async () => {
    const origin = newOrigin();
    const [runner, other] = await running(origin);
    runner!.handled[0]!.finish();
    await origin.clock.advance(10_000);
    await origin.clock.runUntil(other!.agents.send('a', 'from the other'));
    await origin.clock.advance(200);
    expect(runner!.handled[1]!.message).toBe('from the other');
    expect(other!.handled).toEqual([]);
  });

  it('a wake at the same moment in both is handled by one, also where writing takes its time', async () => {
    for (let i = 0; i < 10; i++) {
      const origin = newOrigin();
      const { clock } = origin;
      const [one, two] = [noting(), noting()];
      const first = await tabOf(origin, { handlers: { a: one.handler } });
      const second = await tabOf(origin, { handlers: { a: two.handler } });
      for (const { backend } of [first.tab, second.tab]) {
        const append = backend.append.bind(backend);
        backend.append = async (...args) => {
          await new Promise<void>((resolve) => clock.setTimeout(resolve, 20));
          return append(...args);
        };
      }
      await clock.runUntil(first.agents.create('a'));
      await clock.runUntil(first.agents.wakeAt('a', clock.now() + 10_000));
      await clock.advance(15_000);
      expect([...one.handled, ...two.handled]).toEqual([[undefined, 1]]);
    }
  });

  it('a tab without a handler leaves the agent to one that has it', async () => {
    const origin = newOrigin();
    const { handled, handler } = noting();
    const without = await tabOf(origin, {});
    const withIt = await tabOf(origin, { handlers: { a: handler } });
    await origin.clock.runUntil(without.agents.create('a'));
    await origin.clock.runUntil(without.agents.send('a', 1));
    await origin.clock.advance(1000);
    expect(handled).toEqual([[1, 1]]);
    expect(withIt.agents.get('a')!.status).toBe('SLEEPING');
  });

  it('a tab that has not heard of an agent looks into the store before it says that there is none', async () => {
    const origin = newOrigin();
    const first = await tabOf(origin);
    const second = await tabOf(origin);
    second.tab.hears = false;
    await origin.clock.runUntil(first.agents.create('a'));
    expect(second.agents.get('a')).toBeUndefined();
    await origin.clock.runUntil(second.agents.send('a', 1));
    expect(second.agents.get('a')).toBeDefined();
  });

  it('nothing ticks where nothing is to be done', async () => {
    const origin = newOrigin();
    const { agents } = await tabOf(origin, { handlers: { a: () => undefined } });
    await tabOf(origin, { handlers: { a: () => undefined } });
    await origin.clock.runUntil(agents.create('a'));
    await origin.clock.advance(1000);
    expect(origin.clock.pending()).toBe(0);
  });
});

describe('another tab takes over, with the delivery counted', () => {
  it.each<[string, number, (tab: AgentsTab) => unknown]>([
    ['within 5 s of a crash', 5000, ({ tab }) => tab.kill()],
    ['within 1 s of closing', 1000, ({ venue }) => void venue.close()],
    ['within 1 s of leaving the page', 1000, ({ tab }) => tab.going.leave()],
    ['within 5 s when it cannot write any more', 5500, ({ tab }) => Object.assign(tab, { appends: false })],
  ])('%s', async (_, ms, end) => {
    const origin = newOrigin();
    const [runner, other] = await running(origin);
    runner!.handled[0]!.context.state.set('never');
    end(runner!);
    await origin.clock.advance(ms);
    expect(other!.handled.map(({ message, context }) => [message, context.delivery])).toEqual([['m', 2]]);
    expect(statuses(other!)).toEqual(['RUNNING']);
    // What the first one finds now is not written.
    runner!.handled[0]!.finish();
    await settle();
    expect(other!.agents.get('a')!.state).toBeUndefined();
    other!.handled[0]!.context.state.set('done');
    other!.handled[0]!.finish();
    await origin.clock.advance(2000);
    expect(other!.agents.get('a')).toMatchObject({ status: 'SLEEPING', state: 'done' });
  });

  it('an agent that is idle, too: its next message goes to whoever is there', async () => {
    const origin = newOrigin();
    const [runner, other] = await running(origin);
    runner!.handled[0]!.finish();
    await origin.clock.advance(1000);
    runner!.tab.kill();
    await origin.clock.runUntil(other!.agents.send('a', 'next'));
    await origin.clock.advance(5000);
    expect(other!.handled.map(({ message, context }) => [message, context.delivery])).toEqual([['next', 1]]);
  });

  it('SLEEPING at once for the next opening after a crash of long ago', async () => {
    const origin = newOrigin();
    const [runner, other] = await running(origin);
    runner!.tab.kill();
    other!.tab.kill();
    await origin.clock.advance(10_000);
    const { agents } = await tabOf(origin);
    expect(agents.get('a')!.status).toBe('SLEEPING');
  });
});

describe('a tab that was out of time', () => {
  it('(frozen, or asleep) is told, writes no result, and runs the agent again only when it has it again', async () => {
    const origin = newOrigin();
    const [runner, other] = await running(origin);
    const { context, finish } = runner!.handled[0]!;
    context.state.set('stale');
    context.send('a', 'stale');
    // Its timers stand still, and it hears nothing; the others go on.
    runner!.tab.appends = runner!.tab.hears = false;
    await origin.clock.advance(6000);
    expect(other!.handled).toHaveLength(1);
    expect([context.signal.aborted, context.signal.reason]).toEqual([true, 'lease_lost']);
    other!.handled[0]!.context.state.set('fresh');
    other!.handled[0]!.finish();
    await origin.clock.advance(1000);
    finish();
    Object.assign(runner!.tab, { appends: true, hears: true });
    await origin.clock.runUntil(runner!.venue.catchUp());
    await origin.clock.advance(10_000);
    for (const { agents } of [runner!, other!]) expect(agents.get('a')!.state).toBe('fresh');
    expect(runner!.venue.region('tidemark.agents.mail').size).toBe(0);
    expect([runner!.handled.length, other!.handled.length]).toEqual([1, 1]);
  });

  it('is told by the check before the result, when no timer has run yet', async () => {
    const origin = newOrigin();
    const [runner] = await running(origin);
    const { context, finish } = runner!.handled[0]!;
    context.state.set('stale');
    origin.clock.jump(3_600_000);
    finish();
    await settle();
    expect(context.signal.reason).toBe('lease_lost');
    expect(runner!.agents.get('a')!.state).toBeUndefined();
    expect(runner!.agents.get('a')!.error).toBeUndefined();
    await origin.clock.advance(10_000);
    const again = runner!.handled.slice(1);
    expect(again.every(({ context }) => context.delivery === 2)).toBe(true);
  });

  it('hands nothing to a handler when it learns it only as the delivery is counted', async () => {
    const origin = newOrigin();
    const [one, two] = [waiting(), waiting()];
    const first = await tabOf(origin, { handlers: { a: one.handler } });
    await origin.clock.runUntil(first.agents.create('a'));
    await origin.clock.runUntil(first.agents.send('a', 1));
    await settle();
    one.handled[0]!.finish(); // it has the agent
    await origin.clock.advance(500);
    await tabOf(origin, { handlers: { a: two.handler } });
    const append = stuckAtTimes(first.tab);
    append.shut();
    void first.agents.send('a', 2);
    await origin.clock.advance(6000);
    append.open();
    await origin.clock.advance(1000);
    await settle(20);
    expect([one.handled.length, two.handled.length]).toEqual([1, 1]);
    two.handled[0]!.finish();
    await origin.clock.advance(10_000);
    expect([one.handled.length, two.handled.length]).toEqual([1, 1]);
  });

  it.each(['before', 'after'])(
    'takes nothing out of the mailbox with a result that comes out long after it, %s the result of another one',
    async (when) => {
      const origin = newOrigin();
      const [one, two] = [waiting(), waiting()];
      const first = await tabOf(origin, { handlers: { a: one.handler } });
      await origin.clock.runUntil(first.agents.create('a'));
      await origin.clock.runUntil(first.agents.send('a', 1));
      await settle();
      const second = await tabOf(origin, { handlers: { a: two.handler } });
      const append = stuckAtTimes(first.tab);
      append.shut();
      one.handled[0]!.context.state.set('of the first');
      one.handled[0]!.finish(); // its lease holds; what it writes is on its way
      await origin.clock.advance(6000);
      expect(two.handled.map(({ context }) => context.delivery)).toEqual([2]);
      if (when === 'before') {
        append.open();
        await origin.clock.advance(1000);
        expect(second.venue.region('tidemark.agents.mail').size).toBe(1);
      }
      two.handled[0]!.context.state.set('of the second');
      two.handled[0]!.finish();
      await origin.clock.advance(1000);
      append.open();
      await origin.clock.advance(10_000);
      for (const { agents, venue } of [first, second]) {
        expect(agents.get('a')!.state).toBe('of the second');
        expect(venue.region('tidemark.agents.mail').size).toBe(0);
      }
      expect([one.handled.length, two.handled.length]).toEqual([1, 1]);
    },
  );

  it('goes on when its page is back', async () => {
    const origin = newOrigin();
    const { handled, handler } = waiting();
    const { agents, tab } = await tabOf(origin, { handlers: { a: handler } });
    await origin.clock.runUntil(agents.create('a'));
    await origin.clock.runUntil(agents.send('a', 1));
    await agents.wakeAt('a', origin.clock.now() + 10_000);
    await settle();
    tab.going.leave();
    expect(handled[0]!.context.signal.reason).toBe('lease_lost');
    handled[0]!.finish();
    await origin.clock.advance(20_000);
    expect(handled).toHaveLength(1);
    tab.going.resume();
    await settle(20);
    handled[1]!.finish();
    await settle(20);
    expect(handled.map(({ context }) => [context.kind, context.delivery])).toEqual([
      ['message', 1],
      ['message', 2],
      ['wake', 1],
    ]);
  });
});

describe('from another tab', () => {
  it('suspend and terminate reach the one that runs the agent', async () => {
    for (const [verb, reason] of [
      ['suspend', 'suspended'],
      ['terminate', 'terminated'],
    ] as const) {
      const origin = newOrigin();
      const [runner, other] = await running(origin);
      await origin.clock.runUntil(other!.agents[verb]('a'));
      await settle();
      const { context, finish } = runner!.handled[0]!;
      expect(context.signal.reason).toBe(reason);
      context.state.set('result');
      finish();
      await origin.clock.advance(1000);
      const after = verb === 'suspend' ? ['SUSPENDED', 'result'] : ['TERMINATED', undefined];
      for (const { agents } of [runner!, other!])
        expect([agents.get('a')!.status, agents.get('a')!.state]).toEqual(after);
    }
  });

  it('a message to an agent that is terminated at the same moment is cleared away', async () => {
    const origin = newOrigin();
    const [one, two] = [await tabOf(origin), await tabOf(origin)];
    await origin.clock.runUntil(one.agents.create('a'));
    await settle();
    const sent = two.agents.send('a', 1);
    await origin.clock.runUntil(one.agents.terminate('a'));
    await origin.clock.runUntil(sent);
    await origin.clock.advance(1000);
    for (const { venue } of [one, two]) expect(venue.region('tidemark.agents.mail').size).toBe(0);
  });

  it('a schedule cancelled in mid-fire does not come back', async () => {
    const origin = newOrigin();
    const { handled, handler } = waiting();
    const one = await tabOf(origin, { handlers: { a: handler } });
    const two = await tabOf(origin);
    await origin.clock.runUntil(one.agents.create('a'));
    const id = await origin.clock.runUntil(one.agents.schedule({ every: 1000 }, 'a'));
    await origin.clock.advance(1100);
    one.tab.hears = false; // so that it counts the schedule on without knowing
    expect(await origin.clock.runUntil(two.agents.cancel(id))).toBe(true);
    handled[0]!.finish();
    await origin.clock.advance(200);
    one.tab.hears = true;
    await origin.clock.runUntil(one.venue.catchUp());
    await origin.clock.advance(10_000);
    expect(handled).toHaveLength(1);
    for (const { agents, venue } of [one, two]) {
      expect(agents.list()).toEqual([]);
      expect(venue.region('tidemark.agents.wakes').size).toBe(0);
    }
  });
});
