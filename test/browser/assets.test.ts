// Assets in IndexedDB in real engines: from 1 KB to 20 MB, as bytes, streams and Blobs; after a reload, in another tab, and when a bit is flipped.
import { expect, it } from 'vitest';
import type { AssetsPage } from './pages/assets';
import { inEach, pageIn, type Stage } from './stage';

const kb = 1024;
const puts = [
  ['bytes', 1 * kb, 1],
  ['stream', 1024 * kb, 2],
  ['blob', 1024 * kb + 7, 3],
  ['bytes', 20 * 1024 * kb, 4],
] as const;

const open = async ({ browser, site }: Stage, store: string) => {
  const tab = await browser.newTab(`${site.origin}/assets`);
  const page = pageIn<AssetsPage>(tab);
  await page.open(store);
  return { tab, page };
};

/** Flips a bit of some part of a blob that is this large; from outside the library. */
const flipABit = (size: number) => `new Promise((resolve, reject) => {
  const opening = indexedDB.databases().then((all) => all.map(({ name }) => name));
  opening.then(async (names) => {
    for (const name of names) {
      const db = await new Promise((done, no) => Object.assign(indexedDB.open(name), { onsuccess: (e) => done(e.target.result), onerror: no }));
      if (!db.objectStoreNames.contains('blobs')) { db.close(); continue; }
      const tx = db.transaction('blobs', 'readwrite');
      let flipped = 0;
      tx.objectStore('blobs').openCursor().onsuccess = ({ target: { result: cursor } }) => {
        if (!cursor) return;
        if (!flipped && cursor.value.byteLength === ${size}) {
          new Uint8Array(cursor.value)[5] ^= 1;
          cursor.update(cursor.value);
          flipped++;
        }
        cursor.continue();
      };
      await new Promise((done) => { tx.oncomplete = done; });
      db.close();
      if (flipped) return resolve(flipped);
    }
    resolve(0);
  }).catch(reject);
})`;

inEach('assets in a page', (stage) => {
  it('are whole as they are put, in another tab, and after a reload', async () => {
    const { tab, page } = await open(stage, 'assets');
    const hashes: string[] = [];
    for (const [as, size, seed] of puts) {
      const asset = await page.put(as, size, seed);
      expect(asset).toMatchObject({ size, meta: { as } });
      hashes.push(asset.hash);
      expect(await page.same(asset.hash, size, seed)).toEqual([size, size]);
    }
    const other = await open(stage, 'assets');
    expect((await other.page.list()).map(({ hash }) => hash)).toEqual([...hashes].sort());
    for (const [i, [, size, seed]] of puts.entries())
      expect(await other.page.same(hashes[i]!, size, seed)).toEqual([size, size]);
    expect(await other.page.remove(hashes[1]!)).toBe(true);
    await other.tab.close();
    await tab.close();

    const next = await open(stage, 'assets');
    expect((await next.page.list()).map(({ hash }) => hash)).toEqual(hashes.filter((_, i) => i !== 1).sort());
    expect(await next.page.verify()).toEqual(['ok', 'ok', 'ok']);
    expect(await next.page.same(hashes[3]!, puts[3][1], puts[3][2])).toEqual([puts[3][1], puts[3][1]]);
    await next.tab.close();
  });

  it('of which a bit is flipped are damaged, until they are put again', async () => {
    const { tab, page } = await open(stage, 'flipped');
    const { hash } = await page.put('bytes', 777, 1);
    expect(await tab.evaluate(flipABit(777))).toBe(1);
    expect(await page.code(hash)).toBe('damaged');
    expect(await page.verify()).toEqual(['damaged']);
    await page.put('stream', 777, 1);
    expect(await page.same(hash, 777, 1)).toEqual([777, 777]);
    await tab.close();
  });
});
