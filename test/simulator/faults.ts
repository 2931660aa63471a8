// When a simulated call goes wrong and how: a plan ("the next fsync fails"), a policy drawn from a seed, or both. Decides,
// does nothing itself, and knows neither files nor time.
import type { Random } from './random';

export type Op =
  | 'open'
  | 'close'
  | 'write'
  | 'read'
  | 'fdatasync'
  | 'fsync'
  | 'truncate'
  | 'size'
  | 'rename'
  | 'link'
  | 'unlink'
  | 'mkdir'
  | 'readdir'
  | 'syncFolder';

/** An error code, or `short`: fewer bytes than asked for. */
export type Fault = 'short' | 'EIO' | 'ENOSPC' | 'EROFS' | 'EMFILE' | 'ENFILE' | 'EACCES';

/** An error as node:fs makes it; like those, without a stack, which would be half the time of a simulation. */
export function failure(code: string, op: string, path: string): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = new Error(`${code}: simulated, ${op} '${path}'`);
  Error.stackTraceLimit = stackTraceLimit;
  return Object.assign(error, { code, syscall: op, path });
}

/** What each call can meet. A failed close has closed. */
export const possible: Readonly<Record<Op, readonly Fault[]>> = {
  open: ['EMFILE', 'EIO'],
  close: ['EIO'],
  write: ['short', 'short', 'ENOSPC', 'EIO'],
  read: ['short', 'EIO'],
  fdatasync: ['EIO', 'ENOSPC'],
  fsync: ['EIO', 'ENOSPC'],
  truncate: ['EIO'],
  size: ['EIO'],
  rename: ['EIO', 'ENOSPC'],
  link: ['EIO', 'ENOSPC'],
  unlink: ['EIO'],
  mkdir: ['EIO', 'ENOSPC'],
  readdir: ['EIO', 'EMFILE'],
  syncFolder: ['EIO', 'EMFILE'],
};

export interface Policy {
  /** The chance that a call goes wrong. */
  readonly rate: number;
  /** Which calls; all of them if absent. */
  readonly ops?: readonly Op[];
}

export class Faults {
  private planned: { op: Op; fault: Fault; skip: number }[] = [];
  private policy: Policy = { rate: 0 };

  constructor(private readonly random: Random) {}

  /** The next call of `op` goes wrong, after `skip` that do not. */
  failNext(op: Op, fault: Fault, skip = 0): void {
    this.planned.push({ op, fault, skip });
  }

  set(policy: Policy): void {
    this.policy = policy;
  }

  draw(op: Op): Fault | undefined {
    const at = this.planned.findIndex((plan) => plan.op === op && plan.skip-- === 0);
    if (at >= 0) return this.planned.splice(at, 1)[0]!.fault;
    if (this.policy.ops && !this.policy.ops.includes(op)) return undefined;
    return this.random.chance(this.policy.rate) ? this.random.pick(possible[op]) : undefined;
  }
}
