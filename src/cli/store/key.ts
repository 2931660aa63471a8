// The key file beside a store, as far as it can be told without using it: whose it is, and whether only its owner can read it.
import { resolve } from 'node:path';
import { TidemarkError } from '../../backend';
import type { Bytes } from '../../base/bytes';
import { createIdentity } from '../../identity/identity';
import { keyPathOf, readSeed } from '../../platform/key-file';
import { nodeCrypto } from '../../platform/node-crypto';

export interface KeyFile {
  readonly path: string;
  readonly state: 'ok' | 'missing' | 'unusable';
  /** did:key of the seed in it. */
  readonly did?: string;
  /** Why it is unusable, or what is unwise about it. */
  readonly warning?: string;
  readonly seed?: Bytes;
}

export async function readKeyFile(store: string): Promise<KeyFile> {
  const path = keyPathOf(resolve(store));
  let warning: string | undefined;
  const warn = (message: string) => {
    warning = message;
  };
  try {
    const seed = await readSeed(path, { info: warn, warn, error: warn });
    if (!seed) return { path, state: 'missing' };
    return {
      path,
      state: 'ok',
      did: createIdentity(seed, nodeCrypto).did,
      seed,
      ...(warning !== undefined && { warning }),
    };
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error;
    return { path, state: 'unusable', warning: error.message };
  }
}
