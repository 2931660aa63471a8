// A Crypto for simulations: real SHA-256, and "signatures" that are only hashes, since a hundred thousand programs would spend
// most of their time in Ed25519. Detects damage as the real one does; keeps no secret.
import { createHash } from 'node:crypto';
import { type Bytes, concatBytes } from '../../src/base/bytes';
import type { Crypto } from '../../src/base/seams';
import { nodeCrypto } from '../../src/platform/node-crypto';
import type { Random } from './random';

const sha256 = (bytes: Uint8Array): Bytes => new Uint8Array(createHash('sha256').update(bytes).digest());

const signature = (publicKey: Bytes, message: Bytes): Bytes => {
  const half = sha256(concatBytes([publicKey, message]));
  return concatBytes([half, half]);
};

export function simulatedCrypto(random: Random): Crypto {
  return {
    sha256,
    hasher: nodeCrypto.hasher,
    derive: nodeCrypto.derive,
    signer: (seed) => {
      const publicKey = sha256(seed);
      return { publicKey, sign: (message) => signature(publicKey, message) };
    },
    verify: (given, message, publicKey) => Buffer.compare(given, signature(publicKey, message)) === 0,
    randomBytes: (length) => random.bytes(length),
  };
}
