// The live state of one venue, and how it becomes durable: regions and fork, the writer driven by the sweeper, checkpoints when the log has outgrown
// the state, commits of other writers. Opening and closing in order are venue.ts's.
import type { Backend } from '../backend';
import { type Bytes, encodeUtf8 } from '../base/bytes';
import { TidemarkError, ValueError } from '../base/errors';
import type { Clock, Crypto, Logger } from '../base/seams';
import type { Identity } from '../identity/identity';
import { StampClock } from '../lattice/clock';
import type { JoinName } from '../lattice/joins';
import { type CommitLine, verifyChains } from '../log/chain';
import { decodeChunk } from '../log/checkpoint';
import { decodeBody, decodeEntry, encodeEntry, type StoredEntry } from '../log/entries';
import { parseLine } from '../log/line';
import { Base, Chunk, columnEntry } from './base';
import { Checkpointer } from './checkpointer';
import type { DetachedFork } from './detached';
import { Events, type FailureInfo } from './events';
import { Fork, type Forkable } from './fork';
import type { Host } from './host';
import { commitBytesTarget, regionNameMax, retryMsMax, retryMsMin } from './limits';
import { type ReadCheckpoint, turns } from './reading';
import type { Recovered, RecoveryReport } from './recovery';
import { RegionState } from './region';
import { Sweeper } from './sweeper';
import { Writer } from './writer';

export interface EngineOptions {
  backend: Backend;
  clock: Clock;
  crypto: Crypto;
  identity: Identity;
  trusted: readonly string[];
  logger: Logger;
  freezes: boolean;
  sweepMs: number;
  report: RecoveryReport;
}

export class Engine implements Host {
  readonly stamps: StampClock;
  readonly logger: Logger;
  readonly freezes: boolean;
  readonly events: Events;
  readonly fork: Fork;
  readonly regions = new Map<string, RegionState>();
  readonly forks = new Set<DetachedFork>();
  /** Entries that are kept but not shown. */
  readonly hidden = new Map<string, RecoveryReport['quarantined'][number]>();
  readonly sweeper: Sweeper;
  writer!: Writer;
  venue!: string;
  /** Set once writes are refused. */
  closed = false;
  readonly counts = { sweeps: 0, failures: 0, failing: 0, checkpoints: 0 };
  lastFailure: FailureInfo | undefined;
  private unsavedFlag = false;
  /** For each writer the highest index that was joined without a gap before it, and its hash. */
  readonly covers: Record<string, [index: number, hash: string]> = {};
  readonly checkpointer = new Checkpointer(this);
  /** Commits of other writers that were joined before one that they follow, by writer and index. */
  private readonly ahead = new Map<string, Map<number, string>>();

  constructor(readonly options: EngineOptions) {
    const { clock, logger, freezes, sweepMs } = options;
    this.logger = logger;
    this.freezes = freezes;
    this.stamps = new StampClock(() => clock.now());
    this.events = new Events(logger);
    this.fork = new Fork(clock);
    this.sweeper = new Sweeper({
      clock,
      delayMs: sweepMs,
      retryMsMin,
      retryMsMax,
      write: (forced) => this.write(forced),
      unsaved: () => this.fork.unsaved,
      failed: (error, forced, retryInMs) => this.failed(forced ? 'flush' : 'sweep', error, retryInMs),
    });
  }

  /** Lays what was recovered into regions, and begins a new chain on it. */
  async load(recovered: Recovered, proposedVenue: string): Promise<void> {
    const { backend, clock, crypto, identity, report } = this.options;
    const { base, more, whole } = recovered;
    this.venue = recovered.venue ?? proposedVenue;
    this.checkpointer.load(base?.file, recovered.logBytes, recovered.logs, whole && !report.fellBack);
    // Where others write, too, a checkpoint has to cover all that this one does.
    if (!backend.exclusive) Object.assign(this.covers, base?.line.payload.covers);
    if (base) this.lay(base);
    for (const older of more) this.salvage(older);
    const turn = turns(clock);
    const heads: Record<string, number> = {};
    for (const line of recovered.commits) {
      this.join(line, 'recovered');
      heads[line.payload.writer] = line.payload.index;
      this.covers[line.payload.writer] = [line.payload.index, line.hash];
      report.commits++;
      report.entries += line.payload.count;
      await turn();
    }
    const { fork, stamps } = this;
    this.writer = new Writer({
      backend,
      clock,
      crypto,
      identity,
      stamps,
      fork,
      venue: this.venue,
      heads,
      broken: (name, key, error) => this.broken(name, key, error),
      durable: (info) => {
        this.counts.sweeps++;
        this.checkpointer.logged(info.bytes);
        this.covers[info.writer] = [info.index, info.hash];
        this.events.emit('sweep', info);
      },
    });
  }

