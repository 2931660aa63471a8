// localForage on its IndexedDB driver: a record per key, a transaction for each; it has nothing for many at once.
import localforage from 'localforage/dist/localforage.js';
import type { Contestant } from '../contestant';
import { openDatabase, settledTransaction } from './idb';
import { Pending } from './pending';

export const localForage: Contestant = {
  async open(database) {
    const notes = localforage.createInstance({ name: database, storeName: 'notes', driver: localforage.INDEXEDDB });
    await notes.ready();
    const pending = new Pending();
    const write = (key: string, value: unknown) => pending.add(notes.setItem(key, value));
    return {
      write,
      writeAll(entries) {
        for (const [key, note] of entries) write(key, note);
      },
      durable: () => pending.settled(),
      read: (key) => notes.getItem(key),
      async readAll() {
        const all = new Map<string, unknown>();
        await notes.iterate((value, key) => {
          all.set(key, value);
        });
        return all;
      },
      close() {}, // it cannot be
    };
  },

  /** What setItem() would write, in one transaction: 100,000 of them take minutes. */
  async prepare(database, entries) {
    await (await localForage.open(database, {})).durable();
    const db = await openDatabase(database);
    const transaction = db.transaction('notes', 'readwrite');
    for (const [key, note] of entries) transaction.objectStore('notes').put(note, key);
    await settledTransaction(transaction);
    db.close();
  },
};
