// Wakes and schedules under virtual time: the earliest counts, what is overdue fires at open, a crash in mid-fire drops nothing, long waits.
import { Cron } from 'croner';
import { describe, expect, it } from 'vitest';
import { type AgentContext, openAgents } from '../../src/services/agents';
import { nextTime, storedWhen } from '../../src/services/agents/when';
import { gate } from '../venue/helpers';
import { live, next, noting, SimClock, settle, waiting } from './agents-world';

const code = (code: string) => expect.objectContaining({ code });
const hour = 3_600_000;
const day = 24 * hour;
const cron = (pattern: string, after: Date) => new Cron(pattern, { timezone: 'Europe/Berlin' }).nextRun(after);

/** Remembers what it is handed, and when. */
function dated(clock: SimClock) {
  const handled: [ms: number, kind: string, message: unknown][] = [];
  const began = clock.now();
  const handler = (message: unknown, { kind, due }: AgentContext) => {
    expect(due).toBeLessThanOrEqual(clock.now());
    handled.push([clock.now() - began, kind, message]);
  };
  return { handled, handler, began };
}

describe('a wake', () => {
  it('comes at its time', async () => {
    const clock = new SimClock();
    const { handled, handler, began } = dated(clock);
    const { agents } = await live({ clock }, { handlers: { a: handler } });
    await agents.create('a');
    await agents.wakeAt('a', new Date(began + 1500));
    await clock.advance(1499);
    expect(handled).toEqual([]);
    await clock.advance(day);
    expect(handled).toEqual([[1500, 'wake', undefined]]);
    expect(clock.pending()).toBe(0);
  });

  it('is one, at the earliest time that was asked for; those asked for while it is handled come after it', async () => {
    const clock = new SimClock();
    const began = clock.now();
    const { handled, handler } = waiting();
    const { agents } = await live({ clock }, { handlers: { a: handler } });
    await agents.create('a');
    for (const ms of [3000, 1000, 2000]) await agents.wakeAt('a', began + ms);
    await clock.advance(1000);
    expect(handled).toHaveLength(1);
    await agents.wakeAt('a', began + 900);
    handled[0]!.context.wakeAt(began + 6000);
    handled[0]!.context.wakeAt(began + 5000);
    handled[0]!.context.wakeAt(began + 7000);
    handled[0]!.finish();
    await settle();
    expect(handled.map(({ context }) => context.due - began)).toEqual([1000, 900]);
    handled[1]!.finish();
    await clock.advance(10_000);
    expect(handled).toHaveLength(2); // the first of them was the earliest
  });

  it('asked for by handlers again and again is one entry', async () => {
    const clock = new SimClock();
    let woken = 0;
    const handler = (_: unknown, { kind, wakeAt }: AgentContext) => {
      if (kind === 'wake') woken++;
      else wakeAt(clock.now() + 60_000);
    };
    const { agents, venue } = await live({ clock }, { handlers: { a: handler } });
    await agents.create('a');
    for (let i = 0; i < 50; i++) {
      await agents.send('a');
      await clock.advance(100);
    }
    expect(venue.region('tidemark.agents.wakes').size).toBe(1);
    await clock.advance(day);
    expect(woken).toBe(1);
  });

  it('that is overdue comes at open, once its handler is there; one that is not, at its time', async () => {
    const first = await live({});
    const { clock } = first;
    for (const name of ['a', 'b']) await first.agents.create(name);
    await first.agents.wakeAt('a', clock.now() + hour);
    await first.agents.wakeAt('b', clock.now() + 30 * hour);
    first.kill();
    await clock.advance(day);
    const { handled, handler } = dated(clock);
    await live(first, { handlers: { a: handler, b: handler } });
    await settle();
    expect(handled).toEqual([[0, 'wake', undefined]]);
    await clock.advance(day);
    expect(handled.slice(1)).toEqual([[6 * hour, 'wake', undefined]]);
  });

  it('is not dropped by a crash in mid-fire', async () => {
    const one = waiting();
    const first = await live({}, { handlers: { a: one.handler } });
    await first.agents.create('a');
    await first.agents.wakeAt('a', 0);
    await first.agents.schedule(1, 'a', 'x');
    await first.clock.advance(1000);
    expect(one.handled.map(({ context }) => context.kind)).toEqual(['wake']);
    const two = waiting();
    const second = await next(first, { handlers: { a: two.handler } });
    await settle();
    two.handled[0]!.finish();
    await second.clock.advance(1000);
    const three = noting();
    await next(second, { handlers: { a: three.handler } });
    await settle(20);
    expect(two.handled.map(({ context }) => [context.kind, context.delivery])).toEqual([
      ['wake', 2],
      ['schedule', 1],
    ]);
    expect(three.handled).toEqual([['x', 2]]);
  });

  it('of a suspended agent waits until it is resumed', async () => {
    const { handled, handler } = noting();
    const { agents, clock } = await live({}, { handlers: { a: handler } });
    await agents.create('a');
    await agents.wakeAt('a', clock.now() + 1000);
    await agents.suspend('a');
    expect(clock.pending()).toBe(0);
    await clock.advance(day);
    expect(handled).toEqual([]);
    await agents.resume('a');
    await settle();
    expect(handled).toEqual([[undefined, 1]]);
  });

  it.each([30, 100])('%d days ahead comes in time, and not before', async (days) => {
    const clock = new SimClock();
    const { handled, handler, began } = dated(clock);
    const { agents } = await live({ clock }, { handlers: { a: handler } });
    await agents.create('a');
    await agents.wakeAt('a', began + days * day);
    await clock.advance(days * day - 1);
    expect(handled).toEqual([]);
    await clock.advance(1);
    expect(handled).toEqual([[days * day, 'wake', undefined]]);
  });

  it('comes no more than a minute late when the clock jumped or the machine slept, and not early when the clock went back', async () => {
    const clock = new SimClock();
    const { handled, handler, began } = dated(clock);
    const { agents } = await live({ clock }, { handlers: { a: handler } });
    await agents.create('a');
    await agents.wakeAt('a', began + 9 * hour);
    await clock.advance(1000);
    clock.jump(10 * hour);
    await clock.advance(60_000);
    expect(handled).toHaveLength(1);
    await agents.wakeAt('a', clock.now() + 1000);
    clock.jump(-hour);
    await clock.advance(hour);
    expect(handled).toHaveLength(1);
    await clock.advance(1000);
    expect(handled).toHaveLength(2);
  });

  it('is at a time that there is', async () => {
    const { agents } = await live({});
    await agents.create('a');
    for (const time of [Number.NaN, Infinity, -1, new Date('never'), 36 ** 9, 'soon' as never])
      await expect(agents.wakeAt('a', time)).rejects.toThrow(code('bad_option'));
  });
});

