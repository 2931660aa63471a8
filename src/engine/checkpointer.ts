// When a checkpoint is made, and what one covers. How its lines come about is checkpoint.ts's.
import type { Backend, StoredCheckpoint } from '../backend';
import type { Bytes } from '../base/bytes';
import { TidemarkError } from '../base/errors';
import type { Clock, Crypto } from '../base/seams';
import type { Identity } from '../identity/identity';
import { stampsPerMs } from '../lattice/clock';
import { encodeIndex } from '../log/checkpoint';
import { type CheckpointPayload, encodeLine } from '../log/line';
import type { BlobKeeper } from './blobs';
import { CheckpointBuilder } from './checkpoint';
import type { DetachedFork } from './detached';
import type { Events, FailureInfo } from './events';
import { checkpointBytesMin, logsMax, tombstoneMs } from './limits';
import type { RegionState } from './region';
import type { Sweeper } from './sweeper';
import type { Writer } from './writer';

/** What it needs of the engine. */
interface State {
  readonly options: { backend: Backend; clock: Clock; crypto: Crypto; identity: Identity };
  readonly regions: ReadonlyMap<string, RegionState>;
  readonly forks: ReadonlySet<DetachedFork>;
  readonly stamps: { readonly latest: number };
  readonly blobs: BlobKeeper;
  readonly joiner: { readonly covers: Map<string, readonly [index: number, hash: string]> };
  readonly events: Events;
  readonly sweeper: Sweeper;
  readonly writer: Writer;
  readonly venue: string;
  readonly closed: boolean;
  readonly counts: { checkpoints: number };
  broken(region: string, key: string, error: Error): void;
  failed(reason: FailureInfo['reason'], cause: unknown, retryInMs: number | undefined): void;
}

export class Checkpointer {
  /** The checkpoint that stands. */
  private source: StoredCheckpoint | undefined;
  /** Bytes of commits since. */
  private logBytes = 0;
  private dueBytes = checkpointBytesMin;
  private running: Promise<void> | undefined;
  private asked: { resolve(): void; reject(error: unknown): void }[] = [];
  /** Those that the one in the making is for. */
  private serving: { resolve(): void; reject(error: unknown): void }[] = [];

  constructor(private readonly state: State) {}

  /** @param good whether nothing was wrong with what was found; if not, it is to be replaced soon. @param logs how many there are. */
  load(source: StoredCheckpoint | undefined, logBytes: number, logs: number, good: boolean): void {
    this.source = source;
    this.logBytes = logBytes;
    this.dueBytes = good && logs <= logsMax ? Math.max(checkpointBytesMin, source?.size ?? 0) : 0;
  }

  /** What stood is gone: all that is in memory is to be written. */
  reset(): void {
    this.source = undefined;
    this.make().catch(() => undefined); // it is reported, and due as long as it has not been made
    this.dueBytes = 0;
  }

  logged(bytes: number): void {
    this.logBytes += bytes;
  }

  /** A checkpoint now. Resolves when it stands. @throws what the backend throws. */
  make(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.asked.push({ resolve, reject });
      this.state.sweeper.flush().catch(reject);
    });
  }

  /** Resolves when none is being made. */
  async settled(): Promise<void> {
    await this.running;
  }

  stop(why: Error): void {
    for (const { reject } of [...this.serving, ...this.asked]) reject(why);
    this.asked = [];
  }

  /** Called between two sweeps: no append is on its way. Log and state are written once each time the log has grown as large as the state. */
  startIfDue(): void {
    const { asked } = this;
    if (this.running || (asked.length === 0 && (this.state.closed || this.logBytes < this.dueBytes))) return;
    this.serving = asked;
    this.asked = [];
    this.running = this.run()
      .then(
        () => {
          for (const { resolve } of asked) resolve();
        },
        (error) => {
          this.dueBytes = this.logBytes + checkpointBytesMin;
          this.state.failed('checkpoint', error, undefined);
          for (const { reject } of asked) reject(error);
        },
      )
      .then(() => {
        this.running = undefined;
        // Somebody asked while this one was made: what it began from is older than that.
        if (this.asked.length > 0) this.state.sweeper.flush().catch(() => undefined);
      });
  }

  private async run(): Promise<void> {
    const { regions, stamps, forks, writer, venue, events, counts, blobs } = this.state;
    const { backend, clock, crypto, identity } = this.state.options;
    const { exclusive } = backend;
    const began = clock.elapsed();
    // A join that only a program knows, on entries that others may still be writing, is not ours to settle.
    const unjoined = [...regions.values()].find((region) => region.unjoined.length > 0);
    if (unjoined && !exclusive) {
      const what = `region '${unjoined.name}' was written with a join of the program's own`;
      throw new TidemarkError('bad_option', `${what}: declare it, so that a checkpoint can be made`);
    }
    const time = stamps.latest;
    const builder = new CheckpointBuilder({
      clock,
      crypto,
      regions: [...regions.values()].filter(({ transient }) => !transient),
      time,
      // Nobody but a fork can hold an older write back, unless others write this store, too.
      forgetBefore: exclusive
        ? Math.min(time + 1, ...[...forks].map((fork) => fork.began))
        : time - tombstoneMs * stampsPerMs,
      source: this.source,
      broken: (region, key, error) => this.state.broken(region, key, error),
    });
    const standing = this.state.joiner.covers;
    const covers = Object.fromEntries(standing) as CheckpointPayload['covers'];
    const { logBytes, source } = this;
    const collection = blobs.collect();
    async function* lines(): AsyncGenerator<Bytes> {
      yield* collection?.watch(builder.lines()) ?? builder.lines();
      const payload = { kind: 'checkpoint' as const, venue, writer: writer.id, covers, time, count: builder.chunks };
      yield encodeLine<CheckpointPayload>(crypto, identity, payload, encodeIndex(builder.metas)).bytes;
    }
    let made: StoredCheckpoint | undefined;
    try {
      const vector = Object.fromEntries(Object.entries(covers).map(([id, [index]]) => [id, index]));
      made = await backend.checkpoint(lines(), vector, source?.generation ?? 0);
    } finally {
      // Without one: it failed, or another writer's stands, and ours would be no better.
      if (made) builder.finish();
      else {
        builder.abandon();
        blobs.abandon();
      }
    }
    if (!made) {
      this.dueBytes = this.logBytes + checkpointBytesMin;
      return;
    }
    this.source = made;
    this.logBytes -= logBytes;
    this.dueBytes = Math.max(checkpointBytesMin, made.size);
    counts.checkpoints++;
    writer.covered(covers);
    // Writers that have not written since need not be named in the next one: by then their commits are gone. Where others write,
    // too, the next one must name what this one does, to be seen to cover it.
    if (exclusive)
      for (const [id, [index]] of [...standing]) {
        if (id !== writer.id && covers[id]?.[0] === index) standing.delete(id);
      }
    await builder.tidy();
    const { chunks, copied } = builder;
    const collected = await (collection && blobs.finish(collection, source))?.catch((error) => {
      this.state.failed('blobs', error, undefined); // the checkpoint stands, and the next one collects
      return 0;
    });
    events.emit('checkpoint', {
      generation: made.generation,
      bytes: made.size,
      chunks,
      copied,
      collected: collected ?? 0,
      tookMs: clock.elapsed() - began,
    });
  }
}
