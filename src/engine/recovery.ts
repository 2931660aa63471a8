// Opening: what the backend found is verified and becomes state. The newest checkpoint that verifies, then every commit that verifies. What does
// not is put in quarantine and reported; nothing is dropped silently, nothing is changed before the store is known to be ours.
import type { Backend, Stored, StoredCheckpoint, StoredLog } from '../backend';
import { type Bytes, concatBytes } from '../base/bytes';
import { TidemarkError } from '../base/errors';
import type { Clock, Crypto } from '../base/seams';
import { type CommitLine, type Covers, type Hole, verifyChains } from '../log/chain';
import { decodeIndex, type RegionMeta } from '../log/checkpoint';
import { type CheckpointPayload, digestOf, formatVersion, type Line, parseLine, verifyLine } from '../log/line';
import { sliceMs } from './limits';

export interface Damage {
  /** Where: a file, or a chain. */
  where: string;
  what: string;
  /** Bytes put in quarantine. */
  bytes: number;
}

/** What opening found; `venue.health().recovery`. */
export interface RecoveryReport {
  /** Generation of the checkpoint that was used, 0 for none. */
  checkpoint: number;
  /** Whether it was not the newest one. */
  fellBack: boolean;
  /** Entries read: the checkpoint's, and the commits' after it. */
  entries: number;
  /** Commits joined. */
  commits: number;
  /** Bytes of commits that a crash had left unfinished: cut off, in quarantine. Normal. */
  tornBytes: number;
  /** Bytes that had been whole and are not any more. Not normal. */
  damage: Damage[];
  /** Commits that are known to have been and are not there. */
  holes: Hole[];
  /** Entries that are kept but not shown, because they do not validate or are of a newer version. */
  quarantined: { region: string; key: string; why: string }[];
  /** What the backend did, e.g. took over the lock of a dead process. */
  notes: string[];
  tookMs: number;
}

export interface Recovered {
  venue: string | undefined;
  generation: number;
  source: StoredCheckpoint | undefined;
  time: number;
  regions: RegionMeta[];
  /** Bytes of each chunk, by region and place as in `regions`; undefined where it is damaged. */
  chunks: (Bytes | undefined)[][];
  covers: Covers;
  commits: CommitLine[];
  /** Bytes of the logs that were read. */
  logBytes: number;
}

interface Options {
  backend: Backend;
  clock: Clock;
  crypto: Crypto;
  /** Our own did. */
  did: string;
  trusted: readonly string[];
  report: RecoveryReport;
}

interface ReadLog {
  log: StoredLog;
  lines: { line: Line; bytes: Bytes; at: number }[];
  bad: { bytes: Bytes; at: number }[];
  size: number;
}

interface ReadCheckpoint {
  file: StoredCheckpoint;
  line: Line<CheckpointPayload>;
  regions: RegionMeta[];
  chunks: (Bytes | undefined)[][];
  damaged: number;
}

export async function recover(stored: Stored, options: Options): Promise<Recovered> {
  const { report, crypto, backend, did } = options;
  report.notes.push(...stored.notes);
  const known = new Set([did, ...options.trusted]);
  const unusable: { file: StoredCheckpoint; what: string }[] = [];
  let foreign: string | undefined;
  let used: ReadCheckpoint | undefined;
  let salvage: ReadCheckpoint | undefined;
  for (const file of stored.checkpoints) {
    const read = await readCheckpoint(file, options);
    if (typeof read === 'string') unusable.push({ file, what: read });
    else if (!known.has(read.line.kid)) {
      foreign = read.line.kid;
      unusable.push({ file, what: `signed by ${foreign}, which is not trusted` });
    } else if (read.damaged > 0) {
      unusable.push({ file, what: `${read.damaged} chunks do not have the digest that was signed` });
      salvage ??= read;
    } else {
      used = read;
      break;
    }
  }
  report.fellBack = used !== undefined && unusable.length > 0;
  const whole = used !== undefined;

  // An older checkpoint needs the commits since it. Where no checkpoint is whole, every commit there is may help.
  const from = used?.file.generation ?? 0;
  used ??= salvage;
  const logs: ReadLog[] = [];
  for (const log of stored.logs) if (log.generation >= from) logs.push(await readLog(log, options));
  const all = logs.flatMap(({ lines }) => lines.map(({ line }) => line));
  refuseNewer(all, options);
  const commits = all.filter((line) => line.payload.kind === 'commit') as CommitLine[];
  const ours = commits.filter((line) => known.has(line.kid));
  const chains = verifyChains(crypto, ours, used?.line.payload.covers ?? {});

  if (!used && chains.good.length === 0) {
    foreign ??= commits.find((line) => !known.has(line.kid) && verifyLine(crypto, line))?.kid;
    if (foreign) {
      throw new TidemarkError(
        'foreign_key',
        `${backend.target} is signed by ${foreign}; this venue's key is ${did}. Open it with that key (its venue.key), or list the did in \`trusted\``,
      );
    }
  }

  const venue = used?.line.payload.venue ?? mostCommon(chains.good.map((line) => line.payload.venue));
  const good = chains.good.filter((line) => line.payload.venue === venue);
  const usable = new Set(good.map((line) => line.hash));
  // From here on the store is ours, and may be tidied.
  for (const { file, what } of unusable) {
    report.damage.push({ where: file.name, what, bytes: file.size });
    if (file !== used?.file) await file.retire(what);
    else
      for (const chunk of await damagedChunks(used, options))
        await backend.quarantine(chunk, `${file.name}: chunk does not have its digest`);
  }
  for (const read of logs) await tidyLog(read, usable, known, options);
  for (const line of chains.forks)
    report.damage.push({ where: chainName(line), what: 'one index signed twice; both were joined', bytes: 0 });
  report.holes = chains.holes;
  for (const { writer, from: first, to } of chains.holes) {
    report.damage.push({ where: `writer ${writer}`, what: `commits ${first} to ${to} are missing`, bytes: 0 });
  }
  const covers = used?.line.payload.covers ?? {};
  report.checkpoint = used?.file.generation ?? 0;
  return {
    venue,
    generation: report.checkpoint,
    source: used?.file,
    time: used?.line.payload.time ?? 0,
    regions: used?.regions ?? [],
    chunks: used?.chunks ?? [],
    covers,
    commits: whole ? good.filter((line) => line.payload.index > (covers[line.payload.writer]?.[0] ?? -1)) : good,
    logBytes: logs.reduce((sum, { size }) => sum + size, 0),
  };
}

