// What is stored of a session, and which of two versions of it counts when two writers have each changed it: a total order, so that all end
// equal. Pure functions.

export type SessionState = 'created' | 'running' | 'idle' | 'completed' | 'failed' | 'killed' | 'orphaned';

export interface SessionHeaders {
  projectRoot: string;
  harness: string;
  /** The session that this one continues. */
  relaunchOf?: string;
  [name: string]: unknown;
}

export interface SessionRecord {
  readonly headers: SessionHeaders;
  /** Who alone may append to it, as liveness knows it. */
  readonly holder: string;
  readonly state: SessionState;
  /** When it came into this state, and by which writer. */
  readonly at: number;
  readonly by: string;
  /** How often its holder has changed it. */
  readonly turn: number;
  /** What it was completed with, or why it failed or was killed. */
  readonly outcome?: unknown;
}

const phases = { created: 0, running: 1, idle: 1, orphaned: 2, completed: 3, failed: 3, killed: 3 };

export const isOver = (state: SessionState): boolean => phases[state] > 1;

/** Its holder knows best how it ended, and was told that its word is durable. */
const phaseOf = ({ state, holder, by }: SessionRecord): number =>
  phases[state] + (phases[state] === 3 && holder.startsWith(`${by}.`) ? 1 : 0);

/** The later phase; the holder's last word while it lives, the first word of others when it is over. */
export function joinRecords(a: SessionRecord, b: SessionRecord): SessionRecord {
  const later = phaseOf(a) - phaseOf(b) || (isOver(a.state) ? b.at - a.at : a.turn - b.turn);
  return (later || compare(a.state, b.state) || compare(a.by, b.by)) >= 0 ? a : b;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
