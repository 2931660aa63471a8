// openVenue for Node: stores are folders, the key is a file beside them, the process's signals close them.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fsBackend } from '../backends/fs';
import { memoryBackend } from '../backends/memory';
import { type Backend, isBackend } from './backend';
import { TidemarkError } from './base/errors';
import { parseSeed, seedBytes } from './identity/identity';
import { closeWithProcess } from './lifecycle/node';
import { keyPathOf, readSeed, writeSeed } from './platform/key-file';
import { nodeCrypto } from './platform/node-crypto';
import { consoleLogger, systemClock } from './platform/system';
import { open, type Venue, type VenueOptions } from './venue';

export * from './index';

export interface OpenOptions extends VenueOptions {
  /**
   * Path of a folder (made if missing), "temp" (a fresh folder that is deleted on close or exit; the default), "memory" (nothing is kept), or a
   * Backend.
   */
  store?: string | Backend;
  /** The identity: 32 bytes or 64 hexadecimal digits. Default: the key file beside the store, made if missing. */
  seed?: Uint8Array | string;
  /** Whether SIGTERM, SIGINT, SIGHUP and the end of the process close the venue. Default true. */
  signals?: boolean;
}

// setImmediate lets I/O in between, which setTimeout(0) makes wait a millisecond for.
const nodeClock = { ...systemClock, nextTurn: () => new Promise<void>((done) => setImmediate(done)) };

/**
 * Opens a venue: verifies what is stored and gives it back as state.
 * @throws LockedError while another process has it; TidemarkError `bad_option`, `bad_key_file`, `foreign_key`, `newer_format`, `io`
 */
export async function openVenue(options: OpenOptions = {}): Promise<Venue> {
  const { store = 'temp', signals = true, logger = consoleLogger, clock = nodeClock } = options;
  const freeze = options.freeze ?? process.env.NODE_ENV !== 'production';
  let backend: Backend;
  let seed = options.seed === undefined ? undefined : parseSeed(options.seed);
  let removeNow: (() => void) | undefined;
  let saveSeed: (() => Promise<void>) | undefined;
  if (isBackend(store)) backend = store;
  else if (typeof store !== 'string' || store === '') {
    throw new TidemarkError('bad_option', 'openVenue: `store` must be a path, "temp", "memory" or a Backend');
  } else if (store === 'memory') backend = memoryBackend();
  else if (store === 'temp') {
    const folder = await mkdtemp(join(tmpdir(), 'tidemark-'));
    backend = removing(fsBackend(join(folder, 'venue.etch')), folder);
    removeNow = () => rmSync(folder, { recursive: true, force: true });
  } else {
    const path = resolve(store);
    const keyPath = keyPathOf(path);
    backend = fsBackend(path);
    seed ??= await readSeed(keyPath, logger);
    if (!seed) {
      const made = new Uint8Array(randomBytes(seedBytes));
      seed = made;
      // A key file that has turned up meanwhile belongs to whoever made it: never two identities for one store.
      saveSeed = () => writeSeed(keyPath, made);
    }
  }
  seed ??= new Uint8Array(randomBytes(seedBytes));
  return open(options, {
    backend,
    clock,
    crypto: nodeCrypto,
    logger,
    freeze,
    seed,
    ...(saveSeed && { saveSeed }),
    ...(signals && {
      lifecycle: (venue) => closeWithProcess(removeNow ? { close: venue.close, writeNow: removeNow } : venue),
    }),
  });
}

/** A backend whose folder goes when it is closed. */
function removing(backend: Backend, folder: string): Backend {
  const close = backend.close.bind(backend);
  backend.close = async () => {
    await close();
    await rm(folder, { recursive: true, force: true });
  };
  return backend;
}