describe('a schedule', () => {
  it('delivers its payload once, then is gone', async () => {
    const clock = new SimClock();
    const { handled, handler, began } = dated(clock);
    const { agents, venue } = await live({ clock }, { handlers: { a: handler } });
    await agents.create('a');
    const id = await agents.schedule(began + 1000, 'a', { n: 1 });
    expect(agents.list()).toEqual([{ id, op: 'a', when: began + 1000, payload: { n: 1 }, next: began + 1000 }]);
    await agents.schedule(began + 1000, 'a');
    await clock.advance(day);
    expect(handled).toEqual([
      [1000, 'schedule', { n: 1 }],
      [1000, 'schedule', undefined],
    ]);
    expect(agents.list()).toEqual([]);
    for (const left of ['wakes', 'schedules', 'deliveries'])
      expect(venue.region(`tidemark.agents.${left}`).size).toBe(0);
  });

  it('makes the agent if there is a handler of that name', async () => {
    const { handled, handler } = noting();
    const { agents } = await live({}, { handlers: { sweep: handler } });
    await agents.schedule(0, 'sweep', 1);
    await settle();
    expect(handled).toEqual([[1, 1]]);
    expect(agents.get('sweep')).toMatchObject({ type: 'sweep' });
  });

  it('by interval keeps its beat, whatever its handler takes; what was missed is one', async () => {
    const clock = new SimClock();
    const { handled, handler, began } = dated(clock);
    const slow = async (message: unknown, context: AgentContext) => {
      handler(message, context);
      await new Promise<void>((resolve) => clock.setTimeout(resolve, handled.length === 2 ? 2500 : 10));
    };
    const first = await live({ clock }, { handlers: { a: slow } });
    await first.agents.create('a');
    await first.agents.schedule({ every: 1000, at: began + 500 }, 'a');
    await clock.advance(5600);
    expect(handled.map(([ms]) => ms)).toEqual([500, 1500, 4000, 4500, 5500]);

    first.kill();
    await clock.advance(10_000);
    const late = dated(clock);
    await live(first, { handlers: { a: late.handler } });
    await clock.advance(2000);
    expect(late.handled.map(([ms]) => late.began + ms - began)).toEqual([15_600, 16_500, 17_500]);
  });

  it('by interval begins one interval from now, or at the next beat of a time long ago', async () => {
    const clock = new SimClock();
    const began = clock.now();
    const { agents } = await live({ clock });
    await agents.create('a');
    await agents.schedule({ every: 1000 }, 'a');
    await agents.schedule({ every: 1000, at: began }, 'a');
    await agents.schedule({ every: 1000, at: began - 7 * day - 300 }, 'a');
    expect(agents.list().map(({ next }) => next - began)).toEqual([0, 700, 1000]);
  });

  it('by interval goes on when the clock goes back just as it comes due', async () => {
    const clock = new SimClock();
    const { handled, handler } = noting();
    const { agents, backend, venue } = await live({ clock }, { handlers: { a: handler } });
    await agents.create('a');
    const first = clock.now() + 5000;
    await agents.schedule({ every: 1000, at: first }, 'a');
    await clock.advance(4999);
    const { opened, open } = gate();
    backend.instead.append = async (pass) => {
      await opened;
      return pass();
    };
    await clock.advance(1);
    clock.jump(-1000);
    open();
    await settle();
    expect(handled).toHaveLength(1);
    expect(agents.list().map(({ next }) => next - first)).toEqual([1000]);
    await venue.close();
  });

  it('by cron pattern comes when it says, over the change to summer time', async () => {
    const clock = new SimClock(Date.parse('2025-03-29T00:00:00Z'));
    const times: string[] = [];
    const handler = () => void times.push(new Date(clock.now()).toISOString());
    const first = await live({ clock }, { handlers: { a: handler }, cron });
    await first.agents.create('a');
    await first.agents.schedule({ cron: '30 7 * * *' }, 'a');
    await clock.advance(2.5 * day);
    expect(times).toEqual(['2025-03-29T06:30:00.000Z', '2025-03-30T05:30:00.000Z', '2025-03-31T05:30:00.000Z']);
    const second = await next(first, { handlers: { a: handler }, cron });
    expect(second.agents.list().map(({ next }) => new Date(next).toISOString())).toEqual(['2025-04-01T05:30:00.000Z']);
  });

  it('by cron pattern is refused where it cannot be read; where nobody can read it any more, the agent says so and nothing is dropped', async () => {
    const first = await live({}, { cron });
    await first.agents.create('a');
    const { agents, clock } = first;
    await expect(agents.schedule({ cron: 'soon' }, 'a')).rejects.toThrow(code('bad_option'));
    await expect(agents.schedule({ cron: '0 0 0 1 1 * 2020' }, 'a')).rejects.toThrow(code('bad_option'));
    await expect((await live({})).agents.schedule({ cron: '* * * * *' }, 'a')).rejects.toThrow(code('bad_option'));
    await agents.schedule({ cron: '0 * * * *' }, 'a', 'p');
    const { handled, handler } = noting();
    const second = await next(first, { handlers: { a: handler } });
    await clock.advance(2 * hour);
    expect(handled).toEqual([]);
    expect(second.agents.get('a')).toMatchObject({ status: 'SUSPENDED', error: { name: 'TidemarkError' } });
    const third = await next(second, { handlers: { a: handler }, cron });
    await third.agents.resume('a');
    await settle();
    expect(handled).toEqual([['p', 2]]);
  });

  it('that is cancelled comes no more, also when it is being handled', async () => {
    const clock = new SimClock();
    const { handled, handler } = waiting();
    const life = await live({ clock }, { handlers: { a: handler } });
    const { agents, venue } = life;
    await agents.create('a');
    const ids = [await agents.schedule({ every: 1000 }, 'a', 1), await agents.schedule(clock.now() + 1500, 'a', 2)];
    await clock.advance(1000);
    expect(handled.map(({ message }) => message)).toEqual([1]);
    expect(await Promise.all(ids.map((id) => agents.cancel(id)))).toEqual([true, true]);
    handled[0]!.finish();
    await clock.advance(day);
    expect(handled).toHaveLength(1);
    expect(await agents.cancel(ids[0]!)).toBe(false);
    expect(await agents.cancel('nonsense')).toBe(false);
    for (const left of ['wakes', 'schedules', 'deliveries'])
      expect(venue.region(`tidemark.agents.${left}`).size).toBe(0);
    const { agents: after } = await next(life, { handlers: { a: handler } });
    expect(after.list()).toEqual([]);
  });

  it('that is cancelled after an error leaves nothing behind', async () => {
    const clock = new SimClock();
    const { agents, venue } = await live({ clock }, { handlers: { a: () => Promise.reject(new Error('no')) } });
    await agents.create('a');
    const id = await agents.schedule(0, 'a');
    await settle();
    expect(agents.get('a')!.status).toBe('SUSPENDED');
    await agents.cancel(id);
    await agents.resume('a');
    await settle();
    expect(agents.get('a')!.status).toBe('SLEEPING');
    expect(venue.region('tidemark.agents.deliveries').size).toBe(0);
  });

  it('is listed by agent, in the order in which it comes due', async () => {
    const { agents } = await live({});
    for (const name of ['a', 'b']) await agents.create(name);
    const asked = [
      [30, 'a'],
      [20, 'b'],
      [10, 'a'],
    ] as const;
    for (const [time, op] of asked) await agents.schedule(time, op);
    await agents.wakeAt('a', 5);
    expect(agents.list().map(({ op, next }) => [op, next])).toEqual([
      ['a', 10],
      ['a', 30],
      ['b', 20],
    ]);
    expect(agents.list({ op: 'b' })).toHaveLength(1);
  });

  it('is refused when it is nonsense', async () => {
    const { agents } = await live({});
    await agents.create('a');
    for (const when of [{ every: 0 }, { every: Number.NaN }, { every: -5 }, { every: 5, at: Number.NaN }, Number.NaN])
      await expect(agents.schedule(when, 'a')).rejects.toThrow(code('bad_option'));
  });
});

it('the beat of an interval is counted without loops, however long ago it began', () => {
  const when = storedWhen({ every: 7, at: 1 }, 0);
  const after = 1_700_000_000_000;
  const due = nextTime(when, after, undefined)!;
  expect([due > after, due - after <= 7, (due - 1) % 7]).toEqual([true, true, 0]);
  expect(nextTime(when, due - 1, undefined)).toBe(due);
  expect(nextTime(when, due, undefined)).toBe(due + 7);
});

it('events of an agent come in the order of their times: messages as they were sent, wakes as they were due', async () => {
  const clock = new SimClock();
  const began = clock.now();
  const first = await live({ clock });
  await first.agents.create('a');
  await first.agents.schedule(began + 500, 'a', 'at 500');
  await clock.advance(200);
  await first.agents.send('a', 'at 200');
  await clock.advance(1000);
  await first.agents.send('a', 'at 1200');
  const messages: unknown[] = [];
  openAgents(first.venue, { handlers: { a: (message) => void messages.push(message) } });
  await settle(20);
  expect(messages).toEqual(['at 200', 'at 500', 'at 1200']);
});
