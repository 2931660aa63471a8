// Runs programs, one world each, and makes failures small: from a seed to a verdict that can be replayed.
import type { Op } from './faults';
import { type Program, randomProgram, type Step } from './program';
import { Random } from './random';
import { type Incident, type Tally, World, WorldError } from './world';

export interface Verdict {
  readonly tally: Tally;
  readonly error?: Error;
}

export const programOf = (seed: number): Program => randomProgram(seed, new Random(seed));

/** @param watch is told of every call of the disk, in order. */
export async function run(program: Program, incident?: Incident, watch?: (op: Op) => void): Promise<Verdict> {
  // Not the program's numbers: its seed drew those already.
  const world = new World(program.seed + 2 ** 40, incident, watch);
  // A rejection that nobody hears ends a real process.
  const unheard = (error: unknown) => {
    world.failure ??= new WorldError(`unhandled rejection: ${error}`, { cause: error });
  };
  process.on('unhandledRejection', unheard);
  try {
    await world.run(program);
    return { tally: world.tally };
  } catch (error) {
    return { tally: world.tally, error: error instanceof Error ? error : new Error(String(error)) };
  } finally {
    process.off('unhandledRejection', unheard);
  }
}

/** A shorter program meets its crashes elsewhere: so many worlds are tried before one is given up. */
const worldsPerShrink = 30;

/** Leaves out steps as long as the program fails in the same way in some world. */
export async function shrink(program: Program, error: Error): Promise<Program> {
  const kind = (message: string) => message.replace(/[0-9a-f]*\d[0-9a-f]*/g, 'n');
  const fails = async (steps: readonly Step[]): Promise<Program | undefined> => {
    for (let world = 0; world < worldsPerShrink; world++) {
      const shorter = { ...program, seed: program.seed + world, steps };
      const { error: again } = await run(shorter);
      if (again && kind(again.message) === kind(error.message)) return shorter;
    }
    return undefined;
  };
  let smallest = program;
  for (let size = Math.ceil(program.steps.length / 2); size >= 1; ) {
    let smaller = false;
    for (let from = 0; from < smallest.steps.length; ) {
      const { steps } = smallest;
      const shorter = await fails([...steps.slice(0, from), ...steps.slice(from + size)]);
      if (shorter) {
        smallest = shorter;
        smaller = true;
      } else from += size;
    }
    if (!smaller) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  return smallest;
}
