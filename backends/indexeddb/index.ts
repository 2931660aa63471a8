// A store as an IndexedDB database, for pages and workers; many tabs may have it open. Composes the parts in this folder and decides in
// which order they happen. Knows nothing of what a line holds.
import { wrap } from 'idb';
import { type Backend, type Bytes, type CommitId, type Stored, TidemarkError } from '../../src/backend';
import { announcements } from './channel';
import {
  type Checkpoint,
  type CheckpointTools,
  makeCheckpoint,
  readCheckpoints,
  storedCheckpoint,
} from './checkpoints';
import { type CommitStore, covers, type FoundCommit, putCommit, readCommits, removeCommit, storedLog } from './commits';
import { type ConnectionOptions, connect, within } from './connection';
import { keepBytes } from './quarantine';
import { commitPartBytes, firstsOf, ioError, readRecords, type StoreName, under, write } from './records';

export interface IndexedDBOptions extends ConnectionOptions {
  /** Where tabs tell each other of commits; default globalThis.BroadcastChannel. Without one they look for themselves. */
  readonly Channel?: typeof BroadcastChannel | undefined;
}

/** The identity of a database. The backend only keeps it. */
export interface KeyRecord {
  seed: Uint8Array<ArrayBuffer>;
  trusted?: string[];
}

export interface IndexedDBBackend extends Backend {
  /** The key that is stored, and if there is none `fresh`, from now on: two tabs that open a new database at once get the same. */
  key(fresh: KeyRecord): Promise<KeyRecord>;
  /** Replaces it. */
  keySet(record: KeyRecord): Promise<void>;
}

/** Enough to make LevelDB begin a new file, behind whatever a crash has left of the one before (FACTS.md: 2 MB did). */
const scratchBytes = 4 * 1024 * 1024;

const stored = ['meta', 'commits', 'last'] satisfies StoreName[];

