// Tidemark as a contestant, and its venue for the workloads that only it has. Knows only the library's face.
import { join } from 'node:path';
import type { Contestant } from './contestant';
import type { Note } from './data';

/** Loaded when it is used: an idle process, or a peer's, is not to hold any of it. */
export async function openNotes(folder: string) {
  const { openVenue } = await import('../src/node');
  const venue = await openVenue({ store: join(folder, 'venue.etch') });
  return { venue, notes: venue.region<Note>('notes') };
}

export const tidemark: Contestant = {
  name: 'tidemark',
  title: 'Tidemark',
  durability: 'yes',
  readBack: true,
  incremental: true,
  sweeps: true,
  async open(folder) {
    const { venue, notes } = await openNotes(folder);
    return {
      write(key, note) {
        notes.set(key, note);
      },
      read: (key) => notes.get(key),
      each(visit) {
        for (const [, note] of notes) visit(note);
      },
      async durable() {
        await venue.flush();
      },
      async close() {
        await venue.close();
      },
    };
  },
};
