// What is written and not yet durable: which regions have notes, and what was frozen into commits that are on their way. Knows no bytes.
import type { Clock } from '../base/seams';
import type { Group } from '../log/entries';
import type { Notes } from './notes';

/** What the fork knows of a region. */
export interface Forkable {
  readonly name: string;
  /** Whether its entries go first when there is not room for all. */
  readonly critical: boolean;
  /** What its entries were before what is being written now. */
  notes: Notes;
  /** Whether the fork has been told that there are any. */
  noted: boolean;
  /** Ends a part of the fork. @returns what its entries were before. */
  freeze(): Notes;
  /** The entries of the oldest of these parts, as a commit has them. @param parts it and those frozen after it, oldest first. */
  encode(parts: readonly Notes[], base: number): Group;
  /** Parts a part: what is about these keys, and the rest. */
  split(notes: Notes, keys: ReadonlySet<string>): [Notes, Notes];
  /** The oldest part is durable now. */
  settle(notes: Notes): void;
}

/** A part of the fork that goes into one commit: which entries, and what they were before. */
export interface Frozen {
  readonly notes: ReadonlyMap<Forkable, Notes>;
  readonly entries: number;
  /** `elapsed` time of its first write. */
  readonly since: number;
}

const none: Notes[] = [];

export class Fork {
  /** Estimated bytes written since the last freeze. */
  bytes = 0;
  /** Commits on their way, oldest first. */
  readonly frozen: Frozen[] = [];
  private dirty: Forkable[] = [];
  private since = 0;

  constructor(private readonly clock: Clock) {}

  /** A region was written. */
  add(region: Forkable, bytes: number): void {
    this.bytes += bytes;
    if (region.noted) return;
    if (this.dirty.length === 0) this.since = this.clock.elapsed();
    region.noted = true;
    this.dirty.push(region);
  }

  /**
   * Ends the part that is being written. Cheap: nothing is encoded here, so that set() can call it when a commit would get too large.
   * @returns whether there was anything in it.
   */
  freeze(): boolean {
    const regions = this.dirty;
    this.dirty = [];
    this.bytes = 0;
    const notes = new Map<Forkable, Notes>();
    let entries = 0;
    for (const region of regions) {
      region.noted = false;
      if (region.notes.slots.length === 0) continue;
      notes.set(region, region.freeze());
      entries += notes.get(region)!.slots.length;
    }
    if (entries > 0) this.frozen.push({ notes, entries, since: this.since });
    return entries > 0;
  }

  /** A part without entries: its commit makes those before it as durable as itself. */
  barrier(): void {
    this.frozen.push({ notes: new Map(), entries: 0, since: this.clock.elapsed() });
  }

  /** The entries of a part, as its commit has them. @param time stamp of the commit. */
  encode(place: number, time: number): Group[] {
    return [...this.frozen[place]!.notes.keys()].map((region) => region.encode(this.notesOf(region, place), time));
  }

  /** Makes two parts of one. @param keys those that go first, by region. */
  split(place: number, keys: ReadonlyMap<string, ReadonlySet<string>>): void {
    const { notes, since } = this.frozen[place]!;
    const parts = [new Map<Forkable, Notes>(), new Map<Forkable, Notes>()];
    for (const [region, whole] of notes)
      region.split(whole, keys.get(region.name) ?? new Set()).forEach((half, i) => {
        if (half.slots.length > 0) parts[i]!.set(region, half);
      });
    const count = (part: Map<Forkable, Notes>) => [...part.values()].reduce((sum, { slots }) => sum + slots.length, 0);
    this.frozen.splice(place, 1, ...parts.map((part) => ({ notes: part, entries: count(part), since })));
  }

  /** The oldest commit on its way is durable. */
  settle(): void {
    for (const [region, notes] of this.frozen.shift()!.notes) region.settle(notes);
  }

  /** Of the parts from this one on. */
  notesOf(region: Forkable, place = 0): Notes[] {
    if (this.frozen.length <= place) return none;
    return this.frozen.slice(place).flatMap(({ notes }) => notes.get(region) ?? none);
  }

  /** Entries written and not durable. An entry that is on its way and was written again counts twice. */
  get unsaved(): number {
    return this.frozen.reduce((sum, { entries }) => sum + entries, this.pending);
  }

  /** Those of them that are not in a commit yet. */
  get pending(): number {
    return this.dirty.reduce((sum, { notes }) => sum + notes.slots.length, 0);
  }

  /** Names of the regions that have any. */
  get regions(): string[] {
    const regions = [
      ...this.frozen.flatMap(({ notes }) => [...notes.keys()]),
      ...this.dirty.filter(({ notes }) => notes.slots.length > 0),
    ];
    return [...new Set(regions.map(({ name }) => name))];
  }

  /** Age of the oldest of them in ms, 0 when there are none. */
  get oldestMs(): number {
    const since = this.frozen[0]?.since ?? (this.pending > 0 ? this.since : undefined);
    return since === undefined ? 0 : this.clock.elapsed() - since;
  }
}
