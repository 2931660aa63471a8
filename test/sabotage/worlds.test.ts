// A few of the simulator's random programs: enough for a sabotage to be caught in seconds, in seeds that no other test uses.
import { describe, expect, it } from 'vitest';
import { programOf, run } from '../simulator/simulate';

const firstSeed = 1_000_000;
const programs = 300;

describe('what was reported durable survives, in small', () => {
  it(`in ${programs} random programs`, async () => {
    for (let seed = firstSeed; seed < firstSeed + programs; seed++) {
      const { error } = await run(programOf(seed));
      expect(error && `npm run simulate -- --seed ${seed} --runs 1 --shrink: ${error.message}`).toBeUndefined();
    }
  });
});
