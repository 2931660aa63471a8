// The signed lines of a store, read one by one: what a log holds, the last line of a checkpoint, and who signed them. Knows chains and
// state as little as src/log/line does; nothing is changed.

import { TidemarkError } from '../../backend';
import { linesOf } from '../../engine/reading';
import { formatVersion, type Line, parseLine, verifyLine } from '../../log/line';
import { nodeCrypto } from '../../platform/node-crypto';
import type { StoreFile, StoreFiles } from './files';

export interface ReadLine {
  readonly at: number;
  /** "\n" included, where there is one. */
  readonly length: number;
  readonly ended: boolean;
  /** Undefined for bytes that are no line, or whose body has not the digest that was signed. No signature was verified. */
  readonly line: Line | undefined;
}

export async function* readLog(file: StoreFile): AsyncGenerator<ReadLine> {
  for await (const { bytes, at, ended } of linesOf(file.stream())) {
    const line = ended ? parseLine(nodeCrypto, bytes) : undefined;
    yield { at, length: bytes.length + (ended ? 1 : 0), ended, line };
  }
}

/** @throws TidemarkError `newer_format`, for a line that really is of one. */
export function refuseNewer(line: Line, store: string): void {
  if (line.payload.format <= formatVersion || !verifyLine(nodeCrypto, line)) return;
  const { format } = line.payload;
  throw new TidemarkError(
    'newer_format',
    `${store} has format ${format}, this version knows ${formatVersion}: upgrade tidemark to read this store`,
  );
}

const newline = 10;
const tailBytes = 256 * 1024;

/** The signed last line of a checkpoint, without reading the chunks. Undefined where it is missing or does not verify. */
async function lastLine(file: StoreFile): Promise<Line | undefined> {
  for (let length = Math.min(tailBytes, file.size); ; length = Math.min(2 * length, file.size)) {
    const tail = await file.read(file.size - length, length);
    const end = tail.at(-1) === newline ? tail.length - 1 : tail.length;
    const before = tail.subarray(0, end).lastIndexOf(newline);
    if (before < 0 && length < file.size) continue;
    const line = parseLine(nodeCrypto, tail.subarray(before + 1, end));
    return line && verifyLine(nodeCrypto, line) ? line : undefined;
  }
}

async function firstGoodLine(file: StoreFile): Promise<Line | undefined> {
  for await (const { line } of readLog(file)) if (line && verifyLine(nodeCrypto, line)) return line;
  return undefined;
}

/** Whoever signed the checkpoints, newest first, then the logs, those with most first. Cheap: looks at one line of each file. */
export async function mainSigners(files: StoreFiles): Promise<string[]> {
  const signers = new Set<string>();
  for (const file of files.checkpoints) {
    const line = await lastLine(file).catch(() => undefined); // a file that cannot be read is reported by whoever reads all of it
    if (line) signers.add(line.kid);
  }
  const counts = new Map<string, number>();
  for (const file of files.logs) {
    const line = await firstGoodLine(file).catch(() => undefined);
    if (line) counts.set(line.kid, (counts.get(line.kid) ?? 0) + 1);
  }
  for (const [kid] of [...counts].sort(([, m], [, n]) => n - m)) signers.add(kid);
  return [...signers];
}
