// A venue: one opened store. Opens and closes in order, and hands out regions; what they do is the engine's.
import type { Backend, Stored, Usage } from './backend';
import { type Bytes, encodeUtf8, toHex } from './base/bytes';
import { TidemarkError } from './base/errors';
import type { Clock, Crypto, Logger, SyncStore } from './base/seams';
import type { Blobs } from './engine/blobs';
import { closeInOrder } from './engine/closing';
import { DetachedFork } from './engine/detached';
import { Engine } from './engine/engine';
import type { CloseReport, VenueEvents } from './engine/events';
import { type Health, healthOf } from './engine/health';
import { Journal } from './engine/journal';
import { journalBytesDefault, sweepMsDefault } from './engine/limits';
import { Marker } from './engine/marker';
import { emptyReport, recover } from './engine/recovery';
import type { RegionState } from './engine/region';
import type { ScanOptions } from './engine/scan';
import { declare, type RegionOptions } from './engine/schema';
import type { Listener } from './engine/subscribers';
import { createIdentity } from './identity/identity';

/** A region as it is read. Values are not to be changed in place; outside production they are frozen. */
export interface ReadonlyRegion<T = unknown> {
  readonly name: string;
  get(key: string): T | undefined;
  has(key: string): boolean;
  /** Entries in key order (by UTF-16 code units, as JavaScript compares strings). `from` inclusive, `to` exclusive. */
  scan(options?: ScanOptions): IterableIterator<[key: string, value: T]>;
  [Symbol.iterator](): IterableIterator<[key: string, value: T]>;
}

/** A region as it is read and written. Every call is synchronous and touches memory only. */
export interface WritableRegion<T = unknown> extends ReadonlyRegion<T> {
  /**
   * Writes an entry; get() shows it at once, the next sweep makes it durable.
   * @throws ValueError (a TypeError) for what cannot be stored; TidemarkError `bad_key`, `too_large`, `invalid_value`, `newer_entry`, `closed`
   */
  set(key: string, value: T): void;
  /** @returns whether there was an entry. */
  delete(key: string): boolean;
  /** Writes what `change` makes of the present value. @returns the new value. */
  update(key: string, change: (value: T | undefined) => T): T;
}

/** A named map of a venue. */
export interface Region<T = unknown> extends WritableRegion<T> {
  readonly size: number;
  /** Calls `listener` in the turn of each change. @returns a function that ends it. */
  subscribe(listener: Listener<T>): () => void;
  subscribe(key: string, listener: Listener<T>): () => void;
  /** Deletes what was last written more than so many ms ago. @returns how many. */
  purgeOlderThan(ms: number): number;
}

/** Writes that are joined whole, or dropped. Reads see its own writes first, then the venue's. */
export interface ForkedVenue {
  region<T = unknown>(name: string): WritableRegion<T>;
  /** Joins all of it, into one commit. The fork is empty then and can be used again. */
  sync(): void;
  /** Forgets all of it. */
  drop(): void;
}

/** Whether anything written is not durable yet: "saving..." or "saved". Fits React's useSyncExternalStore. */
export interface UnsavedFlag {
  get(): boolean;
  subscribe(listener: (unsaved: boolean) => void): () => void;
}

