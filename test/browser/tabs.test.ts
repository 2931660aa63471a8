// Many tabs on one venue: everybody writes, nobody is in charge, and in the end all are equal, and equal to what somebody
// reads from the database who knows nothing of the library.
import { describe, expect, it } from 'vitest';
import type { Tab } from './engines';
import { blankOf, eventually, go, inEach, moved, passed, venueOf } from './stage';
import { tries } from './table';
import { closeAll, expectEqual, open, type Pages, writingMs } from './tabs';

describe('tabs on one venue', () => {
  inEach('tabs', (stage) => {
    it.each([2, 8])('%d of them write the same keys and end equal', async (count) => {
      const store = `writing-${count}`;
      const { tabs, pages } = await open(stage, store, count);
      for (const [n, page] of pages.entries()) await page.startWriting(n + 1, 50);
      await passed(writingMs);
      for (const page of pages) await page.stopWriting();
      const shared = await expectEqual(pages, store, 'shared');
      const writers = new Set(Object.values(shared).map((value) => (value as { seed: number }).seed));
      expect(writers.size).toBeGreaterThan(1); // or there was nothing to be joined
      await closeAll(tabs);
    });

    it('one hears of what the other has flushed', async () => {
      const { tabs, pages } = await open(stage, 'latency', 2);
      const [one, other] = pages as [Pages[0], Pages[0]];
      const times: Record<string, [number, number]> = {};
      for (let n = 0; n < 30; n++) times[`note ${n}`] = await one.setAndFlush(`note ${n}`);
      await eventually(async () => Object.keys(await other.heard()).length, 30);
      const heard = await other.heard();
      const median = (of: (key: string) => number) => {
        const sorted = Object.keys(times)
          .map(of)
          .sort((a, b) => a - b);
        return sorted[15]!.toFixed(1);
      };
      const [all, late] = [
        median((key) => heard[key]! - times[key]![0]),
        median((key) => heard[key]! - times[key]![1]),
      ];
      console.log(
        `${stage.engine.name}: another tab hears ${all} ms after flush() was called, ${late} ms after it was done`,
      );
      await closeAll(tabs);
    });

    it('checkpoints by two at once lose nothing', async () => {
      const { tabs, pages } = await open(stage, 'checkpoints', 2);
      const [one, other] = pages as [Pages[0], Pages[0]];
      const rounds = 15;
      await one.startCheckpoints(1, rounds);
      await other.startCheckpoints(2, rounds);
      await one.checkpointsMade();
      await other.checkpointsMade();
      const kept = await expectEqual(pages, 'checkpoints', 'notes');
      expect(Object.keys(kept)).toHaveLength(2 * rounds);
      await closeAll(tabs);
    });

    it('one that comes back from the back/forward cache is as it was, and has what was written meanwhile', async () => {
      const { tabs, pages } = await open(stage, 'cached', 2);
      const [tab, other] = tabs as [Tab, Tab];
      const [page, writer] = pages as [Pages[0], Pages[0]];
      for (let round = 1; round <= tries; round++) {
        await tab.show();
        await page.set(`before ${round}`, 'left');
        await go(stage, tab, blankOf(stage));
        await other.show();
        for (let n = 1; n <= 20; n++) await writer.setAndFlush(`meanwhile ${round} ${n}`);
        await tab.show();
        await moved(stage, venueOf(stage), () => tab.evaluate('void setTimeout(() => history.back())'));
        const [navigation, reasons] = ['performance.getEntriesByType("navigation")[0]', 'notRestoredReasons'];
        if (stage.engine.name === 'chromium')
          expect(await tab.evaluate(`${navigation}.${reasons}?.toJSON() ?? null`)).toBeNull();
        expect(await page.isOpen()).toBe(true); // the very page: one that is loaded again has nothing open
        await eventually(async () => Object.keys(await page.all('notes')).length, 21 * round);
      }
      await page.set('after', 'back');
      const kept = await expectEqual(pages, 'cached', 'notes');
      expect(Object.keys(kept)).toHaveLength(21 * tries + 1);
      await closeAll(tabs);
    });

    if (stage.engine.name === 'chromium')
      it('one that is frozen while it reads what it has missed is in nobody’s way', async () => {
        const { tabs, pages } = await open(stage, 'frozen-reading', 2);
        const [tab, other] = tabs as [Tab, Tab];
        const [page, writer] = pages as [Pages[0], Pages[0]];
        const turn = (state: string) => tab.send!('Page.setWebLifecycleState', { state });
        await other.show();
        await turn('frozen');
        for (let seed = 1; seed <= 100; seed++) {
          await writer.type({ seed, size: 30_000 });
          await writer.flush();
        }
        await page.dwellOnReading(100);
        for (let n = 0; n < 5; n++) {
          await turn('active');
          await passed(20 * n);
          await turn('frozen');
          await writer.setAndFlush(`after ${n}`);
        }
        await turn('active');
        await tab.show();
        await eventually(
          () => page.count({ seed: 100, size: 30_000 }),
          await writer.count({ seed: 100, size: 30_000 }),
        );
        await expectEqual(pages, 'frozen-reading', 'notes');
        await closeAll(tabs);
      });

    if (stage.engine.name === 'chromium')
      it('one that was frozen with something unsaved harms nobody, and catches up', async () => {
        const { tabs, pages } = await open(stage, 'frozen', 2, { sweepMs: 2 ** 30 });
        const [tab, other] = tabs as [Tab, Tab];
        const [page, writer] = pages as [Pages[0], Pages[0]];
        await tab.show();
        await page.set('both', 'by the frozen one, earlier');
        await page.set('unsaved', 'when it was frozen');
        await other.show();
        await tab.send!('Page.setWebLifecycleState', { state: 'frozen' });
        await writer.set('both', 'by the other one, later');
        for (let n = 0; n < 20; n++) await writer.setAndFlush(`meanwhile ${n}`);
        await tab.send!('Page.setWebLifecycleState', { state: 'active' });
        await tab.show();
        await eventually(async () => Object.keys(await page.all('notes')).length, 22);
        const kept = await expectEqual(pages, 'frozen', 'notes');
        expect(kept).toMatchObject({ both: 'by the other one, later', unsaved: 'when it was frozen' });
        await closeAll(tabs);
      });
  });
});
