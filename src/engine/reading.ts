// Reading a store: bytes of logs and checkpoints to lines, each checked by itself. What they mean together is recovery.ts's.
import type { StoredCheckpoint, StoredLog } from '../backend';
import { type Bytes, concatBytes, toBase64url } from '../base/bytes';
import type { Clock, Crypto } from '../base/seams';
import { decodeIndex, type RegionMeta } from '../log/checkpoint';
import {
  type CheckpointPayload,
  digestOf,
  formatVersion,
  type Line,
  parseLine,
  splitLine,
  verifyLine,
} from '../log/line';
import { digestBytesMin, sliceMs } from './limits';

interface Tools {
  crypto: Crypto;
  clock: Clock;
}

export interface ReadLog {
  log: StoredLog;
  lines: { line: Line; bytes: Bytes; at: number }[];
  bad: { bytes: Bytes; at: number }[];
  size: number;
}

export interface ReadCheckpoint {
  file: StoredCheckpoint;
  line: Line<CheckpointPayload>;
  regions: RegionMeta[];
  chunks: (Bytes | undefined)[][];
  damaged: number;
}

export async function readLog(log: StoredLog, { crypto, clock }: Tools): Promise<ReadLog> {
  const read: ReadLog = { log, lines: [], bad: [], size: 0 };
  const turn = turns(clock);
  for await (const { bytes, at, ended } of linesOf(log.stream())) {
    read.size = at + bytes.length + (ended ? 1 : 0);
    const body = ended && crypto.digest && splitLine(bytes)?.body;
    const digest = body && body.length > digestBytesMin ? await crypto.digest!(body) : undefined;
    const line = ended ? parseLine(crypto, bytes, digest) : undefined;
    if (line) read.lines.push({ line, bytes, at });
    else read.bad.push({ bytes: ended ? concatBytes([bytes, newline]) : bytes, at });
    await turn();
  }
  return read;
}

export const newline = Uint8Array.of(10);

/** @returns why it cannot be used, if so. */
export async function readCheckpoint(
  file: StoredCheckpoint,
  { crypto, clock }: Tools,
): Promise<ReadCheckpoint | string> {
  const lines: Bytes[] = [];
  const digests: Promise<Bytes>[] = [];
  const found: { bytes: Bytes; digest: string }[] = [];
  const turn = turns(clock);
  for await (const { bytes } of linesOf(file.stream())) {
    lines.push(bytes);
    // Taken while the next ones are read, where the platform can.
    if (crypto.digest) digests.push(crypto.digest(bytes));
    else found.push({ bytes, digest: digestOf(crypto, bytes) });
    await turn();
  }
  for (const [i, digest] of (await Promise.all(digests)).entries())
    found.push({ bytes: lines[i]!, digest: toBase64url(digest) });
  const last = found.pop();
  const line = last && (parseLine(crypto, last.bytes) as Line<CheckpointPayload> | undefined);
  if (!line || !verifyLine(crypto, line)) return 'its signed last line is missing or does not verify';
  const read = { file, line, regions: [], chunks: [], damaged: 0 };
  if (line.payload.format > formatVersion) return read; // the caller refuses it
  if (line.payload.kind !== 'checkpoint') return 'its last line is not that of a checkpoint';
  let regions: RegionMeta[];
  try {
    regions = decodeIndex(line.body);
  } catch (error) {
    return `its index is not as this version writes it: ${(error as Error).message}`;
  }
  // By digest, not by place: a line more or less must not cost the chunks that are good.
  const byDigest = new Map(found.map(({ bytes, digest }) => [digest, bytes]));
  const chunks = regions.map(({ chunks: metas }) => metas.map(({ digest }) => byDigest.get(digest)));
  return { file, line, regions, chunks, damaged: chunks.flat().filter((bytes) => bytes === undefined).length };
}

/** The last line of a log, if it is one, without reading the others. */
export async function lastLine(log: StoredLog, crypto: Crypto): Promise<Line | undefined> {
  for (let length = Math.min(log.size, tailBytes); ; length = Math.min(log.size, length * 8)) {
    const tail = await log.read(log.size - length, length);
    if (tail.at(-1) !== 10) return undefined;
    const begin = tail.lastIndexOf(10, tail.length - 2) + 1;
    if (begin > 0 || length === log.size) return parseLine(crypto, tail.subarray(begin, tail.length - 1));
  }
}

/** Enough for the last commit of all but the busiest programs. */
const tailBytes = 256 * 1024;

/** The lines of a checkpoint that its index does not name. */
export async function unnamedLines({ file, regions }: ReadCheckpoint, crypto: Crypto): Promise<Bytes[]> {
  const named = new Set(regions.flatMap(({ chunks }) => chunks.map(({ digest }) => digest)));
  const unnamed: Bytes[] = [];
  for await (const { bytes, at } of linesOf(file.stream())) {
    if (!named.has(digestOf(crypto, bytes)) && at + bytes.length + 1 < file.size) unnamed.push(bytes);
  }
  return unnamed;
}

export interface RawLine {
  /** Without the "\n". */
  readonly bytes: Bytes;
  /** Where it begins. */
  readonly at: number;
  /** Whether there is a "\n". */
  readonly ended: boolean;
}

export async function* linesOf(slabs: AsyncIterable<Bytes>): AsyncGenerator<RawLine> {
  let begun: Bytes[] = [];
  let at = 0;
  for await (const slab of slabs) {
    let from = 0;
    for (let to = slab.indexOf(10); to >= 0; to = slab.indexOf(10, from)) {
      const rest = slab.subarray(from, to);
      const bytes = begun.length > 0 ? concatBytes([...begun, rest]) : rest;
      begun = [];
      yield { bytes, at, ended: true };
      at += bytes.length + 1;
      from = to + 1;
    }
    if (from < slab.length) begun.push(slab.subarray(from));
  }
  if (begun.length > 0) yield { bytes: concatBytes(begun), at, ended: false };
}

/** A function to be awaited in a long loop: lets others have a turn when the slice is over. */
export function turns(clock: Clock): () => Promise<void> | undefined {
  let since = clock.elapsed();
  return () => {
    if (clock.elapsed() - since < sliceMs) return undefined;
    return clock.nextTurn().then(() => {
      since = clock.elapsed();
    });
  };
}