export interface Venue extends AsyncDisposable {
  /** did:key of the venue's identity. */
  readonly did: string;
  /** Id of this opening; what it writes is signed under it. */
  readonly writer: string;
  /** 32 bytes that are always the same for this identity and purpose, and that nobody without its seed can make (HKDF-SHA256). */
  derive(purpose: string): Bytes;
  /** Time as this venue has it, for what is built on it. */
  readonly clock: Clock;
  /** @param options declares the region; they may be given once. @throws TidemarkError `bad_option`, `bad_key` */
  region<T = unknown>(name: string, options?: RegionOptions<T>): Region<T>;
  /** Names of all regions that have been declared or have entries in the store. */
  readonly regions: readonly string[];
  /** Bytes that stay outside memory, content-addressed. */
  readonly blobs: Blobs;
  /** Resolves when all that was written before the call is durable. @throws FlushTimeoutError; nothing is lost by it */
  flush(options?: { timeoutMs?: number }): Promise<void>;
  /** Joins what other writers have made durable and this one has not heard of yet. @throws what the backend throws */
  catchUp(): Promise<void>;
  fork(): ForkedVenue;
  /** What a crash now would leave. */
  readonly root: { region<T = unknown>(name: string): ReadonlyRegion<T> };
  /** Folds the log into a new checkpoint. Happens by itself when the log has outgrown the state. */
  checkpoint(): Promise<void>;
  health(): Health;
  /** What the store takes and may take, asked of the backend now. */
  usage(): Promise<Usage>;
  /** Asks the platform never to evict the store. @returns whether it has promised. A folder is never evicted; memory always is. */
  persist(): Promise<boolean>;
  /** @returns a function that ends it. */
  on<K extends keyof VenueEvents>(name: K, handler: (event: VenueEvents[K]) => void): () => void;
  readonly unsaved: UnsavedFlag;
  /** Ordered and bounded; the second call gets the first one's report. Never rejects: what could not be saved is named in the report. */
  close(): Promise<CloseReport>;
}

export interface VenueOptions {
  /** Further did:keys whose stores and commits are accepted. */
  trusted?: readonly string[];
  /** From the first write to the sweep, in ms. Default 100. */
  sweepMs?: number;
  /** Where warnings go. Default: warnings and errors to the console. */
  logger?: Logger;
  /** Whether values are frozen, all the way down, as they come in. Default: outside production. */
  freeze?: boolean;
  clock?: Clock;
}

/** What may become of a venue when the process or page is about to go. */
export interface Going {
  close(): Promise<CloseReport>;
  /** All that can be done in this turn. @returns whether everything written is durable now */
  writeNow(): boolean;
  /** That, and nothing held from now on: the page may be frozen or gone. In this turn. */
  leave(): void;
  /** It is back, or may have missed something. */
  resume(): void;
}

/** What a platform adds. */
export interface Platform {
  backend: Backend;
  clock: Clock;
  crypto: Crypto;
  logger: Logger;
  freeze: boolean;
  seed: Uint8Array<ArrayBuffer>;
  /** Its did, where it is kept with it. */
  did?: string;
  /** Keeps a seed that was made for this venue; called when the store is known to be ours, before anything is signed. */
  saveSeed?(): Promise<void>;
  /**
   * Hands over what to do when the process or page is about to go: `close` in order, or all that can be done in this turn. @returns a function
   * that takes it back.
   */
  lifecycle?(venue: Going): () => void;
  /** Something synchronous beside the store, for the journal and the mark that the store exists. */
  beside?: SyncStore;
  /** Characters that the journal may take there. */
  journalBytes?: number;
  /** Trusts whoever signed the store that is gone, from now on. */
  trust?(did: string): Promise<void>;
  /** Why this is less than was asked for. */
  degraded?: string;
}

