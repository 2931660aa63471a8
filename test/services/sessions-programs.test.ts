// Random programs on sessions: by several tabs that crash, freeze, leave and do not hear of each other; and by one process that is killed at
// every one of its commits, opens again and goes on.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MemoryStore, memoryStore } from '../../backends/memory';
import { livenessOf } from '../../src/services/liveness';
import { openSessions, type Sessions } from '../../src/services/sessions';
import type { Venue } from '../../src/venue';
import { SimClock } from '../simulator/clock';
import { openIn, settle } from '../venue/helpers';
import { newOrigin, openTab } from '../venue/pages';
import { Model, witness } from './sessions-model';

const runs = Number(process.env.RUNS ?? 15);
const seed = Number(process.env.SEED ?? 7);
const ends = { complete: 'completed', fail: 'failed', kill: 'killed' };
const refusals = ['session_not_live', 'conflict', 'lease_lost', 'illegal_transition', 'not_found', 'closed'];

const often = ['append', 'append', 'append', 'append', 'start', 'start', 'durable', 'idle', 'send', 'send'] as const;
const seldom = ['complete', 'fail', 'kill', 'relaunch', 'relaunch', 'archive', 'unarchive', 'delete'] as const;

interface Act {
  kind: 'act';
  at: number;
  do: (typeof often | typeof seldom)[number];
  /** One of the last few sessions, so that they meet. */
  which: number;
}
const act: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('act'),
  at: fc.nat(2),
  do: fc.constantFrom(...often, ...seldom),
  which: fc.nat(5),
});

/** Does one thing and notes what was promised; what is refused has a reason that is documented. */
function perform(model: Model, sessions: Sessions, venue: Venue, step: Act): void {
  const refused = (error: unknown) => expect(refusals).toContain((error as { code?: string }).code);
  const started = (work: ReturnType<Sessions['start']>) =>
    work.then(({ id }) => model.started(id, { venue, id: livenessOf(venue).id }), refused);
  const id = model.ids.at(-1 - step.which);
  if (step.do === 'start') return void started(sessions.start({ projectRoot: '/a', harness: 'h' }));
  const known = id !== undefined && model.known.get(id);
  if (!known) return;
  const text = model.text();
  const event = { type: 'said', payload: text };
  switch (step.do) {
    case 'append':
    case 'idle':
      try {
        if (step.do === 'idle') sessions.idle(id);
        else model.appended(id, sessions.append(id, event).seq, text);
      } catch (error) {
        refused(error);
      }
      return;
    case 'durable': {
      sessions.append(id, event, { durable: true }).then(({ seq }) => {
        known.durableSeq = Math.max(known.durableSeq, seq);
      }, refused);
      // It is there at once, whatever becomes of the promise.
      const last = sessions.get(id) && sessions.replay(id).events.at(-1);
      if (last?.event.payload === text) model.appended(id, last.seq, text);
      return;
    }
    case 'send':
      known.inputs.add(text);
      sessions.send(id, text).catch(refused);
      return;
    case 'relaunch':
      return void started(sessions.relaunch(id));
    case 'delete':
      sessions.delete(id).then(() => {
        known.deleted = true;
      }, refused);
      known.deleting = true;
      return;
    case 'archive':
    case 'unarchive':
      sessions[step.do](id).catch(refused);
      return;
    case 'complete':
    case 'fail':
    case 'kill': {
      const end = ends[step.do];
      sessions[step.do](id, text).then(() => {
        known.killed = true;
        if (venue === (known.owner as { venue: Venue }).venue) known.ended = end;
      }, refused);
    }
  }
}

