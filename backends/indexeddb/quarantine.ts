// Bytes that could not be used, in the object store `quarantine`: {bytes, why} under [length, number]. Nothing here is ever removed.
// Knows nothing of what the bytes were.
import { wrap } from 'idb';
import type { Bytes } from '../../src/backend';
import { under, write } from './records';

/** The same bytes once. @returns the place. */
export const keepBytes = (db: IDBDatabase, bytes: Bytes, why: string): Promise<string> =>
  write(db, ['quarantine'], 'strict', async (tx) => {
    const store = tx.objectStore('quarantine');
    const alike = (await wrap(store.getAll(under([bytes.length])))) as { bytes: ArrayBuffer }[];
    const at = alike.findIndex((other) => isSame(new Uint8Array(other.bytes), bytes));
    if (at < 0) store.put({ bytes: bytes.slice().buffer, why }, [bytes.length, alike.length]);
    return `${bytes.length}-${at < 0 ? alike.length : at}`;
  });

const isSame = (one: Uint8Array, other: Uint8Array): boolean => one.every((byte, at) => byte === other[at]);
