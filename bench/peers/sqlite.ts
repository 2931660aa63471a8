// better-sqlite3 with a write-ahead log: a table of JSON texts, one transaction per call of durable(). `full` syncs at
// every commit, `normal` only at its checkpoints.
import { join } from 'node:path';
import { type Contestant, load } from '../contestant';
import type { Note } from '../data';

interface Statement {
  run(...parameters: unknown[]): void;
  get(...parameters: unknown[]): unknown;
  iterate(): Iterable<string>;
  pluck(): Statement;
}

interface Database {
  pragma(text: string): unknown;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

const sqlite = (synchronous: 'FULL' | 'NORMAL'): Contestant => ({
  name: `sqlite-${synchronous.toLowerCase()}`,
  title: `better-sqlite3, WAL, ${synchronous}`,
  durability: synchronous === 'FULL' ? 'yes' : 'no fsync',
  readBack: true,
  incremental: true,
  async open(folder) {
    const { default: Sqlite } = await load<{ default: new (path: string) => Database }>('better-sqlite3');
    const db = new Sqlite(join(folder, 'notes.sqlite'));
    db.pragma('journal_mode = WAL');
    db.pragma(`synchronous = ${synchronous}`);
    db.exec('CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID');
    const put = db.prepare('INSERT INTO notes VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value');
    const get = db.prepare('SELECT value FROM notes WHERE key = ?').pluck();
    const all = db.prepare('SELECT value FROM notes').pluck();
    const begin = db.prepare('BEGIN');
    const commit = db.prepare('COMMIT');
    let inTransaction = false;
    return {
      write(key, note) {
        if (!inTransaction) begin.run();
        inTransaction = true;
        put.run(key, JSON.stringify(note));
      },
      read(key) {
        const text = get.get(key);
        return text === undefined ? undefined : (JSON.parse(text as string) as Note);
      },
      each(visit) {
        for (const text of all.iterate()) visit(JSON.parse(text) as Note);
      },
      async durable() {
        if (inTransaction) commit.run();
        inTransaction = false;
      },
      close: () => db.close(),
    };
  },
});

export const sqliteFull = sqlite('FULL');
export const sqliteNormal = sqlite('NORMAL');
