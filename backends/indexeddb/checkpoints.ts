// Checkpoints in the database: parts [generation, attempt, part], and a record in `meta` for each one that stands. Whoever adds
// the record of a generation first has made it; everybody else gives way. Knows nothing of what a checkpoint says.
import { wrap } from 'idb';
import { type Bytes, concatBytes, type StoredCheckpoint, type VersionVector } from '../../src/backend';
import { type CommitStore, covers } from './commits';
import { type Connection, ConnectionLost } from './connection';
import { bytesOf, firstsOf, type Key, read, readRecords, under, write } from './records';

/** Chromium, 20 MB: with 1 MiB written in 0.2 to 0.8 s and read in 0.1; with 256 KiB in 1.0 to 1.4 and 0.15, with 64 KiB in 1.5 and 0.4. */
export const checkpointPartBytes = 1024 * 1024;
/** How much is asked for at a time. */
const batchParts = 8;

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
  const { attempt, size, partBytes, covers } = (value ?? {}) as Checkpoint;
  return typeof attempt === 'string' &&
    [size, partBytes, ...Object.values(covers ?? { none: '' })].every(Number.isInteger)
    ? { generation, attempt, size, partBytes, covers }
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
  /** @param doing for errors: "cannot ..." */
  use<T>(doing: string, work: (db: IDBDatabase) => Promise<T>): Promise<T>;
  quarantine(bytes: Bytes, why: string): Promise<unknown>;
}

export function storedCheckpoint(
  { generation, attempt, size, partBytes }: Checkpoint,
  { target, use, quarantine }: CheckpointTools,
): StoredCheckpoint {
  const name = `${target}/checkpoint/${generation}`;
  const count = Math.ceil(size / partBytes);

  /** @returns those that are there. */
  const partsFrom = (from: number, to: number): Promise<Bytes[]> =>
    use('read', async (db) => {
      const tx = read(db, ['checkpoint', 'meta']);
      const [found, meta] = await Promise.all([
        wrap(tx.objectStore('checkpoint').getAll(under([generation, attempt, from], [generation, attempt, to - 1]))),
        wrap(tx.objectStore('meta').get(metaKey(generation))),
      ]);
      // It is not damaged, it is out of date.
      if (found.length < to - from && meta?.attempt !== attempt)
        throw new DOMException(`${name} was replaced by others, twice since it was found`, 'NotFoundError');
      return found.map(bytesOf);
    });

  async function* stream(): AsyncGenerator<Bytes> {
    for (let from = 0; from < count; from += batchParts)
      yield* await partsFrom(from, Math.min(from + batchParts, count));
  }

  /** The part that was read from last: what is read is often near what was read before. */
  let near: { at: number; bytes: Bytes | undefined } | undefined;

  return {
    name,
    generation,
    size,
    stream,
    async read(offset, length) {
      if (offset < 0 || offset + length > size) throw new RangeError(`${name} ends at ${size}`);
      const read = new Uint8Array(length);
      for (let filled = 0; filled < length; ) {
        const at = Math.floor((offset + filled) / partBytes);
        const part = near?.at === at ? near : { at, bytes: (await partsFrom(at, at + 1))[0] };
        const from = offset + filled - at * partBytes;
        const taken = part.bytes?.subarray(from, from + length - filled);
        if (!taken?.length) throw new RangeError(`${name} has a damaged part, ${at}`);
        read.set(taken, filled);
        filled += taken.length;
        near = part;
      }
      return read;
    },
    async retire(why) {
      const slabs: Bytes[] = [];
      for await (const slab of stream()) slabs.push(slab);
      await quarantine(concatBytes(slabs), why);
      await use('retire a checkpoint', (db) =>
        write(db, ['meta', 'checkpoint'], 'strict', (tx) => {
          tx.objectStore('checkpoint').delete(under([generation, attempt]));
          tx.objectStore('meta').put(retired, metaKey(generation));
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
  const { highest, standing } = await run((db) => readCheckpoints(read(db, ['meta'])));
  const [before] = standing;
  const surpasses = Object.entries(before?.covers ?? {}).every(([writer, index]) => covers(vector, { writer, index }));
  if (before && before.generation !== replaces && !surpasses) return undefined;

  const generation = highest + 1;
  const attempt = globalThis.crypto.getRandomValues(new Uint32Array(4)).join();
  const partBytes = checkpointPartBytes;
  let size = 0;
  /** Whether the parts are in use, or may be. */
  let kept = false;
  try {
    for await (const bytes of inParts(lines, partBytes)) {
      const key = [generation, attempt, size / partBytes];
      // Strictly, each of them: Chromium keeps large values in files, which only the transaction that writes them syncs.
      await run((db) =>
        write(db, ['checkpoint'], 'strict', (tx) => {
          tx.objectStore('checkpoint').put(bytes.buffer, key);
        }),
      );
      size += bytes.length;
    }
    const next = { generation, attempt, size, partBytes, covers: { ...vector } };
    const [now, inCommits, inLast] = await run((db) => {
      const tx = read(db, ['meta', 'commits', 'last']);
      return Promise.all([readCheckpoints(tx), firstsOf(tx.objectStore('commits')), firstsOf(tx.objectStore('last'))]);
    });
    if (now.highest !== highest || now.standing[0]?.attempt !== before?.attempt) return undefined;
    // Not again on another connection: if it had happened after all, it would look like another's.
    await run((db) => swap(db, next, before, { commits: inCommits, last: inLast }), 1);
    kept = true;
    return next;
  } catch (error) {
    kept = error instanceof ConnectionLost;
    if ((error as Error).name === 'ConstraintError') return undefined;
    throw error;
  } finally {
    if (!kept) {
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
  writers: Record<CommitStore, string[]>,
): Promise<void> {
  // What is written as the page goes would have to wait for whatever has `last` in its scope.
  const stores = (['commits', 'last'] as const).filter((store) => writers[store].length > 0);
  return write(db, ['meta', 'checkpoint', ...stores], 'strict', (tx) => {
    const { generation, ...record } = next;
    const meta = tx.objectStore('meta');
    meta.delete(IDBKeyRange.bound(metaKey(0), metaKey(before?.generation ?? generation), false, true));
    const parts = tx.objectStore('checkpoint');
    let from: Key = [];
    for (const { generation, attempt } of before ? [before, next] : [next]) {
      parts.delete(IDBKeyRange.bound(from, [generation, attempt]));
      from = [generation, attempt, []];
    }
    parts.delete(under(from, [generation]));
    for (const store of stores) {
      for (const writer of writers[store]) {
        const last = before?.covers[writer];
        if (last !== undefined) tx.objectStore(store).delete(under([writer], [writer, last]));
      }
    }
    // Last: anywhere else its failure would not keep Firefox from doing the rest (see write()).
    meta.add(record, metaKey(generation));
  });
}
