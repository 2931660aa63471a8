// What a store holds, computed without a lock, without its key and without a change: recovery over a backend that only looks, then the
// checkpoint's entries and the commits' joined by the rules of docs/FORMAT.md. Chunks are decoded when somebody asks for their keys.
import { type Backend, type Bytes, TidemarkError } from '../../backend';
import type { Clock } from '../../base/seams';
import { columnEntry } from '../../engine/base';
import type { ReadCheckpoint } from '../../engine/reading';
import { emptyReport, type Recovered, type RecoveryReport, recover } from '../../engine/recovery';
import { type JoinName, joinEntries, TOMBSTONE } from '../../lattice/joins';
import type { CommitLine } from '../../log/chain';
import { type ChunkMeta, decodeChunk } from '../../log/checkpoint';
import { decodeBody, decodeEntry } from '../../log/entries';
import { textOf } from '../../log/values';
import { nodeCrypto } from '../../platform/node-crypto';
import { systemClock } from '../../platform/system';
import type { Progress } from '../progress';
import { type StoreFiles, withStore } from './files';
import { type KeyFile, readKeyFile } from './key';
import { mainSigners } from './lines';

export interface State {
  readonly files: StoreFiles;
  readonly key: KeyFile;
  /** Whose store it is: the key file's did, or whoever signed what is in it. Undefined while nobody has. */
  readonly did: string | undefined;
  /** What an opening would find now. Nothing was cut or put in quarantine, whatever it says. */
  readonly report: RecoveryReport;
  readonly venue: string | undefined;
  readonly regions: ReadonlyMap<string, RegionView>;
  readonly commits: readonly CommitLine[];
}

/** An entry, or what is left of a deleted one, and where it stands. */
export interface ViewedEntry {
  readonly key: string;
  /** The value, or TOMBSTONE. */
  readonly value: unknown;
  readonly stamp: number;
  readonly epoch: number;
  readonly version: number;
  readonly from: { readonly commit: CommitLine } | { readonly checkpoint: string; readonly offset: number };
}

const clock: Clock = { ...systemClock, nextTurn: () => new Promise((resolve) => setImmediate(resolve)) };

/** @throws CommandError `not_found`, TidemarkError `newer_format` */
export function readState(path: string, trusted: readonly string[], progress?: Progress): Promise<State> {
  return withStore(
    path,
    async (files) => {
      progress?.begin('reading', files.bytes);
      const key = await readKeyFile(files.folder);
      const found = await mainSigners(files);
      // Without a key, or beside another one's, the store is taken for what it says it is.
      const isOurs = key.did !== undefined && (found.includes(key.did) || found.length === 0);
      const did = isOurs ? key.did : found[0];
      const report = emptyReport();
      const backend = lookingOnly(files);
      const began = clock.elapsed();
      const stored = await backend.open('');
      const recovered = await recover(stored, { backend, clock, crypto: nodeCrypto, did: did ?? '', trusted, report });
      const regions = regionsOf(recovered, report);
      report.commits = recovered.commits.length;
      for (const { meta } of chunksOf(recovered.base)) report.entries += meta.count;
      for (const { payload } of recovered.commits) report.entries += payload.count;
      report.tookMs = clock.elapsed() - began;
      return {
        files,
        key,
        did,
        report,
        venue: recovered.venue,
        regions,
        commits: recovered.commits,
      };
    },
    progress,
  );
}

/** Reads, and lets recovery believe that it has tidied up. */
function lookingOnly(files: StoreFiles): Backend {
  const target = `fs:${files.folder}`;
  const refuse = async () => {
    throw new TidemarkError('closed', `${target} is only looked at`);
  };
  const untouched = async () => {};
  return {
    target,
    exclusive: true,
    open: async () => ({
      checkpoints: files.checkpoints.map((file) => ({ ...file, retire: untouched })),
      logs: files.logs.map((file) => ({ ...file, retire: untouched, cut: untouched })),
      notes: [],
    }),
    append: refuse,
    checkpoint: refuse,
    quarantine: async () => '',
    usage: async () => ({ bytes: files.bytes }),
    close: untouched,
  };
}

/** The chunks of a checkpoint that have their digest, and where they are. */
function* chunksOf(checkpoint: ReadCheckpoint | undefined) {
  let offset = 0;
  for (const [r, { region, version, join, chunks }] of (checkpoint?.regions ?? []).entries()) {
    for (const [c, meta] of chunks.entries()) {
      const bytes = checkpoint!.chunks[r]![c];
      const place = { meta, offset, version, file: checkpoint!.file.name };
      if (bytes) yield { region, join, ...place, bytes };
      offset += meta.length + 1;
    }
  }
}

function regionsOf({ base, more, commits }: Recovered, report: RecoveryReport): Map<string, RegionView> {
  const regions = new Map<string, RegionView>();
  const regionOf = (name: string, version: number, join: string) => {
    const region = regions.get(name) ?? new RegionView(name, version, join);
    regions.set(name, region);
    return region;
  };
  for (const { region, join, ...chunk } of chunksOf(base)) regionOf(region, chunk.version, join).addChunk(chunk);
  // Where no checkpoint is whole, older ones help.
  for (const older of more) {
    for (const { region, join, ...chunk } of chunksOf(older)) regionOf(region, chunk.version, join).addOlder(chunk);
  }
  const written: { region: RegionView; entries: unknown[]; version: number; commit: CommitLine }[] = [];
  const damaged = ({ payload: { writer, index }, body }: CommitLine, error: unknown) => {
    const what = `signed, but cannot be read: ${(error as Error).message}`;
    report.damage.push({ where: `writer ${writer}, commit ${index}`, what, bytes: body.length });
  };
  for (const commit of commits) {
    try {
      for (const { region: name, version, join, entries } of decodeBody(commit.body)) {
        const region = regionOf(name, version, join);
        // Commits come in the order of time, and the newest says what holds for the region.
        Object.assign(region, { version, join });
        written.push({ region, entries, version, commit });
      }
    } catch (error) {
      damaged(commit, error);
    }
  }
  for (const { region, entries, version, commit } of written) {
    try {
      region.addWritten(entries, version, commit);
    } catch (error) {
      damaged(commit, error);
    }
  }
  return regions;
}

