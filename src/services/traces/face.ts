// What traces are to those who use them: types. How they are kept is store.ts's.

/** How a trace ended. */
export type TraceOutcome = 'success' | 'fault' | 'cancelled' | 'compensated';

/** A checkpoint of one step. All of it is JSON. */
export interface Envelope {
  traceId: string;
  /** Which workflow it is of. */
  circuit: string;
  /** Which version of that workflow. */
  schematicVersion: string | number;
  /** From 0. */
  step: number;
  /** Tells apart what was recorded in the same step. */
  nodeId?: string | undefined;
  /** What became of the step, e.g. `success`. */
  outcomeKind: string;
  timestampMs: number;
  payload?: unknown;
}

/** What somebody did to a trace from outside. All of it is JSON. */
export interface Intervention {
  action: string;
  by?: string | undefined;
  step?: number | undefined;
  payload?: unknown;
}

export interface SavedIntervention extends Intervention {
  /** Sorts by time. */
  id: string;
  timestampMs: number;
}

export interface TraceInfo {
  traceId: string;
  /** Undefined if it ended before anything was recorded. */
  circuit?: string | undefined;
  startedMs?: number | undefined;
  /** Undefined while it is open. */
  outcome?: TraceOutcome | undefined;
  endedMs?: number | undefined;
  /** Which do not count: other writers ended it so, without having heard of the one that came first. */
  otherOutcomes: TraceOutcome[];
}

export interface Trace extends TraceInfo {
  /** By step, then by node. */
  envelopes: Envelope[];
  interventions: SavedIntervention[];
  /** Which do not count: other writers recorded them in the same places, without having heard of the one that came first. */
  conflicts: Envelope[];
}

export interface TracesOptions {
  /** For how long traces that ended so are kept, in ms; those not named are kept for ever. See `purge()`. */
  keepMs?: Partial<Record<TraceOutcome, number>>;
  /** How long to wait until something is durable before it is rejected with `flush_timeout`, in ms. Default 5000. */
  flushTimeoutMs?: number;
}

export interface ListOptions {
  outcome?: TraceOutcome | 'open' | undefined;
  /** Only traces that come after this one. */
  after?: string | undefined;
  limit?: number | undefined;
}

/** How far the compensation of a step has come. */
export interface CompensationRecord {
  /** `in_doubt`: it was begun, and nothing says whether it took effect. `failed`: it threw. */
  state: 'in_doubt' | 'failed' | 'done';
  /** When it came to that. */
  timestampMs: number;
  /** Why it failed. */
  message?: string | undefined;
}

/** Which compensations of workflows have been begun and which are done. */
export interface Idempotency {
  /** Of a step by its name; undefined if it was not begun. */
  get(traceId: string, name: string): CompensationRecord | undefined;
  /** Forgets what is older than so many ms, but not of traces that are not completed: theirs may still be asked for. @returns how many */
  purgeOlderThan(ms: number): number;
}

export interface Traces {
  /**
   * Records a checkpoint. Resolves when it is durable. The same again changes nothing, whatever the order of its keys.
   * @throws TidemarkError `conflict` if a different one stands there, also if another writer was first meanwhile (`load().conflicts` has ours then);
   * IllegalTransition if the trace is completed; FlushTimeoutError: it is in memory, and tried again
   */
  append(envelope: Envelope): Promise<void>;
  /** All that is known of a trace; undefined if nothing is. */
  load(traceId: string): Trace | undefined;
  /**
   * Where to go on after a step that was recorded; by default after the last one.
   * @throws TidemarkError `not_found`; `bad_option` for a step out of bounds; IllegalTransition if the trace is completed
   */
  resume(traceId: string, step?: number): { traceId: string; nextStep: number };
  /**
   * Ends a trace. Resolves when that is durable. The same again changes nothing.
   * @throws IllegalTransition if it has ended otherwise, also if another writer was first meanwhile; FlushTimeoutError
   */
  complete(traceId: string, outcome: TraceOutcome): Promise<void>;
  /** Records what somebody did, also to a trace that is completed. Resolves when it is durable. @throws TidemarkError `not_found`; FlushTimeoutError */
  saveIntervention(traceId: string, intervention: Intervention): Promise<SavedIntervention>;
  /** Traces in order of their ids. */
  list(options?: ListOptions): TraceInfo[];
  /** Deletes traces that were completed longer ago than `keepMs` says, with all that was recorded of them. @returns how many */
  purge(): Promise<number>;
  readonly idempotency: Idempotency;
}
