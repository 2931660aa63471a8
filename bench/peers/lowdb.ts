// lowdb: a bare object in memory; a write stringifies all of it into one file, renamed into place, without fsync.
import { join } from 'node:path';
import { type Contestant, load } from '../contestant';
import type { Note } from '../data';

interface Low {
  data: Record<string, Note>;
  read(): Promise<void>;
  write(): Promise<void>;
}

export const lowdb: Contestant = {
  name: 'lowdb',
  title: 'lowdb, whose write is a bare assignment',
  durability: 'no fsync',
  readBack: true,
  incremental: false,
  async open(folder) {
    const { Low } = await load<{ Low: new (adapter: unknown, data: object) => Low }>('lowdb');
    const { JSONFile } = await load<{ JSONFile: new (path: string) => unknown }>('lowdb/node');
    const db = new Low(new JSONFile(join(folder, 'notes.lowdb.json')), {});
    await db.read();
    return {
      write(key, note) {
        db.data[key] = note;
      },
      read: (key) => db.data[key],
      each(visit) {
        for (const key in db.data) visit(db.data[key]!);
      },
      durable: () => db.write(),
      close: () => {},
    };
  },
};
