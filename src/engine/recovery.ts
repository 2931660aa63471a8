// Opening: what the backend found is verified and becomes state. The newest checkpoint that verifies, then every commit that verifies. What does
// not is put in quarantine and reported; nothing is dropped silently, nothing is changed before the store is known to be ours.
import type { Backend, Stored, StoredCheckpoint, StoredLog } from '../backend';
import { concatBytes } from '../base/bytes';
import { TidemarkError } from '../base/errors';
import type { Clock, Crypto } from '../base/seams';
import { type CommitLine, type Hole, verifyChains } from '../log/chain';
import { type CheckpointPayload, formatVersion, type Line, verifyLine } from '../log/line';
import { lastLine, newline, type ReadCheckpoint, type ReadLog, readCheckpoint, readLog, unnamedLines } from './reading';

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
  /** The store was gone: it is empty, and is known not to have been. The entries are lost, unless a backup has them. */
  evicted: boolean;
  /** The store is older than it has been: commits that were durable are not there. */
  rolledBack: boolean;
  /** What the backend did, e.g. took over the lock of a dead process. */
  notes: string[];
  tookMs: number;
}

/** A report before anything was found. */
export const emptyReport = (): RecoveryReport => ({
  checkpoint: 0,
  fellBack: false,
  entries: 0,
  commits: 0,
  tornBytes: 0,
  damage: [],
  holes: [],
  quarantined: [],
  evicted: false,
  rolledBack: false,
  notes: [],
  tookMs: 0,
});

export interface Recovered {
  venue: string | undefined;
  /** Whether all of a checkpoint was there, or none was needed. */
  whole: boolean;
  base: ReadCheckpoint | undefined;
  /** Older checkpoints of which good chunks are to be joined, too. */
  more: ReadCheckpoint[];
  commits: CommitLine[];
  /** Bytes of the logs that were read. */
  logBytes: number;
  /** And how many. */
  logs: number;
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

export async function recover(stored: Stored, options: Options): Promise<Recovered> {
  const { report, crypto, backend, did } = options;
  report.notes.push(...stored.notes);
  const known = new Set([did, ...options.trusted]);
  const store = new StoreReader(stored, known, options);
  let used = await store.newestWhole();
  let logs = await store.logsAfter(used);
  // A checkpoint and logs of two venues under one key: which is the stranger?
  const named = mostCommon(venuesOf(logs, known));
  if (used && named !== undefined && named !== used.line.payload.venue) {
    used = await store.newestWhole((await store.venue()) ?? named);
    logs = await store.logsAfter(used);
  }
  const whole = used !== undefined || store.unusable.length === 0;
  // Where no checkpoint is whole, every good chunk and every commit there is may help.
  const parts = used ? [used] : store.salvageable();
  const base = parts[0];

  const lines = logs.flatMap((log) => log.lines.map(({ line }) => line));
  refuseNewer(lines, options);
  const commits = lines.filter((line) => line.payload.kind === 'commit') as CommitLine[];
  const covers = base?.line.payload.covers ?? {};
  const chains = verifyChains(
    crypto,
    commits.filter((line) => known.has(line.kid)),
    covers,
  );
  const venue = base?.line.payload.venue ?? mostCommon(chains.good.map((line) => line.payload.venue));
  if (venue === undefined) {
    const foreign = store.foreign ?? commits.find((line) => !known.has(line.kid) && verifyLine(crypto, line))?.kid;
    if (foreign) {
      throw new TidemarkError(
        'foreign_key',
        `${backend.target} is signed by ${foreign}; this venue's key is ${did}. Open it with that key (its venue.key), or list the did in \`trusted\``,
      );
    }
  }

  // From here on the store is ours, and may be tidied.
  const good = chains.good.filter((line) => line.payload.venue === venue);
  const usable = new Set(good.map((line) => line.hash));
  report.fellBack = used !== undefined && store.unusable.length > 0;
  for (const { file, what } of store.unusable) {
    report.damage.push({ where: file.name, what, bytes: file.size });
    const part = parts.find((other) => other.file === file);
    if (!part) await file.retire(what);
    else
      for (const chunk of await unnamedLines(part, crypto))
        await backend.quarantine(chunk, `${file.name}: chunk does not have its digest`);
  }
  for (const log of logs) await tidyLog(log, usable, known, options);
  for (const { payload } of chains.forks) {
    const where = `writer ${payload.writer}, commit ${payload.index}`;
    report.damage.push({ where, what: 'one index signed twice; both were joined', bytes: 0 });
  }
  report.holes = chains.holes;
  for (const { writer, from: first, to } of chains.holes) {
    report.damage.push({ where: `writer ${writer}`, what: `commits ${first} to ${to} are missing`, bytes: 0 });
  }
  report.checkpoint = base?.file.generation ?? 0;
  return {
    venue,
    whole,
    base,
    more: parts.slice(1),
    commits: used ? good.filter((line) => !isCovered(line, used.line.payload, backend.exclusive)) : good,
    logBytes: logs.reduce((sum, { size }) => sum + size, 0),
    logs: logs.length,
  };
}

/**
 * Whether a checkpoint has what a commit has. One that does not name the writer may have forgotten it, if one process at a time writes: everything
 * before it is covered then.
 */
function isCovered({ payload }: CommitLine, checkpoint: CheckpointPayload, exclusive: boolean): boolean {
  const cover = checkpoint.covers[payload.writer];
  return cover ? payload.index <= cover[0] : exclusive && payload.time < checkpoint.time;
}

const venuesOf = (logs: readonly ReadLog[], known: ReadonlySet<string>): string[] =>
  logs.flatMap(({ lines }) => lines.filter(({ line }) => known.has(line.kid)).map(({ line }) => line.payload.venue));

/** Reads each checkpoint and log at most once, and only those that are asked for. */
class StoreReader {
  /** Checkpoints that were looked at and cannot be used. */
  unusable: { file: StoredCheckpoint; what: string }[] = [];
  /** Who signed a checkpoint that is not ours. */
  foreign: string | undefined;
  private readonly checkpoints = new Map<StoredCheckpoint, ReadCheckpoint | string>();
  private readonly logs = new Map<StoredLog, ReadLog>();

