// How jobs are kept: one entry for what never changes, one for the state once there is more to say than "pending", one for each change. Knows the
// venue's face; which call leads where is jobs.ts's.
import { TidemarkError } from '../../base/errors';
import type { Region, Venue } from '../../venue';
import { IllegalTransition } from '../errors';
import { newId, timeOfId } from '../ids';
import { type Liveness, livenessOf } from '../liveness';
import { redactPaths } from '../redact';
import { agree, wait } from './agree';
import { OpenJobs } from './open';
import { isFinal, type JobState, type JobStatus, joinStates } from './state';
import type { Job, JobEvent, NewJob } from './types';

/** What never changes of a job. */
interface JobRecord extends NewJob {
  redacted?: string[] | undefined;
  /** Who submitted it. */
  holder: string;
}

/** What can be said with a change. */
export type Said = Pick<JobState, 'output' | 'error' | 'detail'>;

export class JobStore {
  readonly records: Region<JobRecord>;
  readonly states: Region<JobState>;
  private readonly events: Region<Omit<JobEvent, 'at'>>;
  private readonly liveness: Liveness;
  /** Nobody else can change anything. */
  private readonly alone: boolean;
  private index: OpenJobs | undefined;

  constructor(
    private readonly venue: Venue,
    private readonly redacted: readonly string[],
  ) {
    this.records = venue.region('tidemark.jobs');
    this.states = venue.region<JobState>('tidemark.jobs.states', { join: joinStates });
    this.events = venue.region('tidemark.jobs.history');
    this.liveness = livenessOf(venue);
    this.alone = venue.health().lock === 'exclusive';
  }

  /** Who we are to others. */
  async self(): Promise<string> {
    return this.liveness.id ?? (await this.liveness.begin());
  }

  /** Whether a writer is alive. Nobody is taken for dead before the store was asked. */
  async isAlive(holder: string): Promise<boolean> {
    if (!this.liveness.isAlive(holder)) await this.venue.catchUp();
    return this.liveness.isAlive(holder);
  }

  add({ op, input, caller, name }: NewJob, holder: string): string {
    const { value, redacted } = this.redact({ input });
    const id = newId(this.venue);
    this.records.set(id, { op, ...value, caller, name, redacted: redacted.length > 0 ? redacted : undefined, holder });
    return id;
  }

  /** @throws TidemarkError `not_found` */
  state(id: string): JobState {
    return this.stateOf(id, this.record(id));
  }

  /** @throws TidemarkError `not_found` */
  find(id: string): Job {
    return this.view(id, this.record(id));
  }

  get(id: string): Job | undefined {
    const record = this.records.get(id);
    return record && this.view(id, record);
  }

  private record(id: string): JobRecord {
    const record = this.records.get(id);
    if (!record) throw new TidemarkError('not_found', `there is no job ${id}`);
    return record;
  }

  /** Until something is done with it a job is pending, and no state is stored. */
  private stateOf(id: string, { holder }: JobRecord): JobState {
    return this.states.get(id) ?? { status: 'PENDING', attempt: 1, rev: 0, ev: id, holder };
  }

  private view(id: string, record: JobRecord): Job {
    const { op, input, caller, name, redacted } = record;
    const state = this.stateOf(id, record);
    const { status, attempt, ev, holder, output, error, detail } = state;
    const progress = state.progress?.attempt === attempt ? state.progress : undefined;
    const waits = status === 'PENDING';
    const lost = (waits || status === 'STARTED') && !this.liveness.isAlive(holder);
    return {
      id,
      op,
      input,
      caller,
      name,
      submittedAt: timeOfId(id),
      status,
      changedAt: timeOfId(ev),
      attempt,
      mine: !waits && !isFinal(status) && holder === this.liveness.id,
      progress: progress?.value,
      output,
      error,
      detail,
      redacted,
      recoverable: lost
        ? {
            reason: `the writer that ${waits ? 'submitted' : 'ran'} it is gone`,
            at: timeOfId(progress && progress.ev > ev ? progress.ev : ev),
          }
        : undefined,
    };
  }

  history(id: string): JobEvent[] {
    const record = this.records.get(id);
    if (!record) return [];
    const { ev } = this.stateOf(id, record);
    const events: JobEvent[] = [{ at: timeOfId(id), status: 'PENDING', attempt: 1 }];
    for (const [key, event] of this.events.scan({ prefix: `${id}/` })) {
      const own = key.slice(id.length + 1 + 2 * countDigits);
      const isEnd = isFinal(event.status);
      // One of two at the same moment, that did not come to be.
      if (isEnd && own !== ev) continue;
      events.push({ at: timeOfId(own), ...event });
      // What a writer did after it that had not heard of it.
      if (isEnd) break;
    }
    return events;
  }

