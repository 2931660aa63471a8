// Making a checkpoint: what was durable when it began, in key order, in slices that leave the thread to others. Chunks that nothing changed
// are copied, neither encoded nor hashed again. Writes go on meanwhile: regions remember what their slots held (RegionState.capture).
import type { StoredCheckpoint } from '../backend';
import type { Bytes } from '../base/bytes';
import type { Clock, Crypto } from '../base/seams';
import { TOMBSTONE } from '../lattice/joins';
import { type ChunkMeta, type Columns, encodeChunk, type RegionMeta } from '../log/checkpoint';
import { encodeEntry, type StoredEntry } from '../log/entries';
import { digestOf } from '../log/line';
import { Base, Chunk, columnEntry, MOVED } from './base';
import { chunkBytes, chunkBytesMin, sortKeys } from './limits';
import { mergeRuns } from './order';
import { CHANGED, DIRTY, UNKNOWN } from './overlay';
import { turns } from './reading';
import type { RegionState } from './region';

export interface CheckpointOptions {
  clock: Clock;
  crypto: Crypto;
  regions: readonly RegionState[];
  /** Stamp of the checkpoint: nothing in it is newer. */
  time: number;
  /** Tombstones older than this stamp are forgotten. */
  forgetBefore: number;
  /** An entry cannot be encoded. */
  broken(region: string, key: string, error: Error): void;
  /** Where the bytes of chunks are that are no longer in memory. */
  source: StoredCheckpoint | undefined;
}

interface Made {
  chunk: Chunk;
  /** Where it is in the new checkpoint. */
  offset: number;
}

/** One checkpoint in the making. Between `begin` (in the constructor) and `finish` or `abandon`, regions capture what changes. */
export class CheckpointBuilder {
  readonly metas: RegionMeta[] = [];
  copied = 0;
  chunks = 0;
  private readonly made = new Map<RegionState, Made[]>();
  /** What held when it began: which bit says changed, and the schema version, which may go up meanwhile. */
  private readonly passes = new Map<RegionState, { pass: number; version: number }>();
  private offset = 0;
  private readonly turn: () => Promise<void> | undefined;

  constructor(private readonly options: CheckpointOptions) {
    this.turn = turns(options.clock);
    for (const region of options.regions) {
      const pass = region.changedBit;
      this.passes.set(region, { pass, version: region.version });
      region.changedBit = pass === CHANGED[0] ? CHANGED[1] : CHANGED[0];
      region.capture = new Map();
    }
  }

  /** The chunk lines of all regions; the signed line is the caller's. */
  async *lines(): AsyncGenerator<Bytes> {
    const regions = [...this.options.regions].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const region of regions) {
      const made: Made[] = [];
      for await (const { chunk, bytes } of this.region(region)) {
        made.push({ chunk, offset: this.offset });
        this.chunks++;
        this.offset += bytes.length + 1;
        yield bytes;
        yield newline;
      }
      if (made.length === 0) continue;
      this.made.set(region, made);
      this.metas.push({
        region: region.name,
        version: this.passes.get(region)!.version,
        join: typeof region.join === 'function' ? 'custom' : region.declared ? region.join : region.storedJoin,
        chunks: made.map(({ chunk }) => chunk.meta),
      });
    }
    await this.settleCounts();
  }

  /** Before it stands: settles what would make finish() take long. */
  private async settleCounts(): Promise<void> {
    for (const region of this.passes.keys()) while (region.countSome(sortKeys)) await this.turn();
  }

  /** It stands: the regions go on from it. */
  finish(): void {
    for (const region of this.passes.keys()) {
      region.countSome(Number.POSITIVE_INFINITY);
      const made = this.made.get(region) ?? [];
      for (const { chunk, offset } of made) chunk.offset = offset;
      const chunks = made.map(({ chunk }) => chunk);
      region.base = new Base(chunks, this.options.time);
      region.capture = undefined;
    }
  }

  /** After that, in slices: what it has is unchanged, and tombstones that nothing remembers any more are dropped. */
  async tidy(): Promise<void> {
    for (const [region, { pass }] of this.passes) {
      const { overlay } = region;
      for (let slot = 0; slot < overlay.keys.length; slot++) {
        if (slot % sortKeys === 0) await this.turn();
        overlay.flags[slot]! &= ~pass;
        const key = overlay.keys[slot];
        const stamp = overlay.stamps[slot]!;
        if (overlay.values[slot] !== TOMBSTONE || key === undefined || stamp >= this.options.forgetBefore) continue;
        // Not written or made durable since, not in a commit on its way, and not in the checkpoint.
        if (overlay.flags[slot]! & (DIRTY | region.changedBit) || region.durable(slot).stamp !== stamp) continue;
        if (!region.base.find(key)) overlay.remove(slot);
      }
    }
  }

  /** It came to nothing: what had changed is still to be checkpointed. */
  abandon(): void {
    for (const [region, { pass }] of this.passes) {
      region.capture = undefined;
      const { flags } = region.overlay;
      for (let slot = 0; slot < flags.length; slot++) if (flags[slot]! & pass) flags[slot]! |= region.changedBit;
      for (let slot = 0; slot < flags.length; slot++) flags[slot]! &= ~pass;
    }
  }

  private async *region(region: RegionState): AsyncGenerator<{ chunk: Chunk; bytes: Bytes }> {
    const changed = mergeRuns(await this.changedKeys(region), {});
    let next = changed.next();
    const old = region.base.chunks;
    const { version } = this.passes.get(region)!;
    const output = new Output(this.options, region.name, version);
    for (let i = 0; i < Math.max(1, old.length); i++) {
      const chunk = old[i];
      const end = old[i + 1]?.meta.firstKey;
      const touched = !next.done && (end === undefined || next.value < end);
      // A chunk's entries are of its region's version unless they say otherwise, so that it can only be copied under that one.
      if (chunk && !touched && output.bytes === 0 && chunk.version === version) {
        const bytes = chunk.bytes ?? (await this.reread(chunk));
        if (bytes) {
          this.copied++;
          yield { chunk, bytes };
          await this.turn();
          continue;
        }
      }
      const columns = chunk?.load();
      for (let at = 0; ; ) {
        const key = columns?.keys[at];
        const write = !next.done && (end === undefined || next.value < end) ? next.value : undefined;
        if (key === undefined && write === undefined) break;
        if (write !== undefined && (key === undefined || write <= key)) {
          const same = write === key;
          this.add(output, region, write, same ? columns! : undefined, at);
          if (same) at++;
          next = changed.next();
        } else this.add(output, region, key!, columns!, at++);
        if (output.bytes >= chunkBytes) {
          yield output.take();
          await this.turn();
        }
      }
      // A small rest is carried into the next chunk.
      if (output.bytes >= chunkBytesMin || (output.bytes > 0 && i >= old.length - 1)) {
        yield output.take();
        await this.turn();
      }
    }
  }

  /** The entry of a key as it was when this checkpoint began. */
  private add(output: Output, region: RegionState, key: string, columns: Columns | undefined, at: number): void {
    const slot = region.overlay.index.get(key);
    if (slot !== undefined) {
      const inBase = columns?.values[at];
      region.count(slot, columns !== undefined && typeof inBase !== 'symbol');
      const was = region.capture!.get(slot) ?? region.durable(slot);
      if (was.value !== UNKNOWN) {
        output.add(region.entryWas(slot, was), true);
        return;
      }
    }
    if (!columns) return;
    output.add(columnEntry(columns, at), false);
  }

  /** Sorted runs of the keys that changed durably since the last checkpoint, collected in slices. */
  private async changedKeys(region: RegionState): Promise<string[][]> {
    const { overlay } = region;
    const { pass } = this.passes.get(region)!;
    const runs: string[][] = [];
    let run: string[] = [];
    for (let slot = 0, slots = overlay.keys.length; slot < slots; slot++) {
      if (overlay.flags[slot]! & pass) run.push(overlay.keys[slot]!);
      if (run.length < sortKeys && slot < slots - 1) continue;
      runs.push(run.sort());
      run = [];
      await this.turn();
    }
    return runs;
  }

  /** The bytes of an unchanged chunk whose entries were decoded. Undefined if the store cannot give them any more: then memory can. */
  private async reread(chunk: Chunk): Promise<Bytes | undefined> {
    try {
      const bytes = await this.options.source!.read(chunk.offset, chunk.meta.length);
      return digestOf(this.options.crypto, bytes) === chunk.meta.digest ? bytes : undefined;
    } catch {
      return undefined;
    }
  }
}

