// TinyBase with its file persister: a row per record; a save writes the whole state, without fsync.
import { join } from 'node:path';
import { type Contestant, load } from '../contestant';
import type { Note } from '../data';

interface TinyStore {
  setRow(table: string, row: string, cells: Note): void;
  getRow(table: string, row: string): Note;
  forEachRow(table: string, visit: (row: string) => void): void;
}

interface Persister {
  load(): Promise<unknown>;
  save(): Promise<unknown>;
  destroy(): Promise<unknown>;
}

export const tinybase: Contestant = {
  name: 'tinybase',
  title: 'TinyBase, file persister',
  durability: 'no fsync',
  readBack: true,
  incremental: false,
  async open(folder) {
    const { createStore } = await load<{ createStore(): TinyStore }>('tinybase');
    const { createFilePersister } = await load<{ createFilePersister(store: TinyStore, path: string): Persister }>(
      'tinybase/persisters/persister-file',
    );
    const store = createStore();
    const persister = createFilePersister(store, join(folder, 'notes.tinybase.json'));
    await persister.load();
    return {
      write: (key, note) => store.setRow('notes', key, note),
      read: (key) => store.getRow('notes', key),
      each: (visit) => store.forEachRow('notes', (row) => visit(store.getRow('notes', row))),
      async durable() {
        await persister.save();
      },
      async close() {
        await persister.destroy();
      },
    };
  },
};
