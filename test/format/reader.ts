// A reader of fs stores written from docs/FORMAT.md alone, with JSON.parse, jose and node:crypto: the proof that the page says enough, and an
// outsider's opinion of every byte the library writes. Must not know src/ or backends/: it imports nothing from them.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Problem, StoredEntry } from './files';
import { readCheckpoint, readCommit, readLog } from './files';
import { joinEntries } from './join';
import { NewerFormat, type SignedLine } from './jws';
import { untag } from './values';

export interface OutsideView {
  venue: string | undefined;
  /** Every did:key that signed something read. */
  signers: Set<string>;
  /** The generation of the checkpoint that was read; 0 for none. */
  checkpoint: number;
  /** How many commits of each writer were read from logs. */
  commits: Map<string, number>;
  /** Live values, decoded. A region with tombstones only is an empty Map. */
  regions: Map<string, Map<string, unknown>>;
  /** What is stored of each key, tombstones too. */
  entries: Map<string, Map<string, StoredEntry>>;
  problems: Problem[];
}

interface Chained extends SignedLine {
  file: string;
  writer: string;
  index: number;
}

interface Log {
  generation: number;
  lines: Chained[];
  problems: Problem[];
}

type GoodCheckpoint = { file: string; generation: number } & Awaited<ReturnType<typeof readCheckpoint>>;

type Covers = { [writer: string]: [index: number, hash: string] };

/** What the files of a store hold, by their names in its folder. */
export type Files = Map<string, Uint8Array>;

export async function readStore(folder: string): Promise<OutsideView> {
  const files: Files = new Map();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isFile()) files.set(entry.name, await readFile(join(folder, entry.name)));
  }
  return readFiles(files);
}

export async function readFiles(files: Files): Promise<OutsideView> {
  const checkpoints = await readCheckpoints(files);
  const allLogs = await readLogs(files);
  const venue = venueOf(checkpoints, allLogs);

  // The newest checkpoint that verifies and is this venue's; and every log that began with it or later.
  const problems: Problem[] = [];
  let checkpoint: GoodCheckpoint | undefined;
  for (const one of checkpoints) {
    if ('problem' in one) problems.push(one.problem);
    else if (one.line.payload.venue !== venue)
      problems.push({ kind: 'venue', file: one.file, what: 'of another venue' });
    else {
      checkpoint = one;
      break;
    }
  }
  const logs = allLogs.filter(({ generation }) => generation >= (checkpoint?.generation ?? 0));
  const commits = logs.flatMap(({ lines }) => lines);
  for (const log of logs) problems.push(...log.problems);
  for (const { file, payload } of commits) {
    if (payload.venue !== venue) problems.push({ kind: 'venue', file, what: 'a commit of another venue' });
  }

  const covers = (checkpoint?.line.payload.covers ?? {}) as Covers;
  const chains = chainUp(commits.filter((commit) => commit.payload.venue === venue));
  for (const [writer, chain] of chains) checkChain(chain, covers[writer], problems);
  checkHeads(chains, covers, problems);

  // What the checkpoint covers is in it, and what it has purged since must not come back.
  const uncovered = [...chains.values()].flat().filter(({ writer, index }) => index > (covers[writer]?.[0] ?? -1));
  const entries = joinAll([...(checkpoint?.entries ?? []), ...readCommits(uncovered, problems)]);
  return {
    venue,
    signers: new Set([...(checkpoint ? [checkpoint.line.signer] : []), ...commits.map(({ signer }) => signer)]),
    checkpoint: checkpoint?.generation ?? 0,
    commits: new Map([...chains].map(([writer, chain]) => [writer, chain.length])),
    regions: decode(entries, problems),
    entries,
    problems,
  };
}

/** All checkpoints, newest first. */
async function readCheckpoints(files: Files): Promise<(GoodCheckpoint | { problem: Problem })[]> {
  const generations = [...files.keys()].flatMap((name) => /^checkpoint\.([1-9][0-9]*)$/.exec(name)?.[1] ?? []);
  const read = generations.map(Number).map(async (generation) => {
    const file = `checkpoint.${generation}`;
    try {
      return { file, generation, ...(await readCheckpoint(files.get(file) as Uint8Array)) };
    } catch (error) {
      const kind = error instanceof NewerFormat ? ('newer' as const) : ('checkpoint' as const);
      return { generation, problem: { kind, file, what: (error as Error).message } };
    }
  });
  return (await Promise.all(read)).sort((a, b) => b.generation - a.generation);
}

