// A factory around fake-indexeddb's that writes down what is done through it, and lets a test hold it up or make it fail. Uses what
// fake-indexeddb has inside where the platform gives a program no way to make that happen.

export interface WatchedTransaction {
  readonly stores: string[];
  readonly mode: string;
  readonly durability: string;
  /** Calls of every method of an object store, in order. */
  readonly calls: { store: string; method: string; args: unknown[] }[];
  committed: boolean;
  readonly tx: IDBTransaction;
}

type Request = () => IDBRequest;

/** fake-indexeddb's own. */
interface Inner extends IDBTransaction {
  _abort(error: string): void;
  _execRequestAsync(request: { source: IDBObjectStore; operation: () => never }): IDBRequest;
}

export class WatchedFactory {
  readonly transactions: WatchedTransaction[] = [];
  /** Connections that were opened and not closed. */
  readonly connections = new Set<IDBDatabase>();
  opens = 0;
  /** Called with each attempt to open, and may throw; its success is told when the promise resolves. */
  holdOpen: ((attempt: number) => Promise<unknown> | undefined) | undefined;
  /** May throw in the place of db.transaction(). */
  onTransaction: ((stores: string[], mode: string) => void) | undefined;
  /** May do something else than the call of an object store's method. */
  onCall:
    | ((call: WatchedTransaction['calls'][number], proceed: Request, seen: WatchedTransaction) => IDBRequest)
    | undefined;
  /** In the place of commit(). */
  onCommit: ((seen: WatchedTransaction, proceed: () => void) => void) | undefined;

  constructor(readonly inner = new IDBFactory()) {}

  /** As the backend takes it. */
  get factory(): IDBFactory {
    return this as unknown as IDBFactory;
  }

  open(name: string, version?: number): IDBOpenDBRequest {
    this.opens++;
    const held = this.holdOpen?.(this.opens);
    const asked = this.inner.open(name, version);
    const request = {
      onsuccess: null as (() => void) | null,
      onerror: null as (() => void) | null,
      get result() {
        return asked.result;
      },
      get error() {
        return asked.error;
      },
      get transaction() {
        return asked.transaction;
      },
      set onupgradeneeded(listener: () => void) {
        asked.onupgradeneeded = listener;
      },
    };
    asked.onsuccess = async () => {
      this.watch(asked.result);
      await held;
      request.onsuccess?.();
    };
    asked.onerror = () => request.onerror?.();
    return request as unknown as IDBOpenDBRequest;
  }

  deleteDatabase(name: string): IDBOpenDBRequest {
    return this.inner.deleteDatabase(name);
  }

  /** As an engine does whose storage dies: it says so, and nothing of what is under way. */
  loseConnections(): void {
    for (const db of this.connections) {
      db.close();
      db.onclose?.(new Event('close'));
    }
  }

  /** The transactions that write to a store. */
  writing(store: string): WatchedTransaction[] {
    return this.transactions.filter(({ stores, mode }) => mode === 'readwrite' && stores.includes(store));
  }

  private watch(db: IDBDatabase): void {
    this.connections.add(db);
    const close = db.close.bind(db);
    db.close = () => {
      this.connections.delete(db);
      close();
    };
    const begin = db.transaction.bind(db);
    db.transaction = (names, mode = 'readonly', options) => {
      const stores = [names].flat() as string[];
      this.onTransaction?.(stores, mode);
      const tx = begin(names, mode, options);
      const seen = { stores, mode, durability: tx.durability, calls: [], committed: false, tx };
      this.transactions.push(seen);
      this.watchTransaction(tx, seen);
      return tx;
    };
  }

  private watchTransaction(tx: IDBTransaction, seen: WatchedTransaction): void {
    const commit = tx.commit.bind(tx);
    tx.commit = () => {
      seen.committed = true;
      if (this.onCommit) this.onCommit(seen, commit);
      else commit();
    };
    const storeOf = tx.objectStore.bind(tx);
    tx.objectStore = (name) =>
      new Proxy(storeOf(name), {
        get: (store, method: string) => {
          const own = Reflect.get(store, method) as unknown;
          if (typeof own !== 'function') return own;
          return (...args: unknown[]) => {
            const call = { store: name, method, args };
            seen.calls.push(call);
            const proceed = () => own.apply(store, args) as IDBRequest;
            return this.onCall ? this.onCall(call, proceed, seen) : proceed();
          };
        },
      });
  }
}

/** As Chromium tells that there is no room: every request succeeds or is aborted, and the transaction says why. */
export const abortWith = (tx: IDBTransaction, name: string): void => (tx as Inner)._abort(name);

/** As Firefox and WebKit do: a request fails. */
export const failingRequest = (tx: IDBTransaction, store: string, name: string): IDBRequest =>
  (tx as Inner)._execRequestAsync({
    source: IDBTransaction.prototype.objectStore.call(tx, store),
    operation() {
      throw new DOMException('', name);
    },
  });

/** A promise and what settles it. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
