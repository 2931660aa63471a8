// The ledger of sessions, as one tab or process sees it: events and their numbers, states, what is durable, lookups, redaction.
import { describe, expect, it } from 'vitest';
import { IllegalTransition } from '../../src/services/errors';
import { openSessions, type Session, type SessionsOptions } from '../../src/services/sessions';
import { openIn } from '../venue/helpers';
import { newOrigin, type Origin, openTab } from '../venue/pages';

const project = { projectRoot: '/work/a', harness: 'codex' };

async function open(origin: Origin, options?: SessionsOptions) {
  const tab = await openTab(origin);
  const sessions = openSessions(tab.venue, options);
  const during = <T>(work: Promise<T>) => origin.clock.runUntil(work);
  return { tab, sessions, during, start: (headers = {}) => during(sessions.start({ ...project, ...headers })) };
}

const say = (text: string) => ({ type: 'said', payload: { text } });
const code = (name: string) => expect.objectContaining({ code: name });

describe('a session is a row of events', () => {
  it('that are numbered from 1 without gaps, each session for itself', async () => {
    const { sessions, start } = await open(newOrigin());
    const [a, b] = [await start(), await start()];
    expect([a, b, a, a, b].map(({ id }, n) => sessions.append(id, say(`${n}`)).seq)).toEqual([1, 1, 2, 3, 2]);
    expect(sessions.replay(a.id).events.map(({ seq, event }) => [seq, event])).toEqual([
      [1, say('0')],
      [2, say('2')],
      [3, say('3')],
    ]);
  });

  it('that is read in pages of at most 1,000', async () => {
    const { sessions, start } = await open(newOrigin());
    const { id } = await start();
    expect(sessions.replay(id)).toEqual({ events: [], nextCursor: 0, hasMore: false });
    for (let n = 1; n <= 1001; n++) sessions.append(id, say(`${n}`));
    const whole = sessions.replay(id, { limit: 5000 });
    expect(whole).toMatchObject({ nextCursor: 1000, hasMore: true });
    expect(whole.events).toHaveLength(1000);
    expect(sessions.replay(id, { afterSeq: whole.nextCursor })).toMatchObject({
      events: [{ seq: 1001 }],
      nextCursor: 1001,
      hasMore: false,
    });
    expect(sessions.replay(id, { afterSeq: 35, limit: 2 })).toMatchObject({
      events: [{ seq: 36 }, { seq: 37 }],
      nextCursor: 37,
      hasMore: true,
    });
    expect(sessions.replay(id, { afterSeq: 1001 })).toEqual({ events: [], nextCursor: 1001, hasMore: false });
    for (const options of [{ afterSeq: -1 }, { afterSeq: 0.5 }, { limit: 0 }, { limit: Number.NaN }])
      expect(() => sessions.replay(id, options)).toThrow(code('bad_option'));
  });

  it('in which a refused event takes no number and changes nothing', async () => {
    const { sessions, start } = await open(newOrigin());
    const { id } = await start();
    expect(() => sessions.append(id, { type: 'said', payload: () => 1 })).toThrow(code('bad_value'));
    expect(sessions.get(id)?.state).toBe('created');
    expect(sessions.append(id, say('first')).seq).toBe(1);
  });

  it('that can be followed; who hears of an event may append the next, or say that it is idle', async () => {
    const { sessions, start } = await open(newOrigin());
    const { id } = await start();
    const other = await start();
    const heard: number[] = [];
    const stop = sessions.follow(id, ({ seq }) => {
      heard.push(seq);
      if (seq < 3) sessions.append(id, say('next'));
      else sessions.idle(id);
    });
    sessions.append(id, say('first'));
    sessions.append(other.id, say('elsewhere'));
    expect(heard).toEqual([1, 2, 3]);
    expect(sessions.get(id)?.state).toBe('idle');
    stop();
    expect(sessions.append(id, say('unheard')).seq).toBe(4);
    expect(heard).toHaveLength(3);
    sessions.follow(other.id, () => sessions.idle(other.id), { afterSeq: 1 });
    sessions.idle(other.id);
    sessions.append(other.id, say('its only word'));
    expect(sessions.get(other.id)?.state).toBe('idle');
  });

  it('from any event on: those that are there first, none twice, none after the end', async () => {
    const { sessions, start } = await open(newOrigin());
    const { id } = await start();
    for (let n = 1; n <= 2000; n++) sessions.append(id, say(`${n}`));
    const heard: number[] = [];
    const stop = sessions.follow(
      id,
      ({ seq }) => {
        heard.push(seq);
        if (seq <= 500) sessions.append(id, say('one more'));
        if (seq === 2200) stop();
      },
      { afterSeq: 400 },
    );
    expect(heard).toEqual(Array.from({ length: 1700 }, (_, n) => 401 + n));
    for (let n = 0; n < 200; n++) sessions.append(id, say('later'));
    expect(heard).toEqual(Array.from({ length: 1800 }, (_, n) => 401 + n));
  });

  it('whose count is one, however often the service is opened', async () => {
    const { tab, sessions, start } = await open(newOrigin());
    const { id } = await start();
    const again = openSessions(tab.venue);
    expect([sessions, again, sessions].map((each) => each.append(id, say('x')).seq)).toEqual([1, 2, 3]);
  });
});

