// A program that keeps agents busy until it is killed: messages, wakes and schedules in, and a trace of what was durable and what handlers began.
import { openVenue } from '../../../src/node';
import { type AgentContext, openAgents } from '../../../src/services/agents';
import { openTrace } from '../../crash/trace';
import { Random } from '../../simulator/random';

export interface AgentsChildOptions {
  store: string;
  trace: string;
  seed: number;
}

/** What a handler began: before it does anything. */
export interface Began {
  agent: string;
  id: string;
  kind: string;
  delivery: number;
  due: number;
  now: number;
}

const { store, trace: file, seed } = JSON.parse(process.argv[2]!) as AgentsChildOptions;
const trace = openTrace(file);
const random = new Random(seed);
const names = ['a', 'b', 'c', 'd', 'e', 'f'];
const busy = new Set<string>();

const venue = await openVenue({ store });
const agents = openAgents(venue);
trace('opened', {
  damage: venue.health().recovery.damage.length,
  statuses: [...agents.all()].map(({ status }) => status),
});

/** Says what it begins, waits a little, and counts the event in its state; some send one on. */
async function handler(message: unknown, context: AgentContext): Promise<void> {
  const { agent, id, kind, delivery, due, state } = context;
  if (busy.has(agent)) trace('wrong', `two events of ${agent} at once`);
  busy.add(agent);
  trace('began', { agent, id, kind, delivery, due, now: Date.now() } satisfies Began);
  if (random.chance(0.7)) await new Promise((resolve) => setTimeout(resolve, random.below(8)));
  state.set([...((state.get() as string[]) ?? []), id]);
  if (message === 'forward') context.send(names[random.below(names.length)]!, { after: id });
  if (random.chance(0.1)) context.wakeAt(Date.now() + random.below(50));
  busy.delete(agent);
  if (message === 'fail' && delivery === 1) throw new Error('as told');
}
agents.handle('t', handler);
for (const name of names) await agents.create(name, { type: 't' });
if (agents.list().every(({ when }) => typeof when === 'number')) await agents.schedule({ every: 25 }, 'a', 'tick');
process.send!('working');

/** One thing at a time; several of these run side by side. */
async function work(): Promise<never> {
  for (;;) {
    const agent = names[random.below(names.length)]!;
    const now = Date.now();
    const what = random.below(10);
    if (what < 6) trace('sent', [agent, await agents.send(agent, ['plain', 'forward', 'fail'][random.below(3)])]);
    else if (what < 8) {
      const due = now + random.below(100);
      await agents.wakeAt(agent, due);
      trace('wake', [agent, due, now]);
    } else trace('scheduled', [agent, await agents.schedule(now + random.below(100), agent)]);
    for (const { agent, status } of agents.all()) if (status === 'SUSPENDED') await agents.resume(agent);
    await new Promise((resolve) => setTimeout(resolve, random.below(20)));
  }
}
for (let i = 0; i < 3; i++) void work();
