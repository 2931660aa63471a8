// A store as an IndexedDB database, for pages and workers; many tabs may have it open. Composes the parts in this folder and decides in
// which order they happen. Knows nothing of what a line holds.
import { wrap } from 'idb';
import {
  type Backend,
  type Bytes,
  type CommitId,
  type Durability,
  type Stored,
  type StoredLog,
  TidemarkError,
} from '../../src/backend';
import { openBlobs } from './blobs';
import { announcements } from './channel';
import {
  type Checkpoint,
  type CheckpointTools,
  makeCheckpoint,
  readCheckpoints,
  storedCheckpoint,
} from './checkpoints';
import {
  type CommitStore,
  covers,
  type FoundCommit,
  inOrder,
  lazyLog,
  type Place,
  putCommit,
  readCommits,
  removeCommit,
  storedLog,
} from './commits';
import { ConnectionLost, type ConnectionOptions, connect, within } from './connection';
import { failure, read, type StoreName, sleep, storeNames, wake, write } from './records';
import { askPlatform, countBytes, keepBytes, writeScratch } from './upkeep';

export interface IndexedDBOptions extends ConnectionOptions {
  /** Where tabs tell each other of commits; default globalThis.BroadcastChannel. Without one they look for themselves. */
  readonly Channel?: typeof BroadcastChannel | undefined;
}

/** The identity of a database. The backend only keeps it. */
export interface KeyRecord {
  seed: Uint8Array<ArrayBuffer>;
  /** Of the seed, so that it need not be derived at every opening. */
  did?: string;
  /** Further dids whose commits are accepted. */
  trusted?: string[];
}

export interface IndexedDBBackend extends Backend {
  /** The key that is stored, and if there is none `fresh`, from now on: two tabs that open a new database at once get the same. */
  key(fresh: KeyRecord): Promise<KeyRecord>;
  /** Replaces it. */
  keySet(record: KeyRecord): Promise<void>;
}

const venueIn = (tx: IDBTransaction): Promise<string | undefined> => wrap(tx.objectStore('meta').get('venue'));

const found = ['meta', 'commits', 'last'] satisfies StoreName[];

