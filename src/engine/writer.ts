// WHAT is written: the fork, frozen into a signed commit of this writer's chain, and handed to the backend until it is durable. Knows no time.
import type { Backend, CommitId, Durability } from '../backend';
import type { Bytes } from '../base/bytes';
import { toHex } from '../base/bytes';
import type { Clock, Crypto } from '../base/seams';
import type { Identity } from '../identity/identity';
import type { StampClock } from '../lattice/clock';
import { encodeBody } from '../log/entries';
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
  /** A commit is durable. */
  durable(info: SweepInfo): void;
}

export class Writer {
  /** Fresh for every opening, so that no crash makes one index be signed twice. */
  readonly id: string;
  /** The last durable commit. */
  root: CommitInfo | undefined;
  /** Frozen and not durable, oldest first; parallel to fork.frozen. */
  private readonly queue: Commit[] = [];
  private index = 0;
  private prev: string | null = null;
  private heads: Record<string, number>;

  constructor(private readonly options: WriterOptions) {
    this.id = toHex(options.crypto.randomBytes(8));
    this.heads = options.heads;
  }

  /** Turns what the fork has into a commit: encoded and signed, once and for all. */
  freeze(): void {
    const { crypto, identity, stamps, fork, venue, clock } = this.options;
    const frozen = fork.freeze(stamps.latest);
    if (!frozen) return;
    const body = encodeBody(frozen.groups);
    frozen.groups.length = 0;
    const { id: writer, index, prev, heads } = this;
    const time = stamps.latest;
    const payload = { kind: 'commit' as const, venue, writer, index, prev, ...(Object.keys(heads).length > 0 && { heads }), time, count: frozen.entries };
    const { bytes, hash } = encodeLine<CommitPayload>(crypto, identity, payload, body);
    this.index++;
    this.prev = hash;
    this.heads = {};
    const at = { writer, index, hash };
    this.queue.push({ bytes, at, info: { ...at, time, entries: frozen.entries, bytes: bytes.length, tookMs: clock.elapsed() } });
  }

  /** Writes what is frozen, then what is in the fork now. A commit that fails stays, with its bytes, for the next call. */
  async write(durability: Durability): Promise<void> {
    const { backend } = this.options;
    for (let frozen = false; ; ) {
      const commit = this.queue[0];
      if (commit) {
        await backend.append(commit.bytes, commit.at, durability);
        // Unless writeNow() has been here meanwhile.
        if (this.queue[0] === commit) this.settle();
      } else if (frozen) return;
      else {
        this.freeze();
        frozen = true;
      }
    }
  }

  /** Everything, in this turn, for a process that is going. @throws what the backend throws; then nothing is settled. */
  writeNow(): void {
    const { backend } = this.options;
    if (!backend.appendNow) return;
    this.freeze();
    for (let commit = this.queue[0]; commit; commit = this.queue[0]) {
      backend.appendNow(commit.bytes, commit.at);
      this.settle();
    }
  }

  /** Other writers' commits were joined: the next commit says so. */
  joined(writer: string, index: number): void {
    this.heads[writer] = Math.max(index, this.heads[writer] ?? 0);
  }

  /** A checkpoint covers all heads: they need not be named again. */
  covered(): void {
    this.heads = {};
  }

  private settle(): void {
    const { info } = this.queue.shift()!;
    this.options.fork.settle();
    info.tookMs = this.options.clock.elapsed() - info.tookMs;
    this.root = { writer: info.writer, index: info.index, hash: info.hash, time: info.time };
    this.options.durable(info);
  }
}
