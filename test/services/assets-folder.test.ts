// Assets in a real folder: there for the next opening, given back when nothing names them, read to the end whatever happens meanwhile.
import { createReadStream } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { openAssets } from '../../src/services/assets';
import { useFolder } from '../venue/helpers';
import { expectBytes, hashOf, pattern, streamOf, textBytes } from './assets-bytes';

const folder = useFolder();
const open = async () => {
  const venue = await openVenue({ store: folder('store'), signals: false });
  return { venue, assets: openAssets(venue) };
};

describe('assets in a folder', () => {
  it('are there for the next opening, outside memory and outside the log', async () => {
    const { venue, assets } = await open();
    await writeFile(folder('source'), pattern(3_000_000, 4));
    const { hash } = await assets.put(createReadStream(folder('source')), { name: 'source' });
    expect((await venue.close()).durable).toBe(true);
    const blobs = join(folder('store'), 'blobs');
    expect(await readdir(blobs)).toEqual([hash]);
    const next = await open();
    expect(next.assets.info(hash)).toMatchObject({ size: 3_000_000, meta: { name: 'source' } });
    expectBytes(await next.assets.get(hash), pattern(3_000_000, 4));
    await next.venue.close();
  });

  it('give back their room two checkpoints after they were deleted, and no sooner than nothing else names them', async () => {
    const { venue, assets } = await open();
    const blobs = () => readdir(join(folder('store'), 'blobs'));
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((text) => assets.put(textBytes(text))));
    venue.region('notes').set('n', `see ${b!.hash}.`);
    await assets.delete(a!.hash);
    await assets.delete(b!.hash);
    for (let i = 0; i < 3; i++) await venue.checkpoint();
    expect((await blobs()).sort()).toEqual([b!.hash, c!.hash].sort());
    expect(await assets.get(b!.hash)).toBeUndefined();
    venue.region('notes').delete('n');
    for (let i = 0; i < 3; i++) await venue.checkpoint();
    expect(await blobs()).toEqual([c!.hash]);
    expectBytes(await assets.get(c!.hash), textBytes('c'));
    await venue.close();
  });

  it('are durable when put resolves: entry and bytes', async () => {
    const { venue, assets } = await open();
    const { hash } = await assets.put(textBytes('a'), { name: 'a' });
    expect(venue.health().unsaved.entries).toBe(0);
    expect(venue.root.region('tidemark.assets').has(`${hash.slice(0, 2)}/${hash.slice(2)}`)).toBe(true);
    await assets.delete(hash);
    expect(venue.health().unsaved.entries).toBe(0);
    await venue.close();
  });

  it('are read to the end though they are deleted and their room is given back meanwhile', async () => {
    const { venue, assets } = await open();
    const bytes = pattern(20_000_000);
    const { hash } = await assets.put(bytes);
    const stream = (await assets.getStream(hash))![Symbol.asyncIterator]();
    const parts = [(await stream.next()).value as Uint8Array];
    await assets.delete(hash);
    for (let i = 0; i < 2; i++) await venue.checkpoint();
    expect(await readdir(join(folder('store'), 'blobs'))).toEqual([]);
    for (let step = await stream.next(); !step.done; step = await stream.next()) parts.push(step.value);
    expectBytes(Buffer.concat(parts), bytes);
    await venue.close();
  });

  it('leave no file open by a stream that nobody reads to its end', async () => {
    const { venue, assets } = await open();
    const { hash } = await assets.put(pattern(20_000_000));
    const files = async () => (await readdir('/proc/self/fd')).length;
    const before = await files();
    for (let i = 0; i < 20; i++) for await (const _ of (await assets.getStream(hash))!) break;
    expect(await files()).toBeLessThan(before + 10);
    await venue.close();
  });

  it('go on being put by several at once', async () => {
    const { venue, assets } = await open();
    const all = Array.from({ length: 40 }, (_, n) => pattern(1000 * n, n % 7));
    await Promise.all(all.map((bytes, n) => assets.put(streamOf(bytes, 999), { n })));
    for (const bytes of all) expectBytes(await assets.get(hashOf(bytes)), bytes);
    expect(venue.health().sweeps).toBeLessThan(40);
    await venue.close();
  });
});