export async function open(options: VenueOptions, platform: Platform): Promise<Venue> {
  const { backend, clock, crypto } = platform;
  const logger = quiet(platform.logger);
  const { sweepMs = sweepMsDefault } = options;
  const trusted = [...(options.trusted ?? [])];
  if (!(sweepMs >= 0 && sweepMs < 2 ** 31))
    throw new TidemarkError('bad_option', 'openVenue: `sweepMs` must be a number of milliseconds');
  const began = clock.elapsed();
  const identity = createIdentity(platform.seed, crypto, platform.did);
  const report = emptyReport();
  const marker = platform.beside && new Marker(platform.beside);
  const mark = marker?.read();
  const engine = new Engine({
    backend,
    clock,
    crypto,
    identity,
    trusted,
    logger,
    freezes: platform.freeze,
    sweepMs,
    report,
    journal: platform.beside && new Journal(platform.beside, platform.journalBytes ?? journalBytesDefault),
    marker,
    degraded: platform.degraded === undefined ? [] : [platform.degraded],
  });
  const { joiner } = engine;
  let stopListening: (() => void) | undefined;
  try {
    const proposed = mark?.venue ?? toHex(crypto.randomBytes(16));
    // Commits that become durable elsewhere while we read are kept until we know what they follow.
    const early: (Bytes | undefined)[] = [];
    let loaded = false;
    const hear = (commit: Bytes | undefined) => {
      if (!loaded) early.push(commit);
      else if (commit) joiner.receive(commit);
      else void joiner.catchUp();
    };
    stopListening = backend.onAppend?.(hear);
    const stored = await backend.open(proposed);
    const { checkpoints, logs } = stored;
    if (mark && checkpoints.length + logs.length === 0) {
      report.evicted = true;
      if (mark.did !== identity.did) {
        trusted.push(mark.did);
        await platform.trust?.(mark.did);
      }
    }
    // After the store: what is in neither was not written yet.
    const journaled = joiner.journalLogs(stored.venue);
    const look = ({ checkpoints, logs }: Pick<Stored, 'checkpoints' | 'logs'>) =>
      recover(
        { ...stored, checkpoints, logs: [...logs, ...journaled] },
        { backend, clock, crypto, did: identity.did, trusted, report },
      );
    const recovered = await look(stored).catch(async (error) => {
      // Others may have replaced the checkpoint while it was read.
      if (!backend.newer || error.code !== 'io') throw error;
      Object.assign(report, emptyReport(), { evicted: report.evicted });
      return look(await backend.newer({}));
    });
    await engine.load(recovered, stored.venue ?? proposed);
    report.rolledBack = mark?.venue === engine.venue && !report.evicted && joiner.lacks(mark.root);
    await platform.saveSeed?.();
    if (journaled.length > 0) await joiner.settleJournal(recovered.commits);
    loaded = true;
    for (const commit of early) hear(commit);
    const stopHearing = stopListening;
    const stopResets = backend.onReset?.(() => engine.reset());
    stopListening = () => {
      stopHearing?.();
      stopResets?.();
    };
  } catch (error) {
    stopListening?.();
    await backend.close().catch(() => undefined);
    throw error;
  }
  report.tookMs = clock.elapsed() - began;
  for (const { where, what } of report.damage) logger.warn(`${backend.target}: ${where}: ${what}; see docs/recovery`);
  for (const note of report.notes) logger.info(`${backend.target}: ${note}`);

  let closing: Promise<CloseReport> | undefined;
  const close = () => {
    closing ??= closeInOrder(engine, () => {
      stopListening?.();
      forget?.();
    });
    return closing;
  };
  const forget = platform.lifecycle?.({
    close,
    writeNow: () => engine.writeNow(),
    leave: () => engine.leave(),
    resume: () => engine.resume(),
  });
  engine.begin(mark?.root);
  return face(engine, close, platform.seed);
}

/** A logger that throws must not stop the writing. */
function quiet(logger: Logger): Logger {
  const call = (level: keyof Logger) => (message: string, detail?: unknown) => {
    try {
      logger[level](message, detail);
    } catch {
      // there is nobody left to tell
    }
  };
  return { info: call('info'), warn: call('warn'), error: call('error') };
}

