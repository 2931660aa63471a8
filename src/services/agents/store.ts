// What is stored of agents: their regions, how two writers' words on one agent merge, and what waits for it next. Knows no handlers, no timers.

import { TidemarkError } from '../../base/errors';
import type { ForkedVenue, Region, Venue } from '../../venue';
import { IllegalTransition } from '../errors';
import { idFrom, newId, timeOfId } from '../ids';
import type { StoredWhen } from './when';

/** What an agent was suspended or terminated for. */
export interface Failure {
  name: string;
  message: string;
}

/** What is said of an agent. Every change counts `n` up. */
export interface AgentRecord {
  type: string;
  created: number;
  n: number;
  suspended?: boolean;
  error?: Failure;
  terminated?: boolean;
}

/** How often an event was handed to a handler, and by whom it is being handled. */
export interface Delivery {
  n: number;
  by?: string;
}

/**
 * An agent's own state, and what its handler has acknowledged with it: one entry, so that of two writers' words one stands whole. What is
 * acknowledged is deleted only when that is durable under a lease that still holds. So a result that was on its way when its writer fell asleep,
 * and comes out after another one has taken over, is no result, and takes nothing out of the mailbox.
 */
export interface StateRecord {
  /** Counts the writers that have had the agent. Durable before a handler of theirs runs: who comes later wins. */
  term: number;
  /** Counts what each of them has acknowledged. */
  n: number;
  value?: unknown;
  /** Keys that are acknowledged. They may still be there, and are to be deleted. */
  done?: readonly string[];
}

/** A message as it waits. */
interface Mail {
  body?: unknown;
}

/** A time at which to wake an agent; by itself, or of a schedule. */
interface Wake {
  schedule?: string;
}

interface ScheduleRecord {
  when: StoredWhen;
  payload?: unknown;
}

/** What happened to an agent. */
interface TimelineRecord {
  readonly what: 'created' | 'suspended' | 'resumed' | 'terminated';
  /** What its handler threw; over which event, at which delivery. */
  readonly error?: Failure;
  readonly event?: string;
  readonly delivery?: number;
}

export interface TimelineEntry extends TimelineRecord {
  /** Ms since 1970. */
  readonly at: number;
}

export interface Schedule {
  readonly id: string;
  /** The agent that gets the payload. */
  readonly op: string;
  readonly when: StoredWhen;
  readonly payload: unknown;
  /** When it comes due next, ms since 1970. */
  readonly next: number;
}

/** What waits for an agent. */
export interface AgentEvent {
  /** `agent/id` in the region of messages or of wakes: in order of time. */
  key: string;
  kind: 'message' | 'wake' | 'schedule';
  /** A message is due at once, whatever the clock of its sender says. */
  due: number;
  message?: unknown;
  schedule?: string;
}

/** The join that keeps whoever comes later by these marks; of two that none of them tells apart, the greater text. */
export function latest<T>(...marks: ((value: T) => number)[]): (a: T, b: T) => T {
  return (a, b) => {
    for (const mark of marks) if (mark(a) !== mark(b)) return mark(a) > mark(b) ? a : b;
    return textOf(a) >= textOf(b) ? a : b;
  };
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));

// Of two writers that act at once: the end is final, and to stand still is safer than to run.
export const joinAgents = latest<AgentRecord>(
  ({ terminated }) => Number(terminated ?? 0),
  ({ n }) => n,
  ({ suspended }) => Number(suspended ?? 0),
);
// A count never goes back; of one count, what is over comes after what runs.
export const joinDeliveries = latest<Delivery>(
  ({ n }) => n,
  ({ by }) => Number(by === undefined),
);
export const joinStates = latest<StateRecord>(
  ({ term }) => term,
  ({ n }) => n,
);

const agentOf = (key: string): string => key.slice(0, key.lastIndexOf('/'));
const idOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

export class AgentStore {
  readonly agents: Region<AgentRecord>;
  readonly states: Region<StateRecord>;
  readonly mail: Region<Mail>;
  readonly wakes: Region<Wake>;
  readonly schedules: Region<ScheduleRecord>;
  readonly deliveries: Region<Delivery>;
  readonly timeline: Region<TimelineRecord>;
  /** What waits for agents, and whose keys begin with their names. */
  private readonly waiting: readonly Region[];

