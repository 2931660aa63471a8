// fake-indexeddb as a world of backends, and ways to look into its databases without a backend. Its classes become globals, as idb
// expects them.
import 'fake-indexeddb/auto';
import { type IDBPDatabase, openDB, wrap } from 'idb';
import { type IndexedDBOptions, indexeddbBackend } from '../../../backends/indexeddb';
import type { Bytes } from '../../../src/backend';
import type { World } from '../../backend-contract';

export { openDB };

/** Opens the database of a backend, to look at it or to do harm. */
export async function look<T>(factory: IDBFactory, name: string, work: (db: IDBPDatabase) => Promise<T>): Promise<T> {
  const db = (await wrap(factory.open(name))) as unknown as IDBPDatabase;
  try {
    return await work(db);
  } finally {
    db.close();
  }
}

let worlds = 0;

/** One database, the channels of whose backends can be shut without closing them. */
export function indexeddbWorld(options: IndexedDBOptions = {}) {
  const factory = options.factory ?? new IDBFactory();
  // Channels of two worlds must not meet: all are in one process.
  const name = `world-${process.pid}-${++worlds}`;
  const channels = new Set<BroadcastChannel>();
  class Channel extends BroadcastChannel {
    constructor(to: string) {
      super(to);
      channels.add(this);
    }
  }
  const shut = () => {
    for (const channel of channels) channel.close();
    channels.clear();
  };
  return {
    factory,
    name,
    backend: (more: IndexedDBOptions = {}) => indexeddbBackend(name, { factory, Channel, ...options, ...more }),
    kill: shut,
    quarantined: () =>
      look(factory, name, async (db) =>
        (await db.getAll('quarantine')).map(({ bytes }): Bytes => new Uint8Array(bytes as ArrayBuffer)),
      ),
    destroy: shut,
  } satisfies World & Record<string, unknown>;
}