const chainName = (line: CommitLine) => `writer ${line.payload.writer}, commit ${line.payload.index}`;

function mostCommon(names: string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))[0]?.[0];
}

/** A newer format that is really signed is refused, and nothing is touched. */
function refuseNewer(lines: readonly Line[], { crypto, backend }: Options): void {
  const newer = lines.find((line) => line.payload.format > formatVersion && verifyLine(crypto, line));
  if (!newer) return;
  throw new TidemarkError(
    'newer_format',
    `${backend.target} has format ${newer.payload.format}, this version knows ${formatVersion}: upgrade tidemark to read this store`,
  );
}

/** What was bad at the very end is what a crash left of an append; bad and followed by something good, or not ours, is damage. */
async function tidyLog(
  { log, lines, bad, size }: ReadLog,
  usable: Set<string>,
  known: Set<string>,
  { backend, report }: Options,
): Promise<void> {
  const lastGood = lines.at(-1)?.at ?? -1;
  for (const { line, bytes } of lines) {
    if (usable.has(line.hash)) continue;
    const why = !known.has(line.kid)
      ? `signed by ${line.kid}, which is not trusted`
      : line.payload.kind !== 'commit'
        ? 'not a commit'
        : 'of another venue, or its signature does not verify';
    report.damage.push({ where: log.name, what: `a line is ${why}`, bytes: bytes.length });
    await backend.quarantine(bytes, `${log.name}: ${why}`);
  }
  let keep = size;
  for (const { bytes, at } of bad) {
    const torn = at > lastGood;
    await backend.quarantine(bytes, `${log.name}, byte ${at}: ${torn ? 'torn tail' : 'damaged line'}`);
    if (torn) {
      report.tornBytes += bytes.length;
      keep = Math.min(keep, at);
    } else report.damage.push({ where: log.name, what: `a line at byte ${at} does not verify`, bytes: bytes.length });
  }
  if (keep < size) await log.cut(keep);
}

async function readLog(log: StoredLog, { crypto, clock }: Options): Promise<ReadLog> {
  const read: ReadLog = { log, lines: [], bad: [], size: 0 };
  const turn = turns(clock);
  for await (const { bytes, at, ended } of splitLines(log.stream())) {
    read.size = at + bytes.length + (ended ? 1 : 0);
    const line = ended ? parseLine(crypto, bytes) : undefined;
    if (line) read.lines.push({ line, bytes, at });
    else read.bad.push({ bytes: ended ? concatBytes([bytes, newline]) : bytes, at });
    await turn();
  }
  return read;
}

const newline = Uint8Array.of(10);

async function readCheckpoint(file: StoredCheckpoint, options: Options): Promise<ReadCheckpoint | string> {
  const { crypto, clock } = options;
  const found: { bytes: Bytes; digest: string }[] = [];
  const turn = turns(clock);
  try {
    for await (const { bytes } of splitLines(file.stream())) {
      found.push({ bytes, digest: digestOf(crypto, bytes) });
      await turn();
    }
    const last = found.pop();
    const line = last && (parseLine(crypto, last.bytes) as Line<CheckpointPayload> | undefined);
    if (!line || !verifyLine(crypto, line)) return 'its signed last line is missing or does not verify';
    refuseNewer([line], options);
    if (line.payload.kind !== 'checkpoint') return 'its last line is not that of a checkpoint';
    const regions = decodeIndex(line.body);
    // By digest, not by place: a line more or less must not cost the chunks that are good.
    const byDigest = new Map(found.map(({ bytes, digest }) => [digest, bytes]));
    let damaged = 0;
    const chunks = regions.map(({ chunks: metas }) =>
      metas.map(({ digest }) => {
        const bytes = byDigest.get(digest);
        if (!bytes) damaged++;
        return bytes;
      }),
    );
    return { file, line, regions, chunks, damaged };
  } catch (error) {
    if (error instanceof TidemarkError) throw error;
    return `cannot be read: ${(error as Error).message}`;
  }
}

/** The lines of a checkpoint that its index does not name. */
async function damagedChunks({ file, regions }: ReadCheckpoint, { crypto }: Options): Promise<Bytes[]> {
  const named = new Set(regions.flatMap(({ chunks }) => chunks.map(({ digest }) => digest)));
  const damaged: Bytes[] = [];
  for await (const { bytes, at } of splitLines(file.stream())) {
    if (!named.has(digestOf(crypto, bytes)) && at + bytes.length + 1 < file.size) damaged.push(bytes);
  }
  return damaged;
}

interface RawLine {
  /** Without the "\n". */
  bytes: Bytes;
  /** Where it begins. */
  at: number;
  /** Whether there is a "\n". */
  ended: boolean;
}

async function* splitLines(slabs: AsyncIterable<Bytes>): AsyncGenerator<RawLine> {
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
