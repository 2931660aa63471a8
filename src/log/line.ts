// One line of a log: `["<JWS>",<body>]`. The signed header says what the body is; docs/FORMAT.md "Lines". Pure functions.
import { type Bytes, decodeUtf8, encodeUtf8, fromBase64url, toBase64url } from '../base/bytes';
import type { Crypto } from '../base/seams';
import { publicKeyOf } from '../identity/did';
import type { Identity } from '../identity/identity';

export const formatVersion = 1;

/** What every signed payload says. */
export interface Payload {
  format: number;
  kind: 'commit' | 'checkpoint';
  /** Random id of the venue, so that a line of another venue under the same key is told apart. */
  venue: string;
  writer: string;
  /** Stamp; not less than any in the body. */
  time: number;
  /** Entries (commit) or chunks (checkpoint) in the body. */
  count: number;
  /** Bytes of the body. */
  length: number;
  /** base64url SHA-256 of the body. */
  digest: string;
  codec: 'json';
  hash: 'sha-256';
}

export interface CommitPayload extends Payload {
  kind: 'commit';
  /** Place in the writer's chain, from 0. */
  index: number;
  /** Hash of the writer's previous JWS; null for its first. */
  prev: string | null;
  /** The highest index joined of each other writer since this writer's last commit. */
  heads?: Record<string, number>;
}

export interface CheckpointPayload extends Payload {
  kind: 'checkpoint';
  /** Per writer the highest index covered, and the hash of that commit's JWS. */
  covers: Record<string, [index: number, hash: string]>;
}

export interface Line<P extends Payload = Payload> {
  payload: P;
  body: Bytes;
  /** The did that claims to have signed it. */
  kid: string;
  /** Hash of the JWS: the line's name in chains. */
  hash: string;
  /** ASCII of the JWS. */
  jws: string;
}

export const digestOf = (crypto: Crypto, bytes: Bytes): string => toBase64url(crypto.sha256(bytes));

type Unsigned<P extends Payload> = Omit<P, 'format' | 'length' | 'digest' | 'codec' | 'hash'>;

/** Signs and frames one line, "\n" included. @param digest the body's SHA-256, if it has been taken already. */
export function encodeLine<P extends Payload>(
  crypto: Crypto,
  identity: Identity,
  payload: Unsigned<P>,
  body: Bytes,
  digest?: Bytes,
): { bytes: Bytes; hash: string } {
  const jws = identity.sign({
    format: formatVersion,
    ...payload,
    length: body.length,
    digest: toBase64url(digest ?? crypto.sha256(body)),
    codec: 'json',
    hash: 'sha-256',
  });
  const ascii = encodeUtf8(jws);
  const bytes = new Uint8Array(ascii.length + body.length + 6);
  bytes.set(opening);
  bytes.set(ascii, 2);
  bytes.set(middle, 2 + ascii.length);
  bytes.set(body, 4 + ascii.length);
  bytes.set(closing, bytes.length - 2);
  return { bytes, hash: digestOf(crypto, ascii) };
}

const opening = encodeUtf8('["');
const middle = encodeUtf8('",');
const closing = encodeUtf8(']\n');
const quote = 0x22;

/** Where a line (without "\n") has its JWS and its body. Undefined for bytes that are no line. */
export function splitLine(bytes: Bytes): { ascii: Bytes; body: Bytes } | undefined {
  if (bytes[0] !== opening[0] || bytes[1] !== quote || bytes.at(-1) !== closing[0]) return undefined;
  const end = bytes.indexOf(quote, 2);
  if (end < 0 || bytes[end + 1] !== middle[1]) return undefined;
  return { ascii: bytes.subarray(2, end), body: bytes.subarray(end + 2, bytes.length - 1) };
}

/**
 * Takes a line (without "\n") apart and checks the body against its header; no signature is verified here.
 * @param digest the body's SHA-256, if it has been taken already.
 * @returns undefined for bytes that are no line, or whose body is not the one that was signed.
 */
export function parseLine(crypto: Crypto, bytes: Bytes, digest?: Bytes): Line | undefined {
  const split = splitLine(bytes);
  if (!split) return undefined;
  const { ascii, body } = split;
  try {
    const jws = decodeUtf8(ascii);
    const [header, encoded, , ...more] = jws.split('.');
    const payload = decodeJson(encoded!) as Payload;
    if (more.length > 0 || !isPayload(payload)) return undefined;
    if (
      payload.format <= formatVersion &&
      (payload.length !== body.length || payload.digest !== toBase64url(digest ?? crypto.sha256(body)))
    )
      return undefined;
    return { payload, body, kid: kidOf(header!), jws, hash: digestOf(crypto, ascii) };
  } catch {
    return undefined; // not base64url, not UTF-8 or not JSON: damaged
  }
}

const decodeJson = (text: string): unknown => JSON.parse(decodeUtf8(fromBase64url(text)));

// A store has few signers and many lines.
let lastHeader = '';
let lastKid = '';
function kidOf(header: string): string {
  if (header !== lastHeader) {
    const { alg, kid } = decodeJson(header) as { alg: unknown; kid: unknown };
    if (alg !== 'EdDSA' || typeof kid !== 'string') throw new TypeError('not an EdDSA header');
    [lastHeader, lastKid] = [header, kid];
  }
  return lastKid;
}

const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Checks what the code relies on. Of a newer format only the version is known, and enough to refuse it. */
function isPayload(payload: Payload): boolean {
  if (typeof payload !== 'object' || payload === null || !isIndex(payload.format) || payload.format === 0) return false;
  if (payload.format > formatVersion) return true;
  const { venue, writer, time, kind, codec, hash } = payload;
  if (
    typeof venue !== 'string' ||
    typeof writer !== 'string' ||
    !isIndex(time) ||
    codec !== 'json' ||
    hash !== 'sha-256'
  )
    return false;
  if (kind === 'commit') {
    const { index, heads } = payload as CommitPayload;
    return isIndex(index) && (heads === undefined || (isRecord(heads) && Object.values(heads).every(isIndex)));
  }
  const { covers } = payload as CheckpointPayload;
  const isCover = (cover: unknown) => Array.isArray(cover) && isIndex(cover[0]) && typeof cover[1] === 'string';
  return kind === 'checkpoint' && isRecord(covers) && Object.values(covers).every(isCover);
}

const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null;

/** Whether the signature on a line is good: one Ed25519 verification. */
export function verifyLine(crypto: Crypto, line: Line): boolean {
  const dot = line.jws.lastIndexOf('.');
  try {
    return crypto.verify(
      fromBase64url(line.jws.slice(dot + 1)),
      encodeUtf8(line.jws.slice(0, dot)),
      publicKeyOf(line.kid),
    );
  } catch {
    return false; // a signature or kid that is not even one
  }
}
