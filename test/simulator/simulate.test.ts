// Whatever happens to the disk and whenever the world ends: what was reported durable is there again, nothing else is, forks
// are whole, and the store opens. A failure prints what replays it.
import { describe, expect, it } from 'vitest';
import { type Fault, type Op, possible } from './faults';
import { fixedPrograms } from './fixed';
import { programOf, run } from './simulate';
import type { Incident } from './world';

const programs = 2000;
const seedsBegin = 1;
const timeoutMs = 300_000;

describe('what was reported durable survives', () => {
  it(`in ${programs} random programs`, { timeout: timeoutMs }, async () => {
    const failures: string[] = [];
    for (let seed = seedsBegin; seed < seedsBegin + programs; seed++) {
      const { error } = await run(programOf(seed));
      if (error) failures.push(`npm run simulate -- --seed ${seed} --runs 1 --shrink: ${error.message}`);
    }
    expect(failures).toEqual([]);
  });
});

for (const program of fixedPrograms) {
  const callsOf = async (): Promise<Op[]> => {
    const ops: Op[] = [];
    const { error } = await run(program, undefined, (op) => ops.push(op));
    expect(error).toBeUndefined();
    return ops;
  };
  const failuresOf = async (incidents: readonly Incident[]): Promise<string[]> => {
    const failures: string[] = [];
    for (const incident of incidents) {
      const { error } = await run(program, incident);
      if (error) failures.push(`${JSON.stringify(incident)}: ${error.message}`);
    }
    return failures;
  };

  describe(program.name, () => {
    it('survives a crash before and after every call of the disk', { timeout: timeoutMs }, async () => {
      const calls = await callsOf();
      const crashes = [
        { how: 'power', phase: 'before' },
        { how: 'power', phase: 'after' },
        { how: 'kill', phase: 'after' },
      ] as const;
      const incidents = calls.flatMap((_, at) => crashes.map((crash) => ({ call: at + 1, ...crash })));
      expect(await failuresOf(incidents)).toEqual([]);
    });

    it('survives every call of the disk failing once in every way', { timeout: timeoutMs }, async () => {
      const faultsOf = (op: Op): Fault[] => [
        ...new Set<Fault>([...possible[op], ...(op === 'open' ? ['EROFS' as const] : [])]),
      ];
      const incidents = (await callsOf()).flatMap((op, at) => faultsOf(op).map((fault) => ({ call: at + 1, fault })));
      expect(await failuresOf(incidents)).toEqual([]);
    });
  });
}
