// classic-level: its writes are asynchronous, so they are collected and made as one synced batch.
import { join } from 'node:path';
import { type Contestant, load } from '../contestant';
import type { Note } from '../data';

interface Level {
  open(): Promise<void>;
  batch(operations: { type: 'put'; key: string; value: Note }[], options: { sync: boolean }): Promise<void>;
  getSync(key: string): Note | undefined;
  values(): { nextv(size: number): Promise<Note[]>; close(): Promise<void> };
  close(): Promise<void>;
}

export const level: Contestant = {
  name: 'level',
  title: 'classic-level, synced batch',
  durability: 'yes',
  readBack: false,
  incremental: true,
  async open(folder) {
    const { ClassicLevel } = await load<{ ClassicLevel: new (path: string, options: object) => Level }>(
      'classic-level',
    );
    const db = new ClassicLevel(join(folder, 'notes.level'), { valueEncoding: 'json' });
    await db.open();
    const waiting = new Map<string, Note>();
    return {
      write(key, note) {
        waiting.set(key, note);
      },
      read: (key) => db.getSync(key),
      async each(visit) {
        const values = db.values();
        for (;;) {
          const some = await values.nextv(1000);
          if (some.length === 0) break;
          for (const value of some) visit(value);
        }
        await values.close();
      },
      async durable() {
        const batch = Array.from(waiting, ([key, value]) => ({ type: 'put' as const, key, value }));
        waiting.clear();
        if (batch.length > 0) await db.batch(batch, { sync: true });
      },
      close: () => db.close(),
    };
  },
};
