// How a simulated process makes a call: counted, with a hook around it for crash points, maybe slow, maybe faulty, and
// without an answer once the process is dead. Knows nothing of files; what a call does is handed in.
import type { Clock } from '../../src/base/seams';
import { type Fault, Faults, failure, type Op } from './faults';
import type { Random } from './random';

/** Before a call nothing has happened; after it, it has, and nobody has been told. */
export type Phase = 'before' | 'after';

/** What a call does to the disk, under a fault or without; throws as the system call would fail. */
export type Effect<T> = (fault?: Fault) => T;

const never = <T>(): Promise<T> => new Promise(() => {});

export class Calls {
  /** Whether everything that writes fails with EROFS. */
  readOnly = false;
  onCall: ((call: number, phase: Phase, op: Op, path: string) => void) | undefined;
  count = 0;
  dead = false;
  readonly faults: Faults;
  slow: { rate: number; ms: number } = { rate: 0, ms: 0 };
  /** Calls that were issued and have not happened yet. */
  private readonly outstanding = new Set<() => void>();

  constructor(
    private readonly random: Random,
    private readonly clock: Clock | undefined,
  ) {
    this.faults = new Faults(random.fork());
  }

  /** No call settles from here on; those that were issued have happened or not. */
  die(): void {
    if (this.dead) return;
    this.dead = true;
    for (const happen of this.outstanding) if (this.random.chance(0.5)) happen();
    this.outstanding.clear();
  }

  make<T>(op: Op, path: string, effect: Effect<T>, writes = false): Promise<T> {
    if (this.dead) return never();
    const fault = this.begin(op, path, writes);
    const call = this.count;
    if (this.dead) return never();
    if (!this.clock || !this.random.chance(this.slow.rate)) return this.finish(call, op, path, effect, fault);
    return new Promise((resolve, reject) => {
      const happen = () => {
        try {
          effect(fault);
        } catch {
          // nobody is left to be told
        }
      };
      this.outstanding.add(happen);
      this.clock!.setTimeout(
        () => {
          if (this.outstanding.delete(happen)) this.finish(call, op, path, effect, fault).then(resolve, reject);
        },
        this.random.below(this.slow.ms + 1),
      );
    });
  }

  /** A synchronous call of a process that dies in it cannot hang: it throws, and nothing the process does afterwards has an effect. */
  makeNow<T>(op: Op, path: string, effect: Effect<T>, writes = false): T {
    const mustLive = () => {
      if (this.dead) throw failure('dead', op, path);
    };
    mustLive();
    const fault = this.begin(op, path, writes);
    mustLive();
    const result = this.happen(this.count, op, path, effect, fault);
    mustLive();
    return result;
  }

  private begin(op: Op, path: string, writes: boolean): Fault | undefined {
    this.count++;
    this.onCall?.(this.count, 'before', op, path);
    return writes && this.readOnly ? 'EROFS' : this.faults.draw(op);
  }

  private finish<T>(call: number, op: Op, path: string, effect: Effect<T>, fault: Fault | undefined): Promise<T> {
    try {
      const result = this.happen(call, op, path, effect, fault);
      return this.dead ? never() : Promise.resolve(result);
    } catch (error) {
      return this.dead ? never() : Promise.reject(error);
    }
  }

  private happen<T>(call: number, op: Op, path: string, effect: Effect<T>, fault: Fault | undefined): T {
    try {
      return effect(fault);
    } finally {
      this.onCall?.(call, 'after', op, path);
    }
  }
}
