// Tidemark as a contestant. Knows only the library's face.
import { openVenue } from '../../src/browser';
import type { Note } from '../data';
import type { Contestant, Entry } from './contestant';

export const tidemark: Contestant = {
  async open(database, { sweep, checkpoint, fill }) {
    const venue = await openVenue({ store: database, ...(sweep && { sweepMs: 0 }) });
    const notes = venue.region<Note>('notes');
    let bytes = 0;
    let swept = (): void => {};
    venue.on('sweep', (info) => {
      bytes = info.bytes;
      swept();
    });
    return {
      write: (key, note) => notes.set(key, note),
      writeAll(entries: readonly Entry[]) {
        for (const [key, note] of entries) notes.set(key, note);
      },
      // A sweep comes by itself, and is relaxed; a flush is asked for, and strict.
      durable: () =>
        sweep
          ? new Promise((resolve) => {
              swept = resolve;
            })
          : venue.flush(),
      read: (key) => notes.get(key),
      bytesWritten: () => bytes,
      async close() {
        if (fill && checkpoint) await venue.checkpoint();
        await venue.close();
      },
    };
  },
};
