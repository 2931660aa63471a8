// What a job can be, and what becomes of it when two writers speak of it at once. Pure functions over plain data; knows no venue.

const open = ['PENDING', 'STARTED', 'PAUSED', 'INPUT_REQUIRED', 'AUTH_REQUIRED'] as const;
const final = ['COMPLETE', 'FAILED', 'CANCELLED', 'REJECTED'] as const;

export type JobStatus = (typeof open)[number] | (typeof final)[number];

/** From which states each call leads on; every other one throws IllegalTransition. */
export const from = {
  start: ['PENDING'],
  pause: ['STARTED'],
  requireInput: ['STARTED'],
  requireAuth: ['STARTED'],
  resume: ['PAUSED', 'INPUT_REQUIRED', 'AUTH_REQUIRED'],
  // Whoever runs a job hears a little later that it was paused.
  progress: ['STARTED', 'PAUSED'],
  complete: ['STARTED', 'PAUSED'],
  end: open,
} as const satisfies Record<string, readonly JobStatus[]>;

export const isFinal = (status: JobStatus): boolean => (final as readonly JobStatus[]).includes(status);

/** What was last reported of an attempt. */
export interface Progress {
  attempt: number;
  /** Sortable id of the report. */
  ev: string;
  value: unknown;
}

/** The state of a job, as it is stored. Each change is made by one writer and named by a sortable id. */
export interface JobState {
  status: JobStatus;
  attempt: number;
  /** How many changes led here. */
  rev: number;
  /** Id of the change that led here. */
  ev: string;
  /** Who runs it; while it is pending, who submitted it. */
  holder: string;
  progress?: Progress | undefined;
  output?: unknown;
  error?: unknown;
  detail?: unknown;
  /** Of an end: that nobody else can have been first any more. See agree.ts. */
  sealed?: true | undefined;
  /** Of an end: others that were made at the same time and lost; 1 for those whose writers know. */
  rivals?: Record<string, 0 | 1> | undefined;
}

/**
 * The join of two states. An end stands above all else; of two ends the one that is sealed, then the first: so an end, once there, stays, and
 * `rivals` tells both writers of each other. Of two states before the end the later attempt, then the one that more changes led to, then the last.
 */
export function joinStates(a: JobState, b: JobState): JobState {
  const [won, lost] = order(a, b) < 0 ? [a, b] : [b, a];
  const { status, attempt, rev, ev, holder, output, error, detail, sealed } = won;
  const ended = isFinal(status);
  return {
    status,
    attempt,
    rev,
    ev,
    holder,
    // A finished job does not change at all.
    progress: ended ? won.progress : newer(a.progress, b.progress),
    output,
    error,
    detail,
    sealed,
    rivals: isFinal(lost.status) && !sealed ? rivalsOf(won, lost) : won.rivals,
  };
}

/** Below 0 if `a` stands above `b`. */
function order(a: JobState, b: JobState): number {
  const ended = isFinal(a.status);
  if (ended !== isFinal(b.status)) return ended ? -1 : 1;
  if (ended) return Number(b.sealed ?? false) - Number(a.sealed ?? false) || (a.ev < b.ev ? -1 : 1);
  return b.attempt - a.attempt || b.rev - a.rev || (a.ev > b.ev ? -1 : 1);
}

const newer = (a: Progress | undefined, b: Progress | undefined): Progress | undefined =>
  !a || (b && (b.attempt - a.attempt || (b.ev > a.ev ? 1 : -1)) > 0) ? b : a;

function rivalsOf(won: JobState, lost: JobState): JobState['rivals'] {
  const all: Record<string, 0 | 1> = { ...won.rivals };
  for (const [ev, gaveWay] of Object.entries({ [lost.ev]: 0 as const, ...lost.rivals }))
    if (ev !== won.ev) all[ev] = gaveWay || all[ev] || 0;
  const sorted = Object.entries(all).sort(([x], [y]) => (x < y ? -1 : 1));
  return sorted.length > 0 ? Object.fromEntries(sorted) : undefined;
}
