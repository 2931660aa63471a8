// Who signs: an Ed25519 seed and its did:key. Knows no files; where the seed is kept is the platform's matter.
import { type Bytes, encodeUtf8, fromHex, toBase64url } from '../base/bytes';
import { TidemarkError } from '../base/errors';
import type { Crypto } from '../base/seams';
import { didOf } from './did';

export const seedBytes = 32;

export interface Identity {
  readonly did: string;
  /** A compact JWS (RFC 7515, EdDSA as of RFC 8037) over this payload; `kid` is the did. */
  sign(payload: object): string;
}

/**
 * @param known the did, where it is kept with the seed: in a browser the first look at a key takes 10 to 25 ms, which an opening need not wait for.
 * @throws TidemarkError `bad_key_file`, when something is signed first, if it is not this seed's
 */
export function createIdentity(seed: Bytes, crypto: Crypto, known?: string): Identity {
  const signer = crypto.signer(seed);
  const did = known ?? didOf(signer.publicKey);
  let checked = known === undefined;
  const header = toBase64url(encodeUtf8(JSON.stringify({ alg: 'EdDSA', kid: did })));
  return {
    did,
    sign(payload) {
      if (!checked && didOf(signer.publicKey) !== did)
        throw new TidemarkError('bad_key_file', `the stored key is not that of ${did}: nothing can be signed with it`);
      checked = true;
      const input = `${header}.${toBase64url(encodeUtf8(JSON.stringify(payload)))}`;
      return `${input}.${toBase64url(signer.sign(encodeUtf8(input)))}`;
    },
  };
}

/** A seed as an option gives it: 32 bytes, or 64 hexadecimal digits. @param whose option, for the error @throws TidemarkError `bad_option` */
export function parseSeed(seed: unknown, whose = 'openVenue'): Bytes {
  if (typeof seed === 'string' && /^[0-9a-f]{64}$/i.test(seed)) return fromHex(seed);
  if (seed instanceof Uint8Array && seed.length === seedBytes) return new Uint8Array(seed);
  throw new TidemarkError('bad_option', `${whose}: \`seed\` must be 32 bytes or 64 hexadecimal digits`);
}
