// Which compensations have been begun and which are done: noted before and after each, and kept until that is purged. What "once" means is in
// steps.ts. Knows the venue's face only.
import type { Venue } from '../../venue';
import { newId, timeOfId } from '../ids';
import type { CompensationRecord, Idempotency } from './face';
import { type Claims, joinClaims, recordsPrefix, traceOf } from './records';

/** `void`: it was not run after all. */
export type Progress = CompensationRecord['state'] | 'void';

/** What one run says of a compensation. */
interface Note {
  /** One run's word does not undo another one's. */
  run: string;
  state: Progress;
  message?: string | undefined;
}

export interface IdempotencyStore extends Idempotency {
  /** Notes that one is about to be run: `in_doubt` from now on. @returns what notes what became of it */
  begin(traceId: string, name: string): (state: Progress, message?: string) => void;
  /** Forgets a trace. */
  drop(traceId: string): void;
}

/** @param isOpen whether a trace is begun and not completed */
export function openIdempotency(venue: Venue, isOpen: (traceId: string) => boolean): IdempotencyStore {
  const region = venue.region<Claims<Note>>('tidemark.traces.compensations', { join: joinClaims });
  const forget = (keys: string[]) => {
    for (const key of keys) region.delete(key);
    return keys.length;
  };
  return {
    get(traceId, name) {
      const notes = region.get(recordsPrefix(traceId) + name) ?? [];
      const isVoid = ({ run }: Note) => notes.some(([, note]) => note.run === run && note.state === 'void');
      for (const state of ['done', 'failed', 'in_doubt'] as const) {
        const [at, note] = notes.find(([, note]) => note.state === state && !isVoid(note)) ?? [];
        if (at) return { state, timestampMs: timeOfId(at), message: note!.message };
      }
      return undefined;
    },
    begin(traceId, name) {
      const run = newId(venue);
      const note = (state: Progress, message?: string) =>
        region.set(recordsPrefix(traceId) + name, [[newId(venue), { run, state, message }]]); // joined with all others
      note('in_doubt');
      return note;
    },
    drop: (traceId) => forget([...region.scan({ prefix: recordsPrefix(traceId) })].map(([key]) => key)),
    purgeOlderThan(ms) {
      const before = venue.clock.now() - ms;
      const isOld = (notes: Claims) => notes.every(([at]) => timeOfId(at) < before);
      return forget([...region].flatMap(([key, notes]) => (isOld(notes) && !isOpen(traceOf(key)) ? key : [])));
    },
  };
}
