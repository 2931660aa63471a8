// Agents: named programs with a durable mailbox, state and wakes, whose handlers run one event at a time, in one tab or process at a time, and go
// on after a crash. Knows the venue's face only; how handlers are run is agents/runtime.ts's.
import { TidemarkError } from '../base/errors';
import type { Venue } from '../venue';
import type { AgentRecord, Failure, Schedule, TimelineEntry } from './agents/records';
import { type AgentHandler, run } from './agents/runtime';
import { AgentStore } from './agents/store';
import { type CronReader, nextTime, type StoredWhen, storedWhen, timeOf, type When } from './agents/when';
import { IllegalTransition } from './errors';
import { livenessOf } from './liveness';

export type { AbortReason, AgentContext, AgentSignal } from './agents/context';
export type { AgentHandler, CronReader, Failure, Schedule, StoredWhen, TimelineEntry, When };
export { IllegalTransition };

export type AgentStatus = 'SLEEPING' | 'RUNNING' | 'SUSPENDED' | 'TERMINATED';

export interface Agent {
  readonly agent: string;
  readonly type: string;
  readonly status: AgentStatus;
  /** What a handler threw, while the agent is suspended for it. */
  readonly error: Failure | undefined;
  readonly state: unknown;
  /** Ms since 1970. */
  readonly created: number;
}

export interface AgentsOptions {
  /** By type of agent. */
  handlers?: Readonly<Record<string, AgentHandler>>;
  /** Reads cron patterns; e.g. with croner `(pattern, after) => new Cron(pattern).nextRun(after)`. */
  cron?: CronReader;
}

/** What is asked for is durable when its promise resolves. */
export interface Agents {
  /**
   * Makes an agent; one that is there stays as it is.
   * @param agent its name: 1 to 256 characters without `/`. @param options `type`: whose handler it has; default: its name
   * @throws TidemarkError `bad_key`, `conflict` if it is of another type
   */
  create(agent: string, options?: { type?: string }): Promise<Agent>;
  get(agent: string): Agent | undefined;
  /** All agents, in order of their names. */
  all(): IterableIterator<Agent>;
  /** Puts a message into the agent's mailbox. @returns its id. @throws TidemarkError `not_found`, IllegalTransition once it is terminated */
  send(agent: string, message?: unknown): Promise<string>;
  /** Nothing is delivered from now on. @throws as send() */
  suspend(agent: string): Promise<void>;
  /** It goes on with what it was suspended over. @throws as send() */
  resume(agent: string): Promise<void>;
  /** Ends it for ever, with all that waits for it. @throws TidemarkError `not_found` */
  terminate(agent: string): Promise<void>;
  /** Wakes the agent then. It has one wake, the earliest: to be woken is the end of those that were asked for before. @throws as send() */
  wakeAt(agent: string, time: number | Date): Promise<void>;
  /**
   * Delivers `payload` when it is time, once or again and again.
   * @param op the agent that gets it; made if there is none but a handler of this name
   * @returns an id for cancel(). @throws as send(); TidemarkError `bad_option`
   */
  schedule(when: When, op: string, payload?: unknown): Promise<string>;
  /** @returns whether there was such a schedule. */
  cancel(schedule: string): Promise<boolean>;
  /** What is scheduled, by agent, in the order in which it comes due. */
  list(options?: { op?: string }): Schedule[];
  /** When it was created, suspended (and over what), resumed, terminated: in order of time. */
  timeline(agent: string): TimelineEntry[];
  /** Registers the handler of a type of agents; they are woken if they have anything to do. */
  handle(type: string, handler: AgentHandler): void;
}

export function openAgents(venue: Venue, { handlers = {}, cron }: AgentsOptions = {}): Agents {
  const store = new AgentStore(venue);
  const runtime = run(store, cron);
  const liveness = livenessOf(venue);

  const statusOf = (agent: string, { terminated, suspended }: AgentRecord): AgentStatus => {
    if (terminated) return 'TERMINATED';
    if (suspended) return 'SUSPENDED';
    // A mark of somebody who is gone is none.
    for (const by of store.runners(agent)) if (liveness.isAlive(by)) return 'RUNNING';
    return 'SLEEPING';
  };
  const shown = (agent: string, record: AgentRecord): Agent => ({
    agent,
    type: record.type,
    status: statusOf(agent, record),
    error: record.error,
    state: store.states.get(agent)?.value,
    created: record.created,
  });
  /** Of an agent that this tab may not have heard of yet. */
  const known = async (agent: string): Promise<AgentRecord> => {
    if (!store.agents.has(agent)) await venue.catchUp();
    return store.record(agent);
  };
  const make = (agent: string, type: string): void => {
    if (typeof agent !== 'string' || !/^[^/]{1,256}$/s.test(agent))
      throw new TidemarkError('bad_key', `agent '${String(agent)}': a name is 1 to 256 characters without '/'`);
    store.write(agent, { type, created: venue.clock.now(), n: 0 }, { what: 'created' });
  };
  /** Does something to an agent that is not terminated, and sees to it that it is durable. */
  const act = async <T>(agent: string, action: (record: AgentRecord) => T): Promise<T> => {
    await known(agent);
    const result = action(store.receiver(agent));
    await venue.flush();
    return result;
  };

  const agents: Agents = {
    async create(agent, { type = agent } = {}) {
      const there = store.agents.get(agent);
      if (there && there.type !== type)
        throw new TidemarkError('conflict', `agent '${agent}' is there already, of type '${there.type}'`);
      if (!there) make(agent, type);
      await venue.flush();
      return agents.get(agent)!;
    },
    get(agent) {
      const record = store.agents.get(agent);
      return record && shown(agent, record);
    },
    *all() {
      for (const [agent, record] of store.agents) yield shown(agent, record);
    },
    send: (agent, message) => act(agent, () => store.addMail(agent, message)),
    suspend: (agent) =>
      act(agent, (record) => {
        if (!record.suspended) store.change(agent, { suspended: true }, { what: 'suspended' });
      }),
    resume: (agent) =>
      act(agent, (record) => {
        if (record.suspended) store.change(agent, {}, { what: 'resumed' });
      }),
    async terminate(agent) {
      if (!(await known(agent)).terminated) store.change(agent, { terminated: true }, { what: 'terminated' });
      store.clear(agent);
      await venue.flush();
    },
    wakeAt: (agent, time) => act(agent, () => store.addWake(agent, timeOf(time))),
    async schedule(when, op, payload) {
      const now = venue.clock.now();
      const stored = storedWhen(when, now);
      const first = typeof stored === 'number' ? stored : nextTime(stored, now - 1, cron);
      if (first === undefined) throw new TidemarkError('bad_option', 'schedule: this never comes due');
      if (!store.agents.has(op)) await venue.catchUp();
      if (!store.agents.has(op) && runtime.has(op)) make(op, op);
      return act(op, () => store.addSchedule(op, stored, payload, first));
    },
    async cancel(schedule) {
      const found = store.cancel(schedule);
      await venue.flush();
      return found;
    },
    list: ({ op } = {}) => [...store.times(op)],
    timeline: (agent) => [...store.history(agent)],
    handle: (type, handler) => runtime.handle({ [type]: handler }),
  };
  runtime.handle(handlers);
  return agents;
}
