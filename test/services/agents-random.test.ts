// Random programs of agents under virtual time: one process that is killed at every one of its commits, and three tabs that are killed, frozen, deaf
// or stuck whenever it suits.
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { openAgents } from '../../src/services/agents';
import type { Venue } from '../../src/venue';
import { openIn, settle } from '../venue/helpers';
import { newOrigin, openTab } from '../venue/pages';
import { populate, type Step, step, Traces } from './agents-model';
import { stuckAtTimes } from './agents-world';

const seed = Number(process.env.SEED ?? 4);
const endOnFailure = process.env.SHRINK === 'no';
const numRuns = (runs: number) => Number(process.env.RUNS ?? runs);

/** A life whose process is killed at its nth commit: before it is written, or when it is durable and nobody has been told. */
async function kills(steps: readonly Step[], kill: { at: number; durable: boolean } | undefined): Promise<number> {
  const life = { commits: 0 };
  const first = await openIn({ exclusive: true });
  const { clock, store } = first;
  const traces = new Traces(clock);
  const dead = new Set<Venue>();
  traces.dead = (venue) => dead.has(venue);
  await populate(openAgents(first.venue), clock);
  first.backend.instead.append = async (pass) => {
    if (life.commits++ !== kill?.at) return pass();
    if (kill.durable) await pass();
    dead.add(first.venue);
    first.kill();
    return new Promise(() => {});
  };
  let { venue } = first;
  let agents = openAgents(venue, { handlers: traces.handlers(venue) });
  const reopen = async () => {
    ({ venue } = await openIn({ exclusive: true, store, clock }));
    agents = openAgents(venue, { handlers: traces.handlers(venue) });
  };
  for (const step of steps) {
    traces.take(step, agents);
    if (step.do === 'wait') await clock.advance(step.ms);
    else await settle(1);
    if (dead.has(venue)) await reopen();
  }
  await clock.advance(1000);
  const { commits } = life;
  life.commits = Number.POSITIVE_INFINITY; // it lives on
  if (dead.has(venue)) await reopen();
  await traces.rest(agents, venue);
  traces.check(agents, true);
  return commits;
}

describe('no message is lost, no wake is dropped, no acknowledgement counts twice', () => {
  it('in a process that is killed at any of its commits', async () => {
    const property = fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12, size: 'max' }), async (steps) => {
      const commits = await kills(steps, undefined);
      for (let at = 0; at < Math.min(commits, 40); at++)
        for (const durable of [false, true]) await kills(steps, { at, durable });
    });
    await fc.assert(property, { numRuns: numRuns(12), seed, endOnFailure });
  });

  it('in three tabs, whatever becomes of them', async () => {
    type Fate =
      | { at: number; do: 'kill' | 'leave' | 'deaf' | 'stuck' | 'heal' }
      | { at: number; do: 'jump'; ms: number };
    const at = fc.nat(2);
    const fate: fc.Arbitrary<Fate> = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          at,
          do: fc.constantFrom('kill' as const, 'leave' as const, 'deaf' as const, 'stuck' as const, 'heal' as const),
        }),
      },
      { weight: 1, arbitrary: fc.record({ at, do: fc.constant('jump' as const), ms: fc.constantFrom(-5000, 5000) }) },
    );
    const pause = fc.record({ at, do: fc.constant('wait' as const), ms: fc.constantFrom(1000, 4000) });
    const any = fc.oneof(
      { weight: 6, arbitrary: step },
      { weight: 3, arbitrary: fate },
      { weight: 2, arbitrary: pause },
    );
    const property = fc.asyncProperty(fc.array(any, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
      const origin = newOrigin();
      const { clock } = origin;
      const traces = new Traces(clock);
      const dead = new Set<Venue>();
      traces.dead = (venue) => dead.has(venue);
      traces.overlaps = steps.some(({ do: what }) => what === 'stuck' || what === 'jump' || what === 'deaf');
      const open = async () => {
        const tab = await openTab(origin);
        const gate = stuckAtTimes(tab);
        return { tab, gate, agents: openAgents(tab.venue, { handlers: traces.handlers(tab.venue) }) };
      };
      type Slot = Awaited<ReturnType<typeof open>>;
      const heal = ({ tab, gate }: Slot) => {
        tab.hears = true;
        gate.open();
        tab.going.resume();
      };
      const slots = [await open(), await open(), await open()];
      await populate(slots[0]!.agents, clock);
      for (const step of steps) {
        const { tab, agents } = slots[step.at]!;
        if (step.do === 'kill') {
          tab.kill();
          dead.add(tab.venue);
          slots[step.at] = await open();
        } else if (step.do === 'leave') tab.going.leave();
        else if (step.do === 'deaf') tab.hears = false;
        else if (step.do === 'stuck') slots[step.at]!.gate.shut();
        else if (step.do === 'heal') heal(slots[step.at]!);
        else if (step.do === 'jump') clock.jump(step.ms);
        else {
          traces.take(step as Step, agents);
          if (step.do === 'wait') await clock.advance(step.ms);
        }
        await settle(1);
      }
      for (const slot of slots) heal(slot);
      await clock.advance(10_000);
      for (const { tab } of slots) await clock.runUntil(tab.venue.catchUp());
      await traces.rest(slots[0]!.agents, slots[0]!.tab.venue);
      await clock.advance(1000);
      for (const { tab } of slots) await clock.runUntil(tab.venue.catchUp());
      for (const { agents } of slots) traces.check(agents, false);
      for (const { tab } of slots) tab.kill();
    });
    await fc.assert(property, { numRuns: numRuns(25), seed, endOnFailure });
  });
});
