// What a page was told to be durable survives the death of its renderer and of the whole browser; what it was not told is
// counted. The browser is killed again and again on one profile, and what was once durable is looked for to the end.
import { afterAll, describe, expect, inject, it } from 'vitest';
import { mortalEnginesOf, type Tab } from './engines';
import { notesOf, type Typing } from './pages/typed';
import type { VenuePage } from './pages/venue';
import { inEach, pageIn, passed, type Stage, venueOf } from './stage';
import { printTable, tries } from './table';

const sizes = [1_000, 100_000, 500_000];
/** From hidden to the kill: by then it is durable, or not. */
const delaysMs = [0, 30, 100, 300, 1000, 2000];
const delayOf = (seed: number) => delaysMs[seed % delaysMs.length]!;

const rows: (string | number)[][] = [];
afterAll(() =>
  printTable(
    ['engine', 'what is killed', 'unsaved, KB', 'flushed kept', 'told durable kept', 'of the rest kept'],
    rows,
  ),
);

interface Life {
  readonly store: string;
  readonly flushed: Typing;
  /** Typed after the flush, just before the page was hidden. */
  readonly last: Typing;
}

const lifeOf = (way: string, seed: number, size: number): Life => ({
  store: `${way}-${size}-${seed}`,
  flushed: { seed, size: 5_000 },
  last: { seed: seed + 1000, size },
});

/** Lives up to the moment in which the page is hidden. @returns what kills its renderer, if that is wanted */
async function live(tab: Tab, { store, flushed, last }: Life, mortal: boolean): Promise<() => Promise<void>> {
  const page = pageIn<VenuePage>(tab);
  await page.open({ store, sweepMs: 2 ** 30 });
  const kill = mortal ? await tab.crasher() : async () => {};
  await page.type(flushed);
  await page.flush();
  await page.type(last);
  await tab.hide();
  return kill;
}

/** Adds up what became of the lives of one size. */
class Tally {
  readonly missing: string[] = [];
  private told = 0;
  private kept = 0;
  private lives = 0;

  /** Looks for one life in a tab where no store is open. */
  async look({ site }: Stage, tab: Tab, { store, flushed, last }: Life): Promise<void> {
    const page = pageIn<VenuePage>(tab);
    const { recovery } = await page.open({ store });
    const all = notesOf(flushed).length + notesOf(last).length;
    const told = site.reports(store).some(({ durable }) => durable === all);
    const [first, rest] = [await page.count(flushed), await page.count(last)];
    const why = JSON.stringify({ told: site.reports(store), recovery });
    if (first.found < first.typed) this.missing.push(`${store}: ${first.found} of ${first.typed} flushed, ${why}`);
    if (told && rest.found < rest.typed) this.missing.push(`${store}: ${rest.found} of ${rest.typed} told, ${why}`);
    this.lives++;
    if (told) this.told++;
    else if (rest.found === rest.typed) this.kept++;
    await page.close();
  }

  row(): (string | number)[] {
    const { lives, told, kept, missing } = this;
    const lost = (what: string) => missing.filter((line) => line.includes(what)).length;
    return [`${lives - lost('flushed')}/${lives}`, `${told - lost(' told, ')}/${told}`, `${kept}/${lives - told}`];
  }
}

describe('what was told to be durable is there', () => {
  const engines = mortalEnginesOf(inject('engines'));

  inEach(
    'kills',
    (stage) => {
      it.each(sizes)('after its renderer was killed, with %d bytes unsaved when it was hidden', async (size) => {
        const tally = new Tally();
        for (let seed = 1; seed <= tries; seed++) {
          const life = lifeOf('renderer', seed, size);
          const kill = await live(await stage.browser.newTab(venueOf(stage)), life, true);
          await passed(delayOf(seed));
          await kill();
          const tab = await stage.browser.newTab(venueOf(stage));
          await tally.look(stage, tab, life);
          await tab.close();
        }
        rows.push([stage.engine.name, 'the renderer', size / 1000, ...tally.row()]);
        expect(tally.missing).toEqual([]);
      });

      it('after the browser was killed, with one page of each size, and after every kill that follows', async () => {
        const { browser } = stage;
        const tallies = new Map(sizes.map((size) => [size, new Tally()]));
        const again = new Tally();
        const lives: Life[] = [];
        for (let seed = 1; seed <= tries; seed++) {
          const now = sizes.map((size) => lifeOf('browser', seed, size));
          for (const life of now) await live(await browser.newTab(venueOf(stage)), life, false);
          await passed(delayOf(seed));
          await browser.kill();
          await browser.start();
          const tab = await browser.newTab(venueOf(stage));
          for (const [at, life] of now.entries()) await tallies.get(sizes[at]!)!.look(stage, tab, life);
          lives.push(...now);
          await tab.close();
        }
        const tab = await browser.newTab(venueOf(stage));
        for (const life of lives) await again.look(stage, tab, life);
        for (const [size, tally] of tallies) rows.push([stage.engine.name, 'the browser', size / 1000, ...tally.row()]);
        expect([...tallies.values()].flatMap(({ missing }) => missing)).toEqual([]);
        expect(again.missing).toEqual([]);
      });
    },
    engines,
  );
});
