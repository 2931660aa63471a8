// Real kills: children keep agents busy on a real store and are killed with SIGKILL at random moments. What they were told is durable, and what
// their handlers began, is held against what the store says in the end.
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { type AgentContext, openAgents } from '../../src/services/agents';
import type { TraceLine } from '../crash/trace';
import { Random } from '../simulator/random';
import type { AgentsChildOptions, Began } from './children/agents';
import { mortal } from './mortal';

/** Two stores beside each other: 50 kills in all. */
const kills = 25;
const patience = 300_000;

const child = mortal<AgentsChildOptions>('agents');

describe.concurrent('agents whose process is killed', () => {
  it.each([1, 2])(
    'lose no message and drop no wake, and every delivery is counted (store %d)',
    async (number) => {
      const store = child.at(`${number}.etch`);
      const random = new Random(number);
      const lines: TraceLine[] = [];
      for (let life = 0; life < kills; life++) {
        const trace = child.at(`trace.${number}.${life}`);
        // Now and then before it has done anything.
        const word = random.chance(0.1) ? undefined : 'working';
        lines.push(...(await child.live({ store, trace, seed: 1000 * number + life }, word, random.below(200))));
      }

      const all = <T>(what: string) => lines.filter((line) => line.what === what).map(({ data }) => data as T);
      expect(all('wrong')).toEqual([]);
      for (const { damage, statuses } of all<{ damage: number; statuses: string[] }>('opened')) {
        expect(damage).toBe(0);
        expect(statuses, 'nobody runs right after a crash').not.toContain('RUNNING');
      }
      const began = all<Began>('began');

      const venue = await openVenue({ store, signals: false });
      const agents = openAgents(venue);
      for (const { id, when } of agents.list()) if (typeof when !== 'number') await agents.cancel(id);
      agents.handle('t', (_: unknown, { agent, id, kind, delivery, due, state }: AgentContext<string[]>) => {
        began.push({ agent, id, kind, delivery, due, now: Date.now() });
        state.set([...(state.get() ?? []), id]);
      });
      const left = () =>
        ['mail', 'wakes', 'schedules', 'deliveries'].map((name) => venue.region(`tidemark.agents.${name}`).size);
      while (left().some((size) => size > 0)) {
        for (const { agent, status } of agents.all()) if (status === 'SUSPENDED') await agents.resume(agent);
        await pause(20);
      }

      const done = new Map([...agents.all()].map(({ agent, state }) => [agent, (state ?? []) as string[]]));
      for (const ids of done.values()) expect(new Set(ids).size, 'no event counts twice').toBe(ids.length);
      for (const [agent, id] of all<[string, string]>('sent'))
        expect(done.get(agent), 'no message is lost').toContain(id);
      for (const [agent, schedule] of all<[string, string]>('scheduled')) {
        const fired = done.get(agent)!.filter((id) => id.endsWith(schedule.slice(agent.length + 1)));
        expect(fired, 'what is scheduled once comes once').toHaveLength(1);
      }
      for (const [agent, due, asked] of all<[string, number, number]>('wake')) {
        const wakes = began.filter((run) => run.agent === agent && run.kind === 'wake');
        expect(
          wakes.some((run) => run.due <= due && run.now >= asked),
          'no wake is dropped',
        ).toBe(true);
      }
      const counts = new Map<string, number>();
      for (const { id, delivery } of began) {
        expect(delivery, id).toBeGreaterThan(counts.get(id) ?? 0);
        counts.set(id, delivery);
      }
      // Had no handler been interrupted, these deaths would have shown nothing. (Some messages fail at first as they were told to.)
      const again = began.filter(({ kind, delivery }) => kind !== 'message' && delivery > 1).length;
      expect(again).toBeGreaterThan(0);
      console.log(
        `agents, store ${number}: ${all('sent').length} messages, ${began.length} deliveries, ${again} wakes again`,
      );
      await venue.close();
    },
    patience,
  );
});
