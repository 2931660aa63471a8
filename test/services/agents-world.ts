// What the tests of agents share: lives of one store under virtual time, handlers that wait until they are told, and what they were handed.
import { type AgentContext, type Agents, type AgentsOptions, openAgents } from '../../src/services/agents';
import type { Venue } from '../../src/venue';
import { SimClock } from '../simulator/clock';
import { type Opened, openIn, settle, type World } from '../venue/helpers';
import { newOrigin, type Origin, openTab, type Tab } from '../venue/pages';

export interface Life extends Opened {
  readonly agents: Agents;
}

/** One life of a store that one process at a time has. */
export async function live(world: World, options: AgentsOptions = {}): Promise<Life> {
  const opened = await openIn({ exclusive: true, ...world });
  return { ...opened, agents: openAgents(opened.venue, options) };
}

/** The same store, after a crash. */
export async function next(life: Life, options: AgentsOptions = {}): Promise<Life> {
  life.kill();
  return live({ store: life.store, clock: life.clock }, options);
}

export interface AgentsTab {
  readonly tab: Tab;
  readonly venue: Venue;
  readonly agents: Agents;
}

export async function tabOf(origin: Origin, options: AgentsOptions = {}): Promise<AgentsTab> {
  const tab = await openTab(origin);
  return { tab, venue: tab.venue, agents: openAgents(tab.venue, options) };
}

export interface Handled {
  readonly message: unknown;
  readonly context: AgentContext;
  /** Makes the handler return. */
  finish(): void;
  fail(error: unknown): void;
}

/** A handler that keeps what it is handed until the test says how it ends. */
export function waiting(): { handled: Handled[]; handler(message: unknown, context: AgentContext): Promise<void> } {
  const handled: Handled[] = [];
  return {
    handled,
    handler: (message, context) =>
      new Promise((finish, fail) => {
        handled.push({ message, context, finish, fail });
      }),
  };
}

/** A handler that remembers what it is handed and returns. */
export function noting(): {
  handled: [message: unknown, delivery: number][];
  handler: (message: unknown, context: AgentContext) => void;
} {
  const handled: [unknown, number][] = [];
  return { handled, handler: (message, { delivery }) => void handled.push([message, delivery]) };
}

/** A tab whose appends wait while it is shut: what it has written comes out long after it was out of time. */
export function stuckAtTimes(tab: Tab): { shut(): void; open(): void } {
  const append = tab.backend.append.bind(tab.backend);
  let held: (() => void)[] | undefined;
  tab.backend.append = async (...args) => {
    if (held) await new Promise<void>((resolve) => held!.push(resolve));
    return append(...args);
  };
  return {
    shut() {
      held ??= [];
    },
    open() {
      for (const release of held ?? []) release();
      held = undefined;
    },
  };
}

export { newOrigin, type Origin, SimClock, settle };
