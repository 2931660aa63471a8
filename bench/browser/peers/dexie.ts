// Dexie: a record per key in a table without indexes; put() is a transaction of its own, bulkPut() one for all.
import Dexie from 'dexie';
import type { Note } from '../../data';
import type { Contestant } from '../contestant';
import { Pending } from './pending';

export const dexie: Contestant = {
  async open(database) {
    const db = new Dexie(database);
    db.version(1).stores({ notes: '' });
    await db.open();
    const notes = db.table<Note>('notes');
    const pending = new Pending();
    return {
      write: (key, note) => pending.add(notes.put(note, key)),
      writeAll: (entries) =>
        pending.add(
          notes.bulkPut(
            entries.map(([, note]) => note),
            entries.map(([key]) => key),
          ),
        ),
      durable: () => pending.settled(),
      read: (key) => notes.get(key),
      async readAll() {
        const [keys, values] = await Promise.all([notes.toCollection().primaryKeys(), notes.toArray()]);
        return new Map(keys.map((key, i) => [key, values[i]]));
      },
      close: () => db.close(),
    };
  },
};
