// The live state of one venue, and how it becomes durable: regions and fork, the writer driven by the sweeper, checkpoints when the log has outgrown
// the state. What other writers made durable is joiner.ts's, opening and closing in order venue.ts's.
import type { Backend, Usage } from '../backend';
import { encodeUtf8 } from '../base/bytes';
import { TidemarkError, ValueError } from '../base/errors';
import type { Clock, Crypto, Logger } from '../base/seams';
import type { Identity } from '../identity/identity';
import { StampClock } from '../lattice/clock';
import type { JoinName } from '../lattice/joins';
import { decodeChunk } from '../log/checkpoint';
import { encodeEntry, type StoredEntry } from '../log/entries';
import { Base, Chunk, columnEntry } from './base';
import { BlobKeeper } from './blobs';
import { Checkpointer } from './checkpointer';
import type { DetachedFork } from './detached';
import { type CommitInfo, Events, type FailureInfo } from './events';
import { Fork, type Forkable } from './fork';
import type { Host } from './host';
import { Joiner } from './joiner';
import type { Journal } from './journal';
import { commitBytesTarget, markMs, regionNameMax, retryMsMax, retryMsMin } from './limits';
import type { Marker } from './marker';
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
  /** Where the platform has something beside the store. */
  journal: Journal | undefined;
  marker: Marker | undefined;
  /** Why this is less than was asked for, one line each. */
  degraded: readonly string[];
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
  /** While the page is gone or frozen: what is not done now is done when it is back. */
  away = false;
  readonly counts = { sweeps: 0, failures: 0, failing: 0, checkpoints: 0 };
  lastFailure: FailureInfo | undefined;
  /** As of when it was last asked for. */
  usage: Usage | undefined;
  private unsavedFlag = false;
  private markedAt = Number.NEGATIVE_INFINITY;
  readonly blobs = new BlobKeeper(this);
  readonly joiner = new Joiner(this);
  readonly checkpointer = new Checkpointer(this);

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
    this.checkpointer.load(
      base?.file,
      recovered.logBytes,
      recovered.logs,
      whole && !report.fellBack && !report.evicted,
    );
    const { joiner } = this;
    // Where others write, too, a checkpoint has to cover all that this one does.
    if (!backend.exclusive) joiner.coverAll(base?.line.payload.covers ?? {});
    if (base) this.lay(base);
    for (const older of more) this.salvage(older);
    const turn = turns(clock);
    for (const line of recovered.commits) {
      joiner.recovered(line);
      report.commits++;
      report.entries += line.payload.count;
      await turn();
    }
    const heads: Record<string, number> = {};
    for (const { payload } of recovered.commits) {
      const cover = joiner.covers.get(payload.writer);
      if (cover) heads[payload.writer] = cover[0];
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
      durable: (info, bytes) => {
        this.blobs.saw(bytes);
        this.counts.sweeps++;
        this.checkpointer.logged(info.bytes);
        joiner.cover(info.writer, info.index, info.hash);
        this.mark();
        this.events.emit('sweep', info);
      },
      journal: this.options.journal,
      isCritical: (name) => this.region(name).critical,
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
  stored(name: string, version: number, join: string): RegionState {
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

  /** Makes everything durable in this turn, as far as the backend can: the process or page is going. @returns whether it is all durable */
  writeNow(): boolean {
    if (this.writer.stopped) return this.fork.unsaved === 0;
    let issued: Promise<boolean> | boolean = false;
    try {
      issued = this.writer.writeNow();
    } catch (error) {
      this.failed('flush', error, undefined);
    }
    this.mark(true);
    if (this.fork.unsaved > 0) this.afterLast(issued).catch(() => undefined); // whoever waits for the flush is told
    return this.fork.unsaved === 0;
  }

  /** If the page lives on, what has not become durable is written in the usual way. */
  private async afterLast(issued: Promise<boolean> | boolean): Promise<void> {
    if (!(await issued)) return this.sweeper.flush();
    this.mark(true);
    if (this.fork.unsaved === 0) this.tellUnsaved(false);
  }

  /** What an opening does once everything stands. @param expected what was durable when it was last written */
  begin(expected: CommitInfo | undefined): void {
    const { report, marker, backend, clock } = this.options;
    if (marker?.wasLeftOpen()) backend.mend?.().catch((error) => this.failed('remote', error, undefined));
    marker?.opened(this.writer.id);
    if (!expected || !(report.evicted || report.rolledBack)) return;
    this.logger.error(`${backend.target} ${report.evicted ? 'was gone' : 'has gone back'}; see docs/recovery`);
    // When whoever opened it has had the time to listen.
    clock.setTimeout(() => this.events.emit(report.evicted ? 'evicted' : 'rolledBack', expected), 0);
  }

  /** The store was deleted under us. */
  reset(): void {
    const { report, backend } = this.options;
    report.evicted = true;
    this.logger.error(`${backend.target} was deleted while it was open; it is written anew from memory`);
    if (this.writer.root) this.events.emit('evicted', this.writer.root);
    this.checkpointer.reset();
  }

  /** The page may be frozen or gone from now on: nothing is left open that would keep it from being kept, or others from going on. */
  leave(): void {
    this.events.emit('leaving', undefined);
    this.writeNow();
    this.away = true;
    this.options.backend.suspend?.();
    this.options.marker?.closed(this.writer.id);
  }

  /** It is back, or may have missed something. */
  resume(): void {
    if (this.closed) return;
    this.away = false;
    this.options.marker?.opened(this.writer.id);
    const resumed = this.options.backend.resume?.() ?? Promise.resolve();
    resumed
      .catch((error) => this.failed('remote', error, undefined))
      .then(() => this.joiner.catchUp())
      .catch(() => undefined); // it is reported
    this.events.emit('returned', undefined);
  }

  /** Remembers outside the store how far it has come; not at every sweep. */
  mark(now = false): void {
    const { marker, clock, identity } = this.options;
    const { root } = this.writer;
    if (!marker || !root || (!now && clock.elapsed() - this.markedAt < markMs)) return;
    this.markedAt = clock.elapsed();
    marker.write({ venue: this.venue, did: identity.did, root });
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
    if (forced) this.mark(true); // what was promised is what must be missed
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
    // How full it is, for whoever looks at health.
    if (code === 'QuotaExceededError')
      backend.usage().then(
        (usage) => {
          this.usage = usage;
        },
        () => undefined,
      );
  }

  private tellUnsaved(unsaved: boolean): void {
    if (this.unsavedFlag === unsaved) return;
    this.unsavedFlag = unsaved;
    this.events.emit('unsaved', unsaved);
  }

  get unsaved(): boolean {
    return this.unsavedFlag;
  }
}
