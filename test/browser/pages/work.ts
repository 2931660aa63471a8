// One short life of a venue, in a page or a worker of any kind: opened, written, flushed and closed.
import { openVenue } from '../../../src/browser';
import { notesOf, type Typing } from './typed';

export interface Work {
  readonly store: string;
  readonly typed: Typing;
}

export async function liveShortly({ store, typed }: Work) {
  const venue = await openVenue({ store });
  const notes = venue.region<string>('notes');
  for (const [key, text] of notesOf(typed)) notes.set(key, text);
  await venue.flush({ timeoutMs: 30_000 });
  const { status, journal } = venue.health();
  const { durable } = await venue.close();
  return { status, journal: journal.available, durable };
}

export type Outcome = Awaited<ReturnType<typeof liveShortly>> | { readonly error: string };