describe('a session goes from state to state', () => {
  it('created, running with an event, idle when told, running again, and one of three ends', async () => {
    const { sessions, start, during } = await open(newOrigin());
    const { id, state } = await start();
    const states: (string | undefined)[] = [state];
    const look = () => states.push(sessions.get(id)?.state);
    sessions.append(id, say('1'));
    look();
    sessions.idle(id);
    look();
    sessions.append(id, say('2'));
    look();
    await during(sessions.complete(id, { tokens: 7 }));
    look();
    expect(states).toEqual(['created', 'running', 'idle', 'running', 'completed']);
    expect(sessions.get(id)?.outcome).toEqual({ tokens: 7 });
    const [failed, killed] = [await start(), await start()];
    await during(sessions.fail(failed.id, Object.assign(new Error('no luck'), { code: 'ELUCK' })));
    await during(sessions.kill(killed.id, 'too slow'));
    expect(sessions.get(failed.id)).toMatchObject({ state: 'failed', outcome: { message: 'no luck', code: 'ELUCK' } });
    expect(sessions.get(killed.id)).toMatchObject({ state: 'killed', outcome: 'too slow' });
  });

  it('and stays where it ended', async () => {
    const { sessions, start, during } = await open(newOrigin());
    for (const end of ['complete', 'fail', 'kill'] as const) {
      const { id } = await start();
      await during(sessions[end](id, 'why'));
      const before = sessions.get(id);
      expect(() => sessions.append(id, say('late'))).toThrow(code('session_not_live'));
      expect(() => sessions.idle(id)).toThrow(code('session_not_live'));
      await expect(sessions.send(id, 'late')).rejects.toThrow(code('session_not_live'));
      await expect(sessions.kill(id)).rejects.toThrow(code('session_not_live'));
      const refused = sessions.complete(id);
      await expect(refused).rejects.toThrow(IllegalTransition);
      await expect(refused).rejects.toMatchObject({ from: before?.state, to: 'completed' });
      await expect(sessions.fail(id, 'late')).rejects.toMatchObject({ code: 'illegal_transition', to: 'failed' });
      expect(sessions.get(id)).toEqual(before);
      expect(sessions.replay(id).events).toEqual([]);
    }
  });

  it('with affordances that fit each', async () => {
    const { sessions, start, during } = await open(newOrigin());
    const shown: [string, Session['affordances']][] = [];
    const look = (id: string) => shown.push([sessions.get(id)!.state, sessions.get(id)!.affordances]);
    const { id } = await start();
    look(id);
    sessions.append(id, say('1'));
    look(id);
    sessions.idle(id);
    look(id);
    await during(sessions.complete(id));
    look(id);
    const live = { input: true, kill: true, replay: true, relaunch: false };
    const over = { input: false, kill: false, replay: true, relaunch: true };
    expect(shown).toEqual([
      ['created', live],
      ['running', live],
      ['idle', live],
      ['completed', over],
    ]);
  });

  it('and is unknown by any other name', async () => {
    const { sessions } = await open(newOrigin());
    const gone = code('not_found');
    expect(sessions.get('x')).toBeUndefined();
    expect(() => sessions.replay('x')).toThrow(gone);
    expect(() => sessions.append('x', say('1'))).toThrow(gone);
    for (const call of ['complete', 'kill', 'delete', 'relaunch', 'archive', 'unarchive'] as const)
      await expect(sessions[call]('x')).rejects.toThrow(gone);
    await expect(sessions.send('x', 1)).rejects.toThrow(gone);
  });

  it('refuses to start without a project root or a harness', async () => {
    const { sessions } = await open(newOrigin());
    await expect(sessions.start({ ...project, projectRoot: '' })).rejects.toThrow(code('bad_option'));
    await expect(sessions.start({ projectRoot: '/a' } as never)).rejects.toThrow(code('bad_option'));
  });
});

