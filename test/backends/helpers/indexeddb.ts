// fake-indexeddb as a world of backends, and ways to look into its databases without a backend. Its classes become globals, as idb
// expects them.
import 'fake-indexeddb/auto';
import { type IDBPDatabase, wrap } from 'idb';
import { type IndexedDBOptions, indexeddbBackend } from '../../../backends/indexeddb';
import type { Bytes } from '../../../src/backend';
import type { World } from '../../backend-contract';

/** Opens the database of a world, to look at it or to do harm. */
export async function look<T>(
  { inner, name }: { inner: IDBFactory; name: string },
  work: (db: IDBPDatabase) => Promise<T>,
): Promise<T> {
  const db = (await wrap(inner.open(name))) as unknown as IDBPDatabase;
  try {
    return await work(db);
  } finally {
    db.close();
  }
}

let worlds = 0;

/** One database, the channels of whose backends can be shut without closing them. @param watched what its backends open it through. */
export function indexeddbWorld(watched?: { inner: IDBFactory; factory: IDBFactory }) {
  const inner = watched?.inner ?? new IDBFactory();
  const factory = watched?.factory ?? inner;
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
    inner,
    name,
    backend: (options: IndexedDBOptions = {}) => indexeddbBackend(name, { factory, Channel, ...options }),
    kill: shut,
    quarantined: () =>
      look({ inner, name }, async (db) =>
        (await db.getAll('quarantine')).map(({ bytes }): Bytes => new Uint8Array(bytes as ArrayBuffer)),
      ),
    destroy: shut,
  } satisfies World & Record<string, unknown>;
}
