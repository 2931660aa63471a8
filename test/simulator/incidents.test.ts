// Every call of the disk that a few fixed programs make, one at a time: the world ends before it, ends after it, or it fails
// in each way that it can. What was promised holds all the same.
import { describe, expect, it } from 'vitest';
import { type Fault, type Op, possible } from './faults';
import { fixedPrograms } from './fixed';
import { run } from './simulate';
import type { Incident } from './world';

const timeoutMs = 300_000;

const crashes = [
  { how: 'power', phase: 'before' },
  { how: 'power', phase: 'after' },
  { how: 'kill', phase: 'after' },
] as const;

const faultsOf = (op: Op): Fault[] => [...new Set(possible[op]), ...(op === 'open' ? ['EROFS' as const] : [])];

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
      const incidents = calls.flatMap((_, at) => crashes.map((crash) => ({ call: at + 1, ...crash })));
      expect(await failuresOf(incidents)).toEqual([]);
    });

    it('survives every call of the disk failing once in every way', { timeout: timeoutMs }, async () => {
      const incidents = (await callsOf()).flatMap((op, at) => faultsOf(op).map((fault) => ({ call: at + 1, fault })));
      expect(await failuresOf(incidents)).toEqual([]);
    });
  });
}
