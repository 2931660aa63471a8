// The object stores, their keys, and how records are written and read: one transaction at a time, which never stays open for
// anything but its own requests. Knows nothing of connections, and not what commits and checkpoints mean.
import { wrap } from 'idb';
import { type Bytes, type Durability, TidemarkError } from '../../src/backend';

/**
 * The version of the database never changes: an upgrade would have to wait for every other tab. `last` is for what is written as the page
 * goes: behind other writes in the same object store it would be lost (FACTS.md).
 */
export type StoreName = 'commits' | 'last' | 'checkpoint' | 'blobs' | 'meta' | 'quarantine' | 'scratch';
export const storeNames: readonly StoreName[] = [
  'commits',
  'last',
  'checkpoint',
  'blobs',
  'meta',
  'quarantine',
  'scratch',
];

/** Chromium writes a larger value (from about 64 KiB) as a file beside the database, later, and loses it as the page goes. */
export const commitPartBytes = 32 * 1024;

/** Keys are arrays; anything else in a store is not ours. An empty array sorts after every text and number. */
export type Key = IDBValidKey[];
/** Everything under a key, or under the keys from one to the other. */
export const under = (from: Key, to = from): IDBKeyRange => IDBKeyRange.bound(from, [...to, []]);

/** Transactions that wait for what they read; 'asleep': there must be none. */
const waiting = new WeakMap<IDBDatabase, Set<IDBTransaction> | 'asleep'>();

function held(db: IDBDatabase, tx: IDBTransaction): IDBTransaction {
  const all = waiting.get(db) ?? new Set();
  if (all === 'asleep') {
    tx.abort();
    throw new DOMException('the page is in the background', 'AbortError');
  }
  waiting.set(db, all.add(tx));
  for (const end of ['complete', 'abort']) tx.addEventListener(end, () => all.delete(tx));
  return tx;
}

/** A transaction that reads. */
export const read = (db: IDBDatabase, stores: readonly string[]): IDBTransaction => held(db, db.transaction(stores));

/** A page that is frozen while one of its transactions waits for what it reads would hold up the writes of all other tabs. */
export function sleep(db: IDBDatabase): void {
  const all = waiting.get(db);
  waiting.set(db, 'asleep');
  for (const tx of all === 'asleep' ? [] : (all ?? [])) {
    try {
      tx.abort();
    } catch {
      // it has finished, and is about to say so
    }
  }
}

export const wake = (db: IDBDatabase): boolean => isAsleep(db) && waiting.delete(db);

export const isAsleep = (db: IDBDatabase): boolean => waiting.get(db) === 'asleep';

/**
 * One transaction; settles whatever becomes of it.
 * @param issue what it returns decides: a promise, if it awaits nothing but requests of the transaction, for all or nothing; anything else to
 * have it issued and committed in this turn. Then Firefox (153) takes back what was done only if the last request fails: if another one does,
 * it commits the rest.
 */
export function write<T>(
  db: IDBDatabase,
  stores: readonly string[],
  durability: Durability,
  issue: (tx: IDBTransaction) => T | Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const tx = db.transaction(stores, 'readwrite', { durability });
    let result: T;
    tx.oncomplete = () => resolve(result);
    tx.onabort = () =>
      reject(tx.error ?? new DOMException('the transaction was aborted, nobody says why', 'AbortError'));
    // Engines differ in what they tell first. What else was under way fails with AbortError, which says nothing.
    tx.onerror = ({ target }) => {
      const { error } = target as IDBRequest;
      reject((error?.name === 'AbortError' && tx.error) || error);
    };
    try {
      const issued = issue(tx);
      if (issued instanceof Promise) {
        issued.then((value) => {
          result = value;
        }, reject);
        held(db, tx);
      } else {
        result = issued;
        tx.commit();
      }
    } catch (error) {
      reject(error);
      if (!isAsleep(db)) tx.abort(); // without this the half that was issued would be committed
    }
  });
}

export type StoredRecord = readonly [key: IDBValidKey, value: unknown];

/**
 * So many are asked for at a time: Chromium answers several requests for some records each sooner than one for all of them. 10 MB of 32 KiB
 * each by 8 and by 64: 110 and 320 ms; of 1 KB each: 690 and 200. Larger ones are told by their keys: they have more parts than one.
 */
const batchRecords = 64;
const batchParts = 8;

/** Records in key order. @param wanted leaves out those whose keys it does not want */
export async function readRecords(
  store: IDBObjectStore,
  range: IDBKeyRange,
  wanted: (key: IDBValidKey) => boolean = () => true,
): Promise<StoredRecord[]> {
  const runs: IDBValidKey[][] = [];
  let run: IDBValidKey[] = [];
  for (const key of await wrap(store.getAllKeys(range))) {
    if (!wanted(key)) run = [];
    else if (run.push(key) === 1) runs.push(run);
    const part = (key as unknown[])[2];
    if (run.length >= (part ? batchParts : batchRecords)) run = [];
  }
  const values = await Promise.all(runs.map((keys) => wrap(store.getAll(IDBKeyRange.bound(keys[0], keys.at(-1))))));
  return runs.flatMap((keys, r) => keys.map((key, at) => [key, values[r]![at]] as const));
}

/** What keys begin with, each once. If it is no text, it is not ours. */
export async function firstsOf(store: IDBObjectStore): Promise<string[]> {
  const found: string[] = [];
  // From one to the next: there may be thousands of records under each.
  for (let from: IDBValidKey = []; ; ) {
    const key: unknown = await wrap(store.getKey(IDBKeyRange.bound(from, [[]], true, true)));
    if (key === undefined) return found;
    const [first] = key as [string];
    found.push(first);
    from = [first, []];
  }
}

/** Bytes of a value as we store it, or of whatever else somebody has put there. */
export function bytesOf(value: unknown): Bytes {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
  return new TextEncoder().encode(String(value)) as Bytes;
}

/** `cause.code` is the DOMException's name: its own `code` is a number that says nothing. */
export function failure(code: 'io' | 'no_storage', what: string, cause: unknown, advice = ''): TidemarkError {
  if (cause instanceof TidemarkError) return cause;
  const { name = 'Error', message = '' } = cause as Partial<Error>;
  return new TidemarkError(code, `${what}: ${name}: ${message}${advice}`, {
    cause: Object.assign(new Error(message, { cause }), { code: name }),
  });
}
