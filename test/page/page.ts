// A page without a browser: happy-dom's window, fake-indexeddb, fake timers. What a venue does in the turn of an event can be seen there to the
// microtask. Knows the public face only.
import 'fake-indexeddb/auto'; // also the classes that packages look for
import { IDBFactory } from 'fake-indexeddb';
import { Window } from 'happy-dom';
import { afterEach, beforeEach, vi } from 'vitest';
import { type OpenOptions, openVenue, type Venue } from '../../src/browser';

export interface Page {
  readonly window: Window;
  /** Opens a venue, and closes it with the test. */
  open(options?: OpenOptions): Promise<Venue>;
  /** The events as engines fire them, one after the other in one turn. */
  hide(): void;
  show(): void;
  /** Every put into the database, as it is issued: which object store, and how many bytes. */
  readonly puts: { store: string; bytes: number }[];
  /** What transactions were asked for and done with: durability, commit. */
  readonly transactions: { stores: string[]; mode: string; durability: string; committed: boolean }[];
}

/** A fresh page for each test. The database stays what it is until then. */
export function usePage(): Page {
  let window: Window;
  let venues: Venue[] = [];
  const puts: Page['puts'] = [];
  const transactions: Page['transactions'] = [];

  beforeEach(() => {
    window = new Window({ url: 'https://page.test/' });
    puts.length = transactions.length = 0;
    vi.stubGlobal('document', window.document);
    vi.stubGlobal('localStorage', window.localStorage);
    vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
    vi.stubGlobal('removeEventListener', window.removeEventListener.bind(window));
    vi.stubGlobal('indexedDB', watched(new IDBFactory(), puts, transactions));
    // Not setImmediate, which the database runs on.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  });
  afterEach(async () => {
    vi.useRealTimers();
    for (const venue of venues) await venue.close();
    venues = [];
    vi.unstubAllGlobals();
    await window.happyDOM.close();
  });

  const state = (visibilityState: string) => {
    Object.defineProperty(window.document, 'visibilityState', { value: visibilityState, configurable: true });
    window.document.dispatchEvent(new window.Event('visibilitychange'));
  };
  return {
    get window() {
      return window;
    },
    async open(options = {}) {
      const venue = await openVenue({ store: 'notes', ...options });
      venues.push(venue);
      return venue;
    },
    hide: () => state('hidden'),
    show: () => state('visible'),
    puts,
    transactions,
  };
}

/** Lets the database do what it was asked for; no time passes for the venue. */
export async function settle(turns = 30): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

function watched(factory: IDBFactory, puts: Page['puts'], transactions: Page['transactions']): IDBFactory {
  const open = factory.open.bind(factory);
  factory.open = (...args) => {
    const request = open(...args);
    request.addEventListener('success', () => {
      const db = request.result;
      const transaction = db.transaction.bind(db);
      db.transaction = ((stores: string | string[], mode = 'readonly', options?: IDBTransactionOptions) => {
        const tx = transaction(stores, mode as IDBTransactionMode, options);
        const seen = { stores: [stores].flat(), mode, durability: options?.durability ?? 'default', committed: false };
        transactions.push(seen);
        const objectStore = tx.objectStore.bind(tx);
        const commit = tx.commit.bind(tx);
        tx.commit = () => {
          seen.committed = true;
          commit();
        };
        tx.objectStore = (name: string) => {
          const store = objectStore(name);
          if (Object.hasOwn(store, 'put')) return store; // the same one for every call
          const put = store.put.bind(store);
          store.put = (value, key) => {
            puts.push({ store: name, bytes: (value as ArrayBuffer).byteLength ?? 0 });
            return put(value, key);
          };
          return store;
        };
        return tx;
      }) as typeof db.transaction;
    });
    return request;
  };
  return factory;
}