describe('what returns a promise is durable when it resolves', () => {
  const cases: [
    name: string,
    act: (sessions: ReturnType<typeof openSessions>, id: string) => Promise<unknown>,
    then: object | undefined,
  ][] = [
    ['complete', (sessions, id) => sessions.complete(id, 'done'), { state: 'completed', outcome: 'done' }],
    ['fail', (sessions, id) => sessions.fail(id, 'why'), { state: 'failed' }],
    ['kill', (sessions, id) => sessions.kill(id), { state: 'killed' }],
    ['archive', (sessions, id) => sessions.archive(id), { archived: true }],
    [
      'unarchive',
      async (sessions, id) => {
        await sessions.archive(id);
        await sessions.unarchive(id);
      },
      { archived: false },
    ],
    [
      'delete',
      async (sessions, id) => {
        await sessions.kill(id);
        await sessions.delete(id);
      },
      undefined,
    ],
  ];
  it.each(cases)('%s', async (_, act, then) => {
    const origin = newOrigin();
    const { tab, sessions, start, during } = await open(origin);
    const { id } = await start();
    await during(sessions.append(id, say('1'), { durable: true }));
    await during(act(sessions, id));
    tab.kill();
    const { sessions: after } = await open(origin);
    if (then) expect(after.get(id)).toMatchObject(then);
    else expect(after.get(id)).toBeUndefined();
  });

  it('start, relaunch, send, and append if asked to be', async () => {
    const origin = newOrigin();
    const { tab, sessions, start, during } = await open(origin);
    const first = await start();
    sessions.append(first.id, say('1'));
    expect(await during(sessions.append(first.id, say('2'), { durable: true }))).toMatchObject({ seq: 2 });
    sessions.append(first.id, say('lost'));
    tab.kill();
    const next = await open(origin);
    expect(next.sessions.replay(first.id).events.map(({ event }) => event)).toEqual([say('1'), say('2')]);
    await origin.clock.advance(5000);
    const second = await next.during(next.sessions.relaunch(first.id));
    next.tab.kill();
    const last = await open(origin);
    expect(last.sessions.get(second.id)).toMatchObject({ state: 'created', relaunchOf: first.id });
    const third = await last.start();
    await last.during(last.sessions.send(third.id, 'hello'));
    last.tab.kill();
    const { sessions: after } = await open(origin);
    expect(after.replay(third.id).events).toMatchObject([{ seq: 1, event: { type: 'input', payload: 'hello' } }]);
  });

  it('and not before: nothing resolves while nothing can be written', async () => {
    const origin = newOrigin();
    const { tab, sessions, start } = await open(origin);
    const { id } = await start();
    tab.appends = false;
    let resolved = 0;
    for (const work of [sessions.append(id, say('1'), { durable: true }), sessions.send(id, 1), sessions.kill(id)])
      work.then(
        () => resolved++,
        () => undefined,
      );
    await origin.clock.advance(1000);
    expect(resolved).toBe(0);
  });
});

describe('archived is laid over the state', () => {
  it('and lists leave it out unless asked', async () => {
    const { sessions, start, during } = await open(newOrigin());
    const [a, b] = [await start(), await start()];
    sessions.append(a.id, say('1'));
    await during(sessions.archive(a.id));
    expect(sessions.get(a.id)).toMatchObject({ state: 'running', archived: true });
    expect(sessions.append(a.id, say('2')).seq).toBe(2);
    const ids = (archived?: boolean | 'any') =>
      sessions.list(archived === undefined ? {} : { archived }).sessions.map(({ id }) => id);
    expect(ids()).toEqual([b.id]);
    expect(ids(true)).toEqual([a.id]);
    expect(ids('any')).toEqual([a.id, b.id]);
    await during(sessions.unarchive(a.id));
    expect(ids()).toEqual([a.id, b.id]);
  });
});

