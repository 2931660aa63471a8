// Sessions and the writers that they lose: crashed, closed, frozen, out of time. Several tabs on one store under virtual time, and a store that
// one process at a time has.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../backends/memory';
import { openSessions } from '../../src/services/sessions';
import { joinRecords, type SessionRecord, type SessionState } from '../../src/services/sessions/record';
import { checkJoin } from '../../src/testing';
import { SimClock } from '../simulator/clock';
import { openIn, settle } from '../venue/helpers';
import { newOrigin, type Origin, openTab, type Tab } from '../venue/pages';

const project = { projectRoot: '/work/a', harness: 'codex', user: 'ann' };
const say = (text: string) => ({ type: 'said', payload: { text } });
const code = (name: string) => expect.objectContaining({ code: name });
const over = { input: false, kill: false, replay: true, relaunch: true };

async function open(origin: Origin) {
  const tab = await openTab(origin);
  const sessions = openSessions(tab.venue);
  const during = <T>(work: Promise<T>) => origin.clock.runUntil(work);
  const start = async (as: 'created' | 'running' | 'idle' = 'created') => {
    const { id } = await during(sessions.start(project));
    if (as !== 'created') sessions.append(id, say('1'));
    if (as === 'idle') sessions.idle(id);
    await tab.venue.flush();
    return id;
  };
  return { tab, sessions, during, start };
}

const endings: [how: string, end: (tab: Tab) => unknown][] = [
  ['crashed', ({ kill }) => kill()],
  ['closed', ({ venue }) => venue.close()],
  ['left its page', ({ going }) => going.leave()],
];

describe('sessions whose writer is gone', () => {
  it.each(endings)('are orphaned at the next opening, running or idle, if it %s', async (_, end) => {
    const origin = newOrigin();
    const one = await open(origin);
    const ids = [await one.start('running'), await one.start('idle')];
    await end(one.tab);
    await origin.clock.advance(10_000);
    const { sessions, tab } = await open(origin);
    // From the first look on, whether or not it is written already.
    for (const id of ids) expect(sessions.get(id)).toMatchObject({ state: 'orphaned', live: false, affordances: over });
    await settle();
    await tab.venue.flush();
    const { sessions: third } = await open(origin);
    expect(ids.map((id) => third.get(id)?.state)).toEqual(['orphaned', 'orphaned']);
    expect(ids.map((id) => tab.venue.root.region<SessionRecord>('tidemark.sessions').get(id)?.state)).toEqual([
      'orphaned',
      'orphaned',
    ]);
  });

  it('where one process has the store: at once, for whoever comes next', async () => {
    const [store, clock] = [memoryStore(), new SimClock()];
    const first = await openIn({ store, clock, exclusive: true });
    const sessions = openSessions(first.venue);
    const { id } = await clock.runUntil(sessions.start(project));
    await clock.runUntil(sessions.append(id, say('1'), { durable: true }));
    first.kill();
    const second = await openIn({ store, clock, exclusive: true });
    const after = openSessions(second.venue);
    expect(after.get(id)).toMatchObject({ state: 'orphaned', affordances: over });
    expect(() => after.append(id, say('2'))).toThrow(code('session_not_live'));
    expect(after.replay(id).events).toMatchObject([{ seq: 1, event: say('1') }]);
  });

  it('have failed if they were created and not run for 600 s, and wait until then', async () => {
    const origin = newOrigin();
    const one = await open(origin);
    const id = await one.start();
    one.tab.kill();
    await origin.clock.advance(599_000);
    const young = await open(origin);
    expect(young.sessions.get(id)).toMatchObject({ state: 'created', live: false, affordances: over });
    await settle();
    expect(young.sessions.get(id)?.state).toBe('created');
    await origin.clock.advance(2000);
    const old = await open(origin);
    expect(old.sessions.get(id)?.state).toBe('failed');
    await settle();
    expect(old.sessions.get(id)).toMatchObject({ state: 'failed', outcome: 'created, and never run' });
  });

  it.each(endings)('are orphaned while others run, which hear of it within 5 s, if it %s', async (_, end) => {
    const origin = newOrigin();
    const [one, looking, working] = [await open(origin), await open(origin), await open(origin)];
    const theirs = await working.start('running');
    const id = await one.start('running');
    const heard: string[] = [];
    for (const { sessions } of [looking, working])
      sessions.subscribe((session, of) => of === id && heard.push(session!.state));
    await origin.clock.advance(60_000);
    expect(heard).toEqual([]);
    await end(one.tab);
    await origin.clock.advance(5000);
    expect(new Set(heard)).toEqual(new Set(['orphaned']));
    for (const { sessions } of [looking, working]) {
      expect(sessions.get(id)?.state).toBe('orphaned');
      expect(sessions.get(theirs)).toMatchObject({ state: 'running', live: true });
    }
  });

  it('cannot be written, killed or sent to; they are replayed and relaunched', async () => {
    const origin = newOrigin();
    const one = await open(origin);
    const id = await one.start('running');
    one.tab.kill();
    await origin.clock.advance(5000);
    const { sessions, during } = await open(origin);
    expect(() => sessions.append(id, say('2'))).toThrow(code('session_not_live'));
    for (const refused of [sessions.kill(id), sessions.send(id, 'hello')])
      await expect(refused).rejects.toThrow(code('session_not_live'));
    await expect(sessions.complete(id)).rejects.toMatchObject({ from: 'orphaned', to: 'completed' });
    expect(sessions.replay(id).events).toHaveLength(1);
    const next = await during(sessions.relaunch(id, { harness: 'other', projectRoot: '/elsewhere', token: 'x' }));
    expect(next).toMatchObject({
      state: 'created',
      live: true,
      projectRoot: '/work/a',
      harness: 'other',
      headers: { user: 'ann', token: '[redacted]' },
      relaunchOf: id,
      relaunchedAs: [],
    });
    expect(sessions.get(id)).toMatchObject({ state: 'orphaned', relaunchedAs: [next.id] });
    expect(sessions.append(next.id, say('1')).seq).toBe(1);
  });

  it('can be deleted', async () => {
    const origin = newOrigin();
    const one = await open(origin);
    const ids = [await one.start(), await one.start('running')];
    one.tab.kill();
    await origin.clock.advance(5000);
    const { sessions, during } = await open(origin);
    for (const id of ids) await during(sessions.delete(id));
    expect(sessions.list({ archived: 'any' }).sessions).toEqual([]);
  });
});

