// Runs handlers: one event at a time for each agent, at its time, by whoever holds the agent. Knows nothing of how agents are made and asked for.
import type { Venue } from '../../venue';
import { type Hold, type Liveness, livenessOf } from '../liveness';
import { type AbortReason, type AgentContext, newContext, Signal } from './context';
import type { AgentStore, Failure } from './store';
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
  busy: boolean;
  signal?: Signal | undefined;
  /** How often it could not be had. */
  failures: number;
}

/** No timer waits longer: a machine that slept, or whose clock was set, is late by no more than this; and setTimeout takes 24.8 days at most. */
const lookMsMax = 60_000;

export class Runtime {
  private readonly venue: Venue;
  private readonly liveness: Liveness;
  private readonly handlers = new Map<string, AgentHandler>();
  private readonly runners = new Map<string, Runner>();
  /** Agents to look at, in a microtask: once, however much there is that is new. */
  private readonly changed = new Set<string>();
  /** The venue is closed, or its page may be frozen or gone. */
  private resting = false;

  constructor(
    private readonly store: AgentStore,
    private readonly cron: CronReader | undefined,
  ) {
    const { venue } = store;
    this.venue = venue;
    this.liveness = livenessOf(venue);
    store.subscribe((agent) => this.mark(agent));
    this.liveness.watch((event) => {
      if (event !== 'lost') return;
      for (const runner of this.runners.values()) {
        runner.hold = undefined;
        runner.signal?.abort('lease_lost');
      }
    });
    venue.on('closing', () => this.rest('closing'));
    venue.on('leaving', () => this.rest());
    venue.on('returned', () => {
      this.resting = false;
      for (const agent of this.runners.keys()) this.changed.add(agent);
      this.lookAtChanged();
    });
  }

  has(type: string): boolean {
    return this.handlers.has(type);
  }

  handle(handlers: Readonly<Record<string, AgentHandler>>): void {
    const added = new Map(Object.entries(handlers));
    for (const [type, handler] of added) this.handlers.set(type, handler);
    if (added.size === 0) return;
    for (const [agent, { type }] of this.store.agents) if (added.has(type)) this.mark(agent);
  }

  private rest(reason?: AbortReason): void {
    this.resting = true;
    for (const runner of this.runners.values()) {
      this.wait(runner);
      if (reason) runner.signal?.abort(reason);
    }
  }

  private mark(agent: string): void {
    if (this.changed.size === 0) void Promise.resolve().then(() => this.lookAtChanged());
    this.changed.add(agent);
  }

  private lookAtChanged(): void {
    if (this.resting) return;
    const agents = [...this.changed];
    this.changed.clear();
    for (const agent of agents) this.look(agent);
  }

  /** Handles what is due, sees to it that what will be is handled, or lets the agent go. */
  private look(agent: string): void {
    const { store, runners } = this;
    const record = store.agents.get(agent);
    const runner: Runner = runners.get(agent) ?? { busy: false, failures: 0 };
    if (record?.terminated) store.clear(agent);
    if (runner.busy) {
      if (record?.terminated) runner.signal?.abort('terminated');
      else if (record?.suspended) runner.signal?.abort('suspended');
      return;
    }
    this.wait(runner);
    const handler = this.handlerOf(agent);
    const event = handler && store.next(agent);
    if (event) {
      runners.set(agent, runner);
      const ms = event.kind === 'message' ? 0 : event.due - this.venue.clock.now();
      if (ms > 0) this.wait(runner, agent, ms);
      else void this.run(agent, runner);
    } else if (!handler || !runner.hold) {
      runner.hold?.release();
      runners.delete(agent);
    }
  }

  /** Whoever is to handle what this agent gets now. */
  private handlerOf(agent: string): AgentHandler | undefined {
    const record = this.store.agents.get(agent);
    return !record || record.suspended || record.terminated ? undefined : this.handlers.get(record.type);
  }

  private wait(runner: Runner, agent?: string, ms = 0): void {
    const { clock } = this.venue;
    clock.clearTimeout(runner.timer);
    runner.timer = agent === undefined ? undefined : clock.setTimeout(() => this.look(agent), Math.min(ms, lookMsMax));
  }

  private async run(agent: string, runner: Runner): Promise<void> {
    runner.busy = true;
    let done = false;
    try {
      // Kept until the agent is suspended or the lease is lost: whoever had it last has it at once the next time.
      runner.hold ??= await this.liveness.hold(`agent:${agent}`);
      if (runner.hold) {
        await this.deliver(agent, runner, runner.hold);
        done = true;
      }
    } catch {
      // The lease was lost, or the venue is closed or cannot write, and says so itself.
    }
    runner.busy = false;
    runner.signal = undefined;
    runner.failures = done ? 0 : runner.failures + 1;
    if (done || this.resting) this.mark(agent);
    else this.wait(runner, agent, this.retryMs(runner.failures));
  }

  /** Somebody else has it, or wanted it at the same moment: writers try again after different times, soon enough for 5 s after a crash. */
  private retryMs(failures: number): number {
    const at = 2 * (failures % 8);
    return 100 + 2 * Number.parseInt(this.venue.writer.slice(at, at + 2), 16);
  }

  private async deliver(agent: string, runner: Runner, hold: Hold): Promise<void> {
    const { store, venue } = this;
    const event = store.next(agent);
    if (!event || (event.kind !== 'message' && event.due > venue.clock.now())) return;
    const { key, schedule } = event;
    const fork = venue.fork();
    if (schedule !== undefined && !store.schedules.has(schedule)) {
      // Cancelled while somebody else counted it on.
      store.settle(event, [], undefined, fork);
      fork.sync();
      return;
    }
    const delivery = (store.deliveries.get(key)?.n ?? 0) + 1;
    store.deliveries.set(key, { n: delivery, by: this.liveness.id! });
    await venue.flush();
    hold.check();
    const handler = this.handlerOf(agent);
    const signal = new Signal();
    runner.signal = signal;
    let failure: Failure | undefined;
    if (handler && store.has(event) && !this.resting) {
      const served = event.kind === 'wake' ? [...store.ownWakes(agent)] : [];
      const { context, end } = newContext(store, agent, event, served, delivery, signal, fork);
      try {
        // What comes due while the handler runs is not to be missed, and a pattern that cannot be read is an error before anything is done.
        const after = venue.clock.now();
        const next =
          schedule === undefined ? undefined : nextTime(store.schedules.get(schedule)!.when, after, this.cron);
        await handler(event.message, context);
        hold.check();
        store.receiver(agent);
        store.settle(event, served, next, fork);
        fork.sync();
        return;
      } catch (error) {
        failure = failureOf(error);
      } finally {
        end();
      }
      fork.drop();
      hold.check();
    }
    if (store.has(event)) store.in(fork, store.deliveries).set(key, { n: delivery });
    else store.in(fork, store.deliveries).delete(key);
    // Who was told to stop may say so by an error.
    if (!failure || signal.aborted || store.record(agent).terminated) fork.sync();
    else
      store.change(
        agent,
        { suspended: true, error: failure },
        { what: 'suspended', error: failure, event: key, delivery },
        fork,
      );
  }
}

const failureOf = (error: unknown): Failure =>
  error instanceof Error ? { name: error.name, message: error.message } : { name: 'Error', message: String(error) };
