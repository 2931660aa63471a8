// did:key for Ed25519 (W3C did:key method, multicodec 0xed01, base58btc). Pure functions.
import { type Bytes, concatBytes } from '../base/bytes';

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const prefix = 'did:key:z';
const multicodec = Uint8Array.of(0xed, 0x01);

/** The did:key of a 32-byte Ed25519 public key. */
export function didOf(publicKey: Uint8Array): string {
  let number = 0n;
  for (const byte of concatBytes([multicodec, publicKey])) number = number * 256n + BigInt(byte);
  let text = '';
  for (; number > 0n; number /= 58n) text = alphabet[Number(number % 58n)] + text;
  return prefix + text;
}

/** The public key of a did:key. @throws TypeError if it is not one for Ed25519. */
export function publicKeyOf(did: string): Bytes {
  let number = 0n;
  if (did.length < 60 && did.startsWith(prefix)) {
    for (const c of did.slice(prefix.length)) {
      const digit = alphabet.indexOf(c);
      if (digit < 0) break;
      number = number * 58n + BigInt(digit);
    }
  }
  const bytes = new Uint8Array(34);
  for (let i = 33; i >= 0; i--, number >>= 8n) bytes[i] = Number(number & 255n);
  const key = bytes.slice(2);
  // Encoded again it must be the same text: that catches every other length, codec and character.
  if (didOf(key) !== did) throw new TypeError(`not a did:key for Ed25519: ${did.slice(0, 80)}`);
  return key;
}
