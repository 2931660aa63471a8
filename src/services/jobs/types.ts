// What a program sees of jobs.
import type { JobStatus } from './state';

/** What becomes of a job whose writer is gone: `retry` as the next attempt, `fail`, or nothing until somebody says so. */
export type JobPolicy = 'retry' | 'fail' | 'ask';

export interface JobsOptions {
  /** By op, what recover() does. `ask` where nothing is said. */
  policies?: Readonly<Record<string, JobPolicy>>;
  /** What is not to be stored of a job, such as `input.apiKey` or `output.*.token`; `*` is every key or element. */
  redact?: readonly string[];
}

export interface NewJob {
  op: string;
  input?: unknown;
  /** Who asked for it. */
  caller?: string | undefined;
  /** For people. */
  name?: string | undefined;
}

/** A job as it was when it was asked for. Not to be changed in place. */
export interface Job {
  /** Sorts by the time of submission. */
  readonly id: string;
  readonly op: string;
  readonly input: unknown;
  readonly caller: string | undefined;
  readonly name: string | undefined;
  /** Milliseconds since 1970, as all times. */
  readonly submittedAt: number;
  readonly status: JobStatus;
  /** When it came to be so. */
  readonly changedAt: number;
  /** From 1. */
  readonly attempt: number;
  /** Whether this writer holds it: it is to run here. */
  readonly mine: boolean;
  /** What the present attempt last reported. */
  readonly progress: unknown;
  readonly output: unknown;
  readonly error: unknown;
  /** What was said with the present state: what is asked for, why it was paused or cancelled, what was answered. */
  readonly detail: unknown;
  /** Where its input was redacted: it cannot be retried. */
  readonly redacted: readonly string[] | undefined;
  /** Set while it waits or runs under a writer that is gone. */
  readonly recoverable:
    | { readonly reason: string /** When that writer was last heard of. */; readonly at: number }
    | undefined;
}

/** One line of a job's history. */
export interface JobEvent {
  readonly at: number;
  readonly status: JobStatus;
  readonly attempt: number;
  readonly detail?: unknown;
}

export interface JobFilter {
  status?: JobStatus | readonly JobStatus[] | undefined;
  /** Submitted at this time or later. */
  since?: number | undefined;
  limit?: number | undefined;
  /** `nextCursor` of the page before. */
  cursor?: string | undefined;
}

/** What became of what recover() found. */
export interface Recovery {
  readonly retried: readonly Job[];
  readonly failed: readonly Job[];
  /** Left as they are: their policy is `ask`, or `retry` and their input was redacted. */
  readonly asked: readonly Job[];
}

/** Part of a list. */
export interface JobPage {
  readonly jobs: Job[];
  /** For the next page; undefined on the last one. */
  readonly nextCursor: string | undefined;
}
