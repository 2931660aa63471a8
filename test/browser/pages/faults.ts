// What can go wrong with an IndexedDB, done on purpose: an IDBFactory that hangs or loses its connections, and harm done to a
// database directly. Knows nothing of the library but the names of its stores.

const connections = new Set<IDBDatabase>();
let hanging = 0;

/** The browser's, but for what was asked for below. */
export const faultyFactory = {
  open(name: string, version?: number) {
    if (hanging > 0) {
      hanging--;
      return {} as IDBOpenDBRequest; // nothing will ever happen to it
    }
    const request = indexedDB.open(name, version);
    request.addEventListener('success', () => connections.add(request.result));
    return request;
  },
  deleteDatabase: (name: string) => indexedDB.deleteDatabase(name),
  databases: () => indexedDB.databases(),
  cmp: (a: unknown, b: unknown) => indexedDB.cmp(a, b),
} satisfies IDBFactory;

/** The next so many attempts to open a database are never answered. */
export const hang = (times: number): void => {
  hanging = times;
};

/** Every connection is closed under whoever uses it. */
export const cutConnections = (): void => {
  for (const connection of connections) connection.close();
};

/** From now on the page is busy for so long whenever it has begun to read: whatever happens to it meanwhile happens while it reads. */
export function dwellOnReading(ms: number): void {
  const begin = IDBDatabase.prototype.transaction;
  IDBDatabase.prototype.transaction = function (stores, mode, options) {
    if (mode !== 'readwrite')
      queueMicrotask(() => {
        for (const end = performance.now() + ms; performance.now() < end; );
      });
    return begin.call(this, stores, mode, options);
  };
}

export const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

let held: IDBDatabase | undefined;

/** Keeps a database from being deleted, and has it deleted: until it is let go, nobody can open it. */
export async function holdAndDelete(name: string): Promise<void> {
  held = await done(indexedDB.open(name));
  indexedDB.deleteDatabase(name);
}
export const letGo = (): void => held?.close();

export async function deleteDatabase(name: string): Promise<void> {
  await done(indexedDB.deleteDatabase(name));
}

const stores = ['commits', 'last', 'checkpoint', 'blobs', 'meta', 'quarantine'];
type Content = Record<string, [key: IDBValidKey, value: unknown][]>;
let remembered: Content = {};

async function within<T>(name: string, work: (transaction: IDBTransaction) => Promise<T>): Promise<T> {
  const database = await done(indexedDB.open(name));
  const transaction = database.transaction(stores, 'readwrite');
  const ended = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  const result = await work(transaction);
  await ended;
  database.close();
  return result;
}

const read = (store: IDBObjectStore): Promise<Content[string]> =>
  Promise.all([done(store.getAllKeys()), done(store.getAll())]).then(([keys, values]) =>
    keys.map((key, at) => [key, values[at]]),
  );

export const remember = (name: string): Promise<void> =>
  within(name, async (transaction) => {
    remembered = {};
    for (const store of stores) remembered[store] = await read(transaction.objectStore(store));
  });

/** As a disk does that goes back to an older copy of itself. */
export const bringBack = (name: string): Promise<void> =>
  within(name, async (transaction) => {
    for (const store of stores) {
      transaction.objectStore(store).clear();
      for (const [key, value] of remembered[store]!) transaction.objectStore(store).put(value, key);
    }
  });

/** Harms the first writer's commits: one byte of its second, all of its fourth; and puts strangers among them. */
export const corrupt = (name: string): Promise<void> =>
  within(name, async (transaction) => {
    const commits = transaction.objectStore('commits');
    const found = (await read(commits)) as [[writer: string, index: number, part: number], ArrayBuffer][];
    const [rotten, second] = [found[1]!, new Uint8Array(found[1]![1])];
    second[second.length >> 1]! ^= 1;
    commits.put(second.buffer, rotten[0]);
    commits.put({ not: 'bytes' }, found[3]![0]);
    commits.put('a stranger', ['stranger', 0, 0]);
    commits.put('another', 'not even an array');
  });

export const quarantined = (name: string): Promise<number> =>
  within(name, async (transaction) => (await read(transaction.objectStore('quarantine'))).length);
