// Joins what other writers made durable: commits as they are announced, commits found in the store, a checkpoint of theirs, the journals of pages
// that went away. Everything is verified first. Knows how far each writer's chain has been joined without a gap.
import type { Backend, StoredLog, VersionVector } from '../backend';
import { type Bytes, concatBytes } from '../base/bytes';
import { TidemarkError } from '../base/errors';
import type { Clock, Crypto } from '../base/seams';
import type { Identity } from '../identity/identity';
import { timeOf } from '../lattice/clock';
import type { CommitLine, Covers } from '../log/chain';
import { decodeChunk } from '../log/checkpoint';
import { decodeBody, decodeEntry } from '../log/entries';
import { parseLine, verifyLine } from '../log/line';
import { columnEntry } from './base';
import type { BlobKeeper } from './blobs';
import type { Events, FailureInfo } from './events';
import type { Host } from './host';
import type { Journal } from './journal';
import { coversMax, holeMs } from './limits';
import { newline, type ReadCheckpoint, readCheckpoint, readLog, turns } from './reading';
import type { RecoveryReport } from './recovery';
import type { RegionState } from './region';
import type { Writer } from './writer';

const notOurs = 'left in the journal by another key or venue, or damaged';

/** A line in memory as a log. Its place in the journal is cleared when all is done, whatever becomes of it. */
const logOf = (name: string, bytes: Bytes): StoredLog => ({
  name,
  size: bytes.length,
  generation: Number.MAX_SAFE_INTEGER,
  async *stream() {
    yield bytes;
  },
  read: async (offset, length) => bytes.slice(offset, offset + length),
  retire: async () => undefined,
  cut: async () => undefined,
});

/** What it needs of the engine. */
interface State extends Pick<Host, 'stamps' | 'hide'> {
  readonly options: {
    readonly backend: Backend;
    readonly clock: Clock;
    readonly crypto: Crypto;
    readonly identity: Identity;
    readonly trusted: readonly string[];
    readonly report: RecoveryReport;
    readonly journal: Journal | undefined;
  };
  readonly events: Events;
  readonly writer: Writer;
  readonly blobs: BlobKeeper;
  readonly venue: string;
  readonly closed: boolean;
  readonly away: boolean;
  stored(name: string, version: number, join: string): RegionState;
  failed(reason: FailureInfo['reason'], cause: unknown, retryInMs: number | undefined): void;
}

export class Joiner {
  /** For each writer the highest index that was joined without a gap before it, and its hash; who wrote last is last. */
  readonly covers = new Map<string, readonly [index: number, hash: string]>();
  /** Commits that were joined before one that they follow, by writer and index. */
  private readonly ahead = new Map<string, Map<number, string>>();
  private looking: Promise<void> | undefined;
  private again = false;

  constructor(private readonly state: State) {}

  cover(writer: string, index: number, hash: string): void {
    this.covers.delete(writer);
    this.covers.set(writer, [index, hash]);
  }

  coverAll(covers: Covers): void {
    for (const [writer, [index, hash]] of Object.entries(covers)) this.cover(writer, index, hash);
    // The commits of those that wrote longest ago go with the next checkpoint: nobody will ask for them.
    for (const writer of this.covers.keys()) {
      if (this.covers.size <= coversMax) break;
      this.covers.delete(writer);
    }
  }

  /** Whether a commit that was durable is not there. Unknown, and so not said, of writers that may have been forgotten. */
  lacks({ writer, index }: { writer: string; index: number }): boolean {
    return !this.has(writer, index) && (this.covers.has(writer) || this.covers.size < coversMax);
  }

  get known(): VersionVector {
    return Object.fromEntries([...this.covers].map(([writer, [index]]) => [writer, index]));
  }

  /** A commit of another writer, durable elsewhere; with the "\n". */
  receive(bytes: Bytes): void {
    const { options, events, writer: own } = this.state;
    const line = parseLine(options.crypto, bytes.subarray(0, bytes.length - 1)) as CommitLine | undefined;
    if (!line || !this.isOurs(line)) {
      this.refuse(bytes, 'a commit of another writer does not verify; it was not joined');
      return;
    }
    const { writer, index, count } = line.payload;
    if (writer === own.id || this.has(writer, index)) return;
    const heads = this.advance(line);
    for (const head of heads) own.joined(writer, head);
    const changed = this.join(line, 'remote');
    events.emit('joined', { writer, index, entries: count, changed });
    // One was not announced to us. Asked once: if it is not there yet, it will be announced.
    if (heads.length === 0 && this.ahead.get(writer)!.size === 1) void this.catchUp();
  }

