// Runs a random program on a venue and on the model. A program is a list of plain steps, so that fast-check can shrink it. What is durable is
// known exactly: each append is met with a copy of the model as it was then.
import { expect } from 'vitest';
import { type MemoryStore, memoryBackend, memoryStore } from '../../backends/memory';
import type { ForkedVenue, RegionOptions } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { gate, type Opened, openIn, settle } from './helpers';
import { copy, type Entry, expected, type Range, type State, type Step, type Write } from './model';

/** A value that no other write has: of one of several kinds, told apart by `n`. */
function valueFor(kind: number, n: number): unknown {
  const kinds = [
    () => n,
    () => null,
    () => `text ${n}`,
    () => ({ n, list: [n, null, 'x'] }),
    () => BigInt(n),
    () => new Date(n),
    () => Uint8Array.of(n & 255, n >> 8),
    () => new Map([[n, { deep: new Set([n]) }]]),
    () => ({ $: n }),
  ];
  return kinds[kind % kinds.length]!();
}

const padding = 'p'.repeat(350);

/** Rules that everything passes: what is stored is gone through for them, and must be the same after that. */
const rules: RegionOptions<unknown> = {
  ttl: 1e12,
  validate: { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } },
};

export class Both {
  private now!: Opened;
  private fork!: ForkedVenue;
  private readonly clock = new SimClock();
  private readonly store: MemoryStore = memoryStore();
  private live: State = new Map();
  private forked: State = new Map();
  /** What has been put into the store, what the venue has been told is there, and what each commit held. */
  private stored: State = new Map();
  private durable: State = new Map();
  private readonly commits = new Map<string, State>();
  private order = 0;
  private held: ReturnType<typeof gate> | undefined;
  private holding: { stored: boolean } | undefined;
  private failing = 0;
  private readonly waiting: Promise<unknown>[] = [];

  constructor(private readonly exclusive: boolean) {}

  async run(steps: readonly Step[]): Promise<void> {
    await this.open();
    for (const step of steps) {
      await this.clock.advance(1);
      await this.step(step);
      await settle(1);
    }
    await this.makeDurable();
    this.lookAtAll();
    await this.clock.runUntil(this.now.venue.close());
    await this.open();
    this.lookAtAll();
    expect(this.now.venue.health()).toMatchObject({ status: 'ok', unsaved: { entries: 0 } });
    await this.clock.runUntil(this.now.venue.close());
  }

  private async open(): Promise<void> {
    const { store, clock, exclusive } = this;
    this.now = await openIn({ store, clock, exclusive });
    this.fork = this.now.venue.fork();
    this.forked = new Map();
    this.held = this.holding = undefined;
    this.failing = 0;
    this.live = copy(this.stored);
    this.durable = copy(this.stored);
    this.now.backend.instead.append = async (pass, { at }) => {
      const state = this.commits.get(at.hash) ?? copy(this.live);
      this.commits.set(at.hash, state);
      if (this.failing > 0) {
        this.failing--;
        throw new Error('told to fail');
      }
      const hold = this.holding;
      this.holding = undefined;
      const put = async () => {
        await pass();
        this.stored = state;
      };
      if (hold?.stored) await put();
      if (hold) {
        this.held = gate();
        await this.held.opened;
        this.held = undefined;
      }
      if (!hold?.stored) await put();
      this.durable = state;
    };
  }

  private of(state: State, region: string): Map<string, Entry> {
    const entries = state.get(region) ?? new Map<string, Entry>();
    state.set(region, entries);
    return entries;
  }

  private write(state: State, region: string, key: string, value: unknown): void {
    this.of(state, region).set(key, { value, order: ++this.order, at: this.clock.now() });
  }

  private seen(state: State, region: string): ReadonlyMap<string, Entry> {
    return state === this.forked
      ? new Map([...this.of(this.live, region), ...this.of(this.forked, region)])
      : this.of(state, region);
  }

  private apply(write: Write): void {
    const forked = write.do === 'forkSet' || write.do === 'forkDelete';
    const state = forked ? this.forked : this.live;
    const region = (forked ? this.fork : this.now.venue).region<unknown>(write.region);
    if ('kind' in write) {
      const value = valueFor(write.kind, ++this.order);
      region.set(write.key, value);
      this.write(state, write.region, write.key, value);
    } else {
      const there = this.seen(state, write.region).get(write.key)?.value !== undefined;
      expect(region.delete(write.key)).toBe(there);
      if (there) this.write(state, write.region, write.key, undefined);
    }
  }

