// As much of the peers' types as the bench uses, so that the project is checked without their packages, which only
// `npm run bench` installs.
declare module 'idb-keyval' {
  export type UseStore = { readonly brand: unique symbol };
  export function createStore(database: string, store: string): UseStore;
  export function get<T>(key: string, store: UseStore): Promise<T | undefined>;
  export function set(key: string, value: unknown, store: UseStore): Promise<void>;
  export function setMany(entries: readonly (readonly [string, unknown])[], store: UseStore): Promise<void>;
  export function entries<T>(store: UseStore): Promise<[string, T][]>;
}

declare module 'dexie' {
  export interface Table<T> {
    put(value: T, key: string): Promise<unknown>;
    bulkPut(values: readonly T[], keys: readonly string[]): Promise<unknown>;
    get(key: string): Promise<T | undefined>;
    toArray(): Promise<T[]>;
    toCollection(): { primaryKeys(): Promise<string[]> };
  }
  export default class Dexie {
    constructor(name: string);
    version(version: number): { stores(schema: Record<string, string>): void };
    table<T>(name: string): Table<T>;
    open(): Promise<unknown>;
    close(): void;
  }
}

// Its typings declare the package's own name globally, as this file does: another path to the same file.
declare module 'localforage/dist/localforage.js' {
  export interface LocalForage {
    ready(): Promise<void>;
    setItem(key: string, value: unknown): Promise<unknown>;
    getItem<T>(key: string): Promise<T | null>;
    iterate<T>(visit: (value: T, key: string) => void): Promise<void>;
  }
  const localforage: { readonly INDEXEDDB: string; createInstance(options: object): LocalForage };
  export default localforage;
}

declare module 'tinybase' {
  export interface Store {
    setRow(table: string, row: string, cells: object): void;
    getRow(table: string, row: string): unknown;
    transaction(actions: () => void): void;
  }
  export function createStore(): Store;
}

declare module 'tinybase/persisters/persister-indexed-db' {
  import type { Store } from 'tinybase';
  export interface Persister {
    load(): Promise<unknown>;
    startAutoSave(): Promise<unknown>;
    schedule(action: () => Promise<void>): Promise<unknown>;
    destroy(): Promise<unknown>;
  }
  export function createIndexedDbPersister(store: Store, database: string): Persister;
}

declare module 'yjs' {
  export class Doc {
    getMap<T>(name: string): { set(key: string, value: T): void; get(key: string): T | undefined };
    transact(actions: () => void): void;
  }
}

declare module 'y-indexeddb' {
  import type { Doc } from 'yjs';
  export class IndexeddbPersistence {
    constructor(name: string, doc: Doc);
    readonly whenSynced: Promise<unknown>;
    readonly db: IDBDatabase;
    destroy(): Promise<void>;
  }
}
