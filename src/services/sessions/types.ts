// What users see of sessions. Types only.
import type { HeaderValue } from './lookup';
import type { SessionHeaders, SessionState } from './record';

/** What was said or done in a session: any JSON object with a `type`. */
export interface SessionEvent {
  type: string;
  payload?: unknown;
}

export interface RecordedEvent {
  /** From 1, without gaps. */
  seq: number;
  /** Wall clock, ms since 1970. */
  at: number;
  event: SessionEvent;
  /** Where something was left out of it. */
  redacted?: string[];
}

/** What a user interface may offer. */
export interface Affordances {
  input: boolean;
  kill: boolean;
  replay: boolean;
  relaunch: boolean;
}

/** A session as it is now. */
export interface Session {
  id: string;
  projectRoot: string;
  harness: string;
  /** All that it was started with, also the two above. */
  headers: SessionHeaders;
  state: SessionState;
  /** Whether its writer is there and it has not ended. */
  live: boolean;
  startedAt: number;
  changedAt: number;
  archived: boolean;
  /** What it was completed with, or why it failed or was killed. */
  outcome: unknown;
  relaunchOf: string | undefined;
  relaunchedAs: string[];
  affordances: Affordances;
}

export interface SessionsOptions {
  /** Headers that are looked up often, beside the project root. */
  indexes?: readonly string[];
  /** Names of fields that are left out of events, inputs, headers and outcomes, wherever they are. Default: those of passwords, tokens and keys. */
  redactFields?: readonly string[];
  /** Paths in events at which something is left out, such as `payload.env.*`. */
  redactPaths?: readonly string[];
}

export interface ListOptions {
  project?: string;
  /** Headers that it was started with. Those in `indexes` are looked up, others are searched for. */
  where?: Record<string, HeaderValue>;
  state?: SessionState;
  /** Default false: those that are not. */
  archived?: boolean | 'any';
  /** Started at this time or later, ms since 1970. */
  since?: number;
  /** At most 1,000; default 100. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: string | undefined;
  /** The newest first. */
  reverse?: boolean;
}

export interface ReplayOptions {
  /** Events after this one; default 0, all. */
  afterSeq?: number;
  /** At most 1,000, the default. */
  limit?: number;
}

/** The ledger of sessions. What returns a promise is durable when it resolves; the rest within the venue's sweep. */
export interface Sessions {
  /** Begins a session of which this opening of the venue is the one writer. @throws TidemarkError `bad_option` */
  start(headers: SessionHeaders): Promise<Session>;
  /**
   * Adds an event; the session is running then. With `durable`, resolves when it is.
   * @throws TidemarkError `session_not_live`, `conflict` if another one writes it, `lease_lost` if another one may have taken this one for gone;
   * nothing is written then
   */
  append(id: string, event: SessionEvent, options: { durable: true }): Promise<RecordedEvent>;
  append(id: string, event: SessionEvent, options?: { durable?: false }): RecordedEvent;
  /** It waits for input, until the next event. @throws as append */
  idle(id: string): void;
  /** @throws as append; IllegalTransition for one that is over */
  complete(id: string, output?: unknown): Promise<void>;
  /** @throws as complete */
  fail(id: string, error: unknown): Promise<void>;
  /** Ends a live session, whoever writes it. @throws TidemarkError `session_not_live` */
  kill(id: string, reason?: unknown): Promise<void>;
  /** Hands input to a live session, whoever writes it, as an event of type `input`. @throws TidemarkError `session_not_live` */
  send(id: string, input: unknown): Promise<void>;
  /** Inputs of which its writer made no event before it was gone. */
  undelivered(id: string): unknown[];
  archive(id: string): Promise<void>;
  unarchive(id: string): Promise<void>;
  /** Deletes one that is not live, with its events. @throws IllegalTransition */
  delete(id: string): Promise<void>;
  /** Starts another one in the same project root, with the same headers but for those given. @throws IllegalTransition while it is live */
  relaunch(id: string, headers?: { harness?: string; [name: string]: unknown }): Promise<Session>;
  get(id: string): Session | undefined;
  /** In order of time. Without `nextCursor` there are no more. */
  list(options?: ListOptions): { sessions: Session[]; nextCursor: string | undefined };
  /** Events in order; `nextCursor` is the `afterSeq` of the next page. @throws TidemarkError `not_found` */
  replay(id: string, options?: ReplayOptions): { events: RecordedEvent[]; nextCursor: number; hasMore: boolean };
  /** Calls `listener` with each event of a session, those that are there and those to come, in order. @returns a function that ends it */
  follow(id: string, listener: (event: RecordedEvent) => void, options?: { afterSeq?: number }): () => void;
  /** Calls `listener` with each session that has changed, or the id of one that was deleted. @returns a function that ends it */
  subscribe(listener: (session: Session | undefined, id: string) => void): () => void;
}
