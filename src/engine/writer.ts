// WHAT is written: the fork, frozen into a signed commit of this writer's chain, and handed to the backend until it is durable. Knows no time.
import type { Backend, CommitId, Durability } from '../backend';
import type { Bytes } from '../base/bytes';
import { toHex } from '../base/bytes';
import type { Clock, Crypto } from '../base/seams';
import type { Identity } from '../identity/identity';
import type { StampClock } from '../lattice/clock';
import { encodeBody, type Group } from '../log/entries';
import { type CommitPayload, encodeLine } from '../log/line';
import type { CommitInfo, SweepInfo } from './events';
import type { Fork } from './fork';

interface Commit {
  bytes: Bytes;
  at: CommitId;
  info: SweepInfo;
}

export interface WriterOptions {
  backend: Backend;
  clock: Clock;
  crypto: Crypto;
  identity: Identity;
  stamps: StampClock;
  fork: Fork;
  venue: string;
  /** Other writers' heads that this one's first commit has joined. */
  heads: Record<string, number>;
  /** An entry cannot be encoded: its value was changed after it was set. */
  broken(region: string, key: string, error: Error): void;
  /** A commit is durable. */
  durable(info: SweepInfo): void;
}

export class Writer {
  /** Fresh for every opening, so that no crash makes one index be signed twice. */
  readonly id: string;
  /** The last durable commit. */
  root: CommitInfo | undefined;
  /** The oldest frozen part of the fork, once it is encoded: its bytes stay the same however often it is tried. */
  private commit: Commit | undefined;
  /** Set once the backend is not ours any more: an append that comes back late must not be followed by another. */
  stopped: Error | undefined;
  /** Whether the last commit would not survive loss of power. */
  private relaxed = false;
  private index = 0;
  private prev: string | null = null;
  private heads: Record<string, number>;

  constructor(private readonly options: WriterOptions) {
    this.id = toHex(options.crypto.randomBytes(8));
    this.heads = options.heads;
  }

  /** Writes what is in the fork now. A commit that fails stays, with its bytes, for the next call. */
  async write(durability: Durability): Promise<void> {
    const { fork } = this.options;
    // What failed before goes first, so that all that was written meanwhile can be one commit.
    if (this.commit) await this.append(fork.frozen.length, durability);
    if (!fork.freeze() && this.relaxed && durability === 'strict') fork.barrier();
    await this.append(fork.frozen.length, durability);
  }

  private async append(parts: number, durability: Durability): Promise<void> {
    for (let i = 0; i < parts && this.options.fork.frozen.length > 0; i++) {
      if (this.stopped) throw this.stopped;
      const commit = this.next();
      await this.options.backend.append(commit.bytes, commit.at, durability);
      this.relaxed = durability === 'relaxed' && !this.options.backend.strict;
      // Unless writeNow() has been here meanwhile.
      if (this.commit === commit) this.settle();
    }
  }

  /** Everything, in this turn, for a process that is going. @throws what the backend throws; what was not written stays. */
  writeNow(): void {
    const { backend, fork } = this.options;
    if (!backend.appendNow) return;
    fork.freeze();
    while (fork.frozen.length > 0) {
      const commit = this.next();
      backend.appendNow(commit.bytes, commit.at);
      this.settle();
    }
  }

  /** Encodes and signs the oldest frozen part, once and for all. */
  private next(): Commit {
    if (this.commit) return this.commit;
    const { crypto, identity, stamps, fork, venue, clock } = this.options;
    const time = stamps.latest;
    const { entries } = fork.frozen[0]!;
    const groups = fork.encode(time);
    let body: Bytes;
    try {
      body = encodeBody(groups);
    } catch {
      body = encodeBody(groups.map((group) => this.withoutBroken(group)));
    }
    const count = groups.reduce((sum, group) => sum + group.entries.length, 0);
    const { id: writer, index, prev, heads } = this;
    const payload = {
      kind: 'commit' as const,
      venue,
      writer,
      index,
      prev,
      ...(Object.keys(heads).length > 0 && { heads }),
      time,
      count,
    };
    const { bytes, hash } = encodeLine<CommitPayload>(crypto, identity, payload, body);
    this.index++;
    this.prev = hash;
    this.heads = {};
    const at = { writer, index, hash };
    this.commit = { bytes, at, info: { ...at, time, entries, bytes: bytes.length, tookMs: clock.elapsed() } };
    return this.commit;
  }

  /** A value that was changed in place after set() may be no JSON any more: that costs the entry, not everybody's sweep. */
  private withoutBroken(group: Group): Group {
    group.entries = group.entries.filter((entry) => {
      try {
        JSON.stringify(entry);
        return true;
      } catch (error) {
        this.options.broken(group.region, (entry as [string])[0], error as Error);
        return false;
      }
    });
    return group;
  }

  /** Other writers' commits were joined: the next commit says so. */
  joined(writer: string, index: number): void {
    this.heads[writer] = Math.max(index, this.heads[writer] ?? 0);
  }

  /** A checkpoint stands: what it covers need not be named again. */
  covered(covers: Readonly<Record<string, readonly [index: number, hash: string]>>): void {
    for (const [writer, [index]] of Object.entries(covers)) if (this.heads[writer]! <= index) delete this.heads[writer];
  }

  private settle(): void {
    const { info } = this.commit!;
    this.commit = undefined;
    this.options.fork.settle();
    info.tookMs = this.options.clock.elapsed() - info.tookMs;
    this.root = { writer: info.writer, index: info.index, hash: info.hash, time: info.time };
    this.options.durable(info);
  }
}
