// Whether the tests of going away would notice: a page without what was measured loses some of what was typed.
import { afterAll, describe, expect, it } from 'vitest';
import type { Tab } from './engines';
import type { ControlPage } from './pages/control';
import type { Way } from './pages/typed';
import { blankOf, go, inEach, moved, pageIn, type Stage } from './stage';
import { printTable, tries } from './table';

const rows: (string | number)[][] = [];
afterAll(() => printTable(['engine', 'the control goes', 'unsaved, KB', 'kept'], rows));

/** Types and leaves so many times. @returns how often something was missing afterwards */
async function lost(stage: Stage, way: Way | 'close', size: number): Promise<number> {
  const { browser, site } = stage;
  const page = `${site.origin}/control`;
  let losses = 0;
  let tab: Tab = await browser.newTab(page);
  for (let seed = 1; seed <= tries; seed++) {
    const name = `${way}-${size}-${seed}`;
    const control = pageIn<ControlPage>(tab);
    await control.open(name);
    const leave = () => control.typeAndLeave({ seed, size }, way === 'close' ? 'stay' : way, blankOf(stage));
    if (way === 'close') {
      await leave();
      await tab.close();
      tab = await browser.newTab(page);
    } else {
      await moved(stage, blankOf(stage), leave);
      await go(stage, tab, page);
    }
    const { typed, found } = await pageIn<ControlPage>(tab).count(name, { seed, size });
    if (found < typed) losses++;
  }
  await tab.close();
  rows.push([stage.engine.name, way, size / 1000, `${tries - losses}/${tries}`]);
  return losses;
}

describe('a page without the journal and the small records loses what was typed', () => {
  inEach('control', (stage) => {
    if (stage.engine.name === 'webkit')
      it('always, when it is left for another one', async () => {
        expect(await lost(stage, 'navigate', 1000)).toBe(tries);
      });
    if (stage.engine.name === 'firefox')
      it('sometimes, when its tab is closed', async () => {
        expect(await lost(stage, 'close', 500_000)).toBeGreaterThan(0);
      });
    if (stage.engine.name === 'chromium')
      it('sometimes, when it is left for another one with 100 KB or more', async () => {
        expect((await lost(stage, 'navigate', 100_000)) + (await lost(stage, 'navigate', 500_000))).toBeGreaterThan(0);
      });
  });
});
