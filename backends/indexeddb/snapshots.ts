// Snapshots as records of a database of their own: each in parts that no engine loses as the page goes, all of them in one transaction that reads
// nothing. Knows nothing of requests and retries, and nothing of a venue's database.
import { type Bytes, concatBytes, TidemarkError } from '../../src/backend';
import { ConnectionLost, within } from './connection';
import { commitPartBytes, failure, under } from './records';

export interface SnapshotRecordsOptions {
  readonly factory?: IDBFactory;
  /** How long opening the database, and one transaction, may take: some engines never answer. */
  readonly openMs?: number;
  readonly writeMs?: number;
}

export interface SnapshotRecords {
  /** Issued in this turn, if there is a connection. */
  write(key: string, bytes: Bytes): Promise<void>;
  /** Undefined if there is none. */
  read(key: string): Promise<Bytes | undefined>;
  close(): void;
}

const store = 'snapshots';
/** What the database itself has decided: it would say the same on a fresh connection. */
const isDecided = (error: unknown): boolean => (error as Error).name === 'QuotaExceededError';

export function snapshotRecords(
  name: string,
  { factory, openMs = 5000, writeMs = 60_000 }: SnapshotRecordsOptions = {},
): SnapshotRecords {
  let current: IDBDatabase | undefined;
  let opening: Promise<IDBDatabase> | undefined;
  let closed = false;
  const underWay = new Map<(error: Error) => void, IDBDatabase>();

  const ask = () =>
    new Promise<IDBDatabase>((resolve, reject) => {
      // Where it is forbidden, merely asking for it may throw.
      const from = factory ?? globalThis.indexedDB;
      if (!from) throw new DOMException('there is none here', 'NotSupportedError');
      const request = from.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(store);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });

  function drop(db: IDBDatabase): void {
    if (current === db) current = undefined;
    db.close();
    // What was under way may have happened or not.
    for (const [reject, of] of underWay) {
      if (of !== db) continue;
      underWay.delete(reject);
      reject(new ConnectionLost('the connection was lost'));
    }
  }

  async function open(): Promise<IDBDatabase> {
    const db = await within(openMs, 'opening it', ask(), (late) => late.close());
    // Somebody deletes it: not to be held up. What was issued is still done.
    db.onversionchange = () => {
      if (current === db) current = undefined;
      db.close();
    };
    db.onclose = () => drop(db);
    if (closed) db.close();
    else current = db;
    return db;
  }

  function connected(): Promise<IDBDatabase> {
    opening ??= open().finally(() => {
      opening = undefined;
    });
    return opening;
  }

  /** One transaction, issued and committed in this turn; settles whatever becomes of it. */
  function issue(db: IDBDatabase, mode: IDBTransactionMode, fill: (records: IDBObjectStore) => void): Promise<void> {
    const settled = new Promise<void>((resolve, reject) => {
      const tx = db.transaction(store, mode, { durability: 'strict' });
      underWay.set(reject, db);
      const over = () => underWay.delete(reject);
      tx.oncomplete = () => {
        over();
        resolve();
      };
      tx.onabort = () => {
        over();
        reject(tx.error ?? new DOMException('the transaction was aborted, nobody says why', 'AbortError'));
      };
      try {
        fill(tx.objectStore(store));
        tx.commit();
      } catch (error) {
        tx.abort(); // or what was issued would be committed
        reject(error);
      }
    });
    return within(writeMs, 'the transaction', settled);
  }

  async function retried(doing: string, work: (db: IDBDatabase) => Promise<void>): Promise<void> {
    try {
      for (let tries = 1; ; tries++) {
        // No await where there is a connection: as the page goes there may be no next turn.
        const db = current ?? (await connected());
        try {
          return await work(db);
        } catch (error) {
          if (tries > 1 || isDecided(error)) throw error;
          drop(db);
        }
      }
    } catch (cause) {
      throw failure('io', `cannot ${doing} in the IndexedDB database '${name}'`, cause);
    }
  }

  function write(key: string, bytes: Bytes): Promise<void> {
    return retried('save', (db) =>
      issue(db, 'readwrite', (records) => {
        records.delete(under([key]));
        records.put(bytes.length, [key]);
        for (let at = 0, part = 0; at < bytes.length; at += commitPartBytes, part++)
          records.put(bytes.slice(at, at + commitPartBytes).buffer, [key, part]);
      }),
    );
  }

  // Ahead: one that is opened as the page goes comes too late. What is wrong with it, the first write says.
  connected().catch(() => undefined);

  return {
    write,
    async read(key) {
      let values: unknown[] = [];
      await retried('read', (db) =>
        issue(db, 'readonly', (records) => {
          const request = records.getAll(under([key]));
          request.onsuccess = () => {
            values = request.result;
          };
        }),
      );
      if (values.length === 0) return undefined;
      const [size, ...parts] = values as [number, ...ArrayBuffer[]];
      const bytes = concatBytes(parts.map((part) => new Uint8Array(part)));
      if (bytes.length !== size)
        throw new TidemarkError('damaged', `the record '${key}' of '${name}' has ${bytes.length} of ${size} bytes`);
      return bytes;
    },
    close() {
      closed = true;
      current?.close();
      current = undefined;
    },
  };
}