  /** Lays a checkpoint's chunks under the regions. (Apart from load(), whose closures would hold on to the bytes.) */
  private lay({ line, regions, chunks: bytes }: ReadCheckpoint): void {
    const { time } = line.payload;
    this.stamps.observe(time);
    let offset = 0;
    regions.forEach(({ region: name, version, join, chunks: metas }, r) => {
      const region = this.stored(name, version, join);
      const chunks: Chunk[] = [];
      metas.forEach((meta, c) => {
        const source = bytes[r]![c];
        if (source) chunks.push(new Chunk(meta, offset, source, version));
        offset += meta.length + 1; // each is followed by "\n"
      });
      region.setBase(new Base(chunks, time));
      this.options.report.entries += chunks.reduce((sum, { meta }) => sum + meta.count, 0);
    });
  }

  /** Joins the good chunks of a checkpoint that is older than the one that was laid as the base. */
  private salvage({ regions, chunks }: ReadCheckpoint): void {
    regions.forEach(({ region: name, version, join }, r) => {
      const region = this.stored(name, version, join);
      for (const bytes of chunks[r]!) {
        if (!bytes) continue;
        const columns = decodeChunk(bytes, version);
        for (let at = 0; at < columns.keys.length; at++) region.merge(columnEntry(columns, at), 'recovered');
      }
    });
  }

  /** A region as the store has it: under the first version that it is met with, and the newest join, until the program says. */
  private stored(name: string, version: number, join: string): RegionState {
    const region = this.region(name);
    if (region.declared) return region;
    if (!region.exists) region.version = version;
    region.storedJoin = join;
    region.join = join === 'custom' ? 'lww' : (join as JoinName);
    return region;
  }

  now(): number {
    return this.options.clock.now();
  }

  guard(): void {
    if (this.closed)
      throw new TidemarkError('closed', `${this.options.backend.target} is closed: it takes no more writes`);
  }

  region(name: string): RegionState {
    let region = this.regions.get(name);
    if (!region) {
      if (typeof name !== 'string' || name.length < 1 || name.length > regionNameMax || /\p{Surrogate}/u.test(name)) {
        throw new TidemarkError(
          'bad_key',
          `region name ${JSON.stringify(String(name).slice(0, 80))}: must be a text of 1 to ${regionNameMax} characters`,
        );
      }
      region = new RegionState(name, this);
      this.regions.set(name, region);
    }
    return region;
  }

  written(region: Forkable, bytes: number): void {
    if (this.closed) return;
    this.fork.add(region, bytes);
    this.sweeper.request();
    // One commit would get too large: what comes now goes into the next.
    if (this.fork.bytes > commitBytesTarget) this.fork.freeze();
    if (!this.unsavedFlag) this.tellUnsaved(true);
  }

  writtenTogether(regions: readonly Forkable[], bytes: number): void {
    const [last, ...others] = regions;
    for (const region of others) this.fork.add(region, 0);
    if (last) this.written(last, bytes);
  }

  room(bytes: number): void {
    if (this.fork.bytes + bytes > commitBytesTarget) this.fork.freeze();
  }

  frozenNotes(region: Forkable) {
    return this.fork.notesOf(region);
  }

  broken(region: string, key: string, error: Error): void {
    const what = `region '${region}', key '${key}': the value was changed in place after set() and cannot be stored any more`;
    this.failed('sweep', new ValueError(`${what}: ${error.message}`, { cause: error }), undefined);
  }

  hide(region: string, entry: StoredEntry, why: string, newer: boolean): void {
    const { backend } = this.options;
    this.hidden.set(JSON.stringify([region, entry.key]), { region, key: entry.key, why });
    if (newer) return; // kept in the store, and readable by the program that wrote it
    this.logger.warn(`${backend.target}: region '${region}', key '${entry.key}' is not shown: ${why}`);
    const bytes = encodeUtf8(`${JSON.stringify({ region, why, entry: encodeEntry(entry, 0, 0) })}\n`);
    backend.quarantine(bytes, why).catch((error) => this.failed('quarantine', error, undefined));
  }

  unhide(region: string, key: string): void {
    if (this.hidden.size > 0) this.hidden.delete(JSON.stringify([region, key]));
  }

  get exclusive(): boolean {
    return this.options.backend.exclusive;
  }

  /** The last step before the backend is released: nothing is written after this, and nobody waits in vain. */
  stop(): void {
    const error = new TidemarkError(
      'closed',
      `${this.options.backend.target} was closed with ${this.fork.unsaved} entries unsaved`,
    );
    this.writer.stopped = error;
    this.sweeper.stop(error);
    this.checkpointer.stop(error);
  }

