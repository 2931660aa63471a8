// npm run simulate -- --seed N --runs M [--shrink]: runs the programs of M seeds from N on; prints what failed, how to replay
// it, and what the worlds have been through.
import { parseArgs } from 'node:util';
import { programOf, run, shrink } from './simulate';
import type { Tally } from './world';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1000' },
    shrink: { type: 'boolean', default: false },
  },
});
const first = Number(values.seed);
const runs = Number(values.runs);
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(runs) || first < 0 || runs < 1) {
  console.error('usage: npm run simulate -- --seed N --runs M [--shrink]');
  process.exit(2);
}
const total: Partial<Record<keyof Tally, number>> = {};
const began = performance.now();
let failed = 0;

for (let seed = first; seed < first + runs; seed++) {
  const program = programOf(seed);
  const { tally, error } = await run(program);
  for (const [name, count] of Object.entries(tally) as [keyof Tally, number][])
    total[name] = (total[name] ?? 0) + count;
  if (error) {
    failed++;
    console.log(`seed ${seed}: ${error.stack}`);
    console.log(`replay: npm run simulate -- --seed ${seed} --runs 1 --shrink`);
    if (values.shrink) {
      const { seed: world, steps } = await shrink(program, error);
      console.log(`smaller, in world ${world}:`);
      for (const step of steps) console.log(`  ${JSON.stringify(step)},`);
    }
  }
  if ((seed - first + 1) % 10_000 === 0) console.log(`${seed - first + 1} programs, ${failed} failed`);
}
const seconds = (performance.now() - began) / 1000;
console.log(
  `${runs} programs from seed ${first}: ${failed} failed, ${seconds.toFixed(1)} s (${Math.round(runs / seconds)} a second)`,
);
console.log(
  Object.entries(total)
    .map(([name, count]) => `${count} ${name}`)
    .join(', '),
);
process.exitCode = failed > 0 ? 1 : 0;