  /** Jobs that are not finished; from the first call on at hand. */
  get open(): OpenJobs {
    if (this.index) return this.index;
    const index = new OpenJobs();
    const note = (id: string, record = this.records.get(id)) => {
      if (record) index.note(id, this.stateOf(id, record).status);
    };
    for (const [id, record] of this.records) note(id, record);
    this.records.subscribe((changes) => {
      for (const { key } of changes) note(key);
    });
    this.states.subscribe((changes) => {
      for (const { key } of changes) note(key);
    });
    this.index = index;
    return index;
  }

  /**
   * The state of a job that may go from there to `to`.
   * @param reports who says so must hold the job, unless whoever does is gone and was not us
   * @throws IllegalTransition; TidemarkError `lease_lost`, `not_found`
   */
  check(id: string, from: readonly JobStatus[], to: JobStatus, reports = false): JobState {
    const state = this.state(id);
    if (!from.includes(state.status)) throw new IllegalTransition(`job ${id}`, state.status, to);
    if (reports && state.status !== 'PENDING') this.checkHolder(id, state.holder);
    return state;
  }

  private checkHolder(id: string, holder: string): void {
    if (holder === this.liveness.id) this.liveness.check();
    // What we held before we were out of time may be another one's by now.
    else if (holder.startsWith(`${this.venue.writer}.`) || this.liveness.isAlive(holder))
      throw new TidemarkError('lease_lost', `job ${id} is not held here: ${holder} has it, or it is to be recovered`);
  }

  /** Writes a change, in this turn. @returns its id */
  change(id: string, { attempt, rev, holder, progress }: JobState, status: JobStatus, said: Said): string {
    const ev = newId(this.venue);
    const { value } = this.redact(said);
    this.states.set(id, { status, attempt, rev: rev + 1, ev, holder, progress, ...value });
    this.events.set(eventKey(id, attempt, rev + 1, ev), { status, attempt, detail: value.detail });
    return ev;
  }

  report(id: string, state: JobState, progress: unknown): void {
    const { value } = this.redact({ progress });
    const ev = newId(this.venue);
    this.states.set(id, { ...state, progress: { attempt: state.attempt, ev, value: value.progress } });
  }

  private redact<T extends object>(said: T): { value: T; redacted: string[] } {
    return redactPaths(said, this.redacted);
  }

  /**
   * To STARTED, to be held here; one writer at a time may do that. Resolves when it is durable.
   * @throws IllegalTransition; TidemarkError `lease_lost`, or `conflict` if another writer is about to and does not get on
   */
  async take(id: string, from: readonly JobStatus[], detail?: unknown): Promise<Job> {
    const { venue, liveness } = this;
    for (const digit of venue.writer.slice(0, 8)) {
      this.check(id, from, 'STARTED');
      const hold = await liveness.hold(`tidemark.jobs/${id}`);
      if (hold) {
        const holder = liveness.id!;
        try {
          hold.check();
          this.change(id, { ...this.check(id, from, 'STARTED'), holder }, 'STARTED', { detail });
        } finally {
          hold.release(); // in the same turn, and so in the same commit
        }
        await venue.flush();
        const { status } = this.state(id);
        if (isFinal(status)) throw new IllegalTransition(`job ${id}`, status, 'STARTED');
        this.checkHolder(id, holder);
        return this.find(id);
      }
      // Of two that want it at the same moment it may be that nobody gets it. Each tries again after a time of its own.
      await wait(venue, 16 * Number.parseInt(digit, 16) + 1);
    }
    throw new TidemarkError('conflict', `job ${id} is about to be started by another writer`);
  }

  /** To the end. Resolves when it is durable and known what stands; that may be another end. */
  async finish(id: string, state: JobState, status: JobStatus, said: Said): Promise<Job> {
    const ev = this.change(id, state, status, said);
    await this.venue.flush();
    if (!this.alone) await agree(this.venue, this.states, id, ev);
    const stands = this.state(id);
    if (stands.ev !== ev && (status === 'COMPLETE' || status === 'REJECTED'))
      throw new IllegalTransition(`job ${id}`, stands.status, status);
    return this.find(id);
  }
}

/** In base 36: room for 1,679,615 attempts, and changes, of one job. */
const countDigits = 4;

/** In the order in which one change led to the other, whatever the clocks of their writers said. */
const eventKey = (id: string, attempt: number, rev: number, ev: string): string =>
  `${id}/${[attempt, rev].map((n) => n.toString(36).padStart(countDigits, '0')).join('')}${ev}`;
