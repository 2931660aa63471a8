// The portable Crypto: SHA-256 from @noble/hashes, Ed25519 from @noble/ed25519 in its synchronous form.
import { getPublicKey, hashes, sign, verify } from '@noble/ed25519';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import type { Bytes } from '../base/bytes';
import type { Crypto } from '../base/seams';

/** Ed25519 and SHA-256 in JavaScript alone. `randomBytes` is the platform's. */
export function nobleCrypto(randomBytes: (length: number) => Bytes): Crypto {
  hashes.sha512 = sha512 as NonNullable<typeof hashes.sha512>;
  return {
    randomBytes,
    sha256: (bytes) => sha256(bytes) as Bytes,
    hasher() {
      const hash = sha256.create();
      return { update: (bytes) => hash.update(bytes), digest: () => hash.digest() as Bytes };
    },
    derive: (key, info) => hkdf(sha256, key, undefined, info, 32) as Bytes,
    signer(seed) {
      let publicKey: Bytes | undefined;
      return {
        get publicKey() {
          publicKey ??= getPublicKey(seed) as Bytes;
          return publicKey;
        },
        sign: (message) => sign(message, seed) as Bytes,
      };
    },
    verify(signature, message, publicKey) {
      try {
        return verify(signature, message, publicKey);
      } catch {
        return false; // a point that is not on the curve is a bad signature, not an exception
      }
    },
  };
}