  constructor(readonly venue: Venue) {
    this.agents = venue.region('tidemark.agents', { join: joinAgents });
    this.states = venue.region('tidemark.agents.state', { join: joinStates });
    this.mail = venue.region('tidemark.agents.mail');
    this.wakes = venue.region('tidemark.agents.wakes');
    this.schedules = venue.region('tidemark.agents.schedules');
    this.deliveries = venue.region('tidemark.agents.deliveries', { join: joinDeliveries });
    this.timeline = venue.region('tidemark.agents.timeline');
    this.waiting = [this.mail, this.wakes, this.schedules, this.deliveries] as Region[];
  }

  /** Calls back with the name of an agent for which there may be something new. */
  subscribe(changed: (agent: string) => void): void {
    for (const region of [this.mail, this.wakes] as Region[])
      region.subscribe((changes) => {
        for (const { key } of changes) changed(agentOf(key));
      });
    this.agents.subscribe((changes) => {
      for (const { key } of changes) changed(key);
    });
  }

  /** @throws TidemarkError `not_found` */
  record(agent: string): AgentRecord {
    const record = this.agents.get(agent);
    if (record) return record;
    throw new TidemarkError('not_found', `agent '${agent}' is not there; create it first`);
  }

  /** An agent that something may be sent to. @throws TidemarkError `not_found`, IllegalTransition once it is terminated */
  receiver(agent: string): AgentRecord {
    const record = this.record(agent);
    if (record.terminated) throw new IllegalTransition(`agent '${agent}'`, 'TERMINATED', 'RUNNING');
    return record;
  }

  /** Whoever is said to run an agent. */
  *runners(agent: string): Generator<string> {
    for (const [, { by }] of this.deliveries.scan({ prefix: `${agent}/` })) if (by !== undefined) yield by;
  }

  /** Writes a record and what happened into one commit, with all else that is in the fork. */
  write(agent: string, record: AgentRecord, entry: TimelineRecord, fork = this.venue.fork()): void {
    this.in(fork, this.agents).set(agent, record);
    this.in(fork, this.timeline).set(`${agent}/${newId(this.venue)}`, entry);
    fork.sync();
  }

  change(
    agent: string,
    change: Omit<AgentRecord, 'type' | 'created' | 'n'>,
    entry: TimelineRecord,
    fork?: ForkedVenue,
  ) {
    const { type, created, n } = this.record(agent);
    this.write(agent, { type, created, n: n + 1, ...change }, entry, fork);
  }

  /** @returns the message's key */
  addMail(agent: string, body: unknown, fork?: ForkedVenue): string {
    const key = `${agent}/${newId(this.venue)}`;
    this.in(fork, this.mail).set(key, body === undefined ? {} : { body });
    return key;
  }

  addWake(agent: string, due: number, fork?: ForkedVenue): void {
    this.in(fork, this.wakes).set(`${agent}/${idFrom(due)}${newId(this.venue)}`, {});
  }

  /** @returns its key */
  addSchedule(op: string, when: StoredWhen, payload: unknown, first: number): string {
    const key = `${op}/${newId(this.venue)}`;
    const fork = this.venue.fork();
    this.in(fork, this.schedules).set(key, payload === undefined ? { when } : { when, payload });
    this.addTime(key, first, fork);
    fork.sync();
    return key;
  }

  /** Under a key of its own, so that two writers who count a schedule on do not make two of it. */
  private addTime(schedule: string, due: number, fork: ForkedVenue): void {
    this.in(fork, this.wakes).set(`${agentOf(schedule)}/${idFrom(due)}${idOf(schedule)}`, { schedule });
  }

  *times(agent?: string): Generator<Schedule> {
    for (const [key, { schedule }] of this.wakes.scan(agent === undefined ? {} : { prefix: `${agent}/` })) {
      const record = schedule === undefined ? undefined : this.schedules.get(schedule);
      if (record)
        yield {
          id: schedule!,
          op: agentOf(key),
          when: record.when,
          payload: record.payload,
          next: timeOfId(idOf(key)),
        };
    }
  }

