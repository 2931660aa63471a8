// A store in memory: the same contract and nothing durable. Several backends may share one, as tabs share a database; alone
// it keeps nothing, since nobody could read it. In the browser's core bundle: it knows no platform and stays small.
import {
  type Backend,
  type Bytes,
  concatBytes,
  type StoredBlob,
  type StoredBytes,
  type StoredCheckpoint,
  type StoredLog,
  type VersionVector,
} from '../src/backend';

/** What several backends share, and what tests look into. */
export interface MemoryStore {
  /** Lines of commits that the checkpoints kept do not make superfluous, in the order in which they were appended. */
  commits(): Bytes[];
  quarantined(): { bytes: Bytes; why: string }[];
}

interface Commit {
  readonly writer: string;
  readonly index: number;
  readonly line: Bytes;
}

interface Checkpoint {
  readonly generation: number;
  readonly bytes: Bytes;
  readonly covers: VersionVector;
}

interface Listener {
  /** Whose it is: a backend does not hear itself. */
  readonly of: Backend;
  readonly hear: (commit?: Bytes) => void;
}

class Store implements MemoryStore {
  venue?: string;
  generation = 0;
  /** Newest first, at most two. */
  checkpoints: Checkpoint[] = [];
  /** By writer and index. */
  readonly lines = new Map<string, Commit>();
  readonly blobs = new Map<string, { bytes: Bytes; at: number }>();
  readonly kept: { bytes: Bytes; why: string }[] = [];
  readonly listeners = new Set<Listener>();

  /** With a line of no bytes it goes. */
  put(commit: Commit): void {
    const key = `${commit.writer} ${commit.index}`;
    if (commit.line.length) this.lines.set(key, commit);
    else this.lines.delete(key);
  }

  quarantine(bytes: Bytes, why: string): string {
    const at = this.kept.findIndex((other) => `${other.bytes}` === `${bytes}`);
    return `memory:${at < 0 ? this.kept.push({ bytes: bytes.slice(), why }) - 1 : at}`;
  }

  commits(): Bytes[] {
    return [...this.lines.values()].map(({ line }) => line.slice());
  }

  quarantined(): { bytes: Bytes; why: string }[] {
    return [...this.kept];
  }
}

/** A store for several backends: `memoryBackend(store)`. */
export const memoryStore = (): MemoryStore => new Store();

const covers = (vector: VersionVector | undefined, { writer, index }: { writer: string; index: number }): boolean =>
  (vector?.[writer] ?? -1) >= index;

