// What a workflow is made of, and what comes of it: types. What "once" can mean is said here, since no program can do something elsewhere and record it
// in one move:
// - A step is recorded after it ran. After a crash in between it is run again: at least once.
// - A compensation is recorded before and after. After a crash in between nobody knows whether it took effect. If the step says that its compensation
//   is `idempotent` it is run again; else never, and it is reported as `in_doubt`: at most once.
import type { CompensationRecord, TraceOutcome } from './face';

export interface Retry {
  /** How often it is tried in all. Default 1. */
  attempts?: number;
  /** The pause after the first try in ms, doubled after each one; or what to wait after the nth. Default 0. */
  backoffMs?: number | ((attempt: number) => number);
}

export interface StepContext {
  readonly traceId: string;
  readonly step: number;
  readonly name: string;
  /** From 1, in this life of the program. */
  readonly attempt: number;
  /** To run: what the step before returned, or `input`. To compensate: what the step returned. */
  readonly payload: unknown;
  /** The same at every try and in every life, for services that take an idempotency key. */
  readonly key: string;
  /** @throws TidemarkError `lease_lost` if another writer may be running this workflow by now */
  check(): void;
}

export interface WorkflowStep {
  /** Unlike all others of the workflow. */
  name: string;
  /** @returns what the next step gets: JSON or nothing */
  run(context: StepContext): unknown;
  /** Undoes what a finished `run` did. */
  compensate?(context: StepContext): unknown;
  /** Whether `compensate` may be called again when it threw, or when a crash leaves open whether it took effect. */
  idempotent?: boolean;
  /** In place of the workflow's. */
  retry?: Retry;
}

/** A step that was finished, as a migration maps it. */
export interface FinishedStep {
  name: string;
  payload?: unknown;
}

export interface WorkflowOptions {
  /** Name of the workflow. Default `workflow`. */
  circuit?: string;
  /** Default 1. */
  schematicVersion?: string | number;
  /** What the first step gets as `payload`. Not stored. */
  input?: unknown;
  /** Completes the trace at the end: `success`, `compensated` or `fault`. Default true. */
  autoComplete?: boolean;
  /** How often a step is tried before it has failed for good; and the compensations of steps that are idempotent. */
  retry?: Retry;
  /** Whether finished steps are undone after a fault. Default true. */
  compensate?: boolean;
  /** When something does not get durable in time: `halt` rejects (default); `continue` goes on in memory and says `durable: false`. */
  onPersistenceFailure?: 'halt' | 'continue';
  /**
   * What to do with steps that another schematicVersion has recorded. `fail` throws `conflict` (default); `restart` begins anew; a function says which
   * steps are finished in terms of this version: the first ones, in order.
   */
  onVersionChange?: 'fail' | 'restart' | ((finished: FinishedStep[], version: string | number) => FinishedStep[]);
}

/** What became of the compensation of a step. One that `failed` or is `in_doubt` is not tried again, unless the step is idempotent. */
export interface Compensation extends CompensationRecord {
  step: number;
  name: string;
}

export interface WorkflowResult {
  traceId: string;
  /** `compensated`: after a fault, all compensations were run, and there was one. `fault`: something may remain of what the steps did. */
  outcome: TraceOutcome;
  /** What the last finished step returned. */
  payload?: unknown;
  /** The step that failed for good. `cause` only in the life in which it did. */
  fault?: { step: number; name: string; message: string; cause?: unknown } | undefined;
  /** Those that were begun, in their order: the last step's first. */
  compensations: Compensation[];
  /** Whether all of this would survive a crash now. */
  durable: boolean;
}
