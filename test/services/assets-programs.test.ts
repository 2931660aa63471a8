// Random programs of several tabs with assets on one store, for days of virtual time: deaf, frozen, held up and killed; and that no asset is ever without
// its bytes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settle } from '../venue/helpers';
import { newOrigin } from '../venue/pages';
import { hashOf, textBytes } from './assets-bytes';
import { found, hold, hourMs, open } from './assets-world';

describe('whatever tabs do at once, for days', () => {
  const texts = ['a', 'b', 'c'];
  type Step = { at: number; do: string; text: string; hours: number };

  /** What is known of one text: numbers in the order in which things began and ended. */
  class Known {
    readonly underWay: { readonly what: 'put' | 'delete'; readonly at: number }[] = [];
    /** When the last one that took effect for certain began, and when the last one that may have taken effect ended. */
    readonly sure = { put: -1, delete: -1 };
    private readonly ended = { put: -1, delete: -1 };

    end(which: (call: Known['underWay'][number]) => boolean, now: number): void {
      for (const call of this.underWay.filter(which)) {
        this.underWay.splice(this.underWay.indexOf(call), 1);
        this.ended[call.what] = now;
      }
    }
    /** Whether a put was held up for so long that it might have lost its bytes, and has not taken back its name yet, or never will: it was killed. */
    mayBeBare = false;
    until(what: 'put' | 'delete'): number {
      return this.underWay.some((call) => call.what === what) ? Number.POSITIVE_INFINITY : this.ended[what];
    }
  }

  async function run(steps: readonly Step[]): Promise<{ puts: number; collected: number }> {
    const origin = newOrigin();
    const counts = { puts: 0, collected: 0 };
    const begin = async () => {
      const page = await open(origin);
      page.tab.venue.on('checkpoint', ({ collected }) => {
        counts.collected += collected;
      });
      return { ...page, thaw: () => {}, holds: false };
    };
    const pages = [await begin(), await begin(), await begin()];
    const all = new Map(texts.map((text) => [text, new Known()]));
    let order = 0;
    for (const { at, do: what, text, hours } of steps) {
      const page = pages[at]!;
      const { tab, assets } = page;
      const known = all.get(text)!;
      const began = ++order;
      if (what === 'put' || what === 'delete') {
        const call = { what, at } as const;
        known.underWay.push(call);
        if (what === 'put' && page.holds) known.mayBeBare = true;
        const work =
          what === 'put'
            ? assets.put(textBytes(text), { at }).then(() => true)
            : assets.delete(hashOf(textBytes(text)));
        work.then(
          (was) => {
            if (was) known.sure[what] = Math.max(known.sure[what], began);
            if (what === 'put') {
              counts.puts++;
              known.mayBeBare = false;
            }
            known.end((one) => one === call, ++order);
          },
          (error) => {
            expect(error).toMatchObject({ code: 'conflict' });
            // What it had written it took back.
            known.end((one) => one === call, ++order);
            known.underWay.push({ what: 'delete', at: -1 });
            known.end((one) => one.at === -1, order);
          },
        );
      } else if (what === 'checkpoint') {
        tab.venue.region('r').set('n', began);
        tab.venue.checkpoint().catch(() => undefined);
      } else if (what === 'deaf') tab.hears = false;
      else if (what === 'hear') {
        tab.hears = true;
        tab.going.resume();
      } else if (what === 'leave') tab.going.leave();
      else if (what === 'hold') {
        page.thaw();
        Object.assign(page, { thaw: hold(tab), holds: true });
      } else if (what === 'thaw') page.thaw();
      else {
        tab.kill();
        order++;
        for (const one of all.values()) one.end((call) => call.at === at, order);
        pages[at] = await begin();
      }
      await settle(began % 3);
      await origin.clock.advance(1 + hours * hourMs);
      const bare = new Set(texts.filter((text) => all.get(text)!.mayBeBare).map((text) => hashOf(textBytes(text))));
      const there = await found(origin, (hash) => bare.has(hash));
      for (const [text, known] of all) {
        if (known.sure.put > known.until('delete')) expect(there.has(text), `${text} was put last`).toBe(true);
        if (known.sure.delete > known.until('put')) expect(there.has(text), `${text} was deleted last`).toBe(false);
      }
    }
    for (const { tab } of pages) tab.kill();
    return counts;
  }

  it('what was put last is there, what was deleted last is not, and no asset lacks its bytes', async () => {
    const step = fc.record({
      at: fc.nat(2),
      do: fc.constantFrom(
        ...Array(4).fill('put'),
        ...Array(4).fill('checkpoint'),
        'delete',
        'delete',
        'deaf',
        'hear',
        'leave',
        'hold',
        'hold',
        'thaw',
        'thaw',
        'kill',
      ),
      text: fc.constantFrom(...texts),
      hours: fc.constantFrom(0, 0, 0, 0, 13, 25),
    });
    const sum = { puts: 0, collected: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
        const { puts, collected } = await run(steps);
        sum.puts += puts;
        sum.collected += collected;
      }),
      { numRuns: Number(process.env.RUNS ?? 80), seed: Number(process.env.SEED ?? 7) },
    );
    // Had nothing been collected, nothing would have been shown.
    expect(sum.collected).toBeGreaterThan(10);
    expect(sum.puts).toBeGreaterThan(150);
  });
});
