// What is written of agents, and how two writers' words on one thing merge. Pure.
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
export interface Mail {
  body?: unknown;
}

/** A time at which to wake an agent; by itself, or of a schedule. */
export interface Wake {
  schedule?: string;
}

export interface ScheduleRecord {
  when: StoredWhen;
  payload?: unknown;
}

/** What happened to an agent. */
export interface TimelineRecord {
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