  /** Makes everything durable in this turn, if the backend can: the process is going. */
  writeNow(): void {
    if (!this.writer.stopped) this.writer.writeNow();
  }

  private async write(forced: boolean): Promise<void> {
    const { clock, backend } = this.options;
    const began = clock.elapsed();
    for (const region of this.regions.values()) region.rules?.expire();
    await this.writer.write(forced ? 'strict' : 'relaxed');
    if (this.counts.failing > 0) {
      this.events.emit('recovered', { failures: this.counts.failing });
      this.logger.info(`${backend.target}: writing works again`);
      this.counts.failing = 0;
    }
    if (forced) this.events.emit('flush', { tookMs: clock.elapsed() - began });
    if (this.fork.unsaved === 0) this.tellUnsaved(false);
    // Here no append is on its way: the state that is durable is exactly what the chains' heads say.
    this.checkpointer.startIfDue();
  }

  failed(reason: FailureInfo['reason'], cause: unknown, retryInMs: number | undefined): void {
    const { backend } = this.options;
    const error = cause instanceof Error ? cause : new Error(String(cause));
    // The system's word (ENOSPC, QuotaExceededError) says more than ours.
    const code = (error.cause as { code?: unknown } | undefined)?.code ?? (error as { code?: unknown }).code;
    const unsaved = this.fork.unsaved;
    this.counts.failures++;
    if (retryInMs !== undefined) this.counts.failing++;
    this.lastFailure = {
      target: backend.target,
      reason,
      error,
      code: String(code ?? 'unknown'),
      newerPending: this.fork.pending > 0,
      unsaved,
      retryInMs,
    };
    this.logger.warn(
      `${backend.target}: ${reason} failed, ${unsaved} entries unsaved${retryInMs === undefined ? '' : `, next try in ${retryInMs} ms`}: ${error.message}`,
      error,
    );
    this.events.emit('failure', this.lastFailure);
  }

  private tellUnsaved(unsaved: boolean): void {
    if (this.unsavedFlag === unsaved) return;
    this.unsavedFlag = unsaved;
    this.events.emit('unsaved', unsaved);
  }

  get unsaved(): boolean {
    return this.unsavedFlag;
  }

  /** A commit of another writer, durable elsewhere. Verified before it is joined. */
  receive(bytes: Bytes): void {
    const { crypto, identity, trusted, backend } = this.options;
    const line = parseLine(crypto, bytes.subarray(0, bytes.length - 1)) as CommitLine | undefined;
    const known = line && (line.kid === identity.did || trusted.includes(line.kid));
    if (
      !known ||
      line.payload.kind !== 'commit' ||
      line.payload.venue !== this.venue ||
      verifyChains(crypto, [line], {}).good.length === 0
    ) {
      this.failed(
        'remote',
        new TidemarkError('damaged', 'a commit of another writer does not verify; it was not joined'),
        undefined,
      );
      backend
        .quarantine(bytes, 'commit of another writer that does not verify')
        .catch((error) => this.failed('quarantine', error, undefined));
      return;
    }
    const { writer, index, count } = line.payload;
    const ahead = this.ahead.get(writer) ?? new Map<number, string>();
    const next = (this.covers[writer]?.[0] ?? -1) + 1;
    if (writer === this.writer.id || index < next || ahead.has(index)) return;
    // Heads only say what has been joined without a gap: a checkpoint covers all up to them.
    this.ahead.set(writer, ahead.set(index, line.hash));
    for (let at = next, hash = ahead.get(at); hash; hash = ahead.get(++at)) {
      this.covers[writer] = [at, hash];
      this.writer.joined(writer, at);
      ahead.delete(at);
    }
    const changed = this.join(line, 'remote');
    this.events.emit('joined', { writer, index, entries: count, changed });
  }

  /** Joins a verified commit. @returns how many entries it changed. */
  private join(line: CommitLine, from: 'remote' | 'recovered'): number {
    const { time, writer, index } = line.payload;
    const { report, backend } = this.options;
    this.stamps.observe(time);
    let changed = 0;
    try {
      for (const group of decodeBody(line.body)) {
        const region = this.stored(group.region, group.version, group.join);
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
            this.hide(region.name, entry, (error as Error).message, false);
          }
        }
        changed += keys.length;
        if (from === 'remote') region.publish(keys, 'remote');
      }
    } catch (error) {
      const what = `signed, but not as this version writes it: ${(error as Error).message}`;
      report.damage.push({ where: `writer ${writer}, commit ${index}`, what, bytes: line.body.length });
      backend.quarantine(line.body, what).catch((failure) => this.failed('quarantine', failure, undefined));
    }
    return changed;
  }
}
