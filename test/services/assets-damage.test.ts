// What attackers, rot and careless hands do to the files of assets: a clear error each, never wrong bytes, and mended by putting the same again.
import { mkdir, readdir, readFile, rename, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { openAssets } from '../../src/services/assets';
import { useFolder } from '../venue/helpers';
import { expectBytes, gather, pattern, readAll, textBytes } from './assets-bytes';

const folder = useFolder();
const place = (hash: string) => join(folder('store'), 'blobs', hash);
const bytes = pattern(5_000_000, 1);

async function start() {
  const venue = await openVenue({ store: folder('store'), signals: false });
  const assets = openAssets(venue);
  const { hash } = await assets.put(bytes);
  const other = (await assets.put(textBytes('other'))).hash;
  return { venue, assets, hash, other };
}

type Harm = (hash: string, other: string) => Promise<unknown>;
const flip =
  (at: number): Harm =>
  async (hash) => {
    const changed = await readFile(place(hash));
    changed[at]! ^= 1;
    await writeFile(place(hash), changed);
  };
const harms: [string, 'damaged' | 'io', Harm][] = [
  ['its first bit is flipped', 'damaged', flip(0)],
  ['a bit in its middle is flipped', 'damaged', flip(2_500_000)],
  ['its last bit is flipped', 'damaged', flip(bytes.length - 1)],
  ['it is cut short', 'damaged', (hash) => truncate(place(hash), 4_194_304)],
  ['it is cut to nothing', 'damaged', (hash) => truncate(place(hash), 0)],
  ['it is made longer', 'damaged', (hash) => truncate(place(hash), 5_000_001)],
  ['another is in its place', 'damaged', (hash, other) => rename(place(other), place(hash))],
  [
    'a link to another is in its place',
    'damaged',
    async (hash, other) => {
      await unlink(place(hash));
      await symlink(place(other), place(hash));
    },
  ],
  [
    'a link to itself is in its place',
    'io',
    async (hash) => {
      await unlink(place(hash));
      await symlink(place(hash), place(hash));
    },
  ],
];

describe('an asset that is not what it was', () => {
  it.each(harms)('is told and can be mended: %s', async (_, code, harm) => {
    const { venue, assets, hash, other } = await start();
    await harm(hash, other);
    const error = { code, message: expect.stringContaining(hash) };
    await expect(assets.get(hash)).rejects.toMatchObject(error);
    const reading = (async () => readAll(await assets.getStream(hash)))();
    await expect(reading).rejects.toMatchObject(error);
    expect(await assets.verify(hash)).toEqual({
      hash,
      size: bytes.length,
      state: 'damaged',
      error: expect.objectContaining(error),
    });
    expect(assets.info(hash)).toMatchObject({ size: bytes.length });
    await assets.put(bytes);
    await assets.put(textBytes('other'));
    expectBytes(await assets.get(hash), bytes);
    expectBytes(await assets.get(other), textBytes('other'));
    expect((await gather(assets.verify())).map(({ state }) => state)).toEqual(['ok', 'ok']);
    await venue.close();
  });

  it('is missing when its file is, or all of them are', async () => {
    const { venue, assets, hash, other } = await start();
    const error = { code: 'damaged', message: expect.stringContaining('missing') };
    for (const remove of [() => unlink(place(hash)), () => rm(join(folder('store'), 'blobs'), { recursive: true })]) {
      await remove();
      await expect(assets.get(hash)).rejects.toMatchObject(error);
      await expect(assets.getStream(hash)).rejects.toMatchObject(error);
      expect(await assets.verify(hash)).toEqual({ hash, size: bytes.length, state: 'missing' });
    }
    await expect(assets.get(other)).rejects.toMatchObject(error);
    await venue.close();
    const next = await openVenue({ store: folder('store'), signals: false });
    await openAssets(next).put(bytes);
    expectBytes(await openAssets(next).get(hash), bytes);
    await next.close();
  });

  it('is a clear error while a folder is in its place, and mended once that is gone', async () => {
    const { venue, assets, hash } = await start();
    await unlink(place(hash));
    await mkdir(place(hash));
    await writeFile(join(place(hash), 'x'), 'x');
    const error = { code: 'io', message: expect.stringContaining(place(hash)) };
    await expect(assets.get(hash)).rejects.toMatchObject(error);
    await expect(readAll(await assets.getStream(hash))).rejects.toMatchObject(error);
    expect(await assets.verify(hash)).toMatchObject({ state: 'damaged', error });
    await expect(assets.put(bytes)).rejects.toMatchObject({ code: 'io' });
    expect((await readdir(join(folder('store'), 'blobs'))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await rm(place(hash), { recursive: true });
    await assets.put(bytes);
    expectBytes(await assets.get(hash), bytes);
    await venue.close();
  });

  it('does not stop the venue: checkpoints and collections go on, and leave alone what is not theirs', async () => {
    const { venue, assets, hash, other } = await start();
    const blobs = join(folder('store'), 'blobs');
    await mkdir(join(blobs, 'a'.repeat(64)));
    await writeFile(join(blobs, 'README'), 'mine');
    await assets.delete(other);
    await assets.delete(hash);
    for (let i = 0; i < 3; i++) {
      venue.region('r').set('n', i);
      await venue.checkpoint();
    }
    expect((await readdir(blobs)).sort()).toEqual(['README', 'a'.repeat(64)]);
    expect(venue.health()).toMatchObject({ status: 'ok' });
    await venue.close();
  });
});
