// Snapshots as records of a database of their own: each in parts that no engine loses as the page goes, all of them in one transaction that reads
// nothing. Knows nothing of a venue's database.
import { wrap } from 'idb';
import { type Bytes, concatBytes, TidemarkError } from '../../src/backend';
import { type ConnectionOptions, connect, within } from './connection';
import { commitPartBytes, failure, read, under, write } from './records';

export interface SnapshotRecordsOptions extends ConnectionOptions {
  /** How long one transaction may take: some engines never answer. */
  readonly transactionMs?: number;
}

export interface SnapshotRecords {
  /** Whole, or as it was. */
  write(key: string, bytes: Bytes): Promise<void>;
  /** Issued and committed in this turn, if there is a connection. In Firefox it may be damaged afterwards if the disk is full. */
  writeNow(key: string, bytes: Bytes): Promise<void>;
  /** Undefined if there is none. */
  read(key: string): Promise<Bytes | undefined>;
  close(): void;
}

const stores = ['snapshots'];

export function snapshotRecords(
  name: string,
  { transactionMs = 60_000, ...options }: SnapshotRecordsOptions = {},
): SnapshotRecords {
  const connection = connect(name, options, { stores });

  async function run<T>(doing: string, work: (db: IDBDatabase) => Promise<T>): Promise<T> {
    try {
      return await connection.run((db) => within(transactionMs, 'the transaction', work(db)));
    } catch (cause) {
      throw failure('io', `cannot ${doing} in the IndexedDB database '${name}'`, cause);
    }
  }

  // Ahead: one that is opened as the page goes comes too late. What is wrong with it, the first write says.
  connection.run(async () => undefined).catch(() => undefined);

  function issue(tx: IDBTransaction, key: string, bytes: Bytes): void {
    const records = tx.objectStore('snapshots');
    records.delete(under([key]));
    records.put(bytes.length, [key]);
    for (let at = 0, part = 0; at < bytes.length; at += commitPartBytes, part++)
      records.put(bytes.slice(at, at + commitPartBytes).buffer, [key, part]);
  }

  return {
    write: (key, bytes) => run('save', (db) => write(db, stores, 'strict', async (tx) => issue(tx, key, bytes))),
    writeNow: (key, bytes) => run('save', (db) => write(db, stores, 'strict', (tx) => issue(tx, key, bytes))),
    async read(key) {
      const values = await run('read', (db) =>
        wrap(
          read(db, stores)
            .objectStore('snapshots')
            .getAll(under([key])),
        ),
      );
      if (values.length === 0) return undefined;
      const [size, ...parts] = values as [number, ...ArrayBuffer[]];
      const bytes = concatBytes(parts.map((part) => new Uint8Array(part)));
      if (bytes.length !== size)
        throw new TidemarkError('damaged', `the record '${key}' of '${name}' has ${bytes.length} of ${size} bytes`);
      return bytes;
    },
    close: () => connection.close(),
  };
}