  constructor(
    private readonly stored: Stored,
    private readonly known: ReadonlySet<string>,
    private readonly options: Options,
  ) {}

  /** The newest checkpoint that verifies, of a venue if one is given. */
  async newestWhole(venue?: string): Promise<ReadCheckpoint | undefined> {
    this.unusable = [];
    for (const file of this.stored.checkpoints) {
      const read = await this.checkpoint(file);
      const what =
        typeof read === 'string'
          ? read
          : read.damaged > 0
            ? `${read.damaged} chunks do not have the digest that was signed`
            : venue !== undefined && read.line.payload.venue !== venue
              ? 'of another venue under the same key'
              : undefined;
      if (what === undefined) return read as ReadCheckpoint;
      this.unusable.push({ file, what });
    }
    return undefined;
  }

  /** What has at least a good index, newest first. */
  salvageable(): ReadCheckpoint[] {
    return [...this.checkpoints.values()].filter(
      (read): read is ReadCheckpoint => typeof read !== 'string' && read.damaged > 0,
    );
  }

  /** The logs that have what a checkpoint has not. */
  async logsAfter(used: ReadCheckpoint | undefined): Promise<ReadLog[]> {
    const logs: ReadLog[] = [];
    for (const log of this.stored.logs) {
      // Generations are in names only: an older log whose last commit is not covered is not an older one.
      if (used && log.generation < used.file.generation && (log.covered || (await this.isCovered(log, used)))) continue;
      logs.push(await this.log(log));
    }
    return logs;
  }

  /** The venue that most files name. */
  async venue(): Promise<string | undefined> {
    const named: string[] = [];
    for (const file of this.stored.checkpoints) {
      const read = await this.checkpoint(file);
      if (typeof read !== 'string') named.push(read.line.payload.venue);
    }
    for (const log of this.stored.logs)
      named.push(...[mostCommon(venuesOf([await this.log(log)], this.known)) ?? []].flat());
    return mostCommon(named);
  }

  private async isCovered(log: StoredLog, used: ReadCheckpoint): Promise<boolean> {
    const last = (await lastLine(log, this.options.crypto)) as CommitLine | undefined;
    if (last?.payload.kind !== 'commit') return false;
    // What is not ours was reported when it was new.
    if (last.payload.venue !== used.line.payload.venue || !verifyLine(this.options.crypto, last)) return true;
    const { exclusive } = this.options.backend;
    const { covers, time } = used.line.payload;
    // Loss of power may bring back logs that were removed, of writers that need not be named any more. One of the same time was written before.
    const isOld = exclusive && !covers[last.payload.writer] && last.payload.time === time;
    return isOld || isCovered(last, used.line.payload, exclusive);
  }

  private async log(log: StoredLog): Promise<ReadLog> {
    const read = this.logs.get(log) ?? (await readLog(log, this.options));
    this.logs.set(log, read);
    return read;
  }

  private async checkpoint(file: StoredCheckpoint): Promise<ReadCheckpoint | string> {
    let read = this.checkpoints.get(file) ?? (await readCheckpoint(file, this.options));
    if (typeof read !== 'string') {
      refuseNewer([read.line], this.options);
      const { kid } = read.line;
      if (!this.known.has(kid)) {
        this.foreign = kid;
        read = `signed by ${kid}, which is not trusted`;
      }
    }
    this.checkpoints.set(file, read);
    return read;
  }
}

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
  { log, lines: parsed, bad: unparsed, size }: ReadLog,
  usable: Set<string>,
  known: Set<string>,
  { backend, crypto, report }: Options,
): Promise<void> {
  const lines = [...parsed];
  const bad = [...unparsed];
  // What a crash tears may be no more than the signature.
  for (
    let last = lines.at(-1);
    last && !usable.has(last.line.hash) && !verifyLine(crypto, last.line);
    last = lines.at(-1)
  ) {
    bad.unshift({ bytes: concatBytes([last.bytes, newline]), at: last.at });
    lines.pop();
  }
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
