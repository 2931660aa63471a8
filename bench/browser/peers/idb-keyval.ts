// idb-keyval: a record per key; set() is a transaction of its own, setMany() one for all.
import { createStore, entries, get, set, setMany } from 'idb-keyval';
import type { Contestant } from '../contestant';
import { Pending } from './pending';

export const idbKeyval: Contestant = {
  async open(database) {
    const store = createStore(database, 'notes');
    await get('', store); // opens it
    const pending = new Pending();
    return {
      write: (key, note) => pending.add(set(key, note, store)),
      writeAll: (all) => pending.add(setMany(all, store)),
      durable: () => pending.settled(),
      read: (key) => get(key, store),
      readAll: async () => new Map(await entries(store)),
      close() {}, // it cannot be
    };
  },
};