  private async step(step: Step): Promise<void> {
    const { venue, backend } = this.now;
    switch (step.do) {
      case 'set':
      case 'delete':
      case 'forkSet':
      case 'forkDelete':
        return this.apply(step);
      case 'raise': {
        const before = this.of(this.live, 'max').get(step.key)?.value as number | undefined;
        venue.region<number>('max', { join: 'max' }).set(step.key, step.value);
        return this.write(this.live, 'max', step.key, Math.max(step.value, before ?? 0));
      }
      case 'lower': {
        const there = this.of(this.live, 'max').get(step.key)?.value !== undefined;
        expect(venue.region<number>('max', { join: 'max' }).delete(step.key)).toBe(there);
        if (there) this.write(this.live, 'max', step.key, undefined);
        return;
      }
      case 'update': {
        const before = this.of(this.live, step.region).get(step.key)?.value;
        const value = { was: typeof before, n: ++this.order };
        const change = (given: unknown) => {
          expect(given).toEqual(before);
          return value;
        };
        expect(venue.region<unknown>(step.region).update(step.key, change)).toEqual(value);
        return this.write(this.live, step.region, step.key, value);
      }
      case 'many': {
        const region = venue.region<unknown>(step.region);
        for (let i = 0; i < step.count; i++) {
          const value = `${++this.order} ${padding}`;
          region.set(`${step.prefix}${i}`, value);
          this.write(this.live, step.region, `${step.prefix}${i}`, value);
        }
        return;
      }
      case 'deleteRange': {
        const region = venue.region<unknown>(step.region);
        const keys = expected(this.of(this.live, step.region), step.range).map(([key]) => key);
        // While it is walked.
        const walked: string[] = [];
        for (const [key] of region.scan(step.range)) {
          walked.push(key);
          region.delete(key);
        }
        expect(walked).toEqual(keys);
        for (const key of keys) this.write(this.live, step.region, key, undefined);
        return;
      }
      case 'purge': {
        const before = this.clock.now() - step.ms;
        const old = [...this.of(this.live, step.region)].filter(
          ([, { value, at }]) => value !== undefined && at < before,
        );
        expect(venue.region(step.region).purgeOlderThan(step.ms)).toBe(old.length);
        for (const [key] of old) this.write(this.live, step.region, key, undefined);
        return;
      }
      case 'sync':
        this.fork.sync();
        for (const [region, entries] of this.forked) {
          const own = this.of(this.live, region);
          for (const [key, entry] of entries) if (entry.order > (own.get(key)?.order ?? 0)) own.set(key, entry);
        }
        this.forked = new Map();
        return;
      case 'declare':
        venue.region('b', rules);
        return;
      case 'drop':
        this.fork.drop();
        this.forked = new Map();
        return;
      case 'flush':
        this.waiting.push(venue.flush().catch(() => undefined));
        return settle(2);
      case 'tick':
        return this.clock.advance(step.ms);
      case 'hold':
        if (!this.held) this.holding = step;
        return;
      case 'release':
        this.holding = undefined;
        this.held?.open();
        return settle(2);
      case 'failing':
        this.failing = step.times;
        return;
      case 'checkpoint': {
        // One that has to wait for a held append is made when that is released.
        let pieces = 0;
        backend.betweenPieces = async () => {
          for (const write of step.meanwhile.slice(pieces, ++pieces)) this.apply(write);
          if (step.fails && pieces > 1) throw new Error('told to fail');
          await settle(1);
        };
        this.waiting.push(venue.checkpoint().catch(() => undefined));
        return settle(6);
      }
      case 'close':
        await this.makeDurable();
        await this.clock.runUntil(venue.close());
        return this.open();
      case 'kill':
        this.now.kill();
        return this.open();
      case 'fallBack':
        this.now.kill();
        await this.loseNewestCheckpoint();
        return this.open();
      case 'look':
        return this.look(step);
    }
  }

  /** As damage would: what it held must come from the one before it and the commits since. */
  private async loseNewestCheckpoint(): Promise<void> {
    const { checkpoints } = await memoryBackend(this.store).open('');
    if (checkpoints.length === 2) await checkpoints[0]!.retire('damaged');
  }

  /** Lets whatever was told to go wrong come to its end. */
  private async makeDurable(): Promise<void> {
    this.failing = 0;
    this.holding = undefined;
    this.held?.open();
    this.now.backend.betweenPieces = undefined;
    await this.clock.runUntil(this.now.venue.flush());
    await settle(2);
    expect(this.now.venue.unsaved.get()).toBe(false);
    this.same('root', this.now.venue.root.region('a').scan(), this.of(this.live, 'a'), {});
  }

  private look({ at, region: name, what, key, range }: Extract<Step, { do: 'look' }>): void {
    const state = { live: this.live, root: this.durable, fork: this.forked }[at];
    const place = { live: this.now.venue, root: this.now.venue.root, fork: this.fork }[at];
    const region = place.region<unknown>(name);
    const entries = this.seen(state, name);
    const value = entries.get(key)?.value;
    if (what === 'size') expect(this.now.venue.region(name).size).toBe(expected(this.of(this.live, name), {}).length);
    else if (what === 'get') expect(region.get(key)).toEqual(value);
    else if (what === 'has') expect(region.has(key)).toBe(value !== undefined);
    else if (what === 'iterate') this.same(at, region[Symbol.iterator](), entries, {});
    else this.same(at, region.scan(range), entries, range);
  }

  private same(at: string, walk: Iterable<[string, unknown]>, entries: ReadonlyMap<string, Entry>, range: Range): void {
    const walked = [...walk];
    const pairs = expected(entries, range);
    // Keys first: a difference of values among hundreds would be unreadable.
    expect(
      walked.map(([key]) => key),
      at,
    ).toEqual(pairs.map(([key]) => key));
    for (let i = 0; i < pairs.length; i++) if (walked[i]![1] !== pairs[i]![1]) expect(walked[i], at).toEqual(pairs[i]);
  }

  private lookAtAll(): void {
    for (const region of ['a', 'b', 'max']) {
      for (const at of ['live', 'root', 'fork'] as const) {
        for (const what of ['size', 'iterate'] as const)
          this.look({ do: 'look', at, region, what, key: '', range: {} });
        for (const key of this.of(this.live, region).keys())
          this.look({ do: 'look', at, region, what: 'get', key, range: {} });
      }
    }
  }
}
