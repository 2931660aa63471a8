// What a store needs beside commits and checkpoints: quarantine, the count of its bytes, and what LevelDB needs after a crash. Knows
// nothing of connections.
import { wrap } from 'idb';
import type { Bytes, Usage } from '../../src/backend';
import { blobBytes } from './blobs';
import { readCheckpoints } from './checkpoints';
import { bytesOf, commitPartBytes, read, readRecords, type StoreName, under, write } from './records';

interface Quarantined {
  bytes: ArrayBuffer;
  why: string;
}

const isSame = (one: Uint8Array, other: Uint8Array): boolean => one.every((byte, at) => byte === other[at]);

/** Under [length, number]; the same bytes once; nothing is ever removed. @returns the place. */
export const keepBytes = (db: IDBDatabase, bytes: Bytes, why: string): Promise<string> =>
  write(db, ['quarantine'], 'strict', async (tx) => {
    const { length } = bytes;
    const store = tx.objectStore('quarantine');
    const alike: Partial<Quarantined>[] = await wrap(store.getAll(under([length])));
    const at = alike.findIndex((other) => isSame(bytes, bytesOf(other?.bytes)));
    if (at < 0) store.put({ bytes: bytes.slice().buffer, why } satisfies Quarantined, [length, alike.length]);
    return `${length}-${at < 0 ? alike.length : at}`;
  });

/** What our records take. */
export async function countBytes(db: IDBDatabase): Promise<number> {
  const counted = ['commits', 'last', 'quarantine'] satisfies StoreName[];
  const tx = read(db, [...counted, 'blobs', 'meta']);
  const [{ standing }, inBlobs, ...records] = await Promise.all([
    readCheckpoints(tx),
    blobBytes(tx),
    ...counted.map((store) => readRecords(tx.objectStore(store), under([]))),
  ]);
  const sizes = [
    inBlobs,
    ...standing.map(({ size }) => size),
    ...records.flat().map(([, value]) => bytesOf((value as Partial<Quarantined>)?.bytes ?? value).length),
  ];
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What the platform says of the origin, where it says anything. */
export async function askPlatform(): Promise<Omit<Usage, 'bytes'>> {
  const storage = globalThis.navigator?.storage;
  const [quota, persisted] = await Promise.all([
    storage?.estimate?.().then(
      ({ quota }) => quota,
      () => undefined,
    ),
    storage?.persisted?.().catch(() => undefined),
  ]);
  return { ...(quota !== undefined && { quota }), ...(persisted !== undefined && { persisted }) };
}

/** Enough to make LevelDB begin a new file, behind what a crash has left at the end of the one before (FACTS.md: 2 MB did). */
const scratchBytes = 4 * 1024 * 1024;

export async function writeScratch(db: IDBDatabase): Promise<void> {
  const scratch = globalThis.crypto.getRandomValues(new Uint8Array(commitPartBytes)).buffer;
  await write(db, ['scratch'], 'strict', (tx) => {
    for (let at = 0; at < scratchBytes; at += commitPartBytes) tx.objectStore('scratch').put(scratch, [at]);
  });
  // In a transaction of its own: what is written and removed in one may never reach the disk.
  await write(db, ['scratch'], 'strict', (tx) => {
    tx.objectStore('scratch').clear();
  });
}