describe('sessions whose writer is there', () => {
  it('stay as they are when another tab opens, and when it looks for a long time', async () => {
    const origin = newOrigin();
    const one = await open(origin);
    const ids = [await one.start(), await one.start('running'), await one.start('idle')];
    const two = await open(origin);
    for (const ms of [0, 700_000]) {
      await origin.clock.advance(ms);
      for (const { sessions } of [one, two, await open(origin)])
        expect(ids.map((id) => [sessions.get(id)?.state, sessions.get(id)?.live])).toEqual([
          ['created', true],
          ['running', true],
          ['idle', true],
        ]);
    }
    expect(one.sessions.append(ids[1]!, say('2')).seq).toBe(2);
  });

  it('are not taken for gone by a tab that has not heard of it for a while', async () => {
    const origin = newOrigin();
    const one = await open(origin);
    const id = await one.start('running');
    await origin.clock.advance(100);
    const two = await openTab(origin);
    two.hears = false;
    await origin.clock.advance(20_000);
    const sessions = openSessions(two.venue);
    expect(sessions.get(id)).toMatchObject({ state: 'orphaned', live: false }); // unknown is not alive
    await settle();
    expect(sessions.get(id)).toMatchObject({ state: 'running', live: true });
    two.hears = true;
    await origin.clock.advance(1000);
    expect(one.sessions.get(id)).toMatchObject({ state: 'running', live: true });
    origin.clock.jump(10_000); // nobody has looked yet: its writer is not known to be there, and nothing is written
    expect(sessions.get(id)).toMatchObject({ state: 'running', live: false, affordances: over });
  });

  it.each([
    ['delete', { code: 'illegal_transition', from: 'running' }],
    ['relaunch', { code: 'illegal_transition', from: 'running' }],
    ['kill', undefined],
    ['send', undefined],
  ] as const)('nor by the first call of such a tab: %s', async (call, refusal) => {
    const origin = newOrigin();
    const one = await open(origin);
    const id = await one.start('running');
    await origin.clock.advance(100);
    const two = await openTab(origin);
    two.hears = false;
    await origin.clock.advance(20_000);
    const done = origin.clock.runUntil<unknown>(openSessions(two.venue)[call](id, {}));
    if (refusal) await expect(done).rejects.toMatchObject(refusal);
    else await done;
    await origin.clock.advance(200);
    expect(one.sessions.get(id)?.state).toBe(call === 'kill' ? 'killed' : 'running');
    expect(one.sessions.replay(id).events).toHaveLength(call === 'send' ? 2 : 1);
  });

  it('are written by it alone, and killed by anybody', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const [id, ended] = [await one.start('running'), await one.start('running')];
    await settle();
    for (const act of [() => two.sessions.append(id, say('x')), () => two.sessions.idle(id)])
      expect(act).toThrow(code('conflict'));
    await expect(two.sessions.complete(id)).rejects.toThrow(code('conflict'));
    await expect(two.sessions.relaunch(id)).rejects.toMatchObject({ from: 'running', to: 'relaunched' });
    await two.during(two.sessions.kill(id, 'enough'));
    await settle();
    expect(one.sessions.get(id)).toMatchObject({ state: 'killed', outcome: 'enough' });
    expect(() => one.sessions.append(id, say('late'))).toThrow(code('session_not_live'));
    await one.during(one.sessions.complete(ended));
    await settle();
    expect(two.sessions.get(ended)?.state).toBe('completed');
  });

  it('are followed in order, also by a tab that hears of their commits out of turn', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const id = await one.start('running');
    await settle();
    const heard: number[] = [];
    two.sessions.follow(id, ({ seq }) => heard.push(seq));
    for (const hears of [false, true, true]) {
      two.tab.hears = hears;
      one.sessions.append(id, say('more'));
      await one.tab.venue.flush();
    }
    await settle();
    expect(heard).toEqual([1, 2, 3, 4]);
    expect(two.sessions.replay(id).events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    const first: number[] = [];
    const stop = two.sessions.follow(
      id,
      ({ seq }) => {
        first.push(seq);
        stop();
      },
      { afterSeq: 4 },
    );
    for (const text of ['a', 'b', 'c']) one.sessions.append(id, say(text)); // heard of all at once
    await one.tab.venue.flush();
    await settle();
    expect(heard).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(first).toEqual([5]);
  });

  it('get what others send as one event each, in order', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    openSessions(one.tab.venue); // once more in the same tab: no event twice
    const id = await one.start();
    await settle();
    await two.during(two.sessions.send(id, 'a'));
    await two.during(two.sessions.send(id, 'b'));
    await one.during(one.sessions.send(id, 'c'));
    await origin.clock.advance(200);
    for (const { sessions } of [one, two]) {
      expect(sessions.replay(id).events.map(({ event }) => event)).toEqual(
        ['a', 'b', 'c'].map((payload) => ({ type: 'input', payload })),
      );
      expect(sessions.get(id)?.state).toBe('running');
      expect(sessions.undelivered(id)).toEqual([]);
    }
  });

  it('until it is gone: what was sent and not taken is kept', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const [id, other] = [await one.start('running'), await one.start('running')];
    await settle();
    one.tab.hears = false;
    await two.during(two.sessions.send(id, 'unheard'));
    await two.during(two.sessions.send(other, 'elsewhere'));
    one.tab.kill();
    await origin.clock.advance(5000);
    expect(two.sessions.undelivered(id)).toEqual(['unheard']);
    expect(two.sessions.replay(id).events).toHaveLength(1);
    await two.during(two.sessions.delete(id));
    expect([two.sessions.undelivered(id), two.sessions.undelivered(other)]).toEqual([[], ['elsewhere']]);
  });
});

