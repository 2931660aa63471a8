// Yjs with y-indexeddb: a Y.Map in memory; every Yjs transaction becomes a record of one update.
import { IndexeddbPersistence } from 'y-indexeddb';
import { Doc } from 'yjs';
import type { Note } from '../../data';
import type { Contestant } from '../contestant';
import { settledRequest } from './idb';

export const yjs: Contestant = {
  async open(database) {
    const doc = new Doc();
    const notes = doc.getMap<Note>('notes');
    const persistence = new IndexeddbPersistence(database, doc);
    await persistence.whenSynced;
    return {
      write: (key, note) => notes.set(key, note),
      writeAll: (entries) =>
        doc.transact(() => {
          for (const [key, note] of entries) notes.set(key, note);
        }),
      // It says nothing of when it has written. A transaction that overlaps another begins when that is finished.
      durable: async () => {
        await settledRequest(persistence.db.transaction('updates').objectStore('updates').count());
      },
      read: (key) => notes.get(key),
      close: () => persistence.destroy(),
    };
  },
};
