// Runs programs, one world each, and makes failures small: from a seed to a verdict that can be replayed.
import type { Op } from './faults';
import { type Program, randomProgram } from './program';
import { Random } from './random';
import { type Incident, type Tally, World } from './world';

export interface Verdict {
  readonly tally: Tally;
  readonly error?: Error;
}

export const programOf = (seed: number): Program => randomProgram(seed, new Random(seed));

/** @param watch is told of every call of the disk, in order. */
export async function run(program: Program, incident?: Incident, watch?: (op: Op) => void): Promise<Verdict> {
  // Not the program's numbers: its seed drew those already.
  const world = new World(program.seed + 2 ** 40, incident, watch);
  try {
    await world.run(program);
    return { tally: world.tally };
  } catch (error) {
    return { tally: world.tally, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** Leaves out steps as long as the program fails in the same way. */
export async function shrink(program: Program, error: Error): Promise<Program> {
  const kind = (message: string) => message.replace(/\d+/g, 'n');
  let smallest = program;
  for (let size = Math.ceil(program.steps.length / 2); size >= 1; ) {
    let smaller = false;
    for (let from = 0; from < smallest.steps.length; ) {
      const steps = [...smallest.steps.slice(0, from), ...smallest.steps.slice(from + size)];
      const { error: again } = await run({ ...smallest, steps });
      if (again && kind(again.message) === kind(error.message)) {
        smallest = { ...smallest, steps };
        smaller = true;
      } else from += size;
    }
    if (!smaller) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  return smallest;
}