describe('sessions are looked up', () => {
  /** Ids as their places in the order in which they were started. */
  const placed = (all: Session[], found: { sessions: Session[] }) =>
    found.sessions.map(({ id }) => all.findIndex((session) => session.id === id));

  it('in order of time, in pages, from either end, from a time on', async () => {
    const origin = newOrigin();
    const { sessions, start } = await open(origin);
    const all: Session[] = [];
    for (let n = 0; n < 5; n++) {
      all.push(await start({ projectRoot: n % 2 ? '/odd' : '/even' }));
      await origin.clock.advance(1000);
    }
    for (const filter of [{}, { project: '/even' }]) {
      const expected = 'project' in filter ? [0, 2, 4] : [0, 1, 2, 3, 4];
      for (const reverse of [false, true]) {
        const seen: number[] = [];
        let cursor: string | undefined;
        do {
          const page = sessions.list({ ...filter, reverse, limit: 2, cursor });
          expect(page.sessions.length).toBeLessThanOrEqual(2);
          seen.push(...placed(all, page));
          cursor = page.nextCursor;
        } while (cursor);
        expect(seen).toEqual(reverse ? expected.toReversed() : expected);
      }
      const since = all[2]!.startedAt;
      expect(placed(all, sessions.list({ ...filter, since }))).toEqual(expected.filter((n) => n >= 2));
      expect(placed(all, sessions.list({ ...filter, since, reverse: true, cursor: all[4]!.id }))).toEqual(
        expected.filter((n) => n >= 2 && n < 4).toReversed(),
      );
    }
    expect(() => sessions.list({ limit: 0 })).toThrow(code('bad_option'));
  });

  it('by project, by state, and by headers whether or not they are indexed, from the moment it is opened', async () => {
    const origin = newOrigin();
    const { tab, sessions, start, during } = await open(origin);
    const long = `/${'x'.repeat(2000)}`;
    const all = [
      await start({ user: 'ann', n: 1 }),
      await start({ user: 'bob', n: '1' }),
      await start({ user: 'ann', harness: 'other', n: 1, projectRoot: `${long}/a` }),
      await start({ user: 'ann', projectRoot: `${long}/b`, lone: '\ud800' }),
    ];
    await during(sessions.kill(all[0]!.id));
    await tab.venue.close();
    const after = openSessions((await openTab(origin)).venue, { indexes: ['user', 'n', 'lone'] });
    expect(placed(all, after.list({ project: '/work/a' }))).toEqual([0, 1]);
    expect(placed(all, after.list({ project: `${long}/b` }))).toEqual([3]);
    expect(placed(all, after.list({ where: { user: 'ann' } }))).toEqual([0, 2, 3]);
    expect(placed(all, after.list({ where: { user: 'ann', harness: 'codex' } }))).toEqual([0, 3]);
    expect(placed(all, after.list({ where: { harness: 'other' } }))).toEqual([2]);
    expect(placed(all, after.list({ where: { n: 1 } }))).toEqual([0, 2]);
    expect(placed(all, after.list({ where: { n: '1' } }))).toEqual([1]);
    expect(placed(all, after.list({ where: { lone: '\ud800' } }))).toEqual([3]);
    expect(placed(all, after.list({ where: { user: 'ann' }, project: '/work/a', state: 'killed' }))).toEqual([0]);
    expect(placed(all, after.list({ where: { user: 'nobody' } }))).toEqual([]);
  });

  it('and not any more once they are deleted', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const [a, b] = [await one.start(), await one.start()];
    one.sessions.append(a.id, say('1'));
    await one.during(one.sessions.archive(a.id));
    await expect(one.sessions.delete(a.id)).rejects.toMatchObject({ code: 'illegal_transition', to: 'deleted' });
    await one.during(one.sessions.kill(a.id));
    await one.during(one.sessions.delete(a.id));
    await origin.clock.advance(0);
    for (const { sessions, tab } of [one, two]) {
      expect(sessions.get(a.id)).toBeUndefined();
      expect(placed([a, b], sessions.list({ archived: 'any', project: '/work/a' }))).toEqual([1]);
      expect(tab.venue.region('tidemark.sessions.events').size).toBe(0);
      expect(tab.venue.region('tidemark.sessions.archived').size).toBe(0);
    }
  });
});