async function readLogs(files: Files): Promise<Log[]> {
  const logs: Log[] = [];
  for (const [file, bytes] of files) {
    const name = /^log\.(0|[1-9][0-9]*)\.[0-9a-f]{16}(\.[1-9][0-9]*)?$/.exec(file);
    if (!name) continue;
    const log: Log = { generation: Number(name[1]), lines: [], problems: [] };
    for (const line of await readLog(file, bytes, log.problems)) {
      const { kind, writer, index } = line.payload;
      if (kind === 'commit') log.lines.push({ ...line, file, writer: String(writer), index: Number(index) });
      else log.problems.push({ kind: 'rot', file, what: `a ${kind} in a log` });
    }
    logs.push(log);
  }
  return logs;
}

/** The venue that most files are of; a log is of the one that most of its lines are of. */
function venueOf(checkpoints: (GoodCheckpoint | { problem: Problem })[], logs: Log[]): string | undefined {
  const ofCheckpoints = checkpoints.flatMap((one) => ('line' in one ? String(one.line.payload.venue) : []));
  const ofLogs = logs.flatMap(({ lines }) => mostOften(lines.map(({ payload }) => String(payload.venue))) ?? []);
  return mostOften([...ofCheckpoints, ...ofLogs]);
}

function mostOften(names: string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))[0]?.[0];
}

/** Each writer's commits by index. The same one may stand in two files. */
function chainUp(commits: Chained[]): Map<string, Chained[]> {
  const chains = new Map<string, Chained[]>();
  const once = new Map(commits.map((commit) => [commit.hash, commit]));
  for (const commit of [...once.values()].sort((a, b) => a.index - b.index)) {
    const chain = chains.get(commit.writer) ?? [];
    chains.set(commit.writer, chain);
    chain.push(commit);
  }
  return chains;
}

/** Every commit names the one before it; the first one read names what the checkpoint covers, or nothing. */
function checkChain(chain: Chained[], covered: [number, string] | undefined, problems: Problem[]): void {
  let before: { index: number; hash: string | null } | undefined = covered
    ? { index: covered[0], hash: covered[1] }
    : { index: -1, hash: null };
  // A covered commit may be the first that is left of its chain.
  if (covered && (chain[0]?.index ?? 0) <= covered[0]) before = undefined;
  for (const { file, writer, index, hash, payload } of chain) {
    const problem = (kind: Problem['kind'], what: string) => problems.push({ kind, file, what: `${writer} ${what}` });
    if (before && index === before.index) problem('link', `has two of index ${index}`);
    else if (before && index !== before.index + 1) problem('hole', `${before.index + 1} to ${index - 1} missing`);
    else if (before && payload.prev !== before.hash) problem('link', `${index} does not follow ${before.index}`);
    if (index === covered?.[0] && hash !== covered[1]) problem('link', `${index} is not what was covered`);
    before = { index, hash };
  }
}

/** What a writer says it has seen of others must be there: the only witness of a chain that lost its end. */
function checkHeads(chains: Map<string, Chained[]>, covers: Covers, problems: Problem[]): void {
  for (const { file, payload } of [...chains.values()].flat()) {
    for (const [writer, index] of Object.entries((payload.heads ?? {}) as Record<string, number>)) {
      const there = Math.max(chains.get(writer)?.at(-1)?.index ?? -1, covers[writer]?.[0] ?? -1);
      if (there < index)
        problems.push({
          kind: 'hole',
          file,
          what: `${writer} ${there + 1} to ${index} missing, which ${payload.writer} has seen`,
        });
    }
  }
}

/** The entries of these commits, oldest commit first. */
function readCommits(commits: Chained[], problems: Problem[]): StoredEntry[] {
  const inTime = commits.sort((a, b) => Number(a.payload.time) - Number(b.payload.time));
  return inTime.flatMap((commit) => {
    try {
      return readCommit(commit);
    } catch (error) {
      problems.push({
        kind: 'entry',
        file: commit.file,
        what: `${commit.writer} ${commit.index}: ${(error as Error).message}`,
      });
      return [];
    }
  });
}

/** Entries by region and key. A region's join is the one named last. */
function joinAll(entries: StoredEntry[]): OutsideView['entries'] {
  const joins = new Map(entries.map((entry) => [entry.region, entry.join]));
  const regions: OutsideView['entries'] = new Map();
  for (const entry of entries) {
    const region = regions.get(entry.region) ?? new Map<string, StoredEntry>();
    regions.set(entry.region, region);
    const known = region.get(entry.key);
    region.set(entry.key, known ? joinEntries(joins.get(entry.region) as string, known, entry) : entry);
  }
  return regions;
}

function decode(entries: OutsideView['entries'], problems: Problem[]): OutsideView['regions'] {
  const regions: OutsideView['regions'] = new Map();
  for (const [name, stored] of entries) {
    const values = new Map<string, unknown>();
    regions.set(name, values);
    for (const [key, { value }] of stored) {
      if (value === undefined) continue;
      try {
        values.set(key, value.tagged ? untag(value.json) : value.json);
      } catch (error) {
        problems.push({ kind: 'entry', file: `${name}/${key}`, what: (error as Error).message });
      }
    }
  }
  return regions;
}
