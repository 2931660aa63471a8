// Random programs of agents: what they may do, handlers that leave traces, and what must be true of the traces once everything has come to rest.
import fc from 'fast-check';
import { expect } from 'vitest';
import type { AgentContext, AgentHandler, Agents } from '../../src/services/agents';
import type { Venue } from '../../src/venue';
import type { SimClock } from '../simulator/clock';
import { settle } from '../venue/helpers';

/** What a message tells its handler to do. */
export interface Work {
  readonly tag: string;
  readonly takesMs: number;
  /** Throws at its first delivery. */
  readonly fails?: boolean;
  /** Sends one on to this agent. */
  readonly forwards?: string | undefined;
  readonly wakesInMs?: number | undefined;
}

export type Step = { at: number } & (
  | { do: 'send'; agent: string; work: Omit<Work, 'tag'> }
  | { do: 'wakeAt'; agent: string; inMs: number }
  | { do: 'schedule'; agent: string; inMs: number; every: number | undefined; work: Omit<Work, 'tag'> }
  | { do: 'cancel' }
  | { do: 'suspend' | 'resume' | 'terminate'; agent: string }
  | { do: 'wait'; ms: number }
);

export const names = ['a', 'b', 'c'];
const at = fc.nat(2);
const agent = fc.constantFrom(...names);
const ms = fc.constantFrom(0, 1, 50, 300, 1500);
const work = fc.record(
  {
    takesMs: ms,
    fails: fc.boolean(),
    forwards: fc.option(agent, { nil: undefined }),
    wakesInMs: fc.option(ms, { nil: undefined }),
  },
  { requiredKeys: ['takesMs'] },
);

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ at, do: fc.constant('send' as const), agent, work }) },
  { weight: 3, arbitrary: fc.record({ at, do: fc.constant('wakeAt' as const), agent, inMs: ms }) },
  {
    weight: 3,
    arbitrary: fc.record({
      at,
      do: fc.constant('schedule' as const),
      agent,
      inMs: ms,
      every: fc.constantFrom(undefined, 700),
      work,
    }),
  },
  { weight: 1, arbitrary: fc.record({ at, do: fc.constant('cancel' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ at, do: fc.constantFrom('suspend' as const, 'resume' as const, 'resume' as const), agent }),
  },
  { weight: 1, arbitrary: fc.record({ at, do: fc.constant('terminate' as const), agent: fc.constant('c') }) },
  { weight: 6, arbitrary: fc.record({ at, do: fc.constant('wait' as const), ms }) },
) as fc.Arbitrary<Step>;

interface Run {
  readonly agent: string;
  readonly id: string;
  readonly delivery: number;
  readonly kind: string;
  readonly due: number;
  readonly began: number;
  readonly signal: AgentContext['signal'];
  readonly venue: Venue;
  over: boolean;
}

/** What happened in one program, over all its lives. */
export class Traces {
  readonly runs: Run[] = [];
  /** What was asked for and is durable. */
  readonly sent: { agent: string; id: string }[] = [];
  readonly wakes: { agent: string; due: number; asked: number }[] = [];
  readonly once: { agent: string; id: string; tag: string }[] = [];
  readonly recurring = new Set<string>();
  readonly cancelled = new Set<string>();
  readonly terminated = new Set<string>();
  private tags = 0;
  /** Whether a venue is dead: what still runs in it is not there. */
  dead = (_venue: Venue): boolean => false;
  /** Lives may overlap where somebody does not know yet that he is out of time. */
  overlaps = false;

  constructor(readonly clock: SimClock) {}

  handlers(venue: Venue): Record<string, AgentHandler> {
    const handler: AgentHandler<Work | undefined, string[]> = async (message, context) => {
      const { agent, id, delivery, kind, due, signal, state } = context;
      const others = this.runs.filter(
        (run) => run.agent === agent && !run.over && !run.signal.aborted && !this.dead(run.venue),
      );
      if (!this.overlaps) expect(others.map(({ id }) => id)).toEqual([]);
      const run: Run = { agent, id, delivery, kind, due, began: this.clock.elapsed(), signal, venue, over: false };
      this.runs.push(run);
      const before = state.get() ?? [];
      if (message?.takesMs) await new Promise<void>((resolve) => venue.clock.setTimeout(resolve, message.takesMs));
      run.over = true;
      if (message?.fails && delivery === 1) throw new Error('as told');
      state.set([...before, message ? `${id} ${message.tag}` : id]);
      if (message?.forwards !== undefined && !this.gone(message.forwards, venue))
        context.send(message.forwards, { tag: `after:${id}`, takesMs: 0 });
      if (message?.wakesInMs !== undefined) context.wakeAt(venue.clock.now() + message.wakesInMs);
    };
    return { t: handler as AgentHandler };
  }

  private gone(agent: string, venue: Venue): boolean {
    return venue.region<{ terminated?: boolean }>('tidemark.agents').get(agent)?.terminated === true;
  }

