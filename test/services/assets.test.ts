// Assets as a program sees them, in memory and in a folder: what is put, what is known of it, what is found again; and what is refused.
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { type AssetMeta, type AssetSource, openAssets } from '../../src/services/assets';
import { useFolder } from '../venue/helpers';
import { expectBytes, gather, hashOf, pattern, readAll, streamOf, textBytes } from './assets-bytes';

const folder = useFolder();
const noHashes = [
  '',
  '../..',
  `../${'a'.repeat(61)}`,
  'a'.repeat(63),
  'a'.repeat(65),
  'A'.repeat(64),
  `${'a'.repeat(64)}\n`,
  '\0'.repeat(64),
  7,
  null,
  {},
];

describe.each(['memory', 'folder'])('in %s, what is put', (where) => {
  const start = async () => {
    const venue = await openVenue({ store: where === 'memory' ? 'memory' : folder('store'), signals: false });
    return { venue, assets: openAssets(venue) };
  };
  const big = pattern(2_500_000);
  const sources: [string, (bytes: Uint8Array<ArrayBuffer>) => AssetSource][] = [
    ['bytes', (bytes) => bytes],
    ['a Buffer', (bytes) => Buffer.from(bytes)],
    ['an async iterable, its buffer used again', (bytes) => streamOf(bytes, 70_001)],
    ['an array of pieces', (bytes) => [bytes.subarray(0, 3), bytes.subarray(3)]],
    ['a ReadableStream', (bytes) => new Blob([bytes]).stream()],
    ['a Blob', (bytes) => new Blob([bytes])],
    ['a File', (bytes) => new File([bytes], 'a.bin')],
  ];

  it.each(sources)('as %s is there under its hash, whole', async (_, source) => {
    const { venue, assets } = await start();
    for (const bytes of [big, pattern(1), pattern(0)]) {
      const asset = await assets.put(source(bytes), { name: 'a.bin' });
      expect(asset).toEqual({ hash: hashOf(bytes), size: bytes.length, at: asset.at, meta: { name: 'a.bin' } });
      expectBytes(await assets.get(asset.hash), bytes);
      expectBytes(await readAll(await assets.getStream(asset.hash)), bytes);
      expect(assets.has(asset.hash)).toBe(true);
      expect(assets.info(asset.hash)).toEqual(asset);
      expect(await assets.verify(asset.hash)).toEqual({ hash: asset.hash, size: bytes.length, state: 'ok' });
    }
    await venue.close();
  });

  it('is one asset, however often; the last meta stands, and stays where there is none', async () => {
    const { venue, assets } = await start();
    const bytes = textBytes('the same');
    const { hash } = await assets.put(bytes);
    expect(assets.info(hash)!.meta).toEqual({});
    await assets.put(bytes, { name: 'a', tags: ['x', { deep: null }] });
    expect((await assets.put(streamOf(bytes, 3))).meta).toEqual({ name: 'a', tags: ['x', { deep: null }] });
    await assets.put(bytes, { type: 'text/plain' });
    expect(assets.list().assets).toEqual([{ hash, size: 8, at: expect.any(Number), meta: { type: 'text/plain' } }]);
    await venue.close();
  });

  it('is gone once it is deleted, with what was known of it, and can be put anew', async () => {
    const { venue, assets } = await start();
    const { hash } = await assets.put(textBytes('a'), { name: 'a' });
    expect(await assets.delete(hash)).toBe(true);
    expect(await assets.delete(hash)).toBe(false);
    expect([assets.has(hash), assets.info(hash), assets.list().assets.length]).toEqual([false, undefined, 0]);
    expect([await assets.get(hash), await assets.getStream(hash)]).toEqual([undefined, undefined]);
    expect(await gather(assets.verify())).toEqual([]);
    expect((await assets.put(textBytes('a'))).meta).toEqual({});
    expectBytes(await assets.get(hash), textBytes('a'));
    await venue.close();
  });

  it('has no meta that was left of another life: a put and a deletion elsewhere may cross each other', async () => {
    const { venue, assets } = await start();
    const { hash } = await assets.put(textBytes('a'), { name: 'a' });
    venue.region('tidemark.assets').delete(`${hash.slice(0, 2)}/${hash.slice(2)}`);
    expect(assets.has(hash)).toBe(false);
    expect((await assets.put(textBytes('a'))).meta).toEqual({});
    expect(assets.info(hash)!.meta).toEqual({});
    await venue.close();
  });

  it('is listed in the order of hashes, by page and by the first digits', async () => {
    const { venue, assets } = await start();
    const hashes = (await Promise.all(Array.from({ length: 60 }, (_, n) => assets.put(textBytes(`${n}`), { n })))).map(
      ({ hash }) => hash,
    );
    hashes.sort();
    expect(assets.list().assets.map(({ hash }) => hash)).toEqual(hashes);
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = assets.list({ limit: 7, cursor });
      expect(page.assets.length).toBeLessThanOrEqual(7);
      paged.push(...page.assets.map(({ hash }) => hash));
      cursor = page.nextCursor;
    } while (cursor);
    expect(paged).toEqual(hashes);
    for (const length of [0, 1, 2, 3, 63, 64]) {
      const prefix = hashes[30]!.slice(0, length);
      expect(assets.list({ prefix }).assets.map(({ hash }) => hash)).toEqual(
        hashes.filter((one) => one.startsWith(prefix)),
      );
      expect(assets.list({ prefix, cursor: hashes[30] }).assets[0]?.hash).toEqual(
        hashes.find((one) => one.startsWith(prefix) && one > hashes[30]!),
      );
    }
    expect(assets.list({ limit: 60 })).toMatchObject({ nextCursor: undefined });
    expect((await gather(assets.verify())).map(({ hash, state }) => [hash, state])).toEqual(
      hashes.map((hash) => [hash, 'ok']),
    );
    await venue.close();
  });

  it('is refused without a trace when its source fails, or is none', async () => {
    const { venue, assets } = await start();
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield pattern(100_000);
      throw new Error('the source is broken');
    }
    await expect(assets.put(failing())).rejects.toThrow('the source is broken');
    for (const none of [
      'text',
      7,
      null,
      undefined,
      {},
      new ArrayBuffer(3),
      [1, 2],
      ['a'],
      new Blob(['a']).stream().getReader(),
    ])
      await expect(assets.put(none as never)).rejects.toMatchObject({
        code: 'bad_option',
        message: expect.stringContaining('Uint8Array'),
      });
    expect(assets.list().assets).toEqual([]);
    expect(venue.health().unsaved.entries).toBe(0);
    await venue.close();
  });

  it('has a meta that is JSON and bounded; others are refused before a byte is read', async () => {
    const { venue, assets } = await start();
    let read = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      read++;
      yield pattern(1);
    }
    const cyclic: Record<string, unknown> = {};
    cyclic.self = [cyclic];
    const others = [
      null,
      'text',
      7,
      [],
      new Date(),
      new Map(),
      { a: 1n },
      { a: [undefined] },
      { a: Number.NaN },
      { a: () => 1 },
      { a: new Uint8Array(1) },
      { a: { b: new Date() } },
      { toJSON: () => ({}) },
      cyclic,
    ];
    for (const meta of others)
      await expect(assets.put(source(), meta as never)).rejects.toMatchObject({
        code: 'bad_option',
        message: expect.stringContaining('meta'),
      });
    await expect(assets.put(source(), { a: 'x'.repeat(16_377) })).rejects.toMatchObject({ code: 'too_large' });
    expect(read).toBe(0);

    const odd = JSON.parse('{ "__proto__": { "x": 1 }, "constructor": 2, "": "", "$": ["$"] }') as AssetMeta;
    for (const meta of [odd, { a: 'x'.repeat(16_376) }, Object.assign(Object.create(null), { a: -1.5 })])
      expect((await assets.put(pattern(1), meta)).meta).toEqual(meta);
    expect((await assets.put(pattern(1), { a: 1, b: undefined })).meta).toEqual({ a: 1 });

    const changed = { name: 'before' };
    const putting = assets.put(pattern(1), changed);
    changed.name = 'after';
    expect((await putting).meta).toEqual({ name: 'before' });
    await venue.close();
  });

  it('is asked for by its hash and by nothing else', async () => {
    const { venue, assets } = await start();
    for (const none of noHashes as string[]) {
      const refused = { code: 'bad_option', message: expect.stringContaining('64 lower-case hexadecimal digits') };
      for (const call of [assets.get, assets.getStream, assets.delete, assets.verify] as ((
        hash: string,
      ) => Promise<unknown>)[])
        await expect(call(none)).rejects.toMatchObject(refused);
      for (const call of [() => assets.has(none), () => assets.info(none), () => assets.list({ cursor: none })])
        expect(call).toThrow(expect.objectContaining(refused));
    }
    for (const prefix of ['A', '../', 'a'.repeat(65), 7 as never])
      expect(() => assets.list({ prefix })).toThrow('`prefix`');
    for (const limit of [0, -1, Number.NaN]) expect(() => assets.list({ limit })).toThrow('`limit`');
    await expect(assets.verify('a'.repeat(64))).rejects.toMatchObject({ code: 'not_found' });
    expect(await assets.get('a'.repeat(64))).toBeUndefined();
    await venue.close();
  });

  it('is not put, read or deleted once the venue is closed', async () => {
    const { venue, assets } = await start();
    const { hash } = await assets.put(pattern(5));
    async function* closing(): AsyncGenerator<Uint8Array> {
      yield pattern(3);
      void venue.close();
      yield pattern(3);
    }
    await expect(assets.put(closing())).rejects.toMatchObject({ code: 'closed' });
    await venue.close();
    const closed = { code: 'closed' };
    await expect(assets.put(pattern(5))).rejects.toMatchObject(closed);
    await expect(assets.delete(hash)).rejects.toMatchObject(closed);
    if (where === 'folder') {
      await expect(assets.get(hash)).rejects.toMatchObject(closed);
      await expect(assets.verify(hash)).rejects.toMatchObject(closed);
    }
  });
});
