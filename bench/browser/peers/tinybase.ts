// TinyBase with its IndexedDB persister: a row per record in memory; a save writes the whole table as one record.
import { createStore } from 'tinybase';
import { createIndexedDbPersister } from 'tinybase/persisters/persister-indexed-db';
import type { Contestant } from '../contestant';

export const tinybase: Contestant = {
  async open(database, { writes }) {
    const store = createStore();
    const persister = createIndexedDbPersister(store, database);
    await persister.load();
    if (writes) await persister.startAutoSave();
    return {
      write: (key, note) => store.setRow('notes', key, note),
      // One transaction: each row by itself would queue a save of the whole table, and all of them are made.
      writeAll: (entries) =>
        store.transaction(() => {
          for (const [key, note] of entries) store.setRow('notes', key, note);
        }),
      group: (writes) => store.transaction(writes),
      durable: async () => {
        await persister.schedule(async () => {});
      },
      read: (key) => store.getRow('notes', key),
      async close() {
        await persister.destroy();
      },
    };
  },
};
