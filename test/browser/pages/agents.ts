// An agent in a page, as the tests drive it from outside: opened in several tabs on one venue, sent to, and watched.
import { openVenue } from '../../../src/browser';
import { type AgentContext, type Agents, openAgents } from '../../../src/services/agents';

/** A run of the handler; times in ms since 1970, one clock for all tabs. */
export interface Run {
  readonly message: unknown;
  readonly delivery: number;
  readonly began: number;
  ended?: number;
}

let agents: Agents | undefined;
const runs: Run[] = [];
let finish!: () => void;
const told = new Promise<void>((resolve) => {
  finish = resolve;
});
const now = () => performance.timeOrigin + performance.now();

const page = {
  /** @param takesMs how long the handler takes for each message; 0: until the test says so */
  async open(store: string, takesMs: number): Promise<void> {
    const venue = await openVenue({ store });
    const worker = async (message: unknown, { delivery, state }: AgentContext) => {
      const run: Run = { message, delivery, began: now() };
      runs.push(run);
      await (takesMs > 0 ? new Promise((resolve) => setTimeout(resolve, takesMs)) : told);
      state.set([...((state.get() as unknown[]) ?? []), message]);
      run.ended = now();
    };
    agents = openAgents(venue, { handlers: { worker } });
    await agents.create('worker');
  },
  send: (message: unknown) => agents!.send('worker', message),
  finish: () => finish(),
  runs: () => runs,
  agent: () => agents!.get('worker'),
};

export type AgentsPage = typeof page;
Object.assign(globalThis, { tidemarkTest: page });

// A browser without a driver tells its pages by a script what to do (engines/minibrowser.ts).
const remote = /^#remote=(.+)$/.exec(location.hash)?.[1];
if (remote) document.head.append(Object.assign(document.createElement('script'), { src: remote }));
