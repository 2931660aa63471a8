// Blobs beside entries, as the CLI sees them: carried by backup and restore, verified one by one, counted.
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { freshPath, tidemark, tidemarkJson } from './helpers/cli';

const keyOf = (path: string) => path.replace(/\.etch$/, '.key');
const sizes = [0, 5, 300_000];

/** A store with three blobs that are named and one that is not. */
async function storeWithBlobs(): Promise<{ store: string; hashes: string[] }> {
  const store = freshPath();
  const venue = await openVenue({ store, signals: false });
  const files = venue.region('files');
  const hashes: string[] = [];
  for (const size of sizes) {
    const { hash } = await venue.blobs.put(new Uint8Array(size).fill(size), (blob) => files.set(`${size}`, blob));
    hashes.push(hash);
  }
  await venue.close();
  return { store, hashes: hashes.sort() };
}

describe('blobs', () => {
  it('are part of a backup, and of what is restored from it', async () => {
    const { store, hashes } = await storeWithBlobs();
    await writeFile(join(store, 'blobs', '1.tmp'), 'half of one that was being put');
    const [to, back] = [freshPath(), freshPath()];
    const { code, json } = await tidemarkJson('backup', store, to);
    expect([code, json]).toMatchObject([0, { checked: { blobs: 3 } }]);
    expect((await tidemark('restore', to, back)).code).toBe(0);
    for (const copy of [to, back]) {
      expect((await readdir(join(copy, 'blobs'))).sort()).toEqual(hashes);
      for (const hash of hashes)
        expect(await readFile(join(copy, 'blobs', hash))).toEqual(await readFile(join(store, 'blobs', hash)));
    }
    await copyFile(keyOf(store), keyOf(back));
    const venue = await openVenue({ store: back, signals: false });
    const { hash } = venue.region<{ hash: string }>('files').get('300000')!;
    expect((await venue.blobs.get(hash))?.length).toBe(300_000);
    await venue.close();
  });

  it('are verified and counted', async () => {
    const { store } = await storeWithBlobs();
    const { code, stdout } = await tidemark('verify', store);
    expect(code).toBe(0);
    expect(stdout).toContain('3 blobs: every hash checked');
    expect((await tidemarkJson('status', store)).json).toMatchObject({ blobs: { files: 3, bytes: 300_005 } });
    expect((await tidemark('status', store)).stdout).toMatch(/blobs +3 files/);
  });

  it('that are not what their names say are damage: verify names them, backup refuses', async () => {
    const { store, hashes } = await storeWithBlobs();
    const [first] = hashes as [string];
    await writeFile(join(store, 'blobs', first), 'something else');
    const { code, json } = await tidemarkJson('verify', store);
    expect(code).toBe(1);
    expect(json).toMatchObject({ ok: false, damage: [{ file: `blobs/${first}` }] });
    const to = freshPath();
    const refused = await tidemark('backup', store, to);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr + refused.stdout).toContain(first);
    await rm(join(store, 'blobs', first));
    expect((await tidemarkJson('verify', store)).json).toMatchObject({ ok: true });
  });
});
