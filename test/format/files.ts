// The two kinds of file, logs and checkpoints, read as docs/FORMAT.md says. Part of the outside reader: must not know src/ or backends/.
import type { SignedLine } from './jws';
import { NewerFormat, readSignedLine, sha256, text } from './jws';
import type { Json } from './values';

/** Something that is not as it should be. Only `torn` is normal: a crash leaves it. */
export interface Problem {
  kind: 'torn' | 'rot' | 'checkpoint' | 'link' | 'hole' | 'venue' | 'entry' | 'newer';
  file: string;
  what: string;
}

/** An entry as stored, with what its surroundings say of it. */
export interface StoredEntry {
  region: string;
  join: string;
  version: number;
  key: string;
  stamp: number;
  /** The stamp of the deletion that the value came after; 0 for none. A tombstone's own stamp. */
  epoch: number;
  /** Absent: a tombstone. */
  value?: { json: Json; tagged: boolean };
}

const newline = 0x0a;

/** Every line of a log that verifies by itself. What does not is one stretch of damage up to the next line that does. */
export async function readLog(file: string, bytes: Uint8Array, problems: Problem[]): Promise<SignedLine[]> {
  const lines: SignedLine[] = [];
  let bad: string | undefined;
  for (let at = 0, end = 0; at < bytes.length; at = end + 1) {
    end = bytes.indexOf(newline, at);
    const whole = end >= 0;
    if (!whole) end = bytes.length;
    try {
      if (!whole) throw new Error('no newline at the end');
      lines.push(await readSignedLine(bytes.subarray(at, end)));
      if (bad !== undefined) problems.push({ kind: 'rot', file, what: bad });
      bad = undefined;
    } catch (error) {
      if (error instanceof NewerFormat) problems.push({ kind: 'newer', file, what: error.message });
      else bad ??= `at byte ${at}: ${(error as Error).message}`;
    }
  }
  if (bad !== undefined) problems.push({ kind: 'torn', file, what: bad });
  return lines;
}

/** The signed last line of a checkpoint and all of its entries. @throws if one byte of the file does not verify. */
export async function readCheckpoint(bytes: Uint8Array): Promise<{ line: SignedLine; entries: StoredEntry[] }> {
  if (bytes.at(-1) !== newline) throw new Error('no newline at the end');
  const start = bytes.lastIndexOf(newline, bytes.length - 2) + 1;
  const line = await readSignedLine(bytes.subarray(start, -1));
  if (line.payload.kind !== 'checkpoint') throw new Error('its last line is no checkpoint');

  const entries: StoredEntry[] = [];
  let at = 0;
  let chunkCount = 0;
  for (const [region, version, join, chunks] of line.body as [string, number, string, Json[][]][]) {
    let last: string | undefined;
    for (const [firstKey, count, tombstones, length, digest, lowest = version, highest = version] of chunks) {
      const end = at + Number(length);
      if (sha256(bytes.subarray(at, end)) !== digest)
        throw new Error(`the chunk at byte ${at} has another digest than signed`);
      if (end >= start || bytes[end] !== newline) throw new Error(`the chunk at byte ${at} does not end in a newline`);
      const [base, list] = JSON.parse(text(bytes.subarray(at, end))) as [number, Json[][]];
      const read = list.map((entry) => readEntry({ region, join, version }, base, entry));
      for (const { key } of read) {
        if (last !== undefined && !(last < key)) throw new Error(`keys out of order at ${JSON.stringify(key)}`);
        last = key;
      }
      const versions = read.flatMap((entry) => (entry.value ? entry.version : []));
      if (
        read[0]?.key !== firstKey ||
        read.length !== count ||
        read.filter((entry) => entry.value === undefined).length !== tombstones ||
        (versions.length > 0 && (Math.min(...versions) !== lowest || Math.max(...versions) !== highest))
      ) {
        throw new Error(`the index does not describe the chunk at byte ${at}`);
      }
      entries.push(...read);
      chunkCount++;
      at = end + 1;
    }
  }
  if (at !== start) throw new Error('bytes that the index does not name');
  if (chunkCount !== line.payload.count) throw new Error('another count of chunks than signed');
  return { line, entries };
}

/** The entries of a commit. @throws if they are not what the header says. */
export function readCommit(line: SignedLine): StoredEntry[] {
  const time = Number(line.payload.time);
  const entries = (line.body as [string, number, string, Json[][]][]).flatMap(([region, version, join, list]) =>
    list.map((entry) => readEntry({ region, join, version }, time, entry)),
  );
  if (entries.length !== line.payload.count) throw new Error('another count of entries than signed');
  return entries;
}

function readEntry(place: { region: string; join: string; version: number }, base: number, entry: Json[]): StoredEntry {
  const [key, dt, json, tagged, version, epoch] = entry;
  if (typeof key !== 'string' || !Number.isSafeInteger(dt)) throw new Error('not an entry');
  const stamp = base + Number(dt);
  if (json === undefined) return { ...place, key, stamp, epoch: stamp };
  const value = { json, tagged: tagged === 1 };
  return {
    ...place,
    version: Number(version ?? place.version),
    key,
    stamp,
    epoch: epoch === undefined ? 0 : base + Number(epoch),
    value,
  };
}
