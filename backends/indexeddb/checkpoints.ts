// Checkpoints in the database: parts [generation, attempt, part], and a record in `meta` for each one that stands. Whoever adds
// the record of a generation first has made it; everybody else gives way. Knows nothing of what a checkpoint says.
import { wrap } from 'idb';
import { type Bytes, concatBytes, type StoredCheckpoint, TidemarkError, type VersionVector } from '../../src/backend';
import { type CommitStore, covers } from './commits';
import { type Connection, ConnectionLost } from './connection';
import { bytesOf, firstsOf, ioError, type Key, readRecords, type StoreName, under, write } from './records';

/** So large that reading takes few requests. */
const checkpointPartBytes = 256 * 1024;
/** How much is asked for at a time. */
const batchBytes = 4 * 1024 * 1024;

export interface Checkpoint {
  readonly generation: number;
  /** Tells its parts from those of others who tried to make the same generation. */
  readonly attempt: string;
  readonly size: number;
  readonly partBytes: number;
  readonly covers: VersionVector;
}

export interface Checkpoints {
  /** The highest generation that there has been. */
  readonly highest: number;
  /** Newest first. */
  readonly standing: readonly Checkpoint[];
}

const metaKey = (generation: number): Key => ['checkpoint', generation];

/** What is no record of ours is a checkpoint of which nothing is left, so that it is missed. */
function parse(generation: number, value: unknown): Checkpoint {
  const { attempt, size, partBytes, covers } = (value ?? {}) as Partial<Checkpoint>;
  return typeof attempt === 'string' &&
    Number.isInteger(size) &&
    Number.isInteger(partBytes) &&
    Object.values(covers ?? { '': '' }).every(Number.isInteger)
    ? { generation, attempt, size: size!, partBytes: partBytes!, covers: covers! }
    : { generation, attempt: '', size: 0, partBytes: 1, covers: {} };
}

export async function readCheckpoints(tx: IDBTransaction): Promise<Checkpoints> {
  const records = await readRecords(tx.objectStore('meta'), under(['checkpoint']));
  const found = records.flatMap(([key, value]) => {
    const generation = (key as unknown[])[1];
    return typeof generation === 'number' ? [{ generation, value }] : [];
  });
  found.reverse();
  return {
    highest: found[0]?.generation ?? 0,
    standing: found.flatMap(({ generation, value }) => (value === retired ? [] : [parse(generation, value)])),
  };
}

/** Stays in the place of a checkpoint that was retired, so that its generation is not used again. */
const retired = 'retired';

export interface CheckpointTools {
  readonly target: string;
  readonly connection: Connection;
  quarantine(bytes: Bytes, why: string): Promise<unknown>;
}

export function storedCheckpoint(
  { generation, attempt, size, partBytes }: Checkpoint,
  { target, connection, quarantine }: CheckpointTools,
): StoredCheckpoint {
  const name = `${target}/checkpoint/${generation}`;

  /** @returns those that are there. */
  async function parts(from: number, to: number): Promise<Bytes[]> {
    const range = under([generation, attempt, from], [generation, attempt, to]);
    try {
      const [found, meta] = await connection.run((db) => {
        const tx = db.transaction(['checkpoint', 'meta'] satisfies StoreName[]);
        return Promise.all([
          wrap(tx.objectStore('checkpoint').getAll(range)),
          wrap(tx.objectStore('meta').get(metaKey(generation))),
        ]);
      });
      // It is not damaged, it is out of date: others have made two since.
      if (found.length <= to - from && meta?.attempt !== attempt && attempt)
        throw new TidemarkError('io', `${name} was replaced meanwhile: read the store again`);
      return found.map(bytesOf);
    } catch (error) {
      throw ioError(name, 'read', error);
    }
  }

  async function* stream(): AsyncGenerator<Bytes> {
    const step = Math.max(1, Math.floor(batchBytes / partBytes));
    const count = Math.ceil(size / partBytes);
    for (let from = 0; from < count; from += step) yield* await parts(from, Math.min(from + step, count) - 1);
  }

  return {
    name,
    generation,
    size,
    stream,
    async read(offset, length) {
      if (offset < 0 || offset + length > size) throw new RangeError(`${name} ends at ${size}`);
      const first = Math.floor(offset / partBytes);
      const last = Math.floor((offset + length - 1) / partBytes);
      const bytes = length ? concatBytes(await parts(first, last)) : new Uint8Array();
      const from = offset - first * partBytes;
      if (from + length > bytes.length && length) throw new RangeError(`${name} has not all its parts`);
      return length ? bytes.slice(from, from + length) : bytes;
    },
    async retire(why) {
      const slabs: Bytes[] = [];
      for await (const slab of stream()) slabs.push(slab);
      await quarantine(concatBytes(slabs), why);
      await connection.run((db) =>
        write(db, ['meta', 'checkpoint'], 'strict', (tx) => {
          tx.objectStore('meta').put(retired, metaKey(generation));
          tx.objectStore('checkpoint').delete(under([generation, attempt]));
        }),
      );
    },
  };
}

