// What is stored of agents: their regions, what is written together, and what waits for an agent next. Knows no handlers, no timers.

import { TidemarkError } from '../../base/errors';
import type { ForkedVenue, Region, Venue } from '../../venue';
import { IllegalTransition } from '../errors';
import { idFrom, newId, timeOfId } from '../ids';
import {
  type AgentEvent,
  type AgentRecord,
  type Delivery,
  joinAgents,
  joinDeliveries,
  joinStates,
  type Mail,
  type Schedule,
  type ScheduleRecord,
  type StateRecord,
  type TimelineEntry,
  type TimelineRecord,
  type Wake,
} from './records';
import type { StoredWhen } from './when';

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

  /** What is acknowledged and still there, and counts of what is gone. To be removed when that is durable, by whoever holds the agent. */
  leftovers(agent: string): string[] {
    const done = this.state(agent).done ?? [];
    const counted = [...this.deliveries.scan({ prefix: `${agent}/` })].map(([key]) => key);
    return [
      ...done.filter((key) => this.has(key) || this.schedules.has(key)),
      ...counted.filter((key) => done.includes(key) || !this.has(key)),
    ];
  }

  remove(key: string): void {
    for (const region of this.waiting) region.delete(key);
  }

  /** Forgets all that waits for an agent that will not run again. */
  clear(agent: string): void {
    for (const region of this.waiting)
      for (const key of [...region.scan({ prefix: `${agent}/` })].map(([key]) => key)) region.delete(key);
  }

  cancel(schedule: string): boolean {
    const fork = this.venue.fork();
    for (const [key, wake] of this.wakes.scan({ prefix: `${agentOf(schedule)}/` }))
      if (wake.schedule === schedule) this.in(fork, this.wakes).delete(key);
    const found = this.in(fork, this.schedules).delete(schedule);
    fork.sync();
    return found;
  }
}