describe('a writer that was out of time', () => {
  const asleep: [how: string, sleep: (origin: Origin, tab: Tab) => unknown][] = [
    ['slept', ({ clock }) => clock.jump(3_600_000)],
    [
      'could not write',
      async ({ clock }, tab) => {
        tab.appends = false;
        await clock.advance(3600);
      },
    ],
    [
      'left its page and came back',
      async (_, { going }) => {
        going.leave();
        await settle();
        going.resume();
        await settle();
      },
    ],
  ];
  it.each(asleep)('learns it before it writes anything, if it %s', async (_, sleep) => {
    const origin = newOrigin();
    const one = await open(origin);
    const [id, created] = [await one.start('running'), await one.start()];
    await sleep(origin, one.tab);
    const lost = /^(lease_lost|session_not_live)$/;
    const before = one.sessions.replay(id).events;
    for (const act of [
      () => one.sessions.append(id, say('late')),
      () => one.sessions.append(created, say('late')),
      () => one.sessions.idle(id),
    ])
      expect(act).toThrow(expect.objectContaining({ code: expect.stringMatching(lost) }));
    await expect(one.sessions.complete(id)).rejects.toThrow();
    await expect(one.sessions.append(id, say('late'), { durable: true })).rejects.toThrow();
    expect(one.sessions.replay(id).events).toEqual(before);
    expect(one.sessions.get(id)?.live).toBe(false);
  });

  it('is told so by the first call after it slept', async () => {
    const origin = newOrigin();
    const one = await open(origin);
    const id = await one.start('running');
    origin.clock.jump(3_600_000);
    expect(() => one.sessions.append(id, say('late'))).toThrow(code('lease_lost'));
    await expect(one.sessions.complete(id)).rejects.toThrow(code('lease_lost'));
    await origin.clock.advance(100); // it is somebody else now
    expect(one.sessions.get(id)?.state).toBe('orphaned');
    const next = await one.during(one.sessions.relaunch(id));
    expect(one.sessions.append(next.id, say('again')).seq).toBe(1);
  });

  it('deletes what it wrote of a session that others deleted meanwhile', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const id = await one.start('running');
    await settle();
    one.tab.hears = false;
    await two.during(two.sessions.kill(id));
    await two.during(two.sessions.delete(id));
    expect(one.sessions.append(id, say('it does not know'))).toMatchObject({ seq: 2 });
    await one.tab.venue.flush();
    await settle();
    expect(two.tab.venue.region('tidemark.sessions.events').size).toBe(1);
    one.tab.hears = true;
    await one.during(one.tab.venue.catchUp());
    await origin.clock.advance(200);
    for (const { tab, sessions } of [one, two]) {
      expect(tab.venue.region('tidemark.sessions.events').size).toBe(0);
      expect(sessions.get(id)).toBeUndefined();
    }
  });
});

