// Where a venue can live in a browser beside an ordinary page: under a strict policy, in workers of each kind, and where there
// is no storage at all.
import { describe, expect, it } from 'vitest';
import type { VenuePage } from './pages/venue';
import { eventually, inEach, pageIn, venueOf } from './stage';

const typed = { seed: 7, size: 30_000 };

describe('a venue lives', () => {
  inEach('places', (stage) => {
    it('on a page that may run its own scripts and nothing else', async () => {
      const tab = await stage.browser.newTab(`${stage.site.origin}/strict/venue`);
      const page = pageIn<VenuePage>(tab);
      expect(await page.canEval()).toBe(false);
      await page.open({ store: 'strict' });
      await page.type(typed);
      await page.flush();
      await page.close();
      await page.open({ store: 'strict' });
      const { typed: wanted, found } = await page.count(typed);
      expect(found).toBe(wanted);
      expect(await page.health()).toMatchObject({ status: 'ok', journal: { available: true } });
      await tab.close();
    });

    it('in a dedicated, a shared and a service worker, without a journal, and beside a page', async () => {
      const tab = await stage.browser.newTab(venueOf(stage));
      const page = pageIn<VenuePage>(tab);
      const kinds = await page.workers();
      // WebKitGTK's automated sessions have no service workers.
      expect(kinds).toEqual(expect.arrayContaining(['Worker', 'SharedWorker']));
      if (stage.engine.name !== 'webkit') expect(kinds).toContain('ServiceWorker');
      for (const kind of kinds) {
        await page.open({ store: kind });
        const outcome = await page.inWorker(kind, { store: kind, typed });
        expect(outcome).toEqual({ status: 'ok', journal: false, durable: true });
        await page.flush();
        await page.close();
        await page.open({ store: kind });
        const { typed: wanted, found } = await page.count(typed);
        expect(`${kind}: ${found}`).toBe(`${kind}: ${wanted}`);
        await page.close();
      }
      await tab.close();
    });

    it('nowhere where storage is refused: an error with a code, or a venue in memory that says so', async () => {
      const tab = await stage.browser.newTab(`${stage.site.origin}/sandbox/venue`);
      const page = pageIn<VenuePage>(tab);
      await expect(page.open({ store: 'refused' })).rejects.toThrow(/IndexedDB database 'refused' cannot be opened/);
      const { status, reasons } = await page.open({ store: 'refused', fallback: 'memory' });
      expect(status).toBe('degraded');
      expect(reasons.join()).toMatch(/in memory, nothing is kept/);
      await page.type(typed);
      await page.flush();
      expect((await page.count(typed)).found).toBe((await page.count(typed)).typed);
      await tab.close();
    });

    it('for as long as a tab has it open, if it is a temporary one', async () => {
      const temporary = async (page: { databases(): Promise<string[]> }) =>
        (await page.databases()).filter((name) => name.includes('temp'));
      const tab = await stage.browser.newTab(venueOf(stage));
      const page = pageIn<VenuePage>(tab);
      await page.open({ store: 'temp' });
      await page.type(typed);
      await page.flush();
      const [left] = await temporary(page);
      await tab.close();
      const later = await stage.browser.newTab(venueOf(stage));
      const next = pageIn<VenuePage>(later);
      await next.open({ store: 'temp' });
      expect((await next.count(typed)).found).toBe(0);
      await eventually(async () => (await temporary(next)).includes(left!), false);
      await next.close();
      await eventually(() => temporary(next), []);
      await later.close();
    });

    it('with what the browser says of usage, quota and persistence', async () => {
      const tab = await stage.browser.newTab(venueOf(stage));
      const page = pageIn<VenuePage>(tab);
      await page.open({ store: 'usage' });
      await page.type(typed);
      await page.flush();
      const usage = await page.usage();
      expect(usage.bytes).toBeGreaterThan(typed.size);
      // WebKitGTK tells nothing of either.
      if (stage.engine.name !== 'webkit') expect(usage.quota).toBeGreaterThan(usage.bytes);
      const persisted = await page.persist();
      expect((await page.usage()).persisted ?? false).toBe(persisted);
      if (stage.engine.name === 'firefox') expect(persisted).toBe(true); // its user is set to say yes
      await tab.close();
    });
  });
});