describe('no session is live without a writer, no event is lost, doubled or out of place, and what is over is over', () => {
  it('whatever several tabs do, and whenever they crash, freeze, leave or hear of each other', async () => {
    const step = fc.oneof(
      { weight: 12, arbitrary: act },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('happens' as const),
          at: fc.nat(2),
          do: fc.constantFrom(...(['crash', 'close', 'leave', 'deaf', 'hear', 'stuck'] as const)),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 100, 900, 4000) }),
      },
    );
    const open = async (origin: ReturnType<typeof newOrigin>) => {
      const tab = await openTab(origin);
      const sessions = openSessions(tab.venue);
      return { tab, sessions, broken: witness(sessions) };
    };
    const program = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
      const origin = newOrigin();
      const model = new Model();
      const tabs = [await open(origin), await open(origin), await open(origin)];
      for (const { tab, sessions } of tabs)
        perform(model, sessions, tab.venue, { kind: 'act', at: 0, do: 'start', which: 0 });
      await settle();
      for (const step of steps) {
        if (step.kind === 'wait') await origin.clock.advance(step.ms);
        else {
          const { tab, sessions } = tabs[step.at]!;
          if (step.kind === 'act') perform(model, sessions, tab.venue, step);
          else if (step.do === 'crash' || step.do === 'close') {
            if (step.do === 'crash') tab.kill();
            else await origin.clock.runUntil(tab.venue.close());
            tabs[step.at] = await open(origin);
          } else if (step.do === 'leave') {
            tab.going.leave();
            tab.going.resume();
          } else if (step.do === 'deaf') tab.hears = false;
          else if (step.do === 'hear') tab.hears = true;
          else tab.appends = false;
        }
        await settle(2);
        for (const { sessions, broken } of tabs) {
          model.check(sessions);
          expect(broken).toEqual([]);
        }
      }
      // Those that are stuck will not get well; everybody else hears of everything.
      for (const [at, { tab }] of tabs.entries())
        if (!tab.appends) {
          tab.kill();
          tabs[at] = await open(origin);
        } else tab.hears = true;
      await origin.clock.advance(6000);
      for (const { tab } of tabs) await origin.clock.runUntil(tab.venue.flush().then(() => tab.venue.catchUp()));
      for (const { tab } of tabs) await origin.clock.runUntil(tab.venue.catchUp());
      tabs.push(await open(origin));
      await settle();
      const venues = tabs.map(({ tab }) => tab.venue);
      const isAlive = (owner: { venue?: Venue; id?: string }) =>
        venues.includes(owner.venue as Venue) && livenessOf(owner.venue!).isAlive(owner.id ?? '');
      const shown = tabs.map(({ sessions }) => model.checkAll(sessions, isAlive));
      for (const each of shown) expect(each).toEqual(shown[0]);
      for (const { tab, broken } of tabs) {
        expect(broken).toEqual([]);
        expect(tab.logs.errors).toEqual([]);
        tab.kill();
      }
    });
    await fc.assert(program, { numRuns: runs, seed });
  });

  it('whichever of its commits a process is killed at, before it is durable or after', async () => {
    const start: Act = { kind: 'act', at: 1, do: 'start', which: 0 };
    const steps = fc.array(act, { minLength: 4, maxLength: 16, size: 'max' }).map((steps) => [start, ...steps]);
    const program = fc.asyncProperty(steps, steps, async (first, second) => {
      let commits = 0;
      // Once without a kill, to know how many there are.
      for (let at = -1; at < 2 * commits; at++) {
        const [store, clock, model] = [memoryStore(), new SimClock(), new Model()];
        const made = await life(store, clock, model, first, at);
        if (at < 0) commits = made;
        else await life(store, clock, model, second, -1);
        const last = await openIn({ store, clock, exclusive: true });
        const sessions = openSessions(last.venue);
        await settle();
        model.checkAll(sessions, () => false);
        last.kill();
      }
    });
    await fc.assert(program, { numRuns: Math.ceil(runs / 2), seed });
  });
});

/** @param at the half-commit at which it is killed: even before, odd after it is durable; -1 at its end @returns how many commits it made */
async function life(store: MemoryStore, clock: SimClock, model: Model, steps: Act[], at: number): Promise<number> {
  const world = await openIn({ store, clock, exclusive: true });
  let commits = 0;
  let dead = false;
  const die = () => {
    dead = true;
    world.kill();
    return new Promise(() => {});
  };
  world.backend.instead.append = async (pass) => {
    const now = 2 * commits++;
    if (now === at) return die();
    await pass();
    return now + 1 === at ? die() : undefined;
  };
  const sessions = openSessions(world.venue);
  const broken = witness(sessions);
  for (const step of steps) {
    perform(model, sessions, world.venue, step);
    await clock.advance(step.at * 60);
    if (dead) break;
    const shown = model.check(sessions);
    for (const { id, live } of shown)
      if (live) expect((model.known.get(id)?.owner as { venue?: Venue })?.venue ?? world.venue).toBe(world.venue);
  }
  expect(broken).toEqual([]);
  if (!dead) world.kill();
  return commits;
}
