// What a workload is to the program that runs it: which measurements, how one is made in a process of its own, how the
// results read and what they are held against. Knows no workload.
import type { Contestant } from './contestant';
import { median } from './stats';

/** What one process measured. */
export type Sample = Readonly<Record<string, number>>;

export type Options = Readonly<Record<string, number>>;

/** One row of a workload's table: a contestant and how it is to be driven. */
export interface Row {
  readonly name: string;
  readonly contestant: string;
  readonly rounds: number;
  readonly options: Options;
  /** Works on a store that was prepared before, see Workload.prepare; otherwise in an empty folder. */
  readonly prepared?: string;
  /** Works on a copy of it, since it changes it. */
  readonly copy?: boolean;
}

export interface Column {
  readonly metric: string;
  readonly title: string;
  readonly digits: number;
}

export interface Goal {
  readonly work: string;
  /** The goal as the issue puts it. */
  readonly goal: string;
  readonly measured: string;
  readonly reached: boolean;
  /** How far beside it, when it was not reached. */
  readonly by?: string;
}

/** How much to do: `full`, or a hundredth of the truth in a fraction of the time. */
export interface Scale {
  readonly quick: boolean;
  /** Entries of a large state. */
  readonly many: number;
  rounds(full: number): number;
}

/** What a workload may ask of the program that runs it. */
export interface Lab {
  readonly scale: Scale;
  /** Makes a prepared store, once in a run. */
  prepare(name: string, workload: string, contestant: string, options: Options, from?: string): Promise<void>;
  /** One measurement whose result is needed to plan others. */
  probe(workload: string, contestant: string, options: Options): Promise<Sample>;
}

export interface Workload {
  readonly name: string;
  readonly title: string;
  /** What the numbers mean, in a sentence or two. */
  readonly about: string;
  readonly columns: readonly Column[];
  plan(lab: Lab): Promise<readonly Row[]>;
  /** In a process of its own. */
  run(contestant: Contestant, folder: string, options: Options): Promise<Sample>;
  judge(results: Results): readonly Goal[];
}

export class Results {
  constructor(private readonly samples: ReadonlyMap<string, readonly Sample[]>) {}

  has(row: string): boolean {
    return this.samples.has(row);
  }

  rows(): string[] {
    return [...this.samples.keys()];
  }

  toJSON(): Record<string, readonly Sample[]> {
    return Object.fromEntries(this.samples);
  }

  values(row: string, metric: string): number[] {
    return (this.samples.get(row) ?? []).map((sample) => sample[metric]).filter((value) => value !== undefined);
  }

  median(row: string, metric: string): number {
    return median(this.values(row, metric));
  }

  /** Ratio of two rows, round by round, so that what slowed the machine in a round slows both: median, least, most. */
  ratio(row: string, over: string, metric: string, overMetric = metric): Ratio {
    const below = this.values(over, overMetric);
    return Ratio.of(this.values(row, metric).map((value, round) => value / below[round % below.length]!));
  }
}

export class Ratio {
  private constructor(
    readonly median: number,
    private readonly least: number,
    private readonly most: number,
  ) {}

  static of(ratios: readonly number[]): Ratio {
    return new Ratio(median(ratios), Math.min(...ratios), Math.max(...ratios));
  }

  toString(): string {
    return `${this.median.toFixed(2)}x (${this.least.toFixed(2)} to ${this.most.toFixed(2)})`;
  }
}

/** A goal of the form "at most `most` times". */
export function atMost(work: string, goal: string, what: string, ratio: Ratio, most: number): Goal {
  const measured = `${what}: ${ratio}`;
  return ratio.median <= most
    ? { work, goal, measured, reached: true }
    : { work, goal, measured, reached: false, by: `${(ratio.median / most).toFixed(2)} times the goal` };
}
