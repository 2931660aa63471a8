// lmdb-js with its cache, so that what was put can be read back at once; it commits by itself, `delayMs` after a put.
import { join } from 'node:path';
import { type Contestant, load } from '../contestant';
import type { Note } from '../data';

interface Database {
  put(key: string, value: Note): Promise<boolean>;
  get(key: string): Note | undefined;
  getRange(): Iterable<{ value: Note }>;
  readonly flushed: Promise<unknown>;
  close(): Promise<void>;
}

export const lmdb: Contestant = {
  name: 'lmdb',
  title: 'lmdb, cached put',
  durability: 'yes',
  readBack: true,
  incremental: true,
  async open(folder, { delayMs }) {
    const { open } = await load<{ open(options: object): Database }>('lmdb');
    const db = open({ path: join(folder, 'notes.lmdb'), cache: true, commitDelay: delayMs });
    let last: Promise<unknown> = Promise.resolve();
    return {
      write(key, note) {
        last = db.put(key, note);
      },
      read: (key) => db.get(key),
      each(visit) {
        for (const { value } of db.getRange()) visit(value);
      },
      async durable() {
        await last;
        await db.flushed;
      },
      close: () => db.close(),
    };
  },
};
