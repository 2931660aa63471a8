// openVenue for browsers and every other runtime that is not Node: stores are IndexedDB databases, Backends, or memory; the key is in the
// database; the page's events have it written before it goes.
import { type IndexedDBBackend, indexeddbBackend, type KeyRecord, removeDatabase } from '../backends/indexeddb';
import { memoryBackend } from '../backends/memory';
import { type Backend, isBackend } from './backend';
import type { Bytes } from './base/bytes';
import { toHex } from './base/bytes';
import { TidemarkError } from './base/errors';
import { parseSeed, seedBytes } from './identity/identity';
import { nobleCrypto } from './identity/noble';
import { writeWithPage } from './lifecycle/browser';
import { localStore, nextTurn, subtleDigest, whenIdle } from './platform/browser';
import { consoleLogger, systemClock } from './platform/system';
import { open, type Platform, type Venue, type VenueOptions } from './venue';

export * from './index';

export interface OpenOptions extends VenueOptions {
  /**
   * Name of an IndexedDB database (made if missing), "temp" (a database of its own that is deleted on close, or by the next "temp" after the page has
   * gone; the default), "memory" (nothing is kept), or a Backend.
   */
  store?: string | Backend;
  /** The identity: 32 bytes or 64 hexadecimal digits. Default: the one in the database, made if missing. */
  seed?: Uint8Array | string;
  /** What to open where the browser refuses storage (private modes, no IndexedDB): a venue in memory whose health says why. Default: throw. */
  fallback?: 'memory';
  /** Characters of localStorage that the unsaved may take as the page goes away, all tabs together. Default 1 MiB; 0 for none. */
  journalBytes?: number;
  /** Whether the page's going away has everything written. Default true. */
  pageEvents?: boolean;
}

const randomBytes = (length: number): Bytes => globalThis.crypto.getRandomValues(new Uint8Array(length));
const tempPrefix = 'tidemark.temp.';

/**
 * Opens a venue: verifies what is stored and gives it back as state.
 * @throws TidemarkError `bad_option`, `foreign_key`, `newer_format`, `no_storage`
 */
export async function openVenue(options: OpenOptions = {}): Promise<Venue> {
  const { store = 'temp', fallback, logger = consoleLogger } = options;
  if (fallback !== undefined && fallback !== 'memory')
    throw new TidemarkError('bad_option', 'openVenue: `fallback` must be "memory", or left out');
  if (!isBackend(store) && (typeof store !== 'string' || store === ''))
    throw new TidemarkError('bad_option', 'openVenue: `store` must be a name, "temp", "memory" or a Backend');
  if (options.journalBytes !== undefined && !(options.journalBytes >= 0))
    throw new TidemarkError('bad_option', 'openVenue: `journalBytes` must be a number from 0');
  if (store === 'memory') return openOn(memoryBackend(), options);
  try {
    if (isBackend(store)) return await openOn(store, options);
    return await openOn(store === 'temp' ? await tempBackend() : indexeddbBackend(store), options);
  } catch (error) {
    if (!fallback || (error as TidemarkError).code !== 'no_storage') throw error;
    const degraded = `in memory, nothing is kept: ${(error as Error).message}`;
    logger.warn(degraded);
    return openOn(memoryBackend(), options, { degraded });
  }
}

/** A backend that keeps a key with its store, as IndexedDB's does. */
type Keeping = Backend & Partial<Pick<IndexedDBBackend, 'key' | 'keySet'>>;

async function openOn(backend: Keeping, options: OpenOptions, more: Partial<Platform> = {}): Promise<Venue> {
  const { logger = consoleLogger, pageEvents = true, journalBytes } = options;
  const { clock = { ...systemClock, nextTurn } } = options;
  const freeze = options.freeze ?? process.env.NODE_ENV !== 'production';
  const trusted = [...(options.trusted ?? [])];
  const crypto = { ...nobleCrypto(randomBytes), ...(subtleDigest && { digest: subtleDigest }) };
  let seed = options.seed === undefined ? undefined : parseSeed(options.seed);
  let record: KeyRecord | undefined;
  if (!seed && backend.key) {
    record = await backend.key({ seed: randomBytes(seedBytes) });
    seed = record.seed;
    trusted.push(...(record.trusted ?? []));
  }
  seed ??= randomBytes(seedBytes);
  const keep = (next: KeyRecord) => {
    record = next;
    return backend.keySet!(next);
  };
  const beside = backend.key && !backend.target.includes(tempPrefix) ? localStore(backend.target) : undefined;
  const venue = await open(
    { ...options, trusted },
    {
      backend,
      clock,
      crypto,
      logger,
      freeze,
      seed,
      ...(record?.did !== undefined && { did: record.did }),
      ...(beside && { beside }),
      ...(journalBytes !== undefined && { journalBytes }),
      ...(record && {
        trust: (did: string) => keep({ ...record!, trusted: [...(record!.trusted ?? []), did] }),
      }),
      ...(pageEvents && { lifecycle: writeWithPage }),
      ...more,
    },
  );
  const signer = crypto.signer(seed);
  // The first signature and the first digests take ten times as long as the next: not when the page is about to go.
  whenIdle(() => {
    const some = new Uint8Array(64 * 1024);
    for (let i = 0; i < 3; i++) signer.sign(crypto.sha256(some));
    if (record && record.did === undefined) keep({ ...record, did: venue.did }).catch(() => undefined);
  });
  return venue;
}

/** A database that goes when it is closed. Those that others have left go now; one that is still in use stays until it is not. */
async function tempBackend(): Promise<Backend> {
  const left = (await globalThis.indexedDB?.databases?.().catch(() => [])) ?? [];
  for (const { name } of left) if (name?.startsWith(tempPrefix)) removeDatabase(name).catch(() => undefined);
  const name = tempPrefix + toHex(randomBytes(8));
  const backend = indexeddbBackend(name, { yields: false });
  const close = backend.close.bind(backend);
  backend.close = async () => {
    await close();
    await removeDatabase(name).catch(() => undefined); // the next one tries again
  };
  return backend;
}
