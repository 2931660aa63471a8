// hypercore: a signed append-only log of blocks, not a map; each record is a block, appended in batches, without fsync.
import { join } from 'node:path';
import { type Contestant, load } from '../contestant';

interface Hypercore {
  ready(): Promise<void>;
  append(blocks: Uint8Array[]): Promise<unknown>;
  close(): Promise<void>;
}

export const hypercore: Contestant = {
  name: 'hypercore',
  title: 'hypercore, append in batches',
  durability: 'no fsync',
  readBack: false,
  incremental: true,
  async open(folder) {
    const { default: Hypercore } = await load<{ default: new (path: string) => Hypercore }>('hypercore');
    const core = new Hypercore(join(folder, 'notes.hypercore'));
    await core.ready();
    let waiting: Uint8Array[] = [];
    return {
      write(key, note) {
        waiting.push(Buffer.from(JSON.stringify([key, note])));
      },
      read: () => undefined,
      each: () => {},
      async durable() {
        const batch = waiting;
        waiting = [];
        if (batch.length > 0) await core.append(batch);
      },
      close: () => core.close(),
    };
  },
};
