// A fork of its own: what venue.fork() gives. Its writes are seen only through it until sync() joins all of them at once, into one commit.
import { TidemarkError } from '../base/errors';
import { TOMBSTONE } from '../lattice/joins';
import { found } from '../log/values';
import { checkKey } from './admit';
import type { Host } from './host';
import { forkBytesMax } from './limits';
import type { RegionState, Write } from './region';
import type { ScanOptions } from './scan';

interface SizedWrite extends Write {
  size: number;
}

export class DetachedFork {
  private writes = new Map<RegionState, Map<string, SizedWrite>>();
  private bytes = 0;
  /** Stamp at which it began: deletions since then must not be forgotten while it is open. */
  began: number;

  constructor(
    private readonly host: Host,
    private readonly forks: Set<DetachedFork>,
  ) {
    this.began = host.stamps.next();
  }

  get(region: RegionState, key: string): unknown {
    const write = this.writes.get(region)?.get(key);
    if (!write) return region.get(key);
    return write.value === TOMBSTONE ? undefined : write.value;
  }

  set(region: RegionState, key: string, value: unknown): void {
    this.host.guard();
    checkKey(region.name, key);
    const kept = region.admit(key, value);
    this.write(region, key, { value: kept, stamp: this.host.stamps.next(), tagged: found.tagged, size: found.size });
  }

  delete(region: RegionState, key: string): boolean {
    this.host.guard();
    if (this.get(region, key) === undefined) return false;
    this.write(region, key, { value: TOMBSTONE, stamp: this.host.stamps.next(), tagged: false, size: key.length });
    return true;
  }

  /** The venue's entries with this fork's writes over them. */
  *scan(region: RegionState, options: ScanOptions = {}): Generator<[string, unknown]> {
    const { limit = Number.POSITIVE_INFINITY, ...range } = options;
    const own = [...(this.writes.get(region) ?? [])]
      .filter(([key]) => inRange(key, range))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    if (range.reverse) own.reverse();
    let left = limit;
    const under = region.scan(range);
    let next = under.next();
    for (const [key, { value }] of [...own, [undefined, { value: TOMBSTONE }] as const]) {
      for (
        ;
        !next.done && (key === undefined || (range.reverse ? next.value[0] > key : next.value[0] < key));
        next = under.next()
      ) {
        if (left-- <= 0) return;
        yield next.value;
      }
      if (!next.done && next.value[0] === key) next = under.next();
      if (value === TOMBSTONE) continue;
      if (left-- <= 0) return;
      yield [key!, value];
    }
  }

  private write(region: RegionState, key: string, write: SizedWrite): void {
    const writes = this.writes.get(region) ?? new Map<string, SizedWrite>();
    const bytes = this.bytes - (writes.get(key)?.size ?? 0) + write.size;
    if (bytes > forkBytesMax) {
      throw new TidemarkError(
        'too_large',
        `fork: more than ${forkBytesMax} bytes; a fork is written as one commit, so sync() it before it is that large`,
      );
    }
    this.bytes = bytes;
    this.writes.set(region, writes.set(key, write));
    this.forks.add(this);
  }

  /** Joins all of it. The fork is empty then, and can be used again. */
  sync(): void {
    this.host.guard();
    // All that may throw first: whole or not at all.
    const joins = [...this.writes].map(([region, writes]) => {
      for (const key of writes.keys()) region.checkWritable(key);
      return { region, apply: region.mergeFork(writes) };
    });
    const { bytes } = this;
    this.drop();
    this.host.room(bytes);
    const changed = joins.map(({ region, apply }) => ({ region, keys: apply() }));
    const stored = changed.filter(({ region }) => !region.transient);
    this.host.writtenTogether(
      stored.map(({ region }) => region),
      bytes,
    );
    for (const { region, keys } of changed) region.publish(keys, 'local');
  }

  /** Forgets all of it. */
  drop(): void {
    this.writes = new Map();
    this.bytes = 0;
    this.forks.delete(this);
    this.began = this.host.stamps.next();
  }
}

const inRange = (key: string, { prefix = '', from = '', to }: ScanOptions): boolean =>
  key.startsWith(prefix) && key >= from && (to === undefined || key < to);
