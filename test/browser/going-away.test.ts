// The promise of a page: what was typed last is there when the user comes back, whichever way the page went. Each try is on a
// new store; every other one types while sweeps run, every other pair is on a page that no back/forward cache keeps.
import { afterAll, describe, expect, it } from 'vitest';
import type { Tab } from './engines';
import type { Typing } from './pages/typed';
import type { VenuePage } from './pages/venue';
import { blankOf, go, inEach, moved, pageIn, type Stage, venueOf } from './stage';
import { printTable, tries } from './table';

const sizes = [1_000, 100_000, 500_000];
const sweepMsNever = 2 ** 30;

const ways = ['to another origin', 'by closing its tab', 'by reloading', 'back, and forth again'] as const;
type Way = (typeof ways)[number];
/** What the page does by itself. */
const inPage = {
  'to another origin': 'navigate',
  'by closing its tab': 'stay',
  'by reloading': 'reload',
  'back, and forth again': 'back',
} as const;

const rows: (string | number)[][] = [];
afterAll(() => printTable(['engine', 'the page goes', 'unsaved, KB', 'kept', 'events seen'], rows));

/** Types, and waits until the page that typed has gone. @returns a tab with the page and no store open */
async function leaveAndReturn(stage: Stage, way: Way, tab: Tab, type: () => Promise<unknown>): Promise<Tab> {
  if (way === 'by closing its tab') {
    await type();
    await tab.close();
  } else await moved(stage, way === 'by reloading' ? venueOf(stage) : blankOf(stage), type);
  if (way === 'by reloading') return tab;
  return way === 'to another origin' ? go(stage, tab, venueOf(stage)) : stage.browser.newTab(venueOf(stage));
}

/** Opens, types, leaves, comes back, looks. @returns what is missing, and the tab to go on with */
async function attempt(stage: Stage, way: Way, tab: Tab, { seed, size }: Typing, options: object) {
  const store = `${way}-${size}-${seed}-${JSON.stringify(options)}`;
  const missing: string[] = [];
  const check = async (page: ReturnType<typeof pageIn<VenuePage>>, where: string) => {
    const { typed, found } = await page.count({ seed, size });
    if (found < typed) missing.push(`try ${seed}, ${where}: ${found} of ${typed}, ${JSON.stringify(told())}`);
  };
  const told = () => stage.site.reports(store);

  if (way === 'back, and forth again') await go(stage, await go(stage, tab, blankOf(stage)), venueOf(stage));
  // Without a journal it is to be as hard as it can be: all of it unsaved, and nothing that goes on after the page.
  const hard = 'journalBytes' in options;
  const spree = !hard && seed % 2 === 0;
  const page = pageIn<VenuePage>(tab);
  await page.open({ store, ...options, ...(spree ? {} : { sweepMs: sweepMsNever }) }, hard || seed % 4 > 1);
  const type = () => page.typeAndLeave({ seed, size }, { way: inPage[way], url: blankOf(stage), spree });
  const there = await leaveAndReturn(stage, way, tab, type);
  const back = pageIn<VenuePage>(there);
  await back.open({ store, ...options });
  await check(back, 'come back');
  await back.close();
  if (way !== 'back, and forth again') return { tab: there, missing, told };

  // What came back was another tab; the first one goes forth, to the page as it was or as it is loaded again.
  await there.close();
  await moved(stage, venueOf(stage), () => tab.evaluate('void setTimeout(() => history.forward())'));
  if (!(await page.isOpen())) await page.open({ store, ...options });
  await check(page, 'forth');
  await page.flush();
  await page.close();
  return { tab, missing, told };
}

/** All tries of one way. @returns what was missing in any of them */
async function attempts(stage: Stage, way: Way, size: number, options: object = {}): Promise<string[]> {
  const missing: string[] = [];
  let lost = 0;
  let seen = 0;
  let tab = await stage.browser.newTab(venueOf(stage));
  for (let seed = 1; seed <= tries; seed++) {
    const result = await attempt(stage, way, tab, { seed, size }, options);
    tab = result.tab;
    missing.push(...result.missing);
    if (result.missing.length > 0) lost++;
    if (result.told().some(({ leaving }) => leaving)) seen++;
  }
  await tab.close();
  const name = `${way}${Object.entries(options).map(([option, value]) => `, ${option} ${value}`)}`;
  rows.push([stage.engine.name, name, size / 1000, `${tries - lost}/${tries}`, seen]);
  return missing;
}

describe('what was typed last is there', () => {
  inEach('going away', (stage) => {
    for (const way of ways)
      it.each(sizes)(`after the page went ${way}, with %d bytes unsaved`, async (size) => {
        const missing = await attempts(stage, way, size);
        // Firefox ends the process of a closed tab when it likes: 4 of 144 times, seen here, while 500 KB were being handed over.
        const mayMiss =
          stage.engine.name === 'firefox' && way === 'by closing its tab' && size === 500_000 ? tries / 4 : 0;
        expect(missing.slice(mayMiss)).toEqual([]);
      });

    // What IndexedDB keeps on its own, as the journal must not hide whether it does; and what is too much for a journal.
    if (stage.engine.name === 'chromium')
      for (const way of ['to another origin', 'by closing its tab'] as const)
        it.each([100_000, 1_000_000])(
          `after the page went ${way}, with %d bytes unsaved and no journal`,
          async (size) => {
            expect(await attempts(stage, way, size, { journalBytes: 0 })).toEqual([]);
          },
        );
  });
});
