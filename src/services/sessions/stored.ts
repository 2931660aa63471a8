// Where sessions are stored, and what is true of one now: what is written, and who is alive. Writes nothing.
import { TidemarkError } from '../../base/errors';
import type { Venue } from '../../venue';
import { timeOfId } from '../ids';
import { livenessOf } from '../liveness';
import { Lookup } from './lookup';
import { isOver, joinRecords, type SessionRecord, type SessionState } from './record';
import type { RecordedEvent, Session, SessionEvent } from './types';

/** A session that was created and not run for so long will not be, if its writer is gone. */
export const createdMsMax = 600_000;
/** In base 36: room for 78,364,164,095 events. */
const seqDigits = 7;

/** An event as it is stored; its number is in its key. */
export type EventEntry = Omit<RecordedEvent, 'seq'>;

export const eventKey = (id: string, seq: number): string => `${id}/${seq.toString(36).padStart(seqDigits, '0')}`;

export type Stored = ReturnType<typeof storedIn>;

export function storedIn(venue: Venue, indexes: readonly string[]) {
  const liveness = livenessOf(venue);
  const records = venue.region<SessionRecord>('tidemark.sessions', { join: joinRecords });
  const events = venue.region<EventEntry>('tidemark.sessions.events');
  /** What was sent to sessions of other writers, under the session's id and one of its own. */
  const inputs = venue.region<SessionEvent>('tidemark.sessions.inputs');
  const archived = venue.region<number>('tidemark.sessions.archived');
  const lookup = new Lookup(venue, new Set(['projectRoot', 'relaunchOf', ...indexes]), (id) => records.has(id));

  const find = (id: string): SessionRecord => {
    const record = records.get(id);
    if (!record) throw new TidemarkError('not_found', `there is no session ${id}`);
    return record;
  };
  const isLive = ({ state, holder }: SessionRecord) => !isOver(state) && liveness.isAlive(holder);

  /** What it is to become, as far as we have heard. */
  const due = (id: string, record: SessionRecord): SessionState => {
    const { state } = record;
    if (isOver(state) || isLive(record)) return state;
    if (state !== 'created') return 'orphaned';
    return venue.clock.now() - timeOfId(id) > createdMsMax ? 'failed' : state;
  };

  const view = (id: string, record: SessionRecord): Session => {
    const { headers, at, outcome } = record;
    const live = isLive(record);
    return {
      id,
      projectRoot: headers.projectRoot,
      harness: headers.harness,
      headers,
      state: stored.isSettled ? record.state : due(id, record),
      live,
      startedAt: timeOfId(id),
      changedAt: at,
      archived: archived.has(id),
      outcome,
      relaunchOf: headers.relaunchOf,
      relaunchedAs: [...lookup.ids('relaunchOf', id)],
      affordances: { input: live, kill: live, replay: true, relaunch: !live },
    };
  };

  const stored = {
    liveness,
    records,
    events,
    inputs,
    archived,
    lookup,
    find,
    isLive,
    due,
    view,
    /** Whether what was due at the opening is written. From then on a state changes when it is written, and everybody hears of it. */
    isSettled: false,
  };
  return stored;
}