  /** Begins a step; what comes of it is noted when it is durable. */
  take(step: Step, agents: Agents): void {
    const tag = `#${this.tags++}`;
    const asked = this.clock.elapsed();
    const now = this.clock.now();
    const ignore = () => undefined; // of an agent that is terminated, or a venue that is not there any more
    switch (step.do) {
      case 'send':
        agents.send(step.agent, { ...step.work, tag }).then((id) => this.sent.push({ agent: step.agent, id }), ignore);
        return;
      case 'wakeAt': {
        const due = now + step.inMs;
        agents.wakeAt(step.agent, due).then(() => this.wakes.push({ agent: step.agent, due, asked }), ignore);
        return;
      }
      case 'schedule': {
        const { agent, every } = step;
        const when = every === undefined ? now + step.inMs : { every, at: now + step.inMs };
        agents.schedule(when, agent, { ...step.work, tag }).then((id) => {
          if (every === undefined) this.once.push({ agent, id, tag });
          else this.recurring.add(id);
        }, ignore);
        return;
      }
      case 'cancel':
        for (const { id } of agents.list()) {
          this.cancelled.add(id);
          agents.cancel(id).catch(ignore);
        }
        return;
      case 'terminate':
        agents.terminate(step.agent).then(() => this.terminated.add(step.agent), ignore);
        return;
      case 'wait':
        return;
      default:
        agents[step.do](step.agent).catch(ignore);
    }
  }

  /** Lets everything come to its end: whoever is suspended goes on, and what recurs is cancelled. */
  async rest(agents: Agents, venue: Venue): Promise<void> {
    for (let i = 0; i < 60; i++) {
      for (const { id, when } of agents.list())
        if (typeof when === 'object' && this.runs.some((run) => run.id.endsWith(id.slice(id.indexOf('/') + 1))))
          await this.within(agents.cancel(id));
      for (const { agent, status } of agents.all()) if (status === 'SUSPENDED') await this.within(agents.resume(agent));
      await this.clock.advance(2000);
      const left = ['mail', 'wakes', 'schedules', 'deliveries'].map(
        (name) => venue.region(`tidemark.agents.${name}`).size,
      );
      if (left.every((size) => size === 0) && [...agents.all()].every(({ status }) => status !== 'SUSPENDED')) return;
    }
    const left = ['mail', 'wakes', 'schedules', 'deliveries'].map((name) =>
      Object.fromEntries(venue.region(`tidemark.agents.${name}`)),
    );
    expect(left, 'nothing is left waiting').toEqual([{}, {}, {}, {}]);
  }

  private within<T>(work: Promise<T>): Promise<T> {
    return this.clock.runUntil(work);
  }

  /** @param exact in one process at a time, what a handler sent went out exactly once */
  check(agents: Agents, exact: boolean): void {
    const done = new Map(names.map((agent) => [agent, (agents.get(agent)?.state ?? []) as string[]]));
    const all = [...done.values()].flat();
    expect(new Set(all).size, 'no event counts twice').toBe(all.length);
    const isDone = (agent: string, id: string) => done.get(agent)!.some((line) => line.split(' ')[0] === id);
    for (const { agent, id } of this.sent)
      if (!this.isTerminated(agents, agent)) expect([id, isDone(agent, id)], 'no message is lost').toEqual([id, true]);
    for (const { agent, id, tag } of this.once)
      if (!this.isTerminated(agents, agent) && !this.cancelled.has(id))
        expect(
          done.get(agent)!.filter((line) => line.endsWith(` ${tag}`)),
          'what is scheduled once comes once',
        ).toHaveLength(1);
    for (const { agent, due, asked } of this.wakes) {
      if (this.isTerminated(agents, agent)) continue;
      const wake = this.runs.find(
        (run) => run.agent === agent && run.kind === 'wake' && run.began >= asked && run.due <= due,
      );
      expect(wake, `no wake is dropped: ${agent}, asked at ${asked}`).toBeDefined();
    }
    const deliveries = new Map<string, number>();
    for (const { id, delivery } of this.runs) {
      expect(delivery, 'every delivery is counted').toBeGreaterThan(deliveries.get(id) ?? 0);
      deliveries.set(id, delivery);
    }
    for (const agent of this.terminated) expect(agents.get(agent)!.status).toBe('TERMINATED');
    for (const { status } of agents.all()) expect(['SLEEPING', 'TERMINATED']).toContain(status);
    if (!exact) return;
    const forwards = all.flatMap((line) => line.match(/ (after:.*)$/)?.[1] ?? []);
    expect(new Set(forwards).size, 'what a handler sent goes out with its acknowledgement').toBe(forwards.length);
  }

  private isTerminated(agents: Agents, agent: string): boolean {
    return agents.get(agent)?.status === 'TERMINATED';
  }
}

/** Makes the agents of a program, once. */
export async function populate(agents: Agents, clock: SimClock): Promise<void> {
  for (const name of names) await clock.runUntil(agents.create(name, { type: 't' }));
  await settle(1);
}