describe('two that end a session at the same time', () => {
  const ends: [string, (world: Awaited<ReturnType<typeof open>>, id: string) => Promise<void>][] = [
    ['completed', ({ sessions }, id) => sessions.complete(id, 1)],
    ['failed', ({ sessions }, id) => sessions.fail(id, 1)],
    ['killed', ({ sessions }, id) => sessions.kill(id, 1)],
  ];
  /** Three that do not hear of each other do something, one after the other; then they do. */
  const apart = async (order: number[], end: (typeof ends)[number][1]) => {
    const origin = newOrigin();
    const worlds = [await open(origin), await open(origin), await open(origin)] as const;
    const id = await worlds[0].start('running');
    await settle();
    for (const { tab } of worlds) tab.hears = false;
    for (const at of order) {
      await origin.clock.runUntil(at === 0 ? end(worlds[0], id) : worlds[at]!.sessions.kill(id, `by ${at}`));
      await origin.clock.advance(10);
    }
    for (const { tab } of worlds) {
      tab.hears = true;
      await origin.clock.runUntil(tab.venue.catchUp());
    }
    const shown = worlds.map(({ sessions }) => sessions.get(id));
    expect(shown[1]).toEqual(shown[0]);
    expect(shown[2]).toEqual(shown[0]);
    return shown[0];
  };

  it.each(ends)('agree: what its writer was told that it is, it stays: %s', async (state, end) => {
    for (const order of [
      [0, 1],
      [1, 0],
      [2, 0, 1],
    ])
      expect(await apart(order, end)).toMatchObject({ state, outcome: 1 });
  });

  it('agree: among others the first word counts', async () => {
    for (const order of [
      [1, 2],
      [2, 1],
    ])
      expect(await apart(order, ends[0]![1])).toMatchObject({ state: 'killed', outcome: `by ${order[0]}` });
  });

  it('an ending that was told counts before being orphaned', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const id = await one.start('running');
    await settle();
    one.tab.appends = false;
    one.sessions.complete(id, 'done').catch(() => undefined); // on its way, and stuck
    await origin.clock.advance(6000);
    expect(two.sessions.get(id)?.state).toBe('orphaned');
    one.tab.appends = true;
    one.tab.going.leave(); // what is unsaved goes with the page
    await settle();
    await two.during(two.tab.venue.catchUp());
    expect(two.sessions.get(id)).toMatchObject({ state: 'completed', outcome: 'done' });
  });

  it('by a join that is lawful', () => {
    const state = fc.constantFrom<SessionState>(
      'created',
      'running',
      'idle',
      'completed',
      'failed',
      'killed',
      'orphaned',
    );
    const record = fc.record({ state, at: fc.nat(3), by: fc.constantFrom('a', 'b'), turn: fc.nat(3) });
    const headers = { projectRoot: '/a', harness: 'h' };
    fc.assert(
      fc.property(fc.array(record, { minLength: 2, maxLength: 6 }), (records) => {
        // One writer says one thing at a time.
        const said = new Map<string, SessionRecord>();
        for (const { state, at, by, turn } of records) {
          const over = !['created', 'running', 'idle'].includes(state);
          const key = `${state} ${by} ${over ? at : turn}`;
          if (!said.has(key)) said.set(key, { headers, holder: 'a.0', state, at, by, turn });
        }
        expect(checkJoin(joinRecords, [...said.values()])).toEqual([]);
      }),
    );
    const told: SessionRecord = { headers, holder: 'a.0', state: 'completed', at: 2, by: 'a', turn: 1 };
    const killed: SessionRecord = { ...told, state: 'killed', at: 1, by: 'b' };
    const gone: SessionRecord = { ...told, state: 'orphaned', at: 0, by: 'b' };
    expect([joinRecords(gone, told), joinRecords(killed, told), joinRecords(gone, killed)]).toEqual([
      told,
      told,
      killed,
    ]);
  });
});
