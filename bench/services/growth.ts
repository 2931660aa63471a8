// How a service grows with what is in it: two sizes, each round in a process of its own, a table of medians. Never fails for being slow.
import { fork } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { median } from '../stats';

/** What is measured, by name. */
export type Sample = Record<string, number>;

export interface Growth {
  readonly what: string;
  readonly sizes: readonly [small: number, large: number];
  readonly rounds: number;
  /** What is measured, and whether it grows with the size. */
  readonly rows: Record<string, { unit: string; grows: boolean; digits: number }>;
  measure(size: number, store: string): Promise<Sample>;
}

function inOwnProcess(what: string, size: number, store: string): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const child = fork(process.argv[1]!, [String(size), store], {
      execArgv: ['--expose-gc'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    child.on('message', (sample) => resolve(sample as Sample));
    child.on('exit', (code) => reject(new Error(`bench: ${size} ${what} ended with ${code}`)));
  });
}

async function samplesOf({ what, sizes, rounds }: Growth): Promise<Sample[][]> {
  const scratch = join(process.cwd(), '.tmp', `bench-${what}-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  const samples: Sample[][] = sizes.map(() => []);
  try {
    for (let round = 0; round < rounds; round++)
      for (const [i, size] of sizes.entries()) {
        const store = join(scratch, `${size}-${round}`);
        samples[i]!.push(await inOwnProcess(what, size, store));
        rmSync(store, { recursive: true });
      }
  } finally {
    rmSync(scratch, { recursive: true });
  }
  return samples;
}

function print({ sizes, rows }: Growth, samples: Sample[][]): void {
  const [small, large] = sizes;
  const growth = (large / small) * (Math.log(large) / Math.log(small));
  const head = sizes.map((size) => size.toLocaleString('en').padStart(12));
  console.log(`${''.padEnd(44)}${head.join('')}   grows by (n log n: ${growth.toFixed(1)})`);
  for (const [name, { unit, grows, digits }] of Object.entries(rows)) {
    const [few = 0, many = 0] = samples.map((all) => median(all.map((sample) => sample[name]!)));
    const cells = [few, many].map((n) =>
      `${n.toLocaleString('en', { maximumFractionDigits: digits })} ${unit}`.padStart(12),
    );
    const ratio = many / few;
    const verdict = grows ? (ratio <= growth ? 'no worse than n log n' : 'MORE than n log n') : 'not with n';
    console.log(`${name.padEnd(44)}${cells.join('')}   ${ratio.toFixed(1)}x, ${verdict}`);
  }
}

/** The main program of a bench, and of the processes that it starts. */
export async function runGrowth(growth: Growth): Promise<void> {
  const [size, store] = process.argv.slice(2);
  if (size && store) process.send!(await growth.measure(Number(size), store), () => process.disconnect());
  else print(growth, await samplesOf(growth));
}