/** The same bytes in parts of one size, but for the last. The buffer is used again. */
async function* inParts(lines: AsyncIterable<Bytes>, partBytes: number): AsyncGenerator<Bytes> {
  const buffer = new Uint8Array(partBytes);
  let filled = 0;
  for await (const piece of lines) {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.subarray(at, at + partBytes - filled);
      buffer.set(taken, filled);
      at += taken.length;
      filled += taken.length;
      if (filled < partBytes) continue;
      yield buffer;
      filled = 0;
    }
  }
  if (filled > 0) yield buffer.slice(0, filled);
}

/** Backend.checkpoint(). @returns undefined where another one stands that this one must not replace. */
export async function makeCheckpoint(
  lines: AsyncIterable<Bytes>,
  vector: VersionVector,
  replaces: number,
  { run }: Connection,
): Promise<Checkpoint | undefined> {
  const look = () => run((db) => readCheckpoints(db.transaction('meta' satisfies StoreName)));
  const begun = await look();
  const [standing] = begun.standing;
  const surpasses = Object.entries(standing?.covers ?? {}).every(([writer, index]) =>
    covers(vector, { writer, index }),
  );
  if (standing && standing.generation !== replaces && !surpasses) return undefined;

  const generation = begun.highest + 1;
  const attempt = globalThis.crypto.getRandomValues(new Uint32Array(4)).join();
  const partBytes = checkpointPartBytes;
  let size = 0;
  /** Whether the parts are in use, or may be. */
  let stands = false;
  try {
    for await (const bytes of inParts(lines, partBytes)) {
      const key = [generation, attempt, size / partBytes];
      await run((db) =>
        write(db, ['checkpoint'], 'strict', (tx) => {
          tx.objectStore('checkpoint').put(bytes.buffer, key);
        }),
      );
      size += bytes.length;
    }
    const next = { generation, attempt, size, partBytes, covers: { ...vector } };
    const [now, ...writers] = await run((db) => {
      const tx = db.transaction(['meta', 'commits', 'last'] satisfies StoreName[]);
      return Promise.all([readCheckpoints(tx), firstsOf(tx.objectStore('commits')), firstsOf(tx.objectStore('last'))]);
    });
    if (now.highest !== begun.highest || now.standing[0]?.attempt !== standing?.attempt) return undefined;
    // Not again on another connection: if it had happened after all, it would look like another's.
    await run((db) => swap(db, next, standing, writers), 1);
    stands = true;
    return next;
  } catch (error) {
    stands = error instanceof ConnectionLost;
    if ((error as Error).name === 'ConstraintError') return undefined;
    throw error;
  } finally {
    if (!stands) {
      await run((db) =>
        write(db, ['checkpoint'], 'relaxed', (tx) => {
          tx.objectStore('checkpoint').delete(under([generation, attempt]));
        }),
      ).catch(() => {});
    }
  }
}

/**
 * One transaction that reads nothing, so that it cannot stay open: a page may be frozen at any moment. It fails if the generation has been
 * made. Nothing newer is touched: whoever was frozen for long just before this comes too late, and must not harm.
 */
function swap(
  db: IDBDatabase,
  next: Checkpoint,
  before: Checkpoint | undefined,
  [inCommits, inLast]: string[][],
): Promise<void> {
  const stores: [CommitStore, string[]][] = [
    ['commits', inCommits!],
    ['last', inLast!],
  ];
  const used = stores.filter(([, writers]) => writers.length > 0);
  return write(db, ['meta', 'checkpoint', ...used.map(([store]) => store)], 'strict', (tx) => {
    const { generation, ...record } = next;
    const meta = tx.objectStore('meta');
    meta.add(record, metaKey(generation));
    meta.delete(IDBKeyRange.bound(metaKey(0), metaKey(before?.generation ?? generation), false, true));
    const parts = tx.objectStore('checkpoint');
    let from: Key = [];
    for (const { generation, attempt } of before ? [before, next] : [next]) {
      parts.delete(IDBKeyRange.bound(from, [generation, attempt]));
      from = [generation, attempt, []];
    }
    parts.delete(IDBKeyRange.bound(from, [generation, []]));
    for (const [store, writers] of used) {
      for (const writer of writers) {
        const last = before?.covers[writer];
        if (last !== undefined) tx.objectStore(store).delete(under([writer], [writer, last]));
      }
    }
  });
}
