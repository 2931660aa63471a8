// What a browser can do to a database, done to it in real engines: nothing is lost that can be kept, and what is lost is told.
import { describe, expect, it } from 'vitest';
import type { Tab } from './engines';
import type { VenuePage } from './pages/venue';
import { eventually, go, inEach, pageIn, type Stage, venueOf } from './stage';

const typed = (seed: number, size = 20_000) => ({ seed, size });

async function openPage({ browser }: Stage, url: string) {
  const tab = await browser.newTab(url);
  return { tab, page: pageIn<VenuePage>(tab) };
}

/** In a tab of its own, as the next visit would find it. */
async function expectFound(stage: Stage, store: string, seeds: number[], size?: number): Promise<void> {
  const { tab, page } = await openPage(stage, venueOf(stage));
  await page.open({ store });
  for (const seed of seeds) {
    const { typed: wanted, found } = await page.count(typed(seed, size));
    expect(`${found} of ${wanted}`).toBe(`${wanted} of ${wanted}`);
  }
  await page.close();
  await tab.close();
}

describe('a database in trouble', () => {
  inEach('faults', (stage) => {
    const { engine } = stage;
    let tab: Tab;
    /** A page of its own for each test. */
    const fresh = async () => {
      const opened = await openPage(stage, venueOf(stage));
      tab = opened.tab;
      return opened.page;
    };

    it('whose connection is closed under it: opened again, and what was being written is written', async () => {
      const page = await fresh();
      await page.open({ store: 'cut', openMs: 5000 });
      for (const seed of [1, 2, 3]) {
        await page.type(typed(seed));
        await page.cutConnections();
        await page.flush();
      }
      expect(await page.health()).toMatchObject({ status: 'ok', unsaved: { entries: 0 } });
      await expectFound(stage, 'cut', [1, 2, 3]);
      await tab.close();
    });

    it('that hangs when it is opened: asked again after a time-out', async () => {
      const page = await fresh();
      await page.hang(1);
      expect(await page.open({ store: 'hanging', openMs: 500 })).toMatchObject({ status: 'ok' });
      await page.type(typed(1));
      await page.hang(1);
      await page.cutConnections();
      await page.flush();
      await expectFound(stage, 'hanging', [1]);
      await tab.close();
    });

    it('that never opens: refused with a code, or a venue in memory that says so', async () => {
      const page = await fresh();
      await page.hang(1000);
      await expect(page.open({ store: 'never', openMs: 200 })).rejects.toThrow(/cannot be opened.*200 ms/s);
      const { status, reasons } = await page.open({ store: 'never', openMs: 200, fallback: 'memory' });
      expect(status).toBe('degraded');
      expect(reasons.join()).toMatch(/memory.*cannot be opened/);
      await page.type(typed(1));
      await page.flush();
      await tab.close();
    });

    it('that somebody deletes while another keeps it open: refused in time, and opened as soon as it can be', async () => {
      const page = await fresh();
      await page.open({ store: 'blocked' });
      await page.close();
      const { tab: otherTab, page: other } = await openPage(stage, venueOf(stage));
      await other.holdAndDelete('blocked');
      await expect(page.open({ store: 'blocked', openMs: 300 })).rejects.toThrow(/cannot be opened/);
      await other.letGo();
      await page.open({ store: 'blocked', openMs: 5000 });
      await page.type(typed(1));
      await page.flush();
      await expectFound(stage, 'blocked', [1]);
      await otherTab.close();
      await tab.close();
    });

    it('that is deleted under it: made again, with all that was in it, and told', async () => {
      const page = await fresh();
      await page.open({ store: 'deleted' });
      await page.type(typed(1));
      await page.flush();
      const { tab: otherTab, page: other } = await openPage(stage, venueOf(stage));
      await other.deleteDatabase('deleted');
      await page.type(typed(2));
      await page.flush();
      await eventually(() => page.events(), ['evicted']);
      await expectFound(stage, 'deleted', [1, 2]);
      await otherTab.close();
      await tab.close();
    });

    it('that has vanished since the last visit: told, not an innocent empty state', async () => {
      const page = await fresh();
      await page.open({ store: 'evicted' });
      await page.type(typed(1));
      await page.flush();
      await page.close();
      await page.deleteDatabase('evicted');
      expect(await page.open({ store: 'evicted' })).toMatchObject({ status: 'degraded', recovery: { evicted: true } });
      await eventually(() => page.events(), ['evicted']);
      await tab.close();
    });

    it('that has gone back to an older state since the last visit: told', async () => {
      const page = await fresh();
      await page.open({ store: 'older' });
      await page.type(typed(1));
      await page.flush();
      await page.remember('older');
      await page.type(typed(2));
      await page.flush();
      await page.close();
      await page.bringBack('older');
      const { recovery, status } = await page.open({ store: 'older' });
      expect({ status, recovery }).toMatchObject({
        status: 'degraded',
        recovery: { evicted: false, rolledBack: true },
      });
      await eventually(() => page.events(), ['rolledBack']);
      await expectFound(stage, 'older', [1]);
      await tab.close();
    });

    it('with records that were corrupted: they are reported and quarantined, and the rest is there', async () => {
      const page = await fresh();
      await page.open({ store: 'corrupted', sweepMs: 2 ** 30 });
      for (const seed of [1, 2, 3, 4, 5]) {
        await page.type(typed(seed, 500));
        await page.flush();
      }
      await page.close();
      await page.corrupt('corrupted');
      const { status, recovery } = await page.open({ store: 'corrupted' });
      expect(status).toBe('degraded');
      expect(recovery.damage.length).toBeGreaterThan(0);
      expect(await page.quarantined('corrupted')).toBeGreaterThan(0);
      const found = await Promise.all([1, 2, 3, 4, 5].map(async (seed) => (await page.count(typed(seed, 500))).found));
      expect(found).toEqual([1, 0, 1, 0, 1]);
      await page.type(typed(6));
      await page.flush();
      await page.close();
      await expectFound(stage, 'corrupted', [6]);
      await tab.close();
    });

    if (engine.name === 'chromium')
      it('that the browser clears while it is open: made again, with all that was in it, and told', async () => {
        const page = await fresh();
        await page.open({ store: 'cleared' });
        await page.type(typed(1));
        await page.flush();
        await tab.send!('Storage.clearDataForOrigin', { origin: stage.site.origin, storageTypes: 'indexeddb' });
        await page.type(typed(2));
        await page.flush();
        await eventually(() => page.events(), ['evicted']);
        await expectFound(stage, 'cleared', [1, 2]);
        await tab.close();
      });

    if (engine.name === 'chromium')
      it('that is over its quota: nothing is lost, health says so, and writing goes on when there is room', async () => {
        // An origin of its own: Chromium remembers for a while how much room there was.
        const origin = stage.site.other;
        const { tab, page } = await openPage(stage, 'about:blank');
        const quotaSize = 2_000_000;
        await tab.send!('Storage.overrideQuotaForOrigin', { origin, quotaSize });
        await go(stage, tab, `${origin}/venue`);
        await page.open({ store: 'quota' });
        await page.type(typed(1));
        await page.flush();
        await page.type(typed(2, 3_000_000));
        await eventually(async () => (await page.health()).status, 'failing');
        const { reasons, unsaved, usage } = await page.health();
        expect(reasons.join()).toMatch(/Quota/);
        expect(unsaved.entries).toBeGreaterThan(0);
        expect(usage?.quota).toBeGreaterThan(0); // Chromium says 10 GiB more than is in use, whatever the quota is
        await tab.send!('Storage.overrideQuotaForOrigin', { origin });
        await eventually(async () => (await page.health()).status, 'ok');
        await page.flush();
        await page.close();
        await page.open({ store: 'quota' });
        for (const all of [typed(1), typed(2, 3_000_000)]) {
          const { typed: wanted, found } = await page.count(all);
          expect(found).toBe(wanted);
        }
        await tab.close();
      });
  });
});
