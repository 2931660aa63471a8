// What a handler is given for one event. What it writes stays in a fork until the event is acknowledged. Knows nothing of who runs it, and when.
import { TidemarkError } from '../../base/errors';
import type { ForkedVenue } from '../../venue';
import type { AgentEvent } from './records';
import type { AgentStore } from './store';
import { timeOf } from './when';

/** Why a handler should stop: its result will not be taken, or (`suspended`) nothing follows it. */
export type AbortReason = 'suspended' | 'terminated' | 'lease_lost' | 'closing';

/** As an AbortSignal: for what runs long. */
export interface AgentSignal {
  readonly aborted: boolean;
  readonly reason: AbortReason | undefined;
  addEventListener(type: 'abort', listener: () => void): void;
}

/** What a handler may know and do. What it writes through this is in one commit with the acknowledgement: all of it or nothing. */
export interface AgentContext<S = unknown> {
  readonly agent: string;
  /** Names the event, the same at every delivery: what makes side effects idempotent. */
  readonly id: string;
  readonly kind: AgentEvent['kind'];
  /** When it was due; of a message, when it was sent. */
  readonly due: number;
  /** How often this event was handed to a handler: 1, or more after a crash, an error or a lost lease. */
  readonly delivery: number;
  /** The agent's own. */
  readonly state: { get(): S | undefined; set(value: S): void };
  readonly signal: AgentSignal;
  /** Wakes this agent then, unless it is woken before. */
  wakeAt(time: number | Date): void;
  /** @throws TidemarkError `not_found`, IllegalTransition once it is terminated */
  send(agent: string, message: unknown): void;
}

export class Signal implements AgentSignal {
  reason: AbortReason | undefined;
  private readonly listeners: (() => void)[] = [];

  get aborted(): boolean {
    return this.reason !== undefined;
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.push(listener);
  }

  abort(reason: AbortReason): void {
    if (this.aborted) return;
    this.reason = reason;
    // In a microtask each: what one of them throws is not the others' business, nor that of whoever aborts.
    for (const listener of this.listeners) void Promise.resolve().then(listener);
  }
}

/** @param served wakes that are acknowledged with this event. @returns the context, and a function that takes it away */
export function newContext(
  store: AgentStore,
  agent: string,
  event: AgentEvent,
  served: readonly string[],
  delivery: number,
  signal: AgentSignal,
  fork: ForkedVenue,
): { context: AgentContext; end(): void } {
  let ended = false;
  const guard = () => {
    if (ended) throw new TidemarkError('closed', `agent '${agent}': its handler has returned and this context is over`);
  };
  let state = store.state(agent).value;
  return {
    end() {
      ended = true;
    },
    context: {
      agent,
      id: event.key,
      kind: event.kind,
      due: event.due,
      delivery,
      signal,
      state: {
        get: () => state,
        set(value) {
          guard();
          const { value: _, ...rest } = store.state(agent);
          store.in(fork, store.states).set(agent, value === undefined ? rest : { ...rest, value });
          state = value;
        },
      },
      wakeAt(time) {
        guard();
        const due = timeOf(time);
        // Only we start wakes now: one that is not ours to acknowledge is still to come.
        for (const key of store.ownWakes(agent, due, fork)) if (!served.includes(key)) return;
        store.addWake(agent, due, fork);
      },
      send(to, message) {
        guard();
        store.receiver(to);
        store.addMail(to, message, fork);
      },
    },
  };
}
