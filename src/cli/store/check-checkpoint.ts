// Verifies one checkpoint: the signature and digest of its index, and that every chunk is where the index has it, has its digest and
// holds what the index says. Reads the file once, line by line.

import type { Bytes } from '../../base/bytes';
import { linesOf, type RawLine } from '../../engine/reading';
import { TOMBSTONE } from '../../lattice/joins';
import { type ChunkMeta, decodeChunk, decodeIndex, type RegionMeta } from '../../log/checkpoint';
import { type CheckpointPayload, digestOf, type Line, parseLine, verifyLine } from '../../log/line';
import { nodeCrypto } from '../../platform/node-crypto';
import type { Finding } from '../errors';
import { counted } from '../output';
import type { StoreFile, StoreFiles } from './files';
import { refuseNewer } from './lines';

export interface CheckpointCheck {
  /** Its signed line; undefined where that is missing or does not verify. */
  readonly line: Line<CheckpointPayload> | undefined;
  readonly chunks: number;
  readonly entries: number;
  readonly damage: Finding[];
}

interface Chunk {
  at: number;
  length: number;
  digest: string;
  /** What is in it; or why it cannot be read. */
  content: Content | string;
}

interface Content {
  firstKey: string;
  lastKey: string;
  count: number;
  tombstones: number;
  ascending: boolean;
}

export async function checkCheckpoint(file: StoreFile, { folder }: StoreFiles): Promise<CheckpointCheck> {
  const damage: Finding[] = [];
  const report = (offset: number, what: string) => damage.push({ file: file.name, offset, what });
  const chunks: Chunk[] = [];
  // The index is last: each line is taken for a chunk once there is one after it.
  let last: RawLine | undefined;
  for await (const line of linesOf(file.stream())) {
    if (last) chunks.push(readChunk(last.bytes, last.at));
    last = line;
  }
  const line = last && parseLine(nodeCrypto, last.bytes);
  if (line) refuseNewer(line, folder);
  const fail = (what: string): CheckpointCheck => {
    report(last?.at ?? 0, what);
    return { line: undefined, chunks: chunks.length, entries: 0, damage };
  };
  if (!line) return fail('the signed last line is missing, or not what was signed');
  if (!verifyLine(nodeCrypto, line)) return fail('the signature of the last line does not verify');
  if (line.payload.kind !== 'checkpoint')
    return fail(`the last line is a ${line.payload.kind}, not that of a checkpoint`);
  let regions: RegionMeta[];
  try {
    regions = decodeIndex(line.body);
  } catch (error) {
    return fail(`the index is signed, but cannot be read: ${(error as Error).message}`);
  }
  if (!last!.ended) report(file.size, 'the newline at its end is missing');
  for (const { offset, what } of compare(regions, chunks)) report(offset, what);
  const metas = regions.flatMap((region) => region.chunks);
  const { count } = line.payload;
  if (count !== metas.length)
    report(last!.at, `the index is signed, but has ${metas.length} chunks instead of ${count}`);
  const entries = metas.reduce((sum, meta) => sum + meta.count, 0);
  return {
    line: { ...line, body: new Uint8Array(0) } as Line<CheckpointPayload>,
    chunks: chunks.length,
    entries,
    damage,
  };
}

function readChunk(bytes: Bytes, at: number): Chunk {
  const chunk = { at, length: bytes.length, digest: digestOf(nodeCrypto, bytes) };
  try {
    const { keys, values } = decodeChunk(bytes, 1);
    const ascending = keys.every((key, i) => i === 0 || keys[i - 1]! < key);
    const tombstones = values.filter((value) => value === TOMBSTONE).length;
    return {
      ...chunk,
      content: { firstKey: keys[0]!, lastKey: keys.at(-1)!, count: keys.length, tombstones, ascending },
    };
  } catch (error) {
    return { ...chunk, content: (error as Error).message };
  }
}

/** What the index says against what there is. */
function* compare(
  regions: readonly RegionMeta[],
  found: readonly Chunk[],
): Generator<{ offset: number; what: string }> {
  const expected = placesOf(regions);
  // Regions with the same entries have the same bytes: first what stands in its place, then what else has the digest.
  const left = new Map(found.map((chunk) => [chunk.at, chunk]));
  const take = (chunk: Chunk | undefined) => chunk && left.delete(chunk.at) && chunk;
  const inPlace = expected.map(({ at, meta }) => take(left.get(at)?.digest === meta.digest ? left.get(at) : undefined));
  let lastKey: string | undefined;
  let moved = false;
  for (const [i, { region, meta, at, first }] of expected.entries()) {
    const name = `the chunk of region '${region}' from key '${meta.firstKey}'`;
    if (first) lastKey = undefined;
    const chunk = inPlace[i] || take([...left.values()].find(({ digest }) => digest === meta.digest));
    if (!chunk) {
      left.delete(at); // what stands there is named by this
      yield {
        offset: at,
        what: `${name} (${counted(meta.count, 'entry', 'entries')}) does not have the digest that was signed`,
      };
      continue;
    }
    // One line too many or too few moves all that follow; to say so once is enough.
    if (chunk.at !== at && !moved) {
      moved = true;
      yield { offset: chunk.at, what: `${name} belongs to byte ${at}` };
    }
    const odd = oddIn(chunk, meta, lastKey);
    if (odd) yield { offset: chunk.at, what: `${name} is as it was signed, but ${odd}` };
    lastKey = typeof chunk.content === 'string' ? undefined : chunk.content.lastKey;
  }
  for (const { at } of left.values()) yield { offset: at, what: 'a line that the index does not name' };
}

/** Where the index has each chunk. `first`: of its region. */
function placesOf(regions: readonly RegionMeta[]): { region: string; meta: ChunkMeta; at: number; first: boolean }[] {
  let at = 0;
  return regions.flatMap(({ region, chunks }) =>
    chunks.map((meta, i) => {
      const place = { region, meta, at, first: i === 0 };
      at += meta.length + 1;
      return place;
    }),
  );
}

function oddIn({ content, length }: Chunk, meta: ChunkMeta, lastKey: string | undefined): string | undefined {
  if (typeof content === 'string') return `cannot be read: ${content}`;
  const same =
    content.firstKey === meta.firstKey && content.count === meta.count && content.tombstones === meta.tombstones;
  if (!same || length !== meta.length) return 'the index says otherwise';
  if (!content.ascending || (lastKey !== undefined && lastKey >= content.firstKey)) return 'its keys are not in order';
  return undefined;
}
