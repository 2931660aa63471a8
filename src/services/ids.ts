// Ids that sort by the time at which they were made, also those made by several writers, and never meet. Knows the venue's face only.
import type { Venue } from '../venue';

const last = new WeakMap<Venue, { ms: number; counter: number }>();
/** What 4 digits can count, within one millisecond or while the clock is behind. */
const counterEnd = 36 ** 4;

/** 9 digits of milliseconds, 4 of a counter within one, 8 of the writer: base 36 and hexadecimal, lower case. Sorted as text they are in order of time. */
export function newId(venue: Venue): string {
  const before = last.get(venue) ?? { ms: 0, counter: 0 };
  const now = Math.floor(venue.clock.now());
  // A clock that goes back must not make ids go back.
  const next = now > before.ms ? { ms: now, counter: 0 } : { ms: before.ms, counter: before.counter + 1 };
  if (next.counter === counterEnd) Object.assign(next, { ms: next.ms + 1, counter: 0 });
  last.set(venue, next);
  return `${digits(next.ms, 9)}${digits(next.counter, 4)}${venue.writer.slice(0, 8)}`;
}

/** The id that all made from `ms` on sort after. */
export const idFrom = (ms: number): string => digits(Math.max(0, Math.floor(ms)), 9);

/** Milliseconds since 1970 at which an id was made. */
export const timeOfId = (id: string): number => Number.parseInt(id.slice(0, 9), 36);

const digits = (n: number, length: number): string => n.toString(36).padStart(length, '0');
