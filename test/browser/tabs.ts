// What the tests of several tabs share: tabs with one store open, and the judgement that all have the same.
import { expect } from 'vitest';
import { readFiles } from '../format/reader';
import type { Tab } from './engines';
import type { VenuePage } from './pages/venue';
import { eventually, pageIn, type Stage, venueOf } from './stage';

/** For how long tabs write: 8 s by default, a minute for the documents. */
export const writingMs = Number(process.env.TIDEMARK_TABS_MS ?? 8000);

/** So many tabs, all with the store open. */
export async function open(stage: Stage, store: string, count: number, options: object = {}) {
  const tabs: Tab[] = [];
  for (let n = 0; n < count; n++) {
    const tab = await stage.browser.newTab(venueOf(stage));
    await pageIn<VenuePage>(tab).open({ store, ...options });
    tabs.push(tab);
  }
  return { tabs, pages: tabs.map((tab) => pageIn<VenuePage>(tab)) };
}

export type Pages = ReturnType<typeof pageIn<VenuePage>>[];

/** All tabs have the same in a region, and it is what the outside reader finds: of each key the write with the latest stamp. */
export async function expectEqual(pages: Pages, store: string, region: string): Promise<Record<string, unknown>> {
  for (const page of pages) await page.flush();
  const [first, ...others] = pages;
  const files = async () => {
    const files = Object.entries(await first!.dump(store));
    return readFiles(new Map(files.map(([name, text]) => [name, new TextEncoder().encode(text)])));
  };
  const { problems, regions } = await files();
  expect(problems).toEqual([]);
  const stored = Object.fromEntries(regions.get(region) ?? []);
  for (const page of [first!, ...others]) await eventually(() => page.all(region), stored);
  return stored;
}

export const closeAll = async (tabs: Tab[]) => {
  for (const tab of tabs) await tab.close();
};
