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
  const problems: Problem[] = [];
  const checkpoint = await newestCheckpoint(files, problems);
  const commits = await readLogs(files, checkpoint?.generation ?? 0, problems);
  const venue = sameVenue(checkpoint, commits, problems);

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

/** The newest checkpoint that verifies. */
async function newestCheckpoint(files: Files, problems: Problem[]) {
  const generations = [...files.keys()]
    .flatMap((name) => /^checkpoint\.([1-9][0-9]*)$/.exec(name)?.[1] ?? [])
    .map(Number);
  for (const generation of generations.sort((a, b) => b - a)) {
    const file = `checkpoint.${generation}`;
    try {
      return { generation, ...(await readCheckpoint(files.get(file) as Uint8Array)) };
    } catch (error) {
      problems.push({
        kind: error instanceof NewerFormat ? 'newer' : 'checkpoint',
        file,
        what: (error as Error).message,
      });
    }
  }
  return undefined;
}

/** What the logs of this generation and of later ones hold. */
async function readLogs(files: Files, since: number, problems: Problem[]): Promise<Chained[]> {
  const commits: Chained[] = [];
  for (const [file, bytes] of files) {
    const name = /^log\.(0|[1-9][0-9]*)\.[0-9a-f]{16}(\.[1-9][0-9]*)?$/.exec(file);
    if (!name || Number(name[1]) < since) continue;
    for (const line of await readLog(file, bytes, problems)) {
      const { kind, writer, index } = line.payload;
      if (kind === 'commit') commits.push({ ...line, file, writer: String(writer), index: Number(index) });
      else problems.push({ kind: 'rot', file, what: `a ${kind} in a log` });
    }
  }
  return commits;
}

/** The checkpoint's venue, or the one that most commits are of. */
function sameVenue(
  checkpoint: { line: SignedLine } | undefined,
  commits: Chained[],
  problems: Problem[],
): string | undefined {
  const counts = new Map<string, number>();
  for (const { payload } of commits) counts.set(String(payload.venue), (counts.get(String(payload.venue)) ?? 0) + 1);
  const [most] = [...counts].sort(([, m], [, n]) => n - m)[0] ?? [];
  const venue = checkpoint ? String(checkpoint.line.payload.venue) : most;
  for (const commit of commits) {
    if (commit.payload.venue !== venue)
      problems.push({ kind: 'venue', file: commit.file, what: `${commit.payload.venue}, not ${venue}` });
  }
  return venue;
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
