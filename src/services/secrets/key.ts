// From what the program has (the venue's seed, another seed, a passphrase) to the keys that encrypt. Stores nothing; what it reads of stored ids an
// attacker may have written.
import { randomBytes } from '@noble/ciphers/utils.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { scryptAsync } from '@noble/hashes/scrypt.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { type Bytes, encodeUtf8, fromHex, toHex } from '../../base/bytes';
import { TidemarkError } from '../../base/errors';
import { parseSeed } from '../../identity/identity';
import type { Venue } from '../../venue';

/** What the secrets are encrypted under. Nothing: the seed of the venue's identity. */
export interface SecretsKey {
  /** 32 bytes or 64 hexadecimal digits, random ones. */
  seed?: Uint8Array | string;
  /** Anything that a person can remember; stretched with scrypt, which takes about a second and 128 MiB. */
  passphrase?: string;
}

/** Keys that come from one seed or passphrase. */
export interface Key {
  /** Names it, and says how it is made: `hkdf.<check>` or `scrypt.<log2 N>.<salt>.<check>`. */
  readonly id: string;
  /** Encrypts secrets. */
  readonly data: Bytes;
  /** Encrypts the data keys of the keys before it. */
  readonly wrap: Bytes;
}

/** log2 of scrypt's N, with r = 8 and p = 1: what OWASP asks for in 2025. */
const cost = 17;
/** A stored id that asks for more is refused: each step doubles time and memory, and this takes 512 MiB. */
const costMax = 19;
const saltBytes = 16;

export const kindOf = (id: string): string => (id.startsWith('scrypt.') ? 'passphrase' : 'seed');

export function wipe({ data, wrap }: Key): void {
  data.fill(0);
  wrap.fill(0);
}

/** @throws TidemarkError `bad_option` */
export function checkKey(key: SecretsKey): void {
  const bad = (what: string) => new TidemarkError('bad_option', `secrets: ${what}`);
  const given = typeof key === 'object' && key !== null ? Object.keys(key) : ['?'];
  // What is misspelt, or a variable that is not set, must not mean the venue's key.
  if (given.length > 1 || ((given[0] ?? 'seed') !== 'seed' && given[0] !== 'passphrase'))
    throw bad('the key must be { seed } or { passphrase }, or {} for that of the venue');
  if (given[0] === 'seed') parseSeed(key.seed, 'secrets');
  if (given[0] === 'passphrase' && (typeof key.passphrase !== 'string' || key.passphrase === ''))
    throw bad('`passphrase` must be text that is not empty');
}

/**
 * @param like the id of a passphrase's key, to make the same one again from the same passphrase; undefined for a key that is the same in all tabs
 * that make it, 'fresh' for one that never was.
 * @throws TidemarkError `damaged` if `like` asks for more than any key that we made
 */
export async function makeKey(venue: Venue, { seed, passphrase }: SecretsKey, like: string | undefined): Promise<Key> {
  if (passphrase === undefined) {
    const root = seed === undefined ? venue.derive('secrets') : derive(parseSeed(seed), 'tidemark secrets');
    return keysOf('hkdf', root);
  }
  const [, n, saltHex] = like?.startsWith('scrypt.') ? like.split('.') : [];
  if (n !== undefined && !(/^1\d$/.test(n) && +n >= cost && +n <= costMax && /^[0-9a-f]{32}$/.test(saltHex ?? '')))
    throw new TidemarkError('damaged', 'secrets: what is stored about the passphrase is damaged; restore a backup');
  const salt = saltHex
    ? fromHex(saltHex)
    : like === 'fresh'
      ? randomBytes(saltBytes)
      : venue.derive('secrets salt').subarray(0, saltBytes);
  const log2N = Number(n ?? cost);
  // The same characters typed on another keyboard are the same passphrase.
  const options = { N: 2 ** log2N, r: 8, p: 1, dkLen: 32 };
  const root = (await scryptAsync(encodeUtf8(passphrase.normalize('NFKC')), salt, options)) as Bytes;
  return keysOf(`scrypt.${log2N}.${toHex(salt)}`, root);
}

/** Wipes `root`. */
function keysOf(how: string, root: Bytes): Key {
  const check = derive(root, 'tidemark secrets id').subarray(0, 8);
  const [data, wrap] = [derive(root, 'tidemark secrets data'), derive(root, 'tidemark secrets wrap')];
  root.fill(0);
  return { id: `${how}.${toHex(check)}`, data, wrap };
}

const derive = (key: Uint8Array, info: string): Bytes => hkdf(sha256, key, undefined, encodeUtf8(info), 32) as Bytes;