/** A backend that keeps a venue in the IndexedDB database of this name. */
export function indexeddbBackend(name: string, options: IndexedDBOptions = {}): IndexedDBBackend {
  const target = `indexeddb:${name}`;
  const { openMs = 5000 } = options;
  /** What the database cannot be without, should it be deleted under us. */
  const identity = new Map<string, unknown>();
  const connection = connect(name, options, (meta) => {
    for (const [key, value] of identity) meta.put(value, key);
  });
  const { run } = connection;
  const channel = announcements(
    `tidemark:${name}`,
    'Channel' in options ? options.Channel : globalThis.BroadcastChannel,
  );
  const inFlight = new Set<Promise<unknown>>();
  /** What stands in `last`, as far as it is known here. */
  const inLast = new Set<string>();
  let opened = false;
  let mended: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  /** What close() waits for. */
  function track<T>(doing: string, work: Promise<T>): Promise<T> {
    inFlight.add(work);
    const done = () => inFlight.delete(work);
    work.then(done, done);
    return work.catch((error) => {
      throw error instanceof DOMException || error?.name === 'ConnectionLost' ? ioError(target, doing, error) : error;
    });
  }

  function live(): void {
    if (closing || !opened) throw new TidemarkError('closed', `${target} is not open`);
  }

  const placeOf = ({ writer, index }: Pick<CommitId, 'writer' | 'index'>) => `${writer} ${index}`;

  async function identify<T>(key: string, fresh: T): Promise<T> {
    const value = await run((db) =>
      write(db, ['meta'], 'strict', async (tx) => {
        const found = (await wrap(tx.objectStore('meta').get(key))) as T | undefined;
        if (found === undefined) tx.objectStore('meta').put(fresh, key);
        return found ?? fresh;
      }),
    );
    identity.set(key, value);
    return value;
  }

  const quarantine = (bytes: Bytes, why: string): Promise<string> =>
    run((db) => keepBytes(db, bytes, why)).then((place) => `${target}/quarantine/${place}`);
  const tools: CheckpointTools = { target, connection, quarantine };

  /** Each writer's after the newest checkpoint, so that each chain's torn end is a log's end; and together those that it covers. */
  function logsOf(found: FoundCommit[], [newest, before]: readonly Checkpoint[]) {
    const logs = new Map<string, FoundCommit[]>();
    found.sort((a, b) => (a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : a.index - b.index));
    for (const commit of found) {
      if (commit.store === 'last') inLast.add(placeOf(commit));
      const log = covers(newest?.covers, commit) ? '' : commit.writer;
      logs.set(log, [...(logs.get(log) ?? []), commit]);
    }
    return [...logs].map(([writer, commits]) =>
      storedLog(commits, {
        name: `${target}/commits/${writer || 'covered'}`,
        generation: (writer ? newest : before)?.generation ?? 0,
        change: (stores, issue) =>
          track(
            'write',
            run((db) => write(db, stores, 'strict', issue)),
          ),
        quarantine,
      }),
    );
  }

  async function load(proposed: string): Promise<Stored> {
    const [{ standing }, found, last, venue] = await run((db) => {
      const tx = db.transaction(stored);
      return Promise.all([
        readCheckpoints(tx),
        readCommits(tx, 'commits'),
        readCommits(tx, 'last'),
        wrap(tx.objectStore('meta').get('venue')),
      ]);
    });
    const checkpoints = standing.slice(0, 2);
    const known = venue ?? (await identify('venue', proposed));
    identity.set('venue', known);
    if (!closing) channel.open();
    opened = true;
    return {
      checkpoints: checkpoints.map((checkpoint) => storedCheckpoint(checkpoint, tools)),
      logs: logsOf([...found, ...last], checkpoints),
      notes: [],
      venue: known,
    };
  }

  /** Issued in this turn. */
  function put(db: IDBDatabase, store: CommitStore, commit: Bytes, at: CommitId, durability: 'relaxed' | 'strict') {
    const stores: CommitStore[] = store === 'commits' && inLast.has(placeOf(at)) ? ['commits', 'last'] : [store];
    return write(db, stores, durability, (tx) => {
      putCommit(tx, store, at, commit);
      if (stores.length > 1) removeCommit(tx, 'last', at);
    });
  }

  async function measure(): Promise<number> {
    const [checkpoints, ...records] = await run((db) => {
      const tx = db.transaction([...stored, 'blobs', 'quarantine'] satisfies StoreName[]);
      const counted: StoreName[] = ['commits', 'last', 'blobs', 'quarantine'];
      return Promise.all([
        readCheckpoints(tx),
        ...counted.map((store) => readRecords(tx.objectStore(store), under([]))),
      ]);
    });
    const sizes = [
      ...checkpoints.standing.map(({ size }) => size),
      ...records.flat().map(([, value]) => sizeOf(value)),
    ];
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  async function end(): Promise<void> {
    channel.close();
    // What waits for a connection would wait for long.
    if (!opened) connection.close();
    while (inFlight.size > 0) await Promise.allSettled(inFlight);
    connection.close();
  }

  return {
    target,
    exclusive: false,

    async open(venue) {
      if (closing || opened) throw new TidemarkError('closed', `${target} was opened before; make another backend`);
      return track('open', load(venue));
    },

    async append(commit, at, durability) {
      live();
      await track(
        'append',
        run((db) => put(db, 'commits', commit, at, durability)),
      );
      inLast.delete(placeOf(at));
      channel.post(commit);
    },

    appendNow(commit, at) {
      live();
      const { db } = connection;
      if (!db) throw ioError(target, 'append', new DOMException('there is no connection now', 'InvalidStateError'));
      const written = track(
        'append',
        connection.on(db, () => put(db, 'last', commit, at, 'relaxed')),
      );
      inLast.add(placeOf(at));
      channel.post();
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
      const [{ standing }, ...found] = await track(
        'read',
        run((db) => {
          const tx = db.transaction(stored);
          const unknown = async (store: CommitStore) => {
            const writers = await firstsOf(tx.objectStore(store));
            const ranges = writers.map((writer) => under([writer, (known[writer] ?? -1) + 1], [writer]));
            return (await Promise.all(ranges.map((range) => readCommits(tx, store, range)))).flat();
          };
          return Promise.all([readCheckpoints(tx), unknown('commits'), unknown('last')]);
        }),
      );
      const [newest] = standing;
      const covered = Object.entries(newest?.covers ?? {}).every(([writer, index]) => covers(known, { writer, index }));
      return {
        checkpoints: newest && !covered ? [storedCheckpoint(newest, tools)] : [],
        logs: logsOf(found.flat(), standing),
      };
    },

    suspend: () => channel.close(),

    async resume() {
      live();
      channel.open();
      const { db } = connection;
      const probe = (open: IDBDatabase) => wrap(open.transaction('meta').objectStore('meta').getKey('venue'));
      if (!db) await track('open', run(probe));
      else
        await within(openMs, 'reading', connection.on(db, probe), () => {}).catch(() => {
          connection.drop(db);
          return track('open', run(probe));
        });
    },

    mend() {
      const scratch = globalThis.crypto.getRandomValues(new Uint8Array(commitPartBytes)).buffer;
      const fill = (tx: IDBTransaction) => {
        for (let at = 0; at < scratchBytes; at += commitPartBytes) tx.objectStore('scratch').put(scratch, [at]);
      };
      const empty = (tx: IDBTransaction) => {
        tx.objectStore('scratch').clear();
      };
      const inScratch = (issue: (tx: IDBTransaction) => void) => run((db) => write(db, ['scratch'], 'strict', issue));
      mended ??= track(
        'write',
        inScratch(fill).then(() => inScratch(empty)),
      );
      return mended;
    },

    persist: async () => (await globalThis.navigator?.storage?.persist?.()) ?? false,

    async quarantine(bytes, why) {
      live();
      return track('write', quarantine(bytes, why));
    },

    async usage() {
      live();
      const storage = globalThis.navigator?.storage;
      const [bytes, estimate, persisted] = await Promise.all([
        track('read', measure()),
        storage?.estimate?.().catch(() => undefined),
        storage?.persisted?.().catch(() => undefined),
      ]);
      return {
        bytes,
        ...(estimate?.quota !== undefined && { quota: estimate.quota }),
        ...(persisted !== undefined && { persisted }),
      };
    },

    async key(fresh) {
      if (closing) live();
      return track('read the key', identify('key', fresh));
    },

    async keySet(record) {
      if (closing) live();
      await track(
        'write the key',
        run((db) =>
          write(db, ['meta'], 'strict', (tx) => {
            tx.objectStore('meta').put(record, 'key');
          }),
        ),
      );
      identity.set('key', record);
    },

    close: () => (closing ??= end()),
  };
}

const sizeOf = (value: unknown): number =>
  (value as ArrayBuffer)?.byteLength ?? (value as { bytes?: ArrayBuffer })?.bytes?.byteLength ?? 0;

/** Removes a database and all that is in it, once those who have it open let go of it, as backends here do. */
export function removeDatabase(name: string, factory: IDBFactory = globalThis.indexedDB): Promise<void> {
  return within(
    5000,
    `removing the IndexedDB database '${name}'`,
    wrap(factory.deleteDatabase(name)).then(() => undefined),
    () => {},
  );
}
