// One file on a simulated disk: what is on the platter, what is only in the kernel's cache, and what a loss of power makes
// of the difference. Knows no names, no calls and no time.
import type { Random } from './random';

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes that grow. */
class Content {
  private bytes: Bytes;
  constructor(
    public size = 0,
    bytes: Bytes = new Uint8Array(size),
  ) {
    this.bytes = bytes;
  }

  view(): Bytes {
    return this.bytes.subarray(0, this.size);
  }

  copy(): Content {
    return new Content(this.size, this.bytes.slice(0, this.size));
  }

  write(at: number, data: Uint8Array): void {
    this.grow(at + data.length);
    this.bytes.set(data, at);
  }

  /** A file that is made longer has zeros there. */
  grow(size: number): void {
    if (size <= this.size) return;
    if (size > this.bytes.length) {
      const larger = new Uint8Array(Math.max(size, 2 * this.bytes.length));
      larger.set(this.view());
      this.bytes = larger;
    }
    this.size = size;
  }

  truncate(size: number): void {
    if (size < this.size) this.bytes.fill(0, size, this.size);
    this.grow(size);
    this.size = size;
  }
}

interface Write {
  readonly order: number;
  readonly at: number;
  readonly data: Bytes;
}
interface Truncation {
  readonly order: number;
  readonly truncate: number;
}
type FileOp = Write | Truncation;

/** How much of what was not synced is lost. */
export type Loss = 'everything' | 'nothing' | 'some';

const sectorBytes = 512;

const apply = (content: Content, op: FileOp): void => {
  if ('truncate' in op) content.truncate(op.truncate);
  else content.write(op.at, op.data);
};

/** Which parts of one write are there after a loss: blocks go to the disk in any order. */
function survivors({ at, data }: Write, random: Random): [from: number, to: number][] {
  const cut = random.below(data.length + 1);
  switch (random.weighted({ whole: 4, none: 4, prefix: 4, suffix: 1, middle: 1, sectors: 1 })) {
    case 'whole':
      return [[0, data.length]];
    case 'none':
      return [];
    case 'prefix':
      return [[0, cut]];
    case 'suffix':
      return [[cut, data.length]];
    case 'middle':
      return [[cut, cut + random.below(data.length - cut + 1)]];
    case 'sectors': {
      const sectors: [number, number][] = [];
      for (let from = 0; from < data.length; from = sectors[sectors.length - 1]![1]) {
        sectors.push([from, Math.min(data.length, from + sectorBytes - ((at + from) % sectorBytes))]);
      }
      return sectors.filter(() => random.chance(0.5));
    }
  }
}

/** Applies what survives of one operation. */
function survive(content: Content, op: FileOp, loss: Loss, random: Random): void {
  if (loss === 'everything') return;
  if (loss === 'nothing' || 'truncate' in op) {
    if (loss === 'nothing' || random.chance(0.5)) apply(content, op);
    return;
  }
  for (const [from, to] of survivors(op, random)) content.write(op.at + from, op.data.subarray(from, to));
  // The new length can reach the disk without the bytes (XFS, ext4 with data=writeback).
  if (random.chance(0.2)) content.grow(op.at + op.data.length);
}

export class Inode {
  private live = new Content();
  private durable = new Content();
  private unsynced: FileOp[] = [];
  private dropped = false;

  get size(): number {
    return this.live.size;
  }

  /** What a process reads. */
  view(): Bytes {
    return this.live.view();
  }

  durableView(): Bytes {
    return this.durable.view();
  }

  write(order: number, at: number, data: Uint8Array): void {
    this.perform({ order, at, data: new Uint8Array(data) });
  }

  truncate(order: number, size: number): void {
    this.perform({ order, truncate: size });
  }

  private perform(op: FileOp): void {
    apply(this.live, op);
    this.unsynced.push(op);
  }

  /** Makes everything before `order` durable. */
  sync(order: number): void {
    for (const op of this.take(order)) apply(this.durable, op);
  }

  /**
   * A sync that fails as Linux does it: what was dirty is marked clean, some of it on the disk and the rest nowhere, so that the next sync
   * succeeds. Some file systems go on showing the lost bytes until the page is evicted, some do not.
   */
  drop(order: number, random: Random): void {
    for (const op of this.take(order)) survive(this.durable, op, 'some', random);
    this.dropped = true;
    if (random.chance(0.5)) this.evict();
  }

  /** The kernel forgets clean pages and reads them from the disk again: what a failed sync dropped is gone now. */
  evict(): void {
    if (!this.dropped) return;
    this.dropped = false;
    this.live = this.durable.copy();
    for (const op of this.unsynced) apply(this.live, op);
  }

  losePower(loss: Loss, random: Random): void {
    for (const op of this.unsynced) survive(this.durable, op, loss, random);
    this.unsynced = [];
    this.dropped = false;
    this.live = this.durable.copy();
  }

  flip(at: number, mask: number): void {
    if (at >= this.durable.size) throw new Error(`no durable byte ${at}`);
    for (const content of [this.live, this.durable]) content.view()[at]! ^= mask;
  }

  private take(order: number): FileOp[] {
    const taken = this.unsynced.filter((op) => op.order < order);
    this.unsynced = this.unsynced.filter((op) => op.order >= order);
    return taken;
  }
}
