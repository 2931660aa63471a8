// Writes stores from docs/FORMAT.md alone, with node:crypto: bytes that the library would never write (equal stamps, holes, unknown members),
// and whole stores that it must read all the same. Must not know src/ or backends/.
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { sha256 } from './jws';
import type { Json } from './values';

export type Entry = [key: string, dt: number, value?: Json, tagged?: 0 | 1, version?: number, epoch?: number];
export type Region = [name: string, version: number, join: string, entries: Entry[]];

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Who signs, from a 32-byte seed. */
export class Signer {
  readonly did: string;
  private readonly key: KeyObject;

  constructor(seed: Uint8Array) {
    // PKCS #8 of an Ed25519 key (RFC 8410): a fixed head and the seed.
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
    this.key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const raw = createPublicKey(this.key).export({ format: 'der', type: 'spki' }).subarray(-32);
    let number = BigInt(`0xed01${raw.toString('hex')}`);
    let digits = '';
    for (; number > 0n; number /= 58n) digits = alphabet[Number(number % 58n)] + digits;
    this.did = `did:key:z${digits}`;
  }

  jws(payload: object): string {
    const input = [{ alg: 'EdDSA', kid: this.did }, payload]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    return `${input}.${sign(null, Buffer.from(input), this.key).toString('base64url')}`;
  }

  /** A signed line and the hash that others name it by. */
  line(payload: object, body: Json): { line: string; hash: string } {
    const bytes = Buffer.from(JSON.stringify(body));
    const jws = this.jws({ ...payload, length: bytes.length, digest: sha256(bytes), codec: 'json', hash: 'sha-256' });
    return { line: `["${jws}",${bytes}]\n`, hash: sha256(Buffer.from(jws)) };
  }
}

/** One writer's chain. */
export class Chain {
  index = 0;
  prev: string | null = null;

  constructor(
    private readonly signer: Signer,
    private readonly venue: string,
    readonly writer: string,
  ) {}

  /** The next commit; `more` adds or replaces payload members. */
  commit(time: number, regions: Region[], more: object = {}): string {
    const count = regions.reduce((sum, [, , , entries]) => sum + entries.length, 0);
    const { venue, writer, index, prev } = this;
    const { line, hash } = this.signer.line(
      { format: 1, kind: 'commit', venue, writer, index, prev, time, count, ...more },
      regions as unknown as Json,
    );
    this.index++;
    this.prev = hash;
    return line;
  }
}

/** A whole checkpoint file; per region its chunks. */
export function checkpoint(
  signer: Signer,
  venue: string,
  writer: string,
  time: number,
  covers: Record<string, [index: number, hash: string]>,
  regions: [name: string, version: number, join: string, chunks: Entry[][]][],
): string {
  let lines = '';
  let count = 0;
  const index = regions.map(([name, version, join, chunks]) => [
    name,
    version,
    join,
    chunks.map((entries) => {
      const line = Buffer.from(JSON.stringify([time, entries]));
      const tombstones = entries.filter((entry) => entry.length === 2).length;
      const versions = entries.flatMap((entry) => (entry.length === 2 ? [] : (entry[4] ?? version)));
      if (versions.length === 0) versions.push(version);
      const [lowest, highest] = [Math.min(...versions), Math.max(...versions)];
      lines += `${line}\n`;
      count++;
      return [
        entries[0]?.[0] ?? '',
        entries.length,
        tombstones,
        line.length,
        sha256(line),
        ...(lowest === version && highest === version ? [] : [lowest, highest]),
      ];
    }),
  ]);
  return lines + signer.line({ format: 1, kind: 'checkpoint', venue, writer, covers, time, count }, index).line;
}
