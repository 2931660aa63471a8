// What an opening of a damaged store may show and must say, worked out from docs/FORMAT.md and from which of the intact store's lines are still
// there, byte for byte: what is anywhere must be shown, what is nowhere must be missed. Imports nothing from src/ but types.
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { ErrorCode, RecoveryReport } from '../../src/index';
import { linesOf, readSigned, type Signed } from './anatomy';
import type { Damaged, Mutation } from './mutations';
import { type Base, keyName, type State, storeName } from './stores';

/** Where one entry stands: in which line, of what stamp. */
interface Sighting {
  readonly line: string;
  readonly stamp: number;
}

/** What can be read off the intact store. */
interface Intact {
  readonly commits: ReadonlyMap<string, Signed>;
  /** Signed lines of checkpoints, each with its chunks. */
  readonly indexes: ReadonlyMap<string, { signed: Signed; chunks: readonly string[] }>;
  /** By region and key: every line with its newest entry. */
  readonly newest: ReadonlyMap<string, readonly Sighting[]>;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const textLines = (bytes: Buffer) => linesOf(bytes).map(({ from, to }) => text(bytes.subarray(from, to)));
const linesIn = (content: Buffer | 'folder') => (content === 'folder' ? [] : textLines(content));
const logPattern = /^venue\.etch\/log\.(0|[1-9]\d*)\.[0-9a-f]+(\.[1-9]\d*)?$/;
const checkpointPattern = /^venue\.etch\/checkpoint\.([1-9]\d*)$/;

const known = new Map<Base, Intact>();

function anatomyOf(base: Base): Intact {
  const before = known.get(base);
  if (before) return before;
  const commits = new Map<string, Signed>();
  const indexes = new Map<string, { signed: Signed; chunks: string[] }>();
  const sightings = new Map<string, Sighting[]>();
  const see = (region: string, line: string, since: number, entries: readonly [string, number][]) => {
    for (const [key, dt] of entries) {
      const place = `${region}/${key}`;
      sightings.set(place, [...(sightings.get(place) ?? []), { line, stamp: since + dt }]);
    }
  };
  for (const [path, bytes] of base.files) {
    const lines = textLines(bytes);
    if (logPattern.test(path)) {
      for (const line of lines) {
        const signed = readSigned(Buffer.from(line, 'latin1'));
        commits.set(line, signed);
        for (const [region, , , entries] of JSON.parse(signed.body)) see(region, line, signed.payload.time, entries);
      }
    } else if (checkpointPattern.test(path)) {
      const index = lines.pop()!;
      const signed = readSigned(Buffer.from(index, 'latin1'));
      indexes.set(index, { signed, chunks: lines });
      let at = 0;
      for (const [region, , , chunks] of JSON.parse(signed.body)) {
        for (const _ of chunks) {
          const line = lines[at++]!;
          const [since, entries] = JSON.parse(Buffer.from(line, 'latin1').toString('utf8'));
          see(region, line, since, entries);
        }
      }
    }
  }
  const newest = new Map(
    [...sightings].map(([place, seen]) => {
      const last = Math.max(...seen.map(({ stamp }) => stamp));
      return [place, seen.filter(({ stamp }) => stamp === last)];
    }),
  );
  const intact = { commits, indexes, newest };
  known.set(base, intact);
  return intact;
}

export interface Verdict {
  /** The code of the error that opening must end with. */
  readonly refused?: ErrorCode;
  /** Keys whose newest entry is still somewhere: they must be as if nothing had happened. */
  readonly certain: ReadonlySet<string>;
  /** Lines that are not as they were written, in files that an opening has to read. */
  readonly broken: readonly Buffer[];
  /** Commits that are gone, but named by something that is there: `writer index`. */
  readonly missed: readonly string[];
}

export function judge({ base, files }: Mutation): Verdict {
  const intact = anatomyOf(base);
  const checkpoints = [...files].flatMap(([path, bytes]) => {
    const generation = Number(checkpointPattern.exec(path)?.[1]);
    if (!generation) return [];
    const lines = linesIn(bytes);
    const index = intact.indexes.get(`${(lines.at(-1) ?? '').replace(/\n$/, '')}\n`);
    const present = index?.chunks.filter((chunk) => lines.includes(chunk)) ?? [];
    return [{ path, generation, index, present, whole: index !== undefined && present.length === index.chunks.length }];
  });
  checkpoints.sort((a, b) => b.generation - a.generation);
  const whole = checkpoints.find((checkpoint) => checkpoint.whole);
  const covers = whole?.index?.signed.payload.covers ?? {};
  const logs = [...files].flatMap(([path, bytes]) => {
    const generation = logPattern.exec(path)?.[1];
    if (generation === undefined) return [];
    // Generations are in names only: one that ends with a commit of ours that no checkpoint has is not an old one.
    const last = intact.commits.get(linesIn(bytes).at(-1) ?? '')?.payload;
    const isNews = last !== undefined && last.index > (covers[last.writer]?.[0] ?? -1);
    return [{ path, bytes, read: Number(generation) >= (whole?.generation ?? 0) || isNews }];
  });

  const there = new Set(checkpoints.flatMap(({ present }) => present));
  const unusable = checkpoints.slice(0, whole && checkpoints.indexOf(whole));
  const broken = unusable.flatMap(({ path, index }) =>
    linesIn(files.get(path)!).filter((line) => !index?.chunks.includes(line) && !intact.indexes.has(line)),
  );
  const seen: Signed[] = whole ? [whole.index!.signed] : [];
  for (const { bytes, read } of logs) {
    for (const line of linesIn(bytes)) {
      const commit = intact.commits.get(line);
      if (commit) there.add(line);
      if (commit && read) seen.push(commit);
      if (!commit && read) broken.push(line);
    }
  }
  const certain = [...intact.newest].filter(([, places]) => places.some(({ line }) => there.has(line)));
  const unreadable = [...logs, ...unusable].some(({ path }) => files.get(path) === 'folder');
  const refused = refusal(files, base, unreadable, broken);
  // What a checkpoint covers counts as there if its signed line is: the report names what of it is not.
  const covered = whole ? covers : (unusable.find(({ index }) => index)?.index?.signed.payload.covers ?? {});
  return {
    ...(refused && { refused }),
    certain: new Set(certain.map(([place]) => place)),
    broken: broken.map((line) => Buffer.from(line, 'latin1')),
    missed: missedOf(seen, covered),
  };
}

/** Commits below the highest index that anything signed has named, and not there. */
function missedOf(seen: readonly Signed[], covers: Signed['payload']['covers']): string[] {
  const named = new Map<string, number>();
  const name = (writer: string, index: number) => named.set(writer, Math.max(index, named.get(writer) ?? -1));
  const present = new Set<string>();
  for (const { payload } of seen) {
    for (const [writer, index] of Object.entries(payload.heads ?? {})) name(writer, index);
    if (payload.kind !== 'commit') continue;
    name(payload.writer, payload.index);
    present.add(`${payload.writer} ${payload.index}`);
  }
  return [...named].flatMap(([writer, last]) => {
    const first = (covers[writer]?.[0] ?? -1) + 1;
    const all = Array.from({ length: Math.max(0, last + 1 - first) }, (_, i) => `${writer} ${first + i}`);
    return all.filter((commit) => !present.has(commit));
  });
}

function refusal(files: Damaged, base: Base, unreadable: boolean, broken: readonly string[]): ErrorCode | undefined {
  const [key, right] = [files.get(keyName), base.files.get(keyName)!];
  if (key === 'folder' || (key && !/^[0-9a-f]{64}\n?$/i.test(text(key)))) return 'bad_key_file';
  const lock = files.get(`${storeName}/LOCK`);
  if (lock && lock !== 'folder' && namesAnotherHost(lock)) return 'locked';
  if (lock === 'folder' || unreadable) return 'io';
  if (broken.some((line) => claims(line).format === 2)) return 'newer_format';
  if (!key || text(key).trim().toLowerCase() !== text(right).trim()) return 'foreign_key';
  return undefined;
}

/** What a line's payload says, whether it is signed or not. Mutations raise the format only of lines that they sign again. */
function claims(line: string): { format?: unknown } {
  try {
    return readSigned(Buffer.from(line, 'latin1')).payload as object;
  } catch {
    return {};
  }
}

function namesAnotherHost(lock: Buffer): boolean {
  try {
    const { pid, start, host, nonce } = JSON.parse(lock.toString('utf8'));
    const isLock = Number.isSafeInteger(pid) && pid > 0 && typeof start === 'string' && /^[0-9a-f]{32}$/.test(nonce);
    return isLock && typeof host === 'string' && host !== hostname();
  } catch {
    return false;
  }
}

/** What is wrong with what an opening shows; empty if nothing is. */
export function wrongValues({ base }: Mutation, { certain }: Verdict, state: State): string[] {
  const wrong: string[] = [];
  for (const place of new Set([...base.state.keys(), ...state.keys(), ...certain])) {
    const [is, was] = [state.get(place), base.state.get(place)];
    if (isDeepStrictEqual(is, was)) continue;
    if (certain.has(place)) wrong.push(`${place} is not what was written last, which is still there`);
    else if (is !== undefined && !base.written.get(place)?.some((value) => isDeepStrictEqual(value, is)))
      wrong.push(`${place} was never this`);
  }
  return wrong;
}

/** Whether a report has anything in it that is not normal. A lock that was taken over is. */
export const isQuiet = (report: RecoveryReport): boolean =>
  report.damage.length + report.holes.length + report.tornBytes + report.quarantined.length === 0 && !report.fellBack;

/** What is in no file of quarantine, though it could not be used. */
export function unkept({ broken }: Verdict, quarantine: readonly Buffer[]): string[] {
  const kept = quarantine.map(text);
  const has = (line: Buffer) => kept.some((file) => file.includes(text(line).replace(/\n$/, '')));
  return broken.filter((line) => !has(line)).map((line) => `a line of ${line.length} bytes`);
}
