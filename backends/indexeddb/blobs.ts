// Bytes outside entries, in parts under an id of their own; a record under the blob's name says which. So a put whose name is known only at its
// end, and one that never ends, leave what stands alone. Knows nothing of what the bytes are or who names them.
import { wrap } from 'idb';
import { type BlobStore, type Bytes, type StoredBlob, TidemarkError } from '../../src/backend';
import { bytesOf, type Key, read, readRecords, under, write } from './records';

/** Nobody puts a blob as the page goes, so parts may be larger than a commit's: 100 MB are 400 records. */
const partBytes = 256 * 1024;

interface BlobRecord {
  readonly id: string;
  readonly size: number;
  readonly at: number;
}

const nameKey = (name: string): Key => ['name', name];
const partKey = (id: string, ...part: number[]): Key => ['part', id, ...part];
/** Digits enough for every time, so that ids are in the order of time. */
const idPrefix = (at: number): string => Math.max(0, at).toFixed(0).padStart(16, '0');

/** Sizes of all blobs. */
export const blobBytes = async (tx: IDBTransaction): Promise<number> =>
  (await readRecords(tx.objectStore('blobs'), under(['name']))).reduce(
    (sum, [, value]) => sum + (value as BlobRecord).size,
    0,
  );

export function openBlobs(
  target: string,
  use: <T>(doing: string, work: (db: IDBDatabase) => Promise<T>) => Promise<T>,
): BlobStore {
  const putPart = (id: string, part: number, bytes: ArrayBuffer) =>
    use('write a blob', (db) =>
      write(db, ['blobs'], 'strict', (tx) => {
        tx.objectStore('blobs').put(bytes, partKey(id, part));
      }),
    );

  const remove = (id: string) =>
    use('remove a blob', (db) =>
      write(db, ['blobs'], 'relaxed', (tx) => {
        tx.objectStore('blobs').delete(under(partKey(id)));
      }),
    );

  async function putParts(id: string, pieces: AsyncIterable<Bytes>): Promise<number> {
    const slab = new Uint8Array(partBytes);
    let filled = 0;
    let size = 0;
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length; ) {
        const taken = piece.subarray(at, at + slab.length - filled);
        slab.set(taken, filled);
        filled += taken.length;
        at += taken.length;
        if (filled < slab.length) continue;
        await putPart(id, size / partBytes, slab.slice().buffer);
        size += filled;
        filled = 0;
      }
    }
    if (filled > 0) await putPart(id, size / partBytes, slab.slice(0, filled).buffer);
    return size + filled;
  }

  const find = async (db: IDBDatabase, name: string): Promise<BlobRecord | undefined> =>
    wrap(read(db, ['blobs']).objectStore('blobs').get(nameKey(name)));

  function storedBlob(name: string, { id, size }: BlobRecord): StoredBlob {
    const part = async (number: number): Promise<Bytes> =>
      bytesOf(
        await use('read a blob', (db) => wrap(read(db, ['blobs']).objectStore('blobs').get(partKey(id, number)))).then(
          (value) => value ?? new ArrayBuffer(0), // gone: what is too short does not verify
        ),
      );
    return {
      name: `${target}/blobs/${name}`,
      size,
      async *stream() {
        for (let at = 0; at < size; at += partBytes) yield part(at / partBytes);
      },
      async read(offset, length) {
        const bytes = new Uint8Array(length);
        for (let at = offset; at < offset + length; ) {
          const first = Math.floor(at / partBytes);
          const piece = (await part(first)).subarray(at - first * partBytes).subarray(0, offset + length - at);
          if (piece.length === 0) throw new RangeError(`${target}/blobs/${name} ends at ${at}`);
          bytes.set(piece, at - offset);
          at += piece.length;
        }
        return bytes;
      },
    };
  }

  return {
    async put(pieces, name, now) {
      const id = `${idPrefix(now())}-${globalThis.crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
      try {
        const size = await putParts(id, pieces);
        const key = nameKey(await name());
        await use('write a blob', (db) =>
          write(db, ['blobs'], 'strict', async (tx) => {
            const store = tx.objectStore('blobs');
            const before: BlobRecord | undefined = await wrap(store.get(key));
            // Whoever looks for what puts of pages that are gone have left may have taken a page for gone that was frozen for a day.
            if ((await wrap(store.count(under(partKey(id))))) < Math.ceil(size / partBytes))
              throw new TidemarkError(
                'io',
                `${target}: the page was away for too long while a blob was put; put it again`,
              );
            // Written already, should this transaction be one that is tried again.
            if (before && before.id !== id) store.delete(under(partKey(before.id)));
            store.put({ id, size, at: now() } satisfies BlobRecord, key);
          }),
        );
      } catch (error) {
        remove(id).catch(() => {}); // list() finds what is left
        throw error;
      }
    },

    async get(name) {
      const record = await use('read a blob', (db) => find(db, name));
      return record && storedBlob(name, record);
    },

    async list(before) {
      return use('list blobs', (db) =>
        write(db, ['blobs'], 'relaxed', async (tx) => {
          const store = tx.objectStore('blobs');
          const records = (await readRecords(store, under(['name']))) as [Key, BlobRecord][];
          const standing = new Set(records.map(([, { id }]) => id));
          // Puts that never ended, of pages that are gone.
          const end = Number.isFinite(before) ? idPrefix(before) : '~';
          for (const key of await wrap(store.getAllKeys(IDBKeyRange.bound(['part'], ['part', end])))) {
            if (!standing.has((key as [string, string])[1])) store.delete(key);
          }
          return new Map(records.filter(([, { at }]) => at < before).map(([[, name], { at }]) => [name as string, at]));
        }),
      );
    },

    async delete(name, at) {
      await use('remove a blob', (db) =>
        write(db, ['blobs'], 'relaxed', async (tx) => {
          const store = tx.objectStore('blobs');
          const record: BlobRecord | undefined = await wrap(store.get(nameKey(name)));
          if (record?.at !== at) return;
          store.delete(nameKey(name));
          store.delete(under(partKey(record.id)));
        }),
      );
    },
  };
}
