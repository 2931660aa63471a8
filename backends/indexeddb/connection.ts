// The connection to the database: opened with a time-out, given up when it is in others' way, lost or broken, and opened again
// when it is needed next. Knows nothing of what is written over it.
import { TidemarkError } from '../../src/backend';
import { failure, isAsleep } from './records';

export interface ConnectionOptions {
  readonly factory?: IDBFactory;
  /** How long one attempt to open the database may take: some engines never answer the first one. */
  readonly openMs?: number;
  readonly openTries?: number;
  /** Whether it lets go when somebody deletes the database (default), or keeps it until it is closed. */
  readonly yields?: boolean;
}

/** What was under way may have happened or not. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

export interface Connection {
  /** The open connection, if there is one. */
  readonly db: IDBDatabase | undefined;
  /**
   * Does it on the open connection, in this turn; without one, or when it fails there, on a fresh one.
   * @param tries 1: not again when it fails.
   */
  run<T>(work: (db: IDBDatabase) => Promise<T>, tries?: 1 | 2): Promise<T>;
  /** Does it on this connection, whatever becomes of it. */
  on<T>(db: IDBDatabase, work: (db: IDBDatabase) => Promise<T>): Promise<T>;
  /** Takes a fresh one the next time; what is under way on this one is given up. */
  drop(db: IDBDatabase): void;
  close(): void;
}

/** What the database itself has decided: it would say the same on a fresh connection. */
const decided = ['QuotaExceededError', 'ConstraintError'];

/** Between two attempts to open the database. */
const retryMs = 200;

/** Rejects when it takes too long; what comes then is handed to `late`. */
export function within<T>(ms: number, what: string, work: Promise<T>, late?: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      reject(new DOMException(`${what} took more than ${ms} ms`, 'TimeoutError'));
    }, ms);
    const settle = (value: T) => (over ? late?.(value) : resolve(value));
    work.then(settle, reject).finally(() => clearTimeout(timer));
  });
}

export interface Schema {
  readonly stores: readonly string[];
  /** Called in the transaction that creates the database. */
  fill?(tx: IDBTransaction): void;
  /** Rejects for a database that is not to be used, and not to be tried again. */
  check?(db: IDBDatabase): Promise<void>;
}

export function connect(
  name: string,
  { factory, openMs = 5000, openTries = 3, yields = true }: ConnectionOptions,
  { stores, fill, check }: Schema,
): Connection {
  let current: IDBDatabase | undefined;
  let opening: Promise<IDBDatabase> | undefined;
  let closed: TidemarkError | undefined;
  let cancel: ((why: Error) => void) | undefined;
  const underWay = new Set<{ of: IDBDatabase; reject(error: Error): void }>();

  const ask = () =>
    new Promise<IDBDatabase>((resolve, reject) => {
      cancel = reject;
      // Where it is forbidden, merely asking for it may throw.
      const from = factory ?? globalThis.indexedDB;
      if (!from) throw new DOMException('there is none here', 'NotSupportedError');
      const request = from.open(name, 1);
      request.onupgradeneeded = () => {
        for (const store of stores) request.result.createObjectStore(store);
        fill?.(request.transaction!);
      };
      request.onsuccess = () => {
        if (closed) request.result.close();
        resolve(request.result);
      };
      request.onerror = () => reject(request.error);
    });

  async function checked(db: IDBDatabase): Promise<IDBDatabase> {
    try {
      if (!stores.every((store) => db.objectStoreNames.contains(store)))
        throw new DOMException('it is the database of another program', 'NotFoundError');
      await check?.(db);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  async function open(): Promise<IDBDatabase> {
    for (let tries = 1; ; tries++) {
      try {
        const db = await within(openMs, 'opening it', ask().then(checked), (late) => late.close());
        // Somebody deletes the database: not to be held up. What was issued is still done.
        db.onversionchange = () => {
          if (!yields) return;
          if (current === db) current = undefined;
          db.close();
        };
        db.onclose = () => drop(db);
        current = db;
        return db;
      } catch (cause) {
        if (closed || cause instanceof TidemarkError) throw closed ?? cause;
        if (tries >= openTries) {
          const advice =
            '. Allow this site to store data, leave private browsing, close its other tabs, or use another store';
          throw failure('no_storage', `the IndexedDB database '${name}' cannot be opened`, cause, advice);
        }
        // Chromium that has just lost the database to a full disk says no for a moment.
        if ((cause as Error).name !== 'TimeoutError') await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  }

  function connected(): Promise<IDBDatabase> {
    opening ??= open().finally(() => {
      opening = undefined;
    });
    return opening;
  }

  const on = <T>(db: IDBDatabase, work: (db: IDBDatabase) => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const entry = { of: db, reject };
      underWay.add(entry);
      (async () => work(db))()
        .then(resolve, reject)
        .finally(() => underWay.delete(entry));
    });

  function drop(db: IDBDatabase): void {
    if (current === db) current = undefined;
    db.close();
    for (const { of, reject } of underWay)
      if (of === db) reject(new ConnectionLost('the connection to the database was lost'));
  }

  async function run<T>(work: (db: IDBDatabase) => Promise<T>, tries = 2): Promise<T> {
    if (closed) throw closed;
    // No await where there is a connection: as the page goes there may be no next turn.
    const db = current ?? (await connected());
    try {
      return await on(db, work);
    } catch (error) {
      if (decided.includes((error as Error).name) || isAsleep(db)) throw error;
      drop(db);
      if (tries < 2) throw error;
      return run(work, 1);
    }
  }

  return {
    get db() {
      return current;
    },
    run,
    on,
    drop,
    close() {
      closed ??= new TidemarkError('closed', `the store indexeddb:${name} is closed`);
      cancel?.(closed);
      current?.close();
      current = undefined;
    },
  };
}
