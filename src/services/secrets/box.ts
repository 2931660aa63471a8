// Encrypted boxes: XChaCha20-Poly1305 with a nonce of its own for each, and what is said about the content bound to it. Knows no venue and no names.
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { randomBytes } from '@noble/ciphers/utils.js';
import { type Bytes, concatBytes, encodeUtf8 } from '../../base/bytes';

const nonceBytes = 24;
const tagBytes = 16;

/** What a box is about: it opens only for who says the same. */
export type Bound = readonly unknown[];

const associated = (bound: Bound): Bytes => encodeUtf8(JSON.stringify(bound));

/** Nonce, ciphertext, tag. Wipes `plain`. */
export function seal(key: Bytes, plain: Bytes, bound: Bound): Bytes {
  const nonce = randomBytes(nonceBytes);
  const box = concatBytes([nonce, xchacha20poly1305(key, nonce, associated(bound)).encrypt(plain)]);
  plain.fill(0);
  return box;
}

/** @returns what was sealed, to be wiped after use; undefined if it is not what was sealed with this key and bound */
export function unseal(key: Bytes, box: unknown, bound: Bound): Bytes | undefined {
  if (!(box instanceof Uint8Array) || box.length < nonceBytes + tagBytes) return undefined;
  try {
    const cipher = xchacha20poly1305(key, box.subarray(0, nonceBytes), associated(bound));
    return cipher.decrypt(box.subarray(nonceBytes)) as Bytes;
  } catch {
    return undefined; // the reason is the same for all, and never the content
  }
}
