// Whatever happens to the disk and whenever the world ends: what was reported durable is there again, nothing else is, forks
// are whole, and the store opens. A failure prints what replays it.
import { describe, expect, it } from 'vitest';
import { programOf, run } from './simulate';

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
