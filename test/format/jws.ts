// Lines and their signatures, read as docs/FORMAT.md says, with jose and node:crypto. Part of the outside reader: must not know src/ or backends/.
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { compactVerify, decodeProtectedHeader } from 'jose';
import { fromBase64url, type Json } from './values';

export type Payload = { [member: string]: Json };

/** A line of the signed form, all of it checked but its chain. */
export interface SignedLine {
  /** The did:key that signed it. */
  signer: string;
  payload: Payload;
  /** base64url SHA-256 of the JWS: what `prev` and `covers` name. */
  hash: string;
  body: Json;
}

/** Bytes written by a later Tidemark: nobody who knows only this format may touch them. */
export class NewerFormat extends Error {}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64url');

export const text = (bytes: Uint8Array): string =>
  new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

/** Reads `["<JWS>",<body>]`, without its newline. @throws if anything in it does not verify. */
export async function readSignedLine(line: Uint8Array): Promise<SignedLine> {
  const end = line.indexOf(0x22, 2);
  if (end < 0 || text(line.subarray(0, 2)) !== '["' || text(line.subarray(end, end + 2)) !== '",')
    throw new Error('not a signed line');
  const jws = text(line.subarray(2, end));
  jws.split('.').forEach(fromBase64url);
  const { kid } = decodeProtectedHeader(jws);
  if (kid === undefined) throw new Error('kid is missing');
  const { payload } = await compactVerify(jws, keyOf(kid), { algorithms: ['EdDSA'] });
  const header = JSON.parse(text(payload)) as Payload;
  if (!(Number(header.format) <= 1)) throw new NewerFormat(`format ${header.format}`);
  if (header.codec !== 'json' || header.hash !== 'sha-256') throw new Error('codec or hash is not known');

  const body = line.subarray(end + 2, -1);
  if (line.at(-1) !== 0x5d || body.length !== header.length) throw new Error('the body has another length than signed');
  if (sha256(body) !== header.digest) throw new Error('the body has another digest than signed');
  // The line as a whole must be what anybody's JSON parser reads, not only its two parts.
  const both = JSON.parse(text(line)) as [string, Json];
  return { signer: kid, payload: header, hash: sha256(Buffer.from(jws, 'ascii')), body: both[1] };
}

const keys = new Map<string, KeyObject>();

/** Made once for each signer, of whom a store has few. */
function keyOf(did: string): KeyObject {
  const known = keys.get(did);
  const key =
    known ??
    createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey(did).toString('base64url') }, format: 'jwk' });
  keys.set(did, key);
  return key;
}

const base58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** The 32 bytes of the Ed25519 key in a did:key: "z", then base58btc of 0xed 0x01 and the key. */
export function publicKey(did: string): Buffer {
  if (!did.startsWith('did:key:z')) throw new Error(`not a did:key: ${did}`);
  let number = 0n;
  for (const digit of did.slice('did:key:z'.length)) {
    const value = base58.indexOf(digit);
    if (value < 0) throw new Error(`not base58btc: ${did}`);
    number = number * 58n + BigInt(value);
  }
  const bytes = Buffer.from(number.toString(16), 'hex');
  if (bytes.length !== 34 || bytes[0] !== 0xed || bytes[1] !== 0x01) throw new Error(`not an Ed25519 key: ${did}`);
  return bytes.subarray(2);
}
