// openVenue for browsers and every other runtime that is not Node: stores are Backends, or memory.
import { memoryBackend } from '../backends/memory';
import { type Backend, isBackend } from './backend';
import type { Bytes } from './base/bytes';
import { TidemarkError } from './base/errors';
import { parseSeed, seedBytes } from './identity/identity';
import { nobleCrypto } from './identity/noble';
import { consoleLogger, systemClock } from './platform/system';
import { open, type Venue, type VenueOptions } from './venue';

export * from './index';

export interface OpenOptions extends VenueOptions {
  /** "memory" (nothing is kept; the default), or a Backend. */
  store?: 'memory' | Backend;
  /** The identity: 32 bytes or 64 hexadecimal digits. Default: a fresh one. */
  seed?: Uint8Array | string;
}

const randomBytes = (length: number): Bytes => globalThis.crypto.getRandomValues(new Uint8Array(length));

/**
 * Opens a venue: verifies what is stored and gives it back as state.
 * @throws TidemarkError `bad_option`, `foreign_key`, `newer_format`, `no_storage`
 */
export async function openVenue(options: OpenOptions = {}): Promise<Venue> {
  const {
    store = 'memory',
    logger = consoleLogger,
    clock = systemClock,
    freeze = process.env.NODE_ENV !== 'production',
  } = options;
  if (store !== 'memory' && !isBackend(store)) {
    throw new TidemarkError(
      'no_storage',
      `openVenue: no storage for ${JSON.stringify(store)} here; give "memory" or a Backend`,
    );
  }
  return open(options, {
    backend: store === 'memory' ? memoryBackend() : store,
    clock,
    crypto: nobleCrypto(randomBytes),
    logger,
    freeze,
    seed: options.seed === undefined ? randomBytes(seedBytes) : parseSeed(options.seed),
  });
}