  *history(agent: string): Generator<TimelineEntry> {
    for (const [key, entry] of this.timeline.scan({ prefix: `${agent}/` })) yield { at: timeOfId(idOf(key)), ...entry };
  }

  /** The region as a fork sees it. */
  in<T>(fork: ForkedVenue | undefined, region: Region<T>) {
    return fork?.region<T>(region.name) ?? region;
  }

  state(agent: string): StateRecord {
    return this.states.get(agent) ?? { term: 0, n: 0 };
  }

  /** What an agent is to handle next, overdue or not. */
  next(agent: string): AgentEvent | undefined {
    const { done = [] } = this.state(agent);
    const first = <T>(region: Region<T>): [string, T] | undefined => {
      for (const entry of region.scan({ prefix: `${agent}/` })) if (!done.includes(entry[0])) return entry;
      return undefined;
    };
    const mail = first(this.mail);
    const wake = first(this.wakes);
    const due = wake ? timeOfId(idOf(wake[0])) : 0;
    if (mail && !(wake && wake[0] < mail[0] && due <= this.venue.clock.now()))
      return { key: mail[0], kind: 'message', due: timeOfId(idOf(mail[0])), message: mail[1].body };
    if (!wake) return undefined;
    const { schedule } = wake[1];
    return schedule === undefined
      ? { key: wake[0], kind: 'wake', due }
      : { key: wake[0], kind: 'schedule', due, schedule, message: this.schedules.get(schedule)?.payload };
  }

  /** Wakes of an agent that are of no schedule. */
  *ownWakes(agent: string, to?: number, fork?: ForkedVenue): Generator<string> {
    const range = { prefix: `${agent}/`, to: to === undefined ? undefined : `${agent}/${idFrom(to + 1)}` };
    for (const [key, { schedule }] of this.in(fork, this.wakes).scan(range)) if (schedule === undefined) yield key;
  }

  has(key: string): boolean {
    return this.mail.has(key) || this.wakes.has(key);
  }

  /** @param served keys that are done. @param next when its schedule comes due again */
  acknowledge(
    agent: string,
    { schedule }: AgentEvent,
    served: readonly string[],
    next: number | undefined,
    fork: ForkedVenue,
  ): void {
    const done = [...served];
    if (schedule !== undefined && this.schedules.has(schedule)) {
      if (next === undefined) done.push(schedule);
      else this.addTime(schedule, next, fork);
    }
    const { term, n } = this.state(agent);
    const states = this.in(fork, this.states);
    states.set(agent, { ...states.get(agent), term, n: n + 1, done });
  }

  /** Whether something that is acknowledged is still there. */
  isUnfinished(agent: string): boolean {
    return this.state(agent).done?.some((key) => this.waiting.some((region) => region.has(key))) ?? false;
  }

  /** Deletes what is acknowledged. To be called when that is durable and the agent is held. */
  forget(agent: string): void {
    for (const key of this.state(agent).done ?? []) this.remove(key);
  }

  remove(key: string, fork?: ForkedVenue): void {
    for (const region of this.waiting) this.in(fork, region).delete(key);
  }

  /** Forgets all that waits for an agent that will not run again. */
  clear(agent: string): void {
    for (const region of this.waiting)
      for (const key of [...region.scan({ prefix: `${agent}/` })].map(([key]) => key)) region.delete(key);
  }

  /** @param runs whether somebody is alive and may be at it */
  cancel(schedule: string, runs: (by: string) => boolean): boolean {
    const fork = this.venue.fork();
    for (const [key, wake] of this.wakes.scan({ prefix: `${agentOf(schedule)}/` })) {
      if (wake.schedule !== schedule) continue;
      this.in(fork, this.wakes).delete(key);
      if (!runs(this.deliveries.get(key)?.by ?? '')) this.in(fork, this.deliveries).delete(key);
    }
    const found = this.in(fork, this.schedules).delete(schedule);
    fork.sync();
    return found;
  }
}
