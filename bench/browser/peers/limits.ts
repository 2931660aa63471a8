// The physical limits that goals are measured against: bytes put, got, and kept as the page goes, that nobody made or
// looks at; and JSON text parsed into a Map. None of them is a store that one could use.
import type { Contestant, Entry, Store } from '../contestant';
import { openDatabase, settledRequest, settledTransaction } from './idb';

const store = 'raw';
/** As large as a record may be and still survive the end of a page in Chromium. */
const PART_BYTES = 32 * 1024;

const nothing: Store = { write() {}, writeAll() {}, durable: async () => {}, read() {}, close() {} };

const partsOf = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / PART_BYTES) }, (_, i) =>
    bytes.slice(i * PART_BYTES, (i + 1) * PART_BYTES),
  );

const textOf = (entries: readonly Entry[]): Uint8Array => new TextEncoder().encode(JSON.stringify(entries));

const CONTROL_MS = 10;

/** Waits: what the ticker sees of a machine that does nothing for us. */
export const control: Contestant = {
  open: async () => ({
    ...nothing,
    durable: () =>
      new Promise((resolve) => {
        setTimeout(resolve, CONTROL_MS);
      }),
  }),
};

/** So many bytes like those of a commit: Chromium compresses what it stores, so it matters which. */
function bytesLike(entries: readonly Entry[], length: number): Uint8Array {
  const text = textOf(entries);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += text.length) bytes.set(text.subarray(0, length - at), at);
  return bytes;
}

/** Puts as many bytes as a commit of the entries has as one record. */
export const rawPut: Contestant = {
  async open(database, { bytes, strict, parts }) {
    const db = await openDatabase(database, store);
    let records: readonly Uint8Array[] = [];
    let key = 0;
    return {
      ...nothing,
      writeAll(entries) {
        const whole = bytesLike(entries, bytes!);
        records = parts ? partsOf(whole) : [whole];
      },
      async durable() {
        const transaction = db.transaction(store, 'readwrite', { durability: strict ? 'strict' : 'relaxed' });
        for (const record of records) transaction.objectStore(store).put(record, key++);
        transaction.commit();
        await settledTransaction(transaction);
      },
      close: () => db.close(),
    };
  },
};

/** As the page goes, puts a text that is there already into localStorage and, as records, into the database. */
export const rawLeave: Contestant = {
  async open(database, { bytes }) {
    const db = await openDatabase(database, store);
    let text = '';
    let records: readonly Uint8Array[] = [];
    addEventListener('beforeunload', () => {
      localStorage.setItem(database, text);
      const transaction = db.transaction(store, 'readwrite', { durability: 'relaxed' });
      records.forEach((record, i) => {
        transaction.objectStore(store).put(record, i);
      });
      transaction.commit();
    });
    return {
      ...nothing,
      writeAll(entries) {
        const whole = bytesLike(entries, bytes!);
        text = new TextDecoder().decode(whole);
        records = partsOf(whole);
      },
    };
  },
};

/** A limit of opening: fetches what was prepared and makes of it what is to be read. */
const rawRead = (
  recordsOf: (bytes: Uint8Array) => readonly unknown[],
  fetch: (records: IDBObjectStore, key: string) => Promise<unknown>,
): Contestant => ({
  async prepare(database, entries) {
    const db = await openDatabase(database, store);
    const transaction = db.transaction(store, 'readwrite');
    recordsOf(textOf(entries)).forEach((record, i) => {
      transaction.objectStore(store).put(record, i);
    });
    await settledTransaction(transaction);
    db.close();
  },
  async open(database) {
    const db = await openDatabase(database);
    return {
      ...nothing,
      read: (key) => fetch(db.transaction(store).objectStore(store), key),
      close: () => db.close(),
    };
  },
});

export const rawGet = rawRead(
  (bytes) => [bytes],
  (records) => settledRequest(records.get(0)),
);

export const rawParts = rawRead(partsOf, (records) => settledRequest(records.getAll()));

export const rawJson = rawRead(
  (bytes) => [bytes],
  async (records, key) => {
    const bytes = (await settledRequest(records.get(0))) as Uint8Array;
    return new Map(JSON.parse(new TextDecoder().decode(bytes)) as Entry[]).get(key);
  },
);
