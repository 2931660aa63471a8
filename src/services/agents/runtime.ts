// Runs handlers: one event at a time for each agent, at its time, by whoever holds the agent. Knows nothing of how agents are made and asked for.
import { type Hold, livenessOf } from '../liveness';
import { type AbortReason, type AgentContext, newContext, Signal } from './context';
import type { AgentEvent, Failure } from './records';
import type { AgentStore } from './store';
import { type CronReader, nextTime } from './when';

/** Handles what an agent gets: a message, a schedule's payload, or `undefined` for a wake. To return is to acknowledge; to throw suspends the agent. */
export type AgentHandler<M = unknown, S = unknown> = {
  // A method, so that a handler may say which messages it takes.
  handle(message: M, context: AgentContext<S>): unknown;
}['handle'];

/** An agent that has something to do here, or that we hold. */
interface Runner {
  timer?: unknown;
  hold?: Hold | undefined;
  /** The term that we have under this hold, once it is on its way into the store. */
  term?: number | undefined;
  busy: boolean;
  signal?: Signal | undefined;
  /** How often it could not be had. */
  failures: number;
}

/** No timer waits longer: a machine that slept, or whose clock was set, is late by no more than this; and setTimeout takes 24.8 days at most. */
const lookMsMax = 60_000;

export interface Runtime {
  has(type: string): boolean;
  handle(handlers: Readonly<Record<string, AgentHandler>>): void;
}

