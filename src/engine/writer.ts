// WHAT is written: the fork, frozen into a signed commit of this writer's chain, and handed to the backend until it is durable. Knows no time.
import type { Backend, CommitId, Durability } from '../backend';
import type { Bytes } from '../base/bytes';
import { decodeUtf8, toHex } from '../base/bytes';
import type { Clock, Crypto } from '../base/seams';
import type { Identity } from '../identity/identity';
import type { StampClock } from '../lattice/clock';
import { encodeBody, type Group } from '../log/entries';
import { type CommitPayload, encodeLine } from '../log/line';
import type { CommitInfo, SweepInfo } from './events';
import type { Fork } from './fork';
import { type Journal, newestThatFit } from './journal';
import { digestBytesMin } from './limits';

interface Commit {
  bytes: Bytes;
  at: CommitId;
  info: SweepInfo;
  durable: boolean;
  /** Its last resort, if it has had one: whether it is durable by it. */
  issued?: Promise<boolean>;
}

/** A part of the fork, encoded but not signed. */
interface Draft {
  body: Bytes;
  /** Stamp. */
  time: number;
  count: number;
  entries: number;
  /** `elapsed`. */
  began: number;
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
  durable(info: SweepInfo, line: Bytes): void;
  journal: Journal | undefined;
  isCritical(region: string): boolean;
}

/** More than the signed header of a commit takes in its line, without its heads. */
const headCharacters = 1000;

export class Writer {
  /** Fresh for every opening, so that no crash makes one index be signed twice. */
  readonly id: string;
  /** The last durable commit. */
  root: CommitInfo | undefined;
  /** The oldest frozen parts of the fork, as far as they are encoded: their bytes stay the same however often they are tried. */
  private readonly commits: Commit[] = [];
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
    if (this.commits.length > 0) await this.append(fork.frozen.length, durability);
    if (!fork.freeze() && this.relaxed && durability === 'strict') fork.barrier();
    await this.append(fork.frozen.length, durability);
  }

  private async append(parts: number, durability: Durability): Promise<void> {
    for (let i = 0; i < parts && this.options.fork.frozen.length > 0; i++) {
      const next = this.commits[0] ?? this.next();
      const commit = next instanceof Promise ? await next : next;
      // Behind what writeNow() has issued it would have to wait in the database, too, and be in the way of a page that goes.
      if (commit?.issued) await commit.issued;
      if (this.stopped) throw this.stopped;
      if (!commit || commit.durable) continue;
      await this.options.backend.append(commit.bytes, commit.at, durability);
      this.landed(commit, durability);
    }
  }

  /**
   * Everything, in this turn, for a process or page that is going. What the backend can only issue stays unsaved, and in the journal, until it
   * is durable. @throws what the backend throws, where there is no journal; what was not written stays.
   * @returns a promise of whether it all is; false if some has to be written in the usual way
   */
  writeNow(): Promise<boolean> | false {
    const { backend, fork, journal } = this.options;
    if (!backend.appendNow) return false;
    fork.freeze();
    const parts = fork.frozen.length;
    for (let place = 0; place < fork.frozen.length; ) {
      // What fits is parted from the rest once; the rest is one commit.
      const commit =
        this.commits[place] ?? this.sign(this.draft(fork.frozen.length > parts ? undefined : journal?.room));
      if (!commit.issued) {
        journal?.write(commit.at, commit.bytes, commit.info.entries);
        try {
          const promise = backend.appendNow(commit.bytes, commit.at);
          if (!promise) {
            this.settle();
            continue;
          }
          // The sweep that was on its way with it may have been sooner.
          commit.issued = promise.then(() => commit.durable || this.landed(commit, 'relaxed')).catch(() => false);
        } catch (error) {
          if (!journal) throw error;
        }
      }
      place++;
    }
    return Promise.all(this.commits.map(({ issued = false }) => issued)).then((all) => !all.includes(false));
  }

  /** A commit is durable. It counts as that when those before it are. */
  private landed(commit: Commit, durability: Durability): true {
    this.relaxed = durability === 'relaxed' && !this.options.backend.strict;
    commit.durable = true;
    while (this.commits[0]?.durable) this.settle();
    return true;
  }

  /** The oldest frozen part as a commit. A large body is hashed off the thread, where the platform can; others need no turn. */
  private next(): Commit | Promise<Commit | undefined> {
    const { crypto, fork } = this.options;
    const [part] = fork.frozen;
    const draft = this.draft();
    const hashing = draft.body.length > digestBytesMin ? crypto.digest?.(draft.body) : undefined;
    if (!hashing) return this.sign(draft);
    // Meanwhile writeNow() may have signed it, or even have made it durable.
    return hashing.then(
      (digest) => this.commits[0] ?? (fork.frozen[0] === part ? this.sign(draft, digest) : undefined),
    );
  }

  /** Encodes the oldest frozen part that is not encoded yet. @param room characters; what does not fit becomes a part of its own. */
  private draft(room = Number.POSITIVE_INFINITY): Draft {
    const { stamps, fork, isCritical, clock } = this.options;
    const began = clock.elapsed();
    const place = this.commits.length;
    const time = stamps.latest;
    let groups = fork.encode(place, time);
    let body = this.encodeBody(groups);
    const roomForBody = room - headCharacters - 2 * JSON.stringify(this.heads).length;
    if (body.length > roomForBody && decodeUtf8(body).length > roomForBody) {
      const kept = newestThatFit(groups, isCritical, roomForBody);
      if (kept.size > 0) {
        fork.split(place, kept);
        groups = fork.encode(place, time);
        body = this.encodeBody(groups);
      }
    }
    const count = groups.reduce((sum, group) => sum + group.entries.length, 0);
    return { body, time, count, entries: fork.frozen[place]!.entries, began };
  }

  /** Signs a part, once and for all. */
  private sign({ body, time, count, entries, began }: Draft, digest?: Bytes): Commit {
    const { crypto, identity, venue } = this.options;
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
    const { bytes, hash } = encodeLine<CommitPayload>(crypto, identity, payload, body, digest);
    this.index++;
    this.prev = hash;
    this.heads = {};
    const at = { writer, index, hash };
    const commit: Commit = {
      bytes,
      at,
      info: { ...at, time, entries, bytes: bytes.length, tookMs: began },
      durable: false,
    };
    this.commits.push(commit);
    return commit;
  }

  private encodeBody(groups: Group[]): Bytes {
    try {
      return encodeBody(groups);
    } catch {
      return encodeBody(groups.map((group) => this.withoutBroken(group)));
    }
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
    const { info, bytes } = this.commits.shift()!;
    this.options.journal?.settled(info);
    this.options.fork.settle();
    info.tookMs = this.options.clock.elapsed() - info.tookMs;
    this.root = { writer: info.writer, index: info.index, hash: info.hash, time: info.time };
    this.options.durable(info, bytes);
  }
}