/** A backend that keeps a venue in the IndexedDB database of this name. */
export function indexeddbBackend(name: string, options: IndexedDBOptions = {}): IndexedDBBackend {
  const target = `indexeddb:${name}`;
  const { openMs = 5000 } = options;
  /** What the database cannot be without, should it be deleted under us. */
  const identity = new Map<string, unknown>();
  const resets = new Set<() => void>();
  const connection = connect(name, options, {
    stores: storeNames,
    fill(tx) {
      for (const [key, value] of identity) tx.objectStore('meta' satisfies StoreName).put(value, key);
      if (opened) for (const listener of resets) listener();
    },
    async check(db) {
      if (opened && (await venueIn(read(db, ['meta']))) !== identity.get('venue'))
        throw new TidemarkError(
          'io',
          `${target} was deleted while it was open, and is another venue now: what was not durable is only in memory; reload the page`,
        );
    },
  });
  const channel = announcements(
    `tidemark:${name}`,
    'Channel' in options ? options.Channel : globalThis.BroadcastChannel,
  );
  const inFlight = new Set<Promise<unknown>>();
  /** What stands in `last`, as far as it is known here. */
  const inLast = new Set<string>();
  let opened = false;
  /** The connection that had something under way when the page went. */
  let suspended: IDBDatabase | undefined;
  let mended: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  /** What close() waits for. @param doing for errors: "cannot ..." */
  function track<T>(doing: string, work: Promise<T>): Promise<T> {
    inFlight.add(work);
    const done = () => inFlight.delete(work);
    work.then(done, done);
    return work.catch((error) => {
      throw error instanceof DOMException || error instanceof ConnectionLost
        ? failure('io', `${target}: cannot ${doing}`, error)
        : error;
    });
  }

  const use = <T>(doing: string, work: (db: IDBDatabase) => Promise<T>): Promise<T> =>
    track(doing, connection.run(work));

  function live(): void {
    if (closing || !opened) throw new TidemarkError('closed', `${target} is not open`);
  }

  const placeOf = ({ writer, index }: Pick<CommitId, 'writer' | 'index'>) => `${writer} ${index}`;

  async function identify<T>(key: string, fresh: T): Promise<T> {
    const value = await use('read meta', (db) =>
      write(db, ['meta'], 'strict', async (tx) => {
        const known: T | undefined = await wrap(tx.objectStore('meta').get(key));
        if (known === undefined) tx.objectStore('meta').put(fresh, key);
        return known ?? fresh;
      }),
    );
    identity.set(key, value);
    return value;
  }

  const quarantine = async (bytes: Bytes, why: string) =>
    `${target}/quarantine/${await use('write to quarantine', (db) => keepBytes(db, bytes, why))}`;
  const blobs = openBlobs(target, use);
  const tools: CheckpointTools = { target, use, quarantine };

  function logOf(commits: FoundCommit[], name: string, generation: number): StoredLog {
    return storedLog(commits, {
      name: `${target}/commits/${name}`,
      generation,
      change: (stores, issue) => use('cut a log', (db) => write(db, stores, 'strict', async (tx) => issue(tx))),
      quarantine,
    });
  }

  /** One of each writer, so that the torn end of a chain is the end of a log. */
  function logsOf(commits: FoundCommit[], generation = 0): StoredLog[] {
    const logs = new Map<string, FoundCommit[]>();
    for (const commit of commits.sort(inOrder)) {
      if (commit.store === 'last') inLast.add(placeOf(commit));
      if (!logs.get(commit.writer)?.push(commit)) logs.set(commit.writer, [commit]);
    }
    return [...logs].map(([writer, commits]) => logOf(commits, writer, generation));
  }

  async function readBoth(tx: IDBTransaction, wanted: (place: Place) => boolean): Promise<FoundCommit[]> {
    const both = (['commits', 'last'] as const).map((store) => readCommits(tx, store, wanted));
    return (await Promise.all(both)).flat();
  }

  /** What the newest checkpoint covers and the one before does not: of use only should that one be damaged. */
  function coveredLog([newest, before]: readonly Checkpoint[]): StoredLog {
    const generation = before?.generation ?? 0;
    return lazyLog(`${target}/commits/covered`, generation, async () => {
      const commits = await use('read', (db) => readBoth(read(db, found), (at) => covers(newest?.covers, at)));
      return logOf(commits.sort(inOrder), 'covered', generation);
    });
  }

  async function load(proposed: string): Promise<Stored> {
    const { standing, known, commits, skipped } = await connection.run(async (db) => {
      const tx = read(db, found);
      const [{ standing }, known] = await Promise.all([readCheckpoints(tx), venueIn(tx)]);
      let skipped = false;
      const commits = await readBoth(tx, (at) => {
        const covered = covers(standing[0]?.covers, at);
        skipped ||= covered;
        return !covered;
      });
      return { standing, known, commits, skipped };
    });
    const venue = known ?? (await identify('venue', proposed));
    identity.set('venue', venue);
    opened = true;
    const checkpoints = standing.slice(0, 2);
    return {
      checkpoints: checkpoints.map((checkpoint) => storedCheckpoint(checkpoint, tools)),
      logs: [...logsOf(commits, checkpoints[0]?.generation), ...(skipped ? [coveredLog(checkpoints)] : [])],
      notes: [],
      venue,
    };
  }

  /** Issued in this turn. */
  function put(db: IDBDatabase, store: CommitStore, commit: Bytes, at: CommitId, durability: Durability) {
    const again = store === 'commits' && inLast.has(placeOf(at));
    return write(db, again ? ['commits', 'last'] : [store], durability, (tx) => {
      if (again) removeCommit(tx, 'last', at);
      putCommit(tx, store, at, commit);
    });
  }

  async function end(): Promise<void> {
    // What waits for its first connection would wait for long.
    if (!opened) connection.close();
    while (inFlight.size > 0) await Promise.allSettled(inFlight);
    channel.close();
    connection.close();
  }

  return {
    target,
    exclusive: false,

    async open(venue) {
      if (closing || opened) throw new TidemarkError('closed', `${target} was opened before; make another backend`);
      // First: what becomes durable while we read is heard.
      channel.open();
      try {
        return await track('open', load(venue));
      } catch (error) {
        channel.close();
        throw error;
      }
    },

    async append(commit, at, durability) {
      live();
      await use('append', (db) => put(db, 'commits', commit, at, durability));
      inLast.delete(placeOf(at));
      channel.post(commit);
    },

    appendNow(commit, at) {
      live();
      const { db } = connection;
      if (!db) throw failure('io', `${target}: cannot append`, new DOMException('not connected', 'InvalidStateError'));
      const written = track(
        'append',
        connection.on(db, () => put(db, 'last', commit, at, 'relaxed')),
      );
      inLast.add(placeOf(at));
      channel.post();
      // Nobody need wait for it.
      written.then(() => channel.post(commit)).catch(() => {});
      return written;
    },

    async checkpoint(lines, vector, replaces) {
      live();
      const made = await track('make a checkpoint', makeCheckpoint(lines, vector, replaces, connection));
      return made && storedCheckpoint(made, tools);
    },

    onAppend: (listener) => channel.listen(listener),

    async newer(known) {
      live();
      const [{ standing }, commits] = await use('read', (db) => {
        const tx = read(db, found);
        return Promise.all([readCheckpoints(tx), readBoth(tx, (at) => !covers(known, at))]);
      });
      const [newest] = standing;
      const covered = Object.entries(newest?.covers ?? {}).every(([writer, index]) => covers(known, { writer, index }));
      return {
        checkpoints: newest && !covered ? [storedCheckpoint(newest, tools)] : [],
        logs: logsOf(commits, newest?.generation),
      };
    },

    onReset(listener) {
      const one = () => listener();
      resets.add(one);
      return () => resets.delete(one);
    },

    suspend() {
      channel.close();
      // Firefox never says what became of a transaction that was under way when it put the page into its back/forward cache.
      suspended = inFlight.size > 0 ? connection.db : undefined;
      if (connection.db) sleep(connection.db);
    },

    async resume() {
      live();
      channel.open();
      if (connection.db) wake(connection.db);
      if (suspended) connection.drop(suspended);
      suspended = undefined;
      const { db } = connection;
      const probe = (open: IDBDatabase) => wrap(read(open, ['meta']).objectStore('meta').getKey('venue'));
      if (db) await within(openMs, 'reading', connection.on(db, probe)).catch(() => connection.drop(db));
      if (!connection.db) await use('open', probe);
    },

    async mend() {
      live();
      mended ??= use('write', writeScratch);
      return mended;
    },

    persist: async () => (await globalThis.navigator?.storage?.persist?.().catch(() => false)) ?? false,

    blobs: {
      async put(pieces, name, now) {
        live();
        await track('write a blob', blobs.put(pieces, name, now));
      },
      async get(name) {
        live();
        return blobs.get(name);
      },
      async list(before) {
        live();
        return blobs.list(before);
      },
      async delete(name, at) {
        live();
        await blobs.delete(name, at);
      },
    },

    async quarantine(bytes, why) {
      live();
      return quarantine(bytes, why);
    },

    async usage() {
      live();
      return { bytes: await use('read', countBytes), ...(await askPlatform()) };
    },

    key: (fresh) => identify('key', fresh),

    async keySet(record) {
      await use('write the key', (db) =>
        write(db, ['meta'], 'strict', (tx) => {
          tx.objectStore('meta').put(record, 'key');
        }),
      );
      identity.set('key', record);
    },

    close: () => (closing ??= end()),
  };
}

/** Removes a database and all that is in it, once those who have it open let go of it, as backends here do. */
export const removeDatabase = (name: string, factory: IDBFactory = globalThis.indexedDB): Promise<void> =>
  within(
    5000,
    `removing the IndexedDB database '${name}'`,
    wrap(factory.deleteDatabase(name)).then(() => {}),
  );
