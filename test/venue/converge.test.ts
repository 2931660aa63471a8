// Writers of one store come to show the same, whatever each does, whenever it hears of the others, and whoever is killed in between.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MemoryStore, memoryStore } from '../../backends/memory';
import type { Join, Region, RegionOptions } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { gate, type Opened, openIn, settle } from './helpers';

const sum = (a: Record<string, number>, b: Record<string, number>) => {
  const joined = { ...a };
  for (const [who, n] of Object.entries(b)) joined[who] = Math.max(n, joined[who] ?? 0);
  return Object.fromEntries(Object.entries(joined).sort());
};

describe('writers of one store converge, whatever they do and whenever they hear of it', () => {
  type Step =
    | { at: number; do: 'set' | 'fork'; key: string; value: number }
    | { at: number; do: 'delete'; key: string }
    | { at: number; do: 'flush' | 'deaf' | 'hear' | 'checkpoint' | 'reopen' | 'kill' | 'hold' | 'release' | 'look' }
    | { at: number; do: 'wait'; ms: number };
  const at = fc.nat(2);
  const key = fc.constantFrom('x', 'y', 'z');
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        at,
        do: fc.constantFrom('set' as const, 'set' as const, 'fork' as const),
        key,
        value: fc.nat(9),
      }),
    },
    { weight: 2, arbitrary: fc.record({ at, do: fc.constant('delete' as const), key }) },
    {
      weight: 6,
      arbitrary: fc.record({
        at,
        do: fc.constantFrom(
          'flush' as const,
          'flush' as const,
          'deaf' as const,
          'hear' as const,
          'checkpoint' as const,
          'reopen' as const,
          'kill' as const,
          'hold' as const,
          'release' as const,
          'look' as const,
          'look' as const,
        ),
      }),
    },
    { weight: 1, arbitrary: fc.record({ at, do: fc.constant('wait' as const), ms: fc.constantFrom(1, 50) }) },
  );
  const joins: [string, RegionOptions<never>, (n: number) => unknown][] = [
    ['lww', {}, (n) => n],
    ['max', { join: 'max' }, (n) => n],
    ['min', { join: 'min' }, (n) => ({ n })],
    ['union', { join: 'union' }, (n) => [n]],
    ['a function', { join: sum as unknown as Join<never> }, (n) => ({ [`who${n % 3}`]: n })],
  ];

  class Writers {
    private readonly clock = new SimClock();
    private readonly store: MemoryStore = memoryStore();
    private readonly opened: Opened[] = [];
    private readonly gates = new Map<object, () => void>();
    private readonly waiting: Promise<unknown>[] = [];

    constructor(
      private readonly options: RegionOptions<never>,
      private readonly valueFor: (n: number) => unknown,
    ) {}

    private region({ venue }: Opened): Region<unknown> {
      return venue.region<unknown>('r', this.options as unknown as RegionOptions<unknown>);
    }

    private async open(at: number): Promise<void> {
      this.opened[at] = await openIn({ clock: this.clock, store: this.store });
      this.region(this.opened[at]);
    }

    /** The root of one that has heard of everything is what an opening would find now. */
    private async look({ venue, backend }: Opened): Promise<void> {
      if (backend.unheard) return;
      const fresh = await openIn({ clock: this.clock, store: this.store });
      const found = Object.fromEntries(this.region(fresh));
      expect(Object.fromEntries(venue.root.region('r'))).toEqual(found);
      for (const key of ['x', 'y', 'z']) expect(venue.root.region('r').get(key)).toEqual(found[key]);
      fresh.kill();
    }

    /** Its appends wait: what comes from others meets what is on its way. */
    private hold({ backend }: Opened): void {
      if (backend.instead.append) return;
      const { opened, open } = gate();
      this.gates.set(backend, open);
      backend.instead.append = async (pass) => {
        await opened;
        return pass();
      };
    }

    private release({ backend }: Opened): void {
      this.gates.get(backend)?.();
      backend.instead = {};
    }

    private hear({ backend }: Opened): void {
      const missed = backend.unheard ?? [];
      backend.unheard = undefined;
      // Out of order, as catching up in the background may be.
      for (const commit of missed.reverse()) backend.hear(commit);
    }

    private async step(step: Step): Promise<void> {
      const opened = this.opened[step.at]!;
      const { venue, backend } = opened;
      if (step.do === 'set') this.region(opened).set(step.key, this.valueFor(step.value));
      else if (step.do === 'delete') this.region(opened).delete(step.key);
      else if (step.do === 'fork') {
        const fork = venue.fork();
        fork.region('r').set(step.key, this.valueFor(step.value));
        fork.sync();
      } else if (step.do === 'flush') this.waiting.push(venue.flush().catch(() => {}));
      else if (step.do === 'look') await this.look(opened);
      else if (step.do === 'hold') this.hold(opened);
      else if (step.do === 'release') this.release(opened);
      else if (step.do === 'deaf') backend.unheard ??= [];
      else if (step.do === 'hear') this.hear(opened);
      else if (step.do === 'checkpoint') this.waiting.push(venue.checkpoint().catch(() => {}));
      else if (step.do === 'wait') await this.clock.advance(step.ms);
      else {
        if (step.do === 'kill') opened.kill();
        else {
          this.release(opened);
          await this.clock.runUntil(venue.close());
        }
        await this.open(step.at);
      }
      await settle(2);
    }

    async run(steps: readonly Step[]): Promise<void> {
      for (const at of [0, 1, 2]) await this.open(at);
      for (const step of steps) await this.step(step);
      for (const opened of this.opened) this.release(opened);
      for (const opened of this.opened) this.hear(opened);
      for (let round = 0; round < 2; round++) {
        for (const { venue } of this.opened) await venue.flush();
        await settle(2);
      }
      const shown = Object.fromEntries(this.region(this.opened[0]!));
      const all = this.opened.flatMap((opened) => [this.region(opened), opened.venue.root.region('r')]);
      for (const region of all) expect(Object.fromEntries(region)).toEqual(shown);
      // Whoever opens the store now sees the same: from commits alone, and from a checkpoint.
      for (let round = 0; round < 3; round++) {
        const { venue } = await openIn({ clock: this.clock, store: this.store });
        const region = venue.region<unknown>('r', this.options as unknown as RegionOptions<unknown>);
        expect(Object.fromEntries(region)).toEqual(shown);
        expect(region.size).toBe(Object.keys(shown).length);
        expect(venue.health().recovery).toMatchObject({ damage: [], holes: [] });
        await venue.checkpoint();
        await venue.close();
      }
    }
  }

  it.each(joins)('%s', async (_, options, valueFor) => {
    const program = fc.array(step, { maxLength: 40, size: 'max' });
    await fc.assert(
      fc.asyncProperty(program, (steps) => new Writers(options, valueFor).run(steps)),
      { numRuns: Number(process.env.RUNS ?? 20), seed: Number(process.env.SEED ?? 3), timeout: 20_000 },
    );
  });
});
