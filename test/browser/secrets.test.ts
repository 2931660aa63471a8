// Secrets in IndexedDB in real engines, in two tabs: what one sets the other reads, one rekeys and the other is told, and nothing that is stored
// has a value in it.
import { expect, it } from 'vitest';
import type { SecretsPage } from './pages/secrets';
import { eventually, inEach, pageIn, type Stage } from './stage';

const store = 'secrets';
const passphrase = { passphrase: 'correct horse battery staple' };
const seed = { seed: '5e'.repeat(32) };
const bytes = new Array(32).fill(201);

const open = async ({ browser, site }: Stage) => {
  const tab = await browser.newTab(`${site.origin}/secrets`);
  const page = pageIn<SecretsPage>(tab);
  await page.open(store);
  return { tab, page };
};

inEach('secrets in pages', (stage) => {
  it('are read by whoever has the key, and are nowhere in what is stored', async () => {
    const [one, two] = [await open(stage), await open(stage)];
    expect(await one.page.openSecrets(passphrase)).toBe('ok');
    expect(await one.page.set('token', 'ghp_S3CRET')).toBe('ok');
    expect(await one.page.setBytes('signing', 201)).toBe('ok');

    expect(await two.page.openSecrets({ passphrase: 'Correct horse battery staple' })).toBe('foreign_key');
    expect(await two.page.openSecrets({})).toBe('foreign_key');
    expect(await two.page.openSecrets(passphrase)).toBe('ok');
    expect([await two.page.get('token'), await two.page.get('signing')]).toEqual(['ghp_S3CRET', bytes]);

    expect(await two.page.rekey(seed)).toBe('ok');
    await eventually(() => one.page.codeOfGet('token'), 'foreign_key');
    expect(await one.page.set('token', 'by the old key')).toBe('foreign_key');
    expect(await one.page.openSecrets(seed)).toBe('ok');
    expect(await one.page.set('late', 'S3CRET, too')).toBe('ok');
    await eventually(() => two.page.get('late'), 'S3CRET, too');
    await two.page.flush();
    const stored = await two.page.stored(store);
    for (const name of ['token', 'signing', 'late']) expect(stored).toContain(name);
    for (const found of ['S3CRET', 'horse', seed.seed, bytes.slice(0, 8).join()]) expect(stored).not.toContain(found);
    await one.tab.close();
    await two.tab.close();

    const next = await open(stage);
    expect(await next.page.openSecrets(passphrase)).toBe('foreign_key');
    expect(await next.page.openSecrets(seed)).toBe('ok');
    expect(await next.page.list()).toEqual(['late', 'signing', 'token']);
    expect([await next.page.get('token'), await next.page.get('signing')]).toEqual(['ghp_S3CRET', bytes]);
    await next.page.close();
    await next.tab.close();
  });
});