  private has(writer: string, index: number): boolean {
    return index <= (this.covers.get(writer)?.[0] ?? -1) || this.ahead.get(writer)?.has(index) === true;
  }

  /** Notes that a commit is joined. @returns the indexes up to which its writer's chain is, now, without a gap. */
  private advance({ payload: { writer, index }, hash }: CommitLine): number[] {
    const ahead = this.ahead.get(writer) ?? new Map<number, string>();
    // Heads only say what has been joined without a gap: a checkpoint covers all up to them.
    this.ahead.set(writer, ahead.set(index, hash));
    const heads: number[] = [];
    let next = (this.covers.get(writer)?.[0] ?? -1) + 1;
    for (let follower = ahead.get(next); follower; follower = ahead.get(++next)) {
      this.cover(writer, next, follower);
      ahead.delete(next);
      heads.push(next);
    }
    return heads;
  }

  /**
   * Joins a commit that the opening found. What is missing before it may still become durable where others write, too: a page that goes away
   * issues several at once. After a day it is taken for lost, so that checkpoints can cover what follows.
   */
  recovered(line: CommitLine): void {
    const { clock, backend, report } = this.state.options;
    const { writer, index, time } = line.payload;
    this.join(line, 'recovered');
    const final = backend.exclusive || report.evicted || timeOf(time) < clock.now() - holeMs;
    if (this.has(writer, index)) return;
    if (final) this.cover(writer, index, line.hash);
    else this.advance(line);
  }

  private isOurs(line: CommitLine): boolean {
    const { kind, venue } = line.payload;
    const right = this.knows(line.kid) && kind === 'commit' && venue === this.state.venue;
    return right && verifyLine(this.state.options.crypto, line);
  }

  private refuse(bytes: Bytes, what: string): void {
    this.state.failed('remote', new TidemarkError('damaged', what), undefined);
    this.state.options.backend
      .quarantine(bytes, what)
      .catch((error) => this.state.failed('quarantine', error, undefined));
  }

  /**
   * Joins what was missed: the page was frozen, the channel was closed. What could not be read is reported, and looked for again the next time.
   * @returns a promise that resolves when all that was durable at the call is joined, and rejects if that failed
   */
  catchUp(): Promise<void> {
    this.again = true;
    this.looking ??= this.lookAgain().finally(() => {
      this.looking = undefined;
    });
    this.looking.catch(() => undefined); // it is reported
    return this.looking;
  }

  private async lookAgain(): Promise<void> {
    for (let failure: { error: unknown } | undefined; ; ) {
      this.again = false;
      try {
        await this.look();
        failure = undefined;
      } catch (error) {
        failure = { error };
        if (!this.state.away) this.state.failed('remote', error, undefined);
      }
      if (this.again && !this.state.closed) continue;
      if (failure) throw failure.error;
      return;
    }
  }

  private async look(): Promise<void> {
    const { backend, crypto, clock } = this.state.options;
    const found = await backend.newer?.(this.known);
    for (const file of found?.checkpoints ?? []) {
      const read = await readCheckpoint(file, { crypto, clock });
      if (typeof read !== 'string' && read.line.payload.venue === this.state.venue && this.knows(read.line.kid))
        await this.joinCheckpoint(read);
      else this.state.failed('remote', new TidemarkError('damaged', `${file.name} does not verify`), undefined);
    }
    for (const log of found?.logs ?? []) {
      const { lines, bad } = await readLog(log, { crypto, clock });
      for (const { bytes } of lines) this.receive(concatBytes([bytes, newline]));
      for (const { bytes } of bad) this.refuse(bytes, `${log.name}: damaged line`);
    }
    await this.adoptJournal();
  }

  private knows(kid: string): boolean {
    const { identity, trusted } = this.state.options;
    return kid === identity.did || trusted.includes(kid);
  }

