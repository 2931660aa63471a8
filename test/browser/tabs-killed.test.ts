// A tab that dies while it writes, beside others on the same venue.
import { expect, inject, it } from 'vitest';
import { mortalEnginesOf } from './engines';
import { inEach, passed } from './stage';
import { expectEqual, open, writingMs } from './tabs';

inEach(
  'tabs that die',
  (stage) => {
    it('one whose renderer is killed while it writes harms nobody', async () => {
      const { tabs, pages } = await open(stage, 'killed', 3);
      const kill = await tabs[0]!.crasher();
      for (const [n, page] of pages.entries()) await page.startWriting(n + 1, 50);
      await pages[0]!.setAndFlush('flushed before');
      await passed(writingMs / 4);
      await kill();
      await passed(writingMs / 4);
      const living = pages.slice(1);
      for (const page of living) await page.stopWriting();
      await expectEqual(living, 'killed', 'shared');
      expect(await expectEqual(living, 'killed', 'notes')).toHaveProperty('flushed before');
    });
  },
  mortalEnginesOf(inject('engines')),
);