/** Runs what agents get from now on, until the venue is closed. */
export function run(store: AgentStore, cron: CronReader | undefined): Runtime {
  const { venue } = store;
  const { clock } = venue;
  const liveness = livenessOf(venue);
  const handlers = new Map<string, AgentHandler>();
  const runners = new Map<string, Runner>();
  /** Agents to look at, in a microtask: once, however much there is that is new. */
  const changed = new Set<string>();
  /** The venue is closed, or its page may be frozen or gone. */
  let resting = false;

  const mark = (agent: string): void => {
    if (changed.size === 0) void Promise.resolve().then(lookAtChanged);
    changed.add(agent);
  };

  const lookAtChanged = (): void => {
    if (resting) return;
    const agents = [...changed];
    changed.clear();
    for (const agent of agents) look(agent);
  };

  const rest = (reason?: AbortReason): void => {
    resting = true;
    for (const runner of runners.values()) {
      wait(runner);
      if (reason) runner.signal?.abort(reason);
    }
  };

  /** Handles what is due, sees to it that what will be is handled, or lets the agent go. */
  const look = (agent: string): void => {
    const record = store.agents.get(agent);
    const runner: Runner = runners.get(agent) ?? { busy: false, failures: 0 };
    if (record?.terminated) store.clear(agent);
    if (runner.busy) {
      if (record?.terminated) runner.signal?.abort('terminated');
      else if (record?.suspended) runner.signal?.abort('suspended');
      return;
    }
    wait(runner);
    const handler = handlerOf(agent);
    const event = handler && store.next(agent);
    if (isDue(event) || (handler && store.leftovers(agent).length > 0)) {
      runners.set(agent, runner);
      void take(agent, runner);
    } else if (event) {
      runners.set(agent, runner);
      wait(runner, agent, event.due - clock.now());
    } else if (!handler || !runner.hold) {
      runner.hold?.release();
      runners.delete(agent);
    }
  };

  /** Whoever is to handle what this agent gets now. */
  const handlerOf = (agent: string): AgentHandler | undefined => {
    const record = store.agents.get(agent);
    return !record || record.suspended || record.terminated ? undefined : handlers.get(record.type);
  };

  const isDue = (event: AgentEvent | undefined): boolean =>
    event !== undefined && (event.kind === 'message' || event.due <= clock.now());

  const wait = (runner: Runner, agent?: string, ms = 0): void => {
    clock.clearTimeout(runner.timer);
    runner.timer = agent === undefined ? undefined : clock.setTimeout(() => look(agent), Math.min(ms, lookMsMax));
  };

  const take = async (agent: string, runner: Runner): Promise<void> => {
    runner.busy = true;
    let done = false;
    try {
      if (!runner.hold) {
        runner.term = undefined;
        // Kept until the agent is suspended or the lease is lost: whoever had it last has it at once the next time.
        runner.hold = await liveness.hold(`agent:${agent}`);
      }
      if (runner.hold) {
        await deliver(agent, runner, runner.hold);
        done = true;
      }
    } catch {
      // The lease was lost, or the venue is closed or cannot write, and says so itself.
    }
    runner.busy = false;
    runner.signal = undefined;
    runner.failures = done ? 0 : runner.failures + 1;
    if (done || resting) mark(agent);
    else wait(runner, agent, retryMs(runner.failures));
  };

  /** Somebody else has it, or wanted it at the same moment: writers try again after different times, soon enough for 5 s after a crash. */
  const retryMs = (failures: number): number => {
    const at = 2 * (failures % 8);
    return 100 + 2 * Number.parseInt(venue.writer.slice(at, at + 2), 16);
  };

  /** Delivers all that is due, one after the other. */
  const deliver = async (agent: string, runner: Runner, hold: Hold): Promise<void> => {
    while (!resting) {
      const next = handlerOf(agent) && store.next(agent);
      const event = isDue(next) ? next : undefined;
      if (event) {
        if (runner.term === undefined) {
          const state = store.state(agent);
          runner.term = state.term + 1;
          store.states.set(agent, { ...state, term: runner.term });
        }
        const n = (store.deliveries.get(event.key)?.n ?? 0) + 1;
        store.deliveries.set(event.key, { n, by: liveness.id! });
      } else if (store.leftovers(agent).length === 0) return;
      await venue.flush();
      hold.check();
      for (const key of store.leftovers(agent)) store.remove(key);
      if (event) await handle(agent, runner, hold, event);
    }
  };

  const handle = async (agent: string, runner: Runner, hold: Hold, event: AgentEvent): Promise<void> => {
    const { key, kind, schedule } = event;
    const handler = handlerOf(agent);
    const delivery = store.deliveries.get(key)?.n ?? 1;
    const signal = new Signal();
    const fork = venue.fork();
    let failure: Failure | undefined;
    // Counted on by somebody who did not know that it was cancelled.
    if (schedule !== undefined && !store.schedules.has(schedule)) store.remove(key);
    if (handler && store.has(key) && !resting) {
      runner.signal = signal;
      const served = kind === 'wake' ? [...store.ownWakes(agent)] : [key];
      const { context, end } = newContext(store, agent, event, served, delivery, signal, fork);
      try {
        // What comes due while the handler runs is not to be missed, what is being handled does not come again though the clock went back, and a
        // pattern that cannot be read is an error before anything is done.
        const { when } = (schedule !== undefined && store.schedules.get(schedule)) || { when: 0 };
        const next = nextTime(when, Math.max(clock.now(), event.due), cron);
        await handler(event.message, context);
        end();
        hold.check();
        store.receiver(agent);
        store.acknowledge(agent, event, served, next, fork);
        store.in(fork, store.deliveries).set(key, { n: delivery });
        fork.sync();
        return;
      } catch (error) {
        failure = failureOf(error);
      }
      end();
      fork.drop();
      hold.check();
    }
    store.in(fork, store.deliveries).set(key, { n: delivery });
    // Who was told to stop may say so by an error.
    if (!failure || signal.aborted || store.record(agent).terminated) fork.sync();
    else {
      const entry = { what: 'suspended', error: failure, event: key, delivery } as const;
      store.change(agent, { suspended: true, error: failure }, entry, fork);
    }
  };

  store.subscribe(mark);
  liveness.watch((event) => {
    if (event !== 'lost') return;
    for (const runner of runners.values()) {
      runner.hold = undefined;
      runner.signal?.abort('lease_lost');
    }
  });
  venue.on('closing', () => rest('closing'));
  venue.on('leaving', () => rest());
  venue.on('returned', () => {
    resting = false;
    for (const agent of runners.keys()) changed.add(agent);
    lookAtChanged();
  });

  return {
    has: (type) => handlers.has(type),
    handle(added) {
      for (const [type, handler] of Object.entries(added)) handlers.set(type, handler);
      for (const [agent, { type }] of store.agents) if (Object.hasOwn(added, type)) mark(agent);
    },
  };
}

const failureOf = (error: unknown): Failure =>
  error instanceof Error ? { name: error.name, message: error.message } : { name: 'Error', message: String(error) };
