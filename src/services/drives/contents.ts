// Contents of files: small ones in their entries, large ones in blobs, which are durable before the entry that names them. Knows the tree it writes
// into, and nothing of how paths lead there.
import { concatBytes } from '../../base/bytes';
import { TidemarkError } from '../../base/errors';
import type { Venue } from '../../venue';
import { bytesOf } from './arguments';
import { type Entry, fileType, isFolder, umask } from './entry';
import { type Call, failure } from './errors';
import type { Place, Tree } from './tree';

/** Above this, bytes stay outside memory and are not written again by checkpoints. */
export const inlineBytesMax = 32 * 1024;
/** What is copied at a time, so that who changes the bytes meanwhile does not change what was hashed. */
const pieceBytes = 1024 * 1024;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const nothing = new Uint8Array();

/** How a file is opened for writing. */
export interface Opening {
  readonly exclusive?: boolean;
  /** Permissions if it is made; undefined if it must be there. */
  readonly mode?: number;
}

export function contentsIn(venue: Venue, tree: Tree) {
  const { blobs } = venue;

  /** @throws what it throws, as node:fs would: the system's word where there is one */
  const outside = async <T>(call: Call, work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof TidemarkError && ['io', 'damaged'].includes(error.code))) throw error;
      const { code, name } = (error.cause ?? {}) as { code?: unknown; name?: unknown };
      const said = typeof code === 'string' ? code : name === 'QuotaExceededError' ? 'ENOSPC' : 'EIO';
      throw failure(said, call, error);
    }
  };

  /** Where the file is, or will be. */
  const opened = (call: Call, path: string, { exclusive = false, mode }: Opening): Place => {
    const isMade = mode !== undefined;
    const place = isMade ? tree.walk(call, path, exclusive ? 'never' : 'plain') : tree.find(call, path);
    if (isMade && place.slash && !place.dots) throw failure('EISDIR', call);
    if (exclusive && place.entry) throw failure('EEXIST', call);
    if (place.entry && isFolder(place.entry)) throw failure('EISDIR', call);
    return place;
  };

  const fileMode = ({ entry }: Place, mode = 0): number => entry?.mode ?? fileType | (mode & ~umask);

  /** The content of a file as it is now; not to be changed. Undefined if it was written again meanwhile, and the old one is gone. */
  const content = async (call: Call, { data, blob }: Entry): Promise<Uint8Array | undefined> =>
    blob === undefined ? (data ?? nothing) : outside(call, blobs.get(blob));

  const read = async (call: Call, path: string, asText: boolean): Promise<string | Uint8Array> => {
    for (let before: string | undefined; ; ) {
      const { entry } = tree.find(call, path);
      if (isFolder(entry)) throw failure('EISDIR', ['read']);
      const bytes = await content(call, entry);
      if (bytes) return asText ? decoder.decode(bytes) : entry.blob === undefined ? bytes.slice() : bytes;
      if (entry.blob === before) throw failure('EIO', call, new Error(`blob ${before} is not in the store`));
      before = entry.blob;
    }
  };

  /** @param at asked, once the bytes are stored, where they are to be named. @returns whether they were */
  const store = async (call: Call, source: AsyncIterable<Uint8Array>, at: () => Place | undefined, mode?: number) => {
    let isNamed = false;
    await outside(
      call,
      blobs.put(source, ({ hash, size }) => {
        const place = at();
        if (!place) return;
        tree.put(place, { mode: fileMode(place, mode), blob: hash, size });
        isNamed = true;
      }),
    );
    return isNamed;
  };

  const write = async (call: Call, path: string, data: Uint8Array, opening: Opening): Promise<void> => {
    const place = opened(call, path, opening);
    if (data.length <= inlineBytesMax) tree.put(place, { mode: fileMode(place, opening.mode), data });
    else await store(call, pieces(data), () => opened(call, path, opening), opening.mode);
  };

  const writeStream = async (
    call: Call,
    path: string,
    data: AsyncIterable<string | Uint8Array>,
    opening: Opening,
  ): Promise<void> => {
    opened(call, path, opening);
    await store(call, asBytes(data), () => opened(call, path, opening), opening.mode);
  };

  /** Changes of large files wait for each other; those of other openings and tabs are noticed. */
  let changes: Promise<unknown> = Promise.resolve();
  const change = async (
    call: Call,
    path: string,
    opening: Opening,
    make: (before: Uint8Array) => Uint8Array,
  ): Promise<void> => {
    for (;;) {
      const place = opened(call, path, opening);
      const isStill = (): Place | undefined => {
        const now = opened(call, path, { ...opening, exclusive: false });
        return now.entry === place.entry ? now : undefined;
      };
      const before = place.entry ? await content(call, place.entry) : nothing;
      const still = before && isStill();
      if (!still) continue;
      const after = make(before);
      if (after.length <= inlineBytesMax) return tree.put(still, { mode: fileMode(still, opening.mode), data: after });
      if (await store(call, pieces(after), isStill, opening.mode)) return;
    }
  };
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const done = changes.then(work);
    changes = done.catch(() => undefined);
    return done;
  };

  return {
    read,
    opened,
    write,
    writeStream,
    append: (call: Call, path: string, data: Uint8Array, opening: Opening) => {
      const copy = data.slice();
      return inTurn(() => change(call, path, opening, (before) => concatBytes([before, copy])));
    },
    truncate: (call: Call, path: string, length: number) =>
      inTurn(() =>
        change(call, path, {}, (before) => {
          const after = new Uint8Array(length);
          after.set(before.subarray(0, length));
          return after;
        }),
      ),
  };
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.slice(at, at + pieceBytes);
}

async function* asBytes(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const piece of stream) yield bytesOf(piece);
}
