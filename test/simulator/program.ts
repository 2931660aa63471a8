// Programs: what a simulated application, its user and its machine do, as plain data drawn from a seed. Knows nothing of how
// a step is done; a program can be cut down step by step and stays one.
import type { KeyName } from './model';
import type { Random } from './random';

export interface Write extends KeyName {
  readonly how: 'set' | 'delete' | 'update';
  /** Size of the value. */
  readonly bytes: number;
}

/** How the world ends: power takes what was not synced, a kill does not. */
export type Death = 'power' | 'kill';

/** A crash at a call of the disk, counted from now. */
export interface CrashPoint {
  readonly how: Death;
  readonly calls: number;
  readonly phase: 'before' | 'after';
}

/** An opening that does not get through: it crashes, or calls fail at a rate. */
export type Trouble = CrashPoint | { readonly faults: number };

export type Step =
  | { readonly do: 'write'; readonly writes: readonly Write[] }
  /** `meanwhile` happens outside before it ends. */
  | {
      readonly do: 'fork';
      readonly writes: readonly Write[];
      readonly meanwhile: readonly Step[];
      readonly end: 'sync' | 'drop';
    }
  | { readonly do: 'flush'; readonly await: boolean; readonly timeoutMs?: number }
  | { readonly do: 'checkpoint'; readonly await: boolean }
  /** What was last written so long ago is deleted. */
  | { readonly do: 'purge'; readonly region: string; readonly ms: number }
  /** How much the store takes. */
  | { readonly do: 'usage' }
  | { readonly do: 'wait'; readonly ms: number }
  /** The wall clock is set. */
  | { readonly do: 'jump'; readonly ms: number }
  | { readonly do: 'close' }
  /** The process ends by itself, with the synchronous last resort. */
  | { readonly do: 'exit' }
  /** Another process tries to open the store. */
  | { readonly do: 'intrude' }
  /** Calls go wrong at this rate; 0 heals. */
  | { readonly do: 'faults'; readonly rate: number }
  | { readonly do: 'fill'; readonly roomBytes: number }
  | { readonly do: 'readOnly' }
  | { readonly do: 'slow'; readonly rate: number; readonly ms: number }
  /** All that was wrong with the disk is put right; what was held up goes through, by a flush or by itself. */
  | { readonly do: 'heal'; readonly flush: boolean }
  /** `recovery`: what goes wrong in the openings that follow, one after the other. */
  | { readonly do: 'crash'; readonly how: Death; readonly recovery: readonly Trouble[] }
  /** The crash comes at some later call of the disk, or at the end of the program. */
  | { readonly do: 'crashAt'; readonly at: CrashPoint; readonly recovery: readonly Trouble[] };

export interface Program {
  readonly seed: number;
  readonly sweepMs: number;
  readonly steps: readonly Step[];
}

/** `top` keeps the greatest value, the others the newest. */
export const regions = ['notes', 'jobs', 'top'] as const;
const keysPerRegion = 6;

export function randomProgram(seed: number, random: Random): Program {
  /** Some worlds have a good disk, so that what only a crash may do is told apart from what only a fault may do. */
  const faulty = random.chance(0.5);
  /** Few worlds have values so large that commits are cut in parts and checkpoints come by themselves: they take long. */
  const largest = random.chance(0.02) ? 7_000_000 : 20_000;
  const length = 3 + random.below(random.chance(0.2) ? 60 : 20);
  const weights = {
    write: 12,
    fork: 3,
    flush: 4,
    checkpoint: 2,
    purge: 0.3,
    usage: 0.3,
    wait: 6,
    jump: 1,
    close: 1,
    exit: 0.5,
    intrude: 0.3,
    slow: 0.7,
    crash: 1.5,
    crashAt: 1.5,
    heal: 1,
    faults: faulty ? 1.5 : 0,
    fill: faulty ? 0.7 : 0,
    readOnly: faulty ? 0.3 : 0,
  };
  const steps = Array.from({ length }, () => randomStep(random, random.weighted(weights), largest));
  return { seed, sweepMs: random.pick([100, 100, 10, 0]), steps };
}

function randomStep(random: Random, kind: Step['do'], largest: number): Step {
  switch (kind) {
    case 'write':
      return { do: 'write', writes: randomWrites(random, 5, largest) };
    case 'fork': {
      const kinds = Array.from({ length: random.below(4) }, () =>
        random.pick(['write', 'flush', 'checkpoint', 'wait'] as const),
      );
      const writes = randomWrites(random, 5, largest);
      const clash = (step: Step): Step =>
        step.do === 'write' ? { ...step, writes: randomWrites(random, 3, largest, writes) } : step;
      const meanwhile = kinds.map((meanwhile) => clash(randomStep(random, meanwhile, largest)));
      return { do: 'fork', writes, meanwhile, end: random.chance(0.75) ? 'sync' : 'drop' };
    }
    case 'flush':
      return {
        do: 'flush',
        await: random.chance(0.7),
        ...(random.chance(0.2) && { timeoutMs: 1 + random.below(random.chance(0.2) ? 20_000 : 500) }),
      };
    case 'checkpoint':
      return { do: 'checkpoint', await: random.chance(0.6) };
    case 'purge':
      return { do: 'purge', region: random.pick(['notes', 'jobs']), ms: random.below(1000) };
    case 'heal':
      return { do: 'heal', flush: random.chance(0.5) };
    case 'wait':
      return { do: 'wait', ms: random.below(random.chance(0.2) ? 10_000 : 200) };
    case 'jump':
      return { do: 'jump', ms: Math.floor((random.fraction() - 0.5) * 10 ** (1 + random.below(10))) };
    case 'faults':
      return { do: 'faults', rate: random.pick([0.01, 0.1, 0.5, 1]) };
    case 'fill':
      return { do: 'fill', roomBytes: random.below(random.chance(0.5) ? 100 : 4000) };
    case 'slow':
      return { do: 'slow', rate: random.pick([0, 0.2, 1]), ms: random.pick([1, 20, 300]) };
    case 'crash':
      return { do: 'crash', how: randomDeath(random), recovery: randomTroubles(random) };
    case 'crashAt':
      return { do: 'crashAt', at: randomPoint(random), recovery: randomTroubles(random) };
    default:
      return { do: kind };
  }
}

const randomDeath = (random: Random): Death => (random.chance(0.7) ? 'power' : 'kill');

const randomPoint = (random: Random): CrashPoint => ({
  how: randomDeath(random),
  calls: 1 + random.below(random.chance(0.7) ? 12 : 40),
  phase: random.chance(0.5) ? 'before' : 'after',
});

const randomTroubles = (random: Random): Trouble[] =>
  Array.from({ length: random.chance(0.3) ? 1 + random.below(3) : 0 }, () =>
    random.chance(0.2) ? { faults: random.pick([0.05, 0.3]) } : randomPoint(random),
  );

/** @param largest of the few values that are large. @param among keys that are written rather than any. */
function randomWrites(random: Random, max: number, largest: number, among: readonly KeyName[] = []): Write[] {
  return Array.from({ length: 1 + random.below(max) }, () => {
    const anywhere = { region: random.pick(regions), key: `k${random.below(keysPerRegion)}` };
    const { region, key } = among.length > 0 && random.chance(0.7) ? random.pick(among) : anywhere;
    // What deleting does to a join is not a matter of time, and the model knows only time.
    const how = random.weighted({ set: 6, delete: region === 'top' ? 0 : 3, update: 1 });
    return { region, key, how, bytes: region === 'top' ? 0 : random.below(random.chance(0.05) ? largest : 60) };
  });
}
