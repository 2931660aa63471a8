// A reader of stored secrets by docs/services/secrets.md alone: HChaCha20 by hand, everything else of node:crypto. Shares no code with what it reads.
import { createDecipheriv, hkdfSync, scryptSync } from 'node:crypto';

type Box = Uint8Array;
export type StoredSecret = [version: number, era: number, keyId: string, box: Box];
export type StoredKey = [era: number, keyId: string, since: number, box: Box];

const hkdf = (key: Uint8Array, info: string) => Buffer.from(hkdfSync('sha256', key, '', info, 32));

/** The root of the keys: from a seed, or from a passphrase and the id of its key. */
export const rootOfSeed = (seed: Uint8Array): Buffer => hkdf(seed, 'tidemark secrets');
export function rootOfPassphrase(passphrase: string, keyId: string): Buffer {
  const [kind, log2N, salt] = keyId.split('.');
  if (kind !== 'scrypt') throw new Error(`${keyId} is not of a passphrase`);
  const options = { N: 2 ** Number(log2N), r: 8, p: 1, maxmem: 2 ** 30 };
  return scryptSync(passphrase.normalize('NFKC'), Buffer.from(salt!, 'hex'), 32, options);
}
export const checkOf = (root: Uint8Array): string => hkdf(root, 'tidemark secrets id').subarray(0, 8).toString('hex');

/** The values of a secret: the present one, and the one before it. */
export function readSecret(
  root: Uint8Array,
  name: string,
  [version, era, keyId, box]: StoredSecret,
): (string | Buffer)[] {
  return values(
    openBox(hkdf(root, 'tidemark secrets data'), box, ['tidemark.secrets/1', 'secret', name, version, era, keyId]),
  );
}

/** The same of one that is under a key before the present one. */
export function readUnderPast(
  root: Uint8Array,
  name: string,
  secret: StoredSecret,
  past: StoredKey,
): (string | Buffer)[] {
  const [era, keyId, since, box] = past;
  const bound = ['tidemark.secrets/1', 'key', secret[2], era, keyId, since];
  const data = openBox(hkdf(root, 'tidemark secrets wrap'), box, bound);
  return values(openBox(data, secret[3], ['tidemark.secrets/1', 'secret', name, ...secret.slice(0, 3)]));
}

function values(plain: Buffer): (string | Buffer)[] {
  const found: (string | Buffer)[] = [];
  for (let at = 0; at < plain.length; ) {
    const length = plain.readUInt32BE(at + 1);
    const value = plain.subarray(at + 5, at + 5 + length);
    found.push(plain[at] === 0 ? value.toString('utf8') : value);
    at += 5 + length;
  }
  return found;
}

/** draft-irtf-cfrg-xchacha-03, section 2.3: a subkey from the first 16 bytes of the nonce, the last 8 for ChaCha20-Poly1305. */
function openBox(key: Buffer, box: Box, bound: readonly unknown[]): Buffer {
  const bytes = Buffer.from(box);
  const nonce = Buffer.concat([Buffer.alloc(4), bytes.subarray(16, 24)]);
  const decipher = createDecipheriv('chacha20-poly1305', hchacha20(key, bytes.subarray(0, 16)), nonce, {
    authTagLength: 16,
  });
  decipher.setAAD(Buffer.from(JSON.stringify(bound)), { plaintextLength: bytes.length - 40 });
  decipher.setAuthTag(bytes.subarray(-16));
  return Buffer.concat([decipher.update(bytes.subarray(24, -16)), decipher.final()]);
}

/** Section 2.2 of the same. */
export function hchacha20(key: Buffer, nonce: Buffer): Buffer {
  const words = (bytes: Buffer) => Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i));
  const s = [...words(Buffer.from('expand 32-byte k')), ...words(key), ...words(nonce)];
  const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by));
  const quarter = (a: number, b: number, c: number, d: number) => {
    for (const [to, from, mixed, by] of [
      [a, b, d, 16],
      [c, d, b, 12],
      [a, b, d, 8],
      [c, d, b, 7],
    ] as const) {
      s[to] = (s[to]! + s[from]!) | 0;
      s[mixed] = rotate(s[mixed]! ^ s[to]!, by);
    }
  };
  for (let round = 0; round < 10; round++) {
    for (const i of [0, 1, 2, 3]) quarter(i, i + 4, i + 8, i + 12);
    for (const i of [0, 1, 2, 3]) quarter(i, ((i + 1) % 4) + 4, ((i + 2) % 4) + 8, ((i + 3) % 4) + 12);
  }
  const out = Buffer.alloc(32);
  for (const [i, word] of [...s.slice(0, 4), ...s.slice(12)].entries()) out.writeInt32LE(word | 0, 4 * i);
  return out;
}