  /** A checkpoint of another writer: the commits in it that we missed may be gone. */
  private async joinCheckpoint({ line, regions, chunks, damaged }: ReadCheckpoint): Promise<void> {
    const { clock } = this.state.options;
    const turn = turns(clock);
    this.state.stamps.observe(line.payload.time);
    for (const [r, { region: name, version, join }] of regions.entries()) {
      const region = this.state.stored(name, version, join);
      if (region.transient) continue;
      for (const bytes of chunks[r]!) {
        if (!bytes) continue;
        this.state.blobs.saw(bytes);
        const columns = decodeChunk(bytes, version);
        const changed = columns.keys.filter((_, at) => region.merge(columnEntry(columns, at), 'remote'));
        region.publish(changed, 'remote');
        await turn();
      }
    }
    if (damaged > 0) return;
    for (const [writer, [index, hash]] of Object.entries(line.payload.covers)) {
      if (writer === this.state.writer.id || index <= (this.covers.get(writer)?.[0] ?? -1)) continue;
      this.cover(writer, index, hash);
      this.state.writer.joined(writer, index);
      const ahead = this.ahead.get(writer);
      for (const at of ahead?.keys() ?? []) if (at <= index) ahead!.delete(at);
    }
  }

  /**
   * What pages left in their journals as they went away, as logs for an opening to recover. What is of another key or venue, or damaged, goes
   * to quarantine: it must not have a say in whose store this is.
   */
  journalLogs(venue: string | undefined): StoredLog[] {
    return this.journalLines().flatMap(({ key, bytes, line }) => {
      if (line?.payload.venue === venue && this.knows(line!.kid))
        return logOf(`journal of ${line!.payload.writer}`, bytes);
      this.refuse(bytes, notOurs);
      this.state.options.journal!.remove(key);
      return [];
    });
  }

  /** Makes durable what an opening joined of the journals, then clears them. */
  async settleJournal(joined: readonly CommitLine[]): Promise<void> {
    const hashes = new Set(joined.map(({ hash }) => hash));
    for (const { key, bytes, line } of this.journalLines()) {
      try {
        if (line && hashes.has(line.hash)) await this.append(bytes, line);
        this.state.options.journal!.remove(key);
      } catch (error) {
        this.state.failed('journal', error, undefined); // it stays for the next one
      }
    }
  }

  /** Joins what pages left behind, makes it durable before that, and clears it after it. */
  private async adoptJournal(): Promise<void> {
    for (const { key, bytes, line } of this.journalLines()) {
      const { writer, index } = line?.payload ?? { writer: '', index: 0 };
      if (writer === this.state.writer.id) continue; // ours is cleared when it is written
      if (!line || !this.isOurs(line)) this.refuse(bytes, notOurs);
      else if (!this.has(writer, index)) {
        await this.append(bytes, line);
        this.receive(bytes);
      }
      this.state.options.journal!.remove(key);
    }
  }

  private journalLines(): { key: string; bytes: Bytes; line: CommitLine | undefined }[] {
    const { journal, crypto } = this.state.options;
    return (journal?.items() ?? []).map(({ key, line: bytes }) => {
      const line = parseLine(crypto, bytes.subarray(0, bytes.length - 1)) as CommitLine | undefined;
      return { key, bytes, line };
    });
  }

  /** May overlap a sweep, which append() must not. */
  private async append(bytes: Bytes, { payload: { writer, index }, hash }: CommitLine): Promise<void> {
    const { backend } = this.state.options;
    const at = { writer, index, hash };
    await (backend.appendNow ? backend.appendNow(bytes, at) : backend.append(bytes, at, 'strict'));
  }

  /** Joins a verified commit. @returns how many entries it changed. */
  join(line: CommitLine, from: 'remote' | 'recovered'): number {
    const { time, writer, index } = line.payload;
    const { options, stamps } = this.state;
    const { report, backend } = options;
    stamps.observe(time);
    this.state.blobs.saw(line.body);
    let changed = 0;
    try {
      for (const group of decodeBody(line.body)) {
        const region = this.state.stored(group.region, group.version, group.join);
        if (region.transient) continue;
        const keys: string[] = [];
        for (const encoded of group.entries) {
          try {
            const entry = decodeEntry(encoded, time, group.version);
            if (region.merge(entry, from)) keys.push(entry.key);
          } catch (error) {
            // A kind of value that this version does not know, or a join of the program's that threw. The next entry may be good.
            const key = String((encoded as unknown[])?.[0]);
            const entry = { key, value: encoded, stamp: time, tagged: false, version: group.version, epoch: 0 };
            this.state.hide(region.name, entry, (error as Error).message, false);
          }
        }
        changed += keys.length;
        if (from === 'remote') region.publish(keys, 'remote');
      }
    } catch (error) {
      const what = `signed, but not as this version writes it: ${(error as Error).message}`;
      report.damage.push({ where: `writer ${writer}, commit ${index}`, what, bytes: line.body.length });
      backend.quarantine(line.body, what).catch((failure) => this.state.failed('quarantine', failure, undefined));
    }
    return changed;
  }
}