interface ViewedChunk {
  meta: ChunkMeta;
  bytes: Bytes;
  file: string;
  offset: number;
  /** The region's version when the checkpoint was made. */
  version: number;
}

/** A region as it is read. */
export class RegionView {
  private readonly chunks: ViewedChunk[] = [];
  private readonly written = new Map<string, ViewedEntry>();
  /** What it takes in the checkpoint and in the logs after it. */
  bytes = 0;

  constructor(
    readonly name: string,
    public version: number,
    public join: string,
  ) {}

  addChunk(chunk: ViewedChunk): void {
    this.chunks.push(chunk);
    this.bytes += chunk.bytes.length + 1;
  }

  /** Joins what an older checkpoint has. */
  addOlder(chunk: ViewedChunk): void {
    for (const entry of this.decode(chunk))
      this.written.set(entry.key, this.joined(this.written.get(entry.key), entry));
  }

  /** Joins what a commit wrote. */
  addWritten(entries: readonly unknown[], version: number, commit: CommitLine): void {
    this.bytes += JSON.stringify(entries).length;
    for (const encoded of entries) {
      const entry = { ...decodeEntry(encoded, commit.payload.time, version), from: { commit } };
      this.written.set(entry.key, this.joined(this.written.get(entry.key), entry));
    }
  }

  /** Entries that are not deleted. */
  get live(): number {
    let live = 0;
    for (const { chunk, keys } of this.spans()) {
      if (keys.length === 0) live += chunk!.meta.count - chunk!.meta.tombstones;
      else for (const { value } of this.inSpan(chunk, keys)) if (value !== TOMBSTONE) live++;
    }
    return live;
  }

  /** Those whose keys begin so, in key order; deleted ones are left out. */
  *entries(prefix = ''): Generator<ViewedEntry> {
    for (const { chunk, keys, end } of this.spans()) {
      if (end !== undefined && end <= prefix) continue;
      for (const entry of this.inSpan(chunk, keys)) {
        if (!entry.key.startsWith(prefix)) {
          if (entry.key > prefix) return;
        } else if (entry.value !== TOMBSTONE) yield entry;
      }
    }
  }

  /** One entry, also a deleted one. */
  find(key: string): ViewedEntry | undefined {
    const at = this.chunks.findLastIndex(({ meta }) => meta.firstKey <= key);
    const entries = this.inSpan(this.chunks[at], this.written.has(key) ? [key] : []);
    for (const entry of entries) if (entry.key === key) return entry;
    return undefined;
  }

  /** The chunks, each with the keys that were written since in its part of the order; those before the first chunk are the first one's. */
  private *spans(): Generator<{ chunk: ViewedChunk | undefined; keys: string[]; end: string | undefined }> {
    const keys = [...this.written.keys()].sort();
    let from = 0;
    for (let i = 0; i < Math.max(1, this.chunks.length); i++) {
      const end = this.chunks[i + 1]?.meta.firstKey;
      let to = from;
      while (to < keys.length && (end === undefined || keys[to]! < end)) to++;
      if (this.chunks[i] || to > from) yield { chunk: this.chunks[i], keys: keys.slice(from, to), end };
      from = to;
    }
  }

  private *inSpan(chunk: ViewedChunk | undefined, keys: readonly string[]): Generator<ViewedEntry> {
    let next = 0;
    for (const entry of chunk ? this.decode(chunk) : []) {
      while (next < keys.length && keys[next]! < entry.key) yield this.written.get(keys[next++]!)!;
      if (keys[next] !== entry.key) yield entry;
      else yield this.joined(entry, this.written.get(keys[next++]!)!);
    }
    while (next < keys.length) yield this.written.get(keys[next++]!)!;
  }

  private *decode({ bytes, file, offset, version }: ViewedChunk): Generator<ViewedEntry> {
    const columns = decodeChunk(bytes, version);
    const from = { checkpoint: file, offset };
    for (let at = 0; at < columns.keys.length; at++) yield { ...columnEntry(columns, at), from };
  }

  private joined(held: ViewedEntry | undefined, entry: ViewedEntry): ViewedEntry {
    if (!held) return entry;
    const join = joinNames.has(this.join) ? (this.join as JoinName) : 'lww';
    const joined = joinEntries(join, held, entry, textOf);
    if (joined === held || joined === entry) return joined as ViewedEntry;
    // Made of both; it stands where the later of them does.
    return {
      ...(entry.stamp === joined.stamp ? entry : held),
      value: joined.value,
      stamp: joined.stamp,
      epoch: joined.epoch,
    };
  }
}

/** Of any other, a function that only the program has, the later stamp is what can be known. */
const joinNames = new Set(['max', 'min', 'union']);