const newline = Uint8Array.of(10);

/** Entries on their way into a chunk. */
class Output {
  /** Encoded so far. */
  bytes = 0;
  private texts: string[] = [];
  private columns: Columns;
  private tombstones = 0;
  private moved = 0;
  private low = Number.POSITIVE_INFINITY;
  private high = 0;

  constructor(
    private readonly options: CheckpointOptions,
    private readonly region: string,
    private readonly version: number,
  ) {
    this.columns = this.fresh();
  }

  private fresh(): Columns {
    return { keys: [], values: [], stamps: [], version: this.version, odd: new Map() };
  }

  /** @param inOverlay then it need not be kept here too. */
  add(entry: StoredEntry, inOverlay: boolean): void {
    if (entry.value === TOMBSTONE) {
      if (entry.stamp < this.options.forgetBefore) return;
      this.tombstones++;
    }
    let text: string;
    try {
      text = JSON.stringify(encodeEntry(entry, this.options.time, this.version));
    } catch (error) {
      this.options.broken(this.region, entry.key, error as Error);
      return;
    }
    const { columns } = this;
    const at = columns.keys.push(entry.key) - 1;
    columns.values.push(inOverlay ? MOVED : entry.value);
    columns.stamps.push(entry.stamp);
    if (inOverlay) this.moved++;
    else if (entry.tagged || entry.epoch !== 0 || entry.version !== this.version) columns.odd.set(at, entry);
    if (entry.value !== TOMBSTONE) {
      this.low = Math.min(this.low, entry.version);
      this.high = Math.max(this.high, entry.version);
    }
    this.texts.push(text);
    this.bytes += text.length + 1;
  }

  take(): { chunk: Chunk; bytes: Bytes } {
    const { columns, texts, tombstones } = this;
    const bytes = encodeChunk(this.options.time, texts);
    const meta: ChunkMeta = {
      firstKey: columns.keys[0]!,
      count: texts.length,
      tombstones,
      length: bytes.length,
      digest: digestOf(this.options.crypto, bytes),
      versions: this.high === 0 ? [this.version, this.version] : [this.low, this.high],
    };
    // All of it is in the overlay: the order of the keys is what is left to know.
    if (this.moved === texts.length) Object.assign(columns, { values: allMoved(texts.length), stamps: [] });
    this.columns = this.fresh();
    this.texts = [];
    this.bytes = this.tombstones = this.moved = this.high = 0;
    this.low = Number.POSITIVE_INFINITY;
    return { chunk: new Chunk(meta, 0, columns, this.version), bytes };
  }
}

let moved: symbol[] = [];
/** One shared column for all chunks that the overlay has taken over. */
function allMoved(length: number): symbol[] {
  if (moved.length < length) moved = new Array(Math.max(length, 1024)).fill(MOVED);
  return moved;
}
