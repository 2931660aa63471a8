// Real kills: children run workflows on real stores and are killed with SIGKILL at random moments. What they did to the world is held against what
// the store says of it.
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { openTraces, type Traces, type WorkflowResult } from '../../src/services/traces';
import { readTrace, type TraceLine } from '../crash/trace';
import { Random } from '../simulator/random';
import { kindOf, stepNames, type TracesOptions } from './children/traces-plan';
import { mortal } from './mortal';

/** Two stores beside each other: 50 kills in all. */
const kills = 25;
const patience = 300_000;

const child = mortal<TracesOptions>('traces');

/** All that was done to the world, in order; what was done to one trace in one text each. */
class Witness {
  private readonly done = new Map<string, string[]>();
  private readonly ended = new Map<string, WorkflowResult>();
  private readonly appended = new Map<string, number>();

  hear(lines: TraceLine[]): void {
    for (const { what, data } of lines) {
      expect(what).not.toBe('wrong');
      if (what === 'opened') expect(data, 'damage').toBe(0);
      if (what === 'appended') this.appended.set(...(data as [string, number]));
      if (what === 'ended') this.ended.set((data as WorkflowResult).traceId, data as WorkflowResult);
      if (what !== 'run' && what !== 'undo') continue;
      const [id, name] = data as [string, string];
      expect(this.ended.has(id), `${what} ${name} of ${id} after its end`).toBe(false);
      this.done.set(id, [...(this.done.get(id) ?? []), `${what} ${name}`]);
    }
  }

  /** Holds the store to it. @returns how many compensations are in doubt */
  judge(traces: Traces, drained: boolean): number {
    let doubts = 0;
    for (const [id, step] of this.appended) {
      // In order of their steps, two of each, none missing; what was on its way when it was killed may be there, too.
      const steps = traces.load(id)!.envelopes.map((envelope) => envelope.step);
      expect(steps.slice(0, 2 * (step + 1))).toEqual(Array.from({ length: 2 * (step + 1) }, (_, i) => i >> 1));
      expect(steps.length).toBeLessThanOrEqual(2 * (step + 2));
    }
    for (const { traceId, outcome } of this.ended.values()) expect(traces.load(traceId)?.outcome).toBe(outcome);
    for (const [id, done] of this.done) {
      const ran = done.filter((what) => what.startsWith('run')).map((what) => what.slice(4));
      const undone = done.filter((what) => what.startsWith('undo')).map((what) => what.slice(5));
      expect(done, id).toEqual([...ran.map((name) => `run ${name}`), ...undone.map((name) => `undo ${name}`)]);
      expect(ran, id).toEqual([...ran].sort());
      expect(undone, id).toEqual([...undone].sort().reverse());
      const trace = traces.load(id);
      if (!trace) {
        expect([...new Set(done)], 'its first step was never finished').toEqual(['run s0']);
        continue;
      }
      const { fails, idempotent } = kindOf(id);
      if (!idempotent) expect(new Set(undone).size, `${id}: ${done}`).toBe(undone.length);
      if (drained) expect(trace.outcome, id).toBeDefined();
      if (!trace.outcome) continue;
      expect(trace.outcome === 'success', id).toBe(!fails);
      for (const name of fails ? stepNames.slice(0, -1) : []) {
        const state = traces.idempotency.get(id, name)?.state;
        if (state === 'in_doubt') {
          doubts++;
          expect([trace.outcome, idempotent]).toEqual(['fault', false]);
        } else {
          expect(state, `${id}: ${name}`).toBe('done');
          expect(undone).toContain(name);
        }
      }
    }
    return doubts;
  }

  get report(): string {
    const count = (what: string) => [...this.done.values()].flat().filter((one) => one.startsWith(what)).length;
    return `${this.done.size} workflows, ${count('run')} steps, ${count('undo')} compensations`;
  }
}

describe.concurrent('workflows and checkpoints of a process that is killed', () => {
  it.each([1, 2])(
    'are all there, go on, and undo each step at most once (store %i)',
    async (n) => {
      const random = new Random(n);
      const store = child.at(`${n}.etch`);
      const witness = new Witness();
      const look = async (drained: boolean) => {
        const venue = await openVenue({ store, signals: false });
        const doubts = witness.judge(openTraces(venue), drained);
        await venue.close();
        return doubts;
      };
      for (let life = 1; life <= kills; life++) {
        const trace = child.at(`trace.${n}.${life}`);
        witness.hear(await child.live({ store, trace, life, drains: false }, 'working', random.below(200)));
        if (life % 5 === 0) await look(false);
      }
      const trace = child.at(`trace.${n}`);
      const { ended } = child.start({ store, trace, life: kills + 1, drains: true });
      expect(await ended).toEqual({ code: 0, signal: null, stderr: '' });
      witness.hear(await readTrace(trace));
      const doubts = await look(true);
      console.log(`${kills} kills: ${witness.report}, ${doubts} in doubt`);
    },
    patience,
  );
});