function face(engine: Engine, close: () => Promise<CloseReport>, seed: Bytes): Venue {
  const { crypto } = engine.options;
  const regions = new Map<RegionState, Region<never>>();
  return {
    did: engine.options.identity.did,
    writer: engine.writer.id,
    derive: (purpose) => crypto.derive(seed, encodeUtf8(`tidemark ${purpose}`)),
    clock: engine.options.clock,
    region<T>(name: string, options?: RegionOptions<T>) {
      const state = engine.region(name);
      if (options && state.options && !sameOptions(state.options, options)) {
        throw new TidemarkError('bad_option', `region '${name}' is declared already, with other options`);
      }
      if (!state.declared || (options && !state.options)) {
        declare(state, engine, (options ?? {}) as unknown as RegionOptions<never>);
        state.options = options;
      }
      let region = regions.get(state);
      if (!region) {
        region = regionFace(state);
        regions.set(state, region);
      }
      return region as unknown as Region<T>;
    },
    get regions() {
      return [...engine.regions.values()]
        .filter(({ exists }) => exists)
        .map(({ name }) => name)
        .sort();
    },
    async flush({ timeoutMs }: { timeoutMs?: number } = {}) {
      engine.guard();
      await engine.sweeper.flush(timeoutMs);
    },
    blobs: engine.blobs,
    catchUp: () => engine.joiner.catchUp(),
    fork() {
      engine.guard();
      const fork = new DetachedFork(engine, engine.forks);
      return {
        region: <T>(name: string) => forkFace(engine.region(name), fork) as WritableRegion<T>,
        sync: () => fork.sync(),
        drop: () => fork.drop(),
      };
    },
    root: { region: <T>(name: string) => rootFace(engine.region(name)) as ReadonlyRegion<T> },
    async checkpoint() {
      engine.guard();
      await engine.checkpointer.make();
    },
    health: () => healthOf(engine),
    async usage() {
      engine.usage = await engine.options.backend.usage();
      return engine.usage;
    },
    async persist() {
      return (await engine.options.backend.persist?.()) ?? false;
    },
    on: (name, handler) => engine.events.on(name, handler),
    unsaved: {
      get: () => engine.unsaved,
      subscribe: (listener) => engine.events.on('unsaved', listener),
    },
    close,
    async [Symbol.asyncDispose]() {
      await close();
    },
  };
}

const sameOptions = (a: object, b: object): boolean =>
  [...Object.keys(a), ...Object.keys(b)].every(
    (key) => (a as Record<string, unknown>)[key] === (b as Record<string, unknown>)[key],
  );

const updated = <T>(
  region: Pick<WritableRegion<T>, 'get' | 'set'>,
  key: string,
  change: (value: T | undefined) => T,
): T => {
  region.set(key, change(region.get(key)));
  return region.get(key) as T;
};

function regionFace(state: RegionState): Region<never> {
  const region: Region<unknown> = {
    name: state.name,
    get: (key) => state.get(key),
    has: (key) => state.get(key) !== undefined,
    set: (key, value) => state.set(key, value),
    delete: (key) => state.delete(key),
    update: (key, change) => updated(region, key, change),
    get size() {
      return state.size;
    },
    scan: (options) => state.scan(options),
    [Symbol.iterator]: () => state.scan(),
    subscribe: (key: string | Listener, listener?: Listener) =>
      typeof key === 'string' ? state.subscribe(key, listener!) : state.subscribe(undefined, key),
    purgeOlderThan: (ms) => state.purgeOlderThan(ms),
  };
  return region as Region<never>;
}

function rootFace(state: RegionState): ReadonlyRegion {
  return {
    name: state.name,
    get: (key) => state.rootValue(key),
    has: (key) => state.rootValue(key) !== undefined,
    scan: (options) => state.scan(options, true),
    [Symbol.iterator]: () => state.scan({}, true),
  };
}

function forkFace(state: RegionState, fork: DetachedFork): WritableRegion {
  const region: WritableRegion = {
    name: state.name,
    get: (key) => fork.get(state, key),
    has: (key) => fork.get(state, key) !== undefined,
    set: (key, value) => fork.set(state, key, value),
    delete: (key) => fork.delete(state, key),
    update: (key, change) => updated(region, key, change),
    scan: (options) => fork.scan(state, options),
    [Symbol.iterator]: () => fork.scan(state),
  };
  return region;
}