/** A backend in memory. Those with the same `store` see each other's commits; without one, nothing is kept. */
export function memoryBackend(store?: MemoryStore): Backend {
  const mine = (store ?? memoryStore()) as Store;
  const inFlight = new Set<Promise<unknown>>();

  /** What close() waits for. */
  function track<T>(work: Promise<T>): Promise<T> {
    inFlight.add(work);
    const done = () => inFlight.delete(work);
    work.then(done, done);
    return work;
  }

  function put(bytes: Bytes, { writer, index }: { writer: string; index: number }): void {
    if (!store) return;
    const line = bytes.slice();
    mine.put({ writer, index, line });
    for (const listener of mine.listeners) {
      if (listener.of !== backend)
        Promise.resolve().then(() => mine.listeners.has(listener) && listener.hear(line.slice()));
    }
  }

  const stored = (name: string, get: () => Bytes): StoredBlob => ({
    name,
    get size() {
      return get().length;
    },
    async *stream() {
      yield get().slice();
    },
    async read(offset, length) {
      const bytes = get();
      if (offset < 0 || offset + length > bytes.length) throw new RangeError(`${name} ends at ${bytes.length}`);
      return bytes.slice(offset, offset + length);
    },
  });

  const retirable = <T>(name: string, get: () => Bytes, remove: () => void, more: T): T & StoredBytes =>
    Object.assign(stored(name, get), more, {
      async retire(why: string) {
        mine.quarantine(get(), why);
        remove();
      },
    });

  function storedCheckpoint(checkpoint: Checkpoint): StoredCheckpoint {
    const { generation, bytes } = checkpoint;
    const remove = () => {
      mine.checkpoints = mine.checkpoints.filter((other) => other !== checkpoint);
    };
    return retirable(`checkpoint.${generation}`, () => bytes, remove, { generation });
  }

  function storedLog(generation: number, commits: readonly Commit[]): StoredLog {
    let bytes = concatBytes(commits.map(({ line }) => line));
    async function cut(size: number): Promise<void> {
      bytes = bytes.slice(0, size);
      let left = size;
      for (const commit of commits) {
        mine.put({ ...commit, line: commit.line.slice(0, Math.max(0, left)) });
        left -= commit.line.length;
      }
    }
    return retirable(
      `log.${generation}`,
      () => bytes,
      () => cut(0),
      { generation, cut },
    );
  }

  async function make(
    lines: AsyncIterable<Bytes>,
    vector: VersionVector,
    replaces: number,
  ): Promise<StoredCheckpoint | undefined> {
    const pieces: Bytes[] = [];
    for await (const piece of lines) pieces.push(piece.slice());
    const [standing] = mine.checkpoints;
    // Made from the standing one it has what that has, also of writers that it does not name any more.
    const missing = Object.entries(standing?.covers ?? {}).some(
      ([writer, index]) => !covers(vector, { writer, index }),
    );
    if (missing && replaces !== standing!.generation) return undefined;
    const next = { generation: ++mine.generation, bytes: concatBytes(pieces), covers: { ...vector } };
    if (store) mine.checkpoints = standing ? [next, standing] : [next];
    for (const commit of mine.lines.values())
      if (covers(standing?.covers, commit)) mine.put({ ...commit, line: new Uint8Array() });
    return storedCheckpoint(next);
  }

  const backend: Backend = {
    target: 'memory',
    exclusive: false,

    async open(venue) {
      mine.venue ??= venue;
      const [newest, before] = mine.checkpoints;
      const commits = [...mine.lines.values()];
      const logs = [
        storedLog(
          newest?.generation ?? 0,
          commits.filter((commit) => !covers(newest?.covers, commit)),
        ),
        storedLog(
          before?.generation ?? 0,
          commits.filter((commit) => covers(newest?.covers, commit)),
        ),
      ];
      return {
        checkpoints: mine.checkpoints.map(storedCheckpoint),
        logs: logs.filter(({ size }) => size),
        notes: [],
        venue: mine.venue,
      };
    },

    async newer(known) {
      const [standing] = mine.checkpoints;
      const covered = Object.entries(standing?.covers ?? {}).every(([writer, index]) =>
        covers(known, { writer, index }),
      );
      const commits = [...mine.lines.values()].filter((commit) => !covers(known, commit));
      return {
        checkpoints: standing && !covered ? [storedCheckpoint(standing)] : [],
        logs: commits.length > 0 ? [storedLog(standing?.generation ?? 0, commits)] : [],
      };
    },

    async append(commit, at) {
      put(commit, at);
    },

    appendNow: put,

    checkpoint(lines, vector, replaces) {
      return track(make(lines, vector, replaces));
    },

    onAppend(hear) {
      const listener = { of: backend, hear };
      mine.listeners.add(listener);
      return () => mine.listeners.delete(listener);
    },

    blobs: {
      put(pieces, name, now) {
        const work = async () => {
          const parts: Bytes[] = [];
          for await (const piece of pieces) parts.push(piece.slice());
          mine.blobs.set(await name(), { bytes: concatBytes(parts), at: now() });
        };
        return track(work());
      },
      async get(name) {
        const blob = mine.blobs.get(name);
        return blob && stored(name, () => blob.bytes);
      },
      async list(before) {
        const listed = [...mine.blobs].filter(([, { at }]) => at < before);
        return new Map(listed.map(([name, { at }]) => [name, at]));
      },
      async delete(name, at) {
        if (mine.blobs.get(name)?.at === at) mine.blobs.delete(name);
      },
    },

    async quarantine(bytes, why) {
      return mine.quarantine(bytes, why);
    },

    async usage() {
      const all = [
        ...mine.commits(),
        ...[...mine.checkpoints, ...mine.kept, ...mine.blobs.values()].map(({ bytes }) => bytes),
      ];
      return { bytes: all.reduce((sum, { length }) => sum + length, 0) };
    },

    async close() {
      for (const listener of mine.listeners) if (listener.of === backend) mine.listeners.delete(listener);
      await Promise.allSettled(inFlight);
    },
  };
  return backend;
}