describe('whoever asks hears of changes', () => {
  it('of states, of archiving, of deletion, also in another tab', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const heard: string[] = [];
    const stop = two.sessions.subscribe((session, id) =>
      heard.push(`${id === a?.id} ${session?.state} ${session?.archived}`),
    );
    let a: Session | undefined;
    a = await one.start();
    heard.length = 0;
    one.sessions.append(a.id, say('1'));
    for (const act of ['archive', 'kill', 'delete'] as const) await one.during(one.sessions[act](a.id));
    await origin.clock.advance(0);
    expect(heard.filter((line, n) => line !== heard[n - 1])).toEqual([
      'true running false',
      'true running true',
      'true killed true',
      'true undefined undefined',
    ]);
    stop();
    await one.start();
    expect(heard.some((line) => line.startsWith('false'))).toBe(false);
  });
});

describe('secrets are left out before anything is stored', () => {
  it('by names of fields and by paths, in events, inputs, headers and outcomes', async () => {
    const origin = newOrigin();
    const options = { redactPaths: ['payload.env.*', 'payload.items.*.value'] };
    const { tab, sessions, start, during } = await open(origin, options);
    const other = await open(origin, options);
    const { id } = await start({ apiKey: 'SECRET', title: 'ok' });
    const recorded = sessions.append(id, {
      type: 'tool',
      payload: { Authorization: 'SECRET', env: { A: 'SECRET' }, items: [{ value: 'SECRET', name: 'n' }], kept: 1 },
    });
    expect(recorded.event.payload).toEqual({
      Authorization: '[redacted]',
      env: { A: '[redacted]' },
      items: [{ value: '[redacted]', name: 'n' }],
      kept: 1,
    });
    expect(recorded.redacted?.toSorted()).toEqual(['payload.Authorization', 'payload.env.A', 'payload.items.0.value']);
    expect(sessions.replay(id).events).toEqual([recorded]);
    await during(sessions.send(id, { token: 'SECRET' }));
    await during(other.sessions.send(id, { env: { B: 'SECRET' } }));
    await origin.clock.advance(200);
    expect(sessions.replay(id).events.map(({ redacted }) => redacted?.length)).toEqual([3, 1, 1]);
    await during(sessions.complete(id, { password: 'SECRET', tokens: 3 }));
    expect(sessions.get(id)).toMatchObject({
      headers: { apiKey: '[redacted]', title: 'ok' },
      outcome: { password: '[redacted]', tokens: 3 },
    });
    await tab.venue.close();
    const stored = origin.store.commits().map((line) => new TextDecoder().decode(line));
    expect(stored.join()).toContain('[redacted]');
    expect(`${stored}${[...origin.beside.items]}`).not.toContain('SECRET');
  });

  it('by names of your own', async () => {
    const { sessions, start } = await open(newOrigin(), { redactFields: ['ssn'] });
    const { id } = await start();
    const { event } = sessions.append(id, { type: 'form', payload: { SSN: '1', token: '2' } });
    expect(event.payload).toEqual({ SSN: '[redacted]', token: '2' });
  });
});

describe('nothing runs when nothing is live', () => {
  it('an opened ledger has no timer, and where one process has the store neither has one with sessions', async () => {
    const world = await openIn({ exclusive: true });
    const sessions = openSessions(world.venue);
    expect(world.clock.pending()).toBe(0);
    const { id } = await world.clock.runUntil(sessions.start(project));
    await world.clock.runUntil(sessions.append(id, say('1'), { durable: true }));
    expect(world.clock.pending()).toBe(0);
    const origin = newOrigin();
    const tab = await open(origin);
    tab.sessions.list();
    await origin.clock.advance(0);
    expect(origin.clock.pending()).toBe(0);
  });
});
