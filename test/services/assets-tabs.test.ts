// Assets in several tabs on one store, under virtual time: putting, deleting and collecting at once, pages frozen at the worst moment, tabs that hear
// late, bytes that are missing or wrong.
import { describe, expect, it } from 'vitest';
import type { Assets } from '../../src/services/assets';
import { gate, settle } from '../venue/helpers';
import { newOrigin } from '../venue/pages';
import { expectBytes, gather, readAll, textBytes } from './assets-bytes';
import { blobNames, blobsOf, collect, during, found, hold, hourMs, open, tamper } from './assets-world';

describe('the same asset in two tabs', () => {
  it('put at once is one, with the meta of the later', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const puts = [one.assets.put(textBytes('a'), { by: 1 }), two.assets.put(textBytes('a'), { by: 2 })];
    for (const put of puts) expectBytes(await one.assets.get((await during(origin, put)).hash), textBytes('a'));
    await settle();
    expect(one.assets.list()).toEqual(two.assets.list());
    expect([...(await found(origin)).keys()]).toEqual(['a']);
  });

  it.each([0, 1])(
    'put with a meta in one and without in the other keeps the meta, whichever is later',
    async (first) => {
      const origin = newOrigin();
      const pages = [await open(origin), await open(origin)];
      for (const { tab } of pages) tab.hears = false;
      for (const which of [first, 1 - first]) {
        await origin.clock.advance(10);
        await during(origin, pages[which]!.assets.put(textBytes('a'), which === 0 ? { name: 'a' } : undefined));
      }
      expect((await found(origin)).get('a')!.meta).toEqual({ name: 'a' });
    },
  );

  it.each(['put', 'delete'] as const)(
    'put here and deleted there: %s wins if it is later, with what belongs to it',
    async (last) => {
      const origin = newOrigin();
      const [one, two] = [await open(origin), await open(origin)];
      const { hash } = await during(origin, one.assets.put(textBytes('a'), { n: 1 }));
      await settle();
      for (const { tab } of [one, two]) tab.hears = false;
      const calls = [() => one.assets.put(textBytes('a'), { n: 2 }), () => two.assets.delete(hash)];
      for (const call of last === 'put' ? calls.reverse() : calls) {
        await origin.clock.advance(10);
        await during(origin, call() as Promise<unknown>);
      }
      for (const { tab } of [one, two]) {
        tab.hears = true;
        await tab.venue.catchUp();
      }
      expect(one.assets.list()).toEqual(two.assets.list());
      const all = await found(origin);
      expect(all.get('a')?.meta).toEqual(last === 'put' ? { n: 2 } : undefined);
      // Nothing is left of what was known of it.
      expect([...two.tab.venue.region('tidemark.assets.meta')].length).toBe(last === 'put' ? 1 : 0);
    },
  );

  it('put here and deleted there in the same millisecond ends equal, and whole', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const origin = newOrigin();
      const [one, two] = [await open(origin), await open(origin)];
      const { hash } = await during(origin, one.assets.put(textBytes('a'), { n: 1 }));
      await settle();
      const works: Promise<unknown>[] = [];
      for (let i = 0; i < 4; i++) {
        works.push((seed >> i) % 2 ? one.assets.put(textBytes('a'), { n: i }) : two.assets.delete(hash));
        await settle(seed % 3);
      }
      for (const work of works) await during(origin, work);
      await settle();
      expect(one.assets.list()).toEqual(two.assets.list());
      const all = await found(origin);
      if (all.has('a')) expect(all.get('a')!.meta).toHaveProperty('n');
      await collect(origin, two);
      expect((await found(origin)).size).toBe(all.size);
      expect(await blobNames(origin)).toEqual(all.size ? [hash] : []);
    }
  });

  it('put again while the other collects it stays', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const { hash } = await during(origin, one.assets.put(textBytes('a')));
    await during(origin, one.assets.delete(hash));
    await origin.clock.advance(25 * hourMs);
    let removed = 0;
    // Just before the other removes what it has listed.
    tamper(two.tab, (blobs) => ({
      async delete(...call) {
        removed++;
        await one.assets.put(textBytes('a'));
        await blobs.delete(...call);
      },
    }));
    await during(origin, two.tab.venue.checkpoint());
    expect(removed).toBe(1);
    await settle();
    expect([...(await found(origin)).keys()]).toEqual(['a']);
  });
});

describe('a page that is frozen in mid-put', () => {
  it.each([13, 30])('for %d hours before its bytes have a name gets an error, and there is no asset', async (hours) => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const { opened, open: thaw } = gate();
    tamper(one.tab, (blobs) => ({
      async put(...call) {
        await blobs.put(...call);
        await opened;
      },
    }));
    const put = one.assets.put(textBytes('a'), { name: 'a' });
    put.catch(() => undefined);
    await settle();
    const named: unknown[] = [];
    one.tab.venue.region('tidemark.assets').subscribe((changes) => named.push(changes));
    await origin.clock.advance(hours * hourMs);
    thaw();
    await expect(during(origin, put)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('12 hours'),
    });
    // Not even for a moment: the page might have died in it.
    expect(named).toEqual([]);
    await collect(origin, two);
    expect(await blobNames(origin)).toEqual([]);
    expect((await found(origin)).size).toBe(0);
    expect(one.assets.list().assets).toEqual([]);
  });

  it('for 11 hours goes on, and has its asset', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const { opened, open: thaw } = gate();
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield textBytes('slow');
      await opened;
      yield textBytes('ly');
    }
    const put = one.assets.put(slow());
    await origin.clock.advance(11 * hourMs);
    await during(origin, two.tab.venue.checkpoint());
    thaw();
    await during(origin, put);
    await collect(origin, two);
    expect([...(await found(origin)).keys()]).toEqual(['slowly']);
  });

  it('for a day before the name is durable gets an error, and no asset is left without bytes', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const thaw = hold(one.tab);
    const put = one.assets.put(textBytes('a'), { name: 'a' });
    put.catch(() => undefined);
    await settle();
    await collect(origin, two);
    expect(await blobNames(origin)).toEqual([]);
    thaw();
    await expect(during(origin, put)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('collected'),
    });
    await settle();
    for (const { assets } of [one, two]) expect(assets.list().assets).toEqual([]);
    expect((await found(origin)).size).toBe(0);
  });

  it('for a day, while another put the same bytes, has its asset all the same', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const thaw = hold(one.tab);
    const put = one.assets.put(textBytes('a'));
    await settle();
    await collect(origin, two);
    await during(origin, two.assets.put(textBytes('a'), { by: 'two' }));
    thaw();
    await during(origin, put);
    expect((await found(origin)).get('a')!.meta).toEqual({ by: 'two' });
  });
});

describe('a tab that has not heard of a deletion', () => {
  it('finds no asset there whose bytes are gone', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const { hash } = await during(origin, one.assets.put(textBytes('a')));
    await settle();
    for (const read of [
      (assets: Assets) => assets.get(hash),
      (assets: Assets) => assets.getStream(hash),
      (assets: Assets) => gather(assets.verify()),
      (assets: Assets) => assets.verify(hash).catch(({ code }) => (code === 'not_found' ? undefined : code)),
    ]) {
      const late = await open(origin);
      late.tab.hears = false;
      await during(origin, two.assets.delete(hash));
      await collect(origin, two);
      expect(await blobNames(origin)).toEqual([]);
      expect(late.assets.has(hash)).toBe(true);
      expect((await during<unknown>(origin, read(late.assets))) ?? []).toEqual([]);
      expect(late.assets.has(hash)).toBe(false);
      await during(origin, one.assets.put(textBytes('a')));
      await settle();
    }
  });

  it('in which a stream is cut short says that it was deleted', async () => {
    const origin = newOrigin();
    const { tab, assets } = await open(origin);
    const { hash } = await during(origin, assets.put(textBytes('a')));
    // As IndexedDB has it: parts that are gone are read as nothing.
    tamper(tab, (blobs) => ({
      get: async (name) => ({
        ...(await blobs.get(name))!,
        async *stream() {
          yield new Uint8Array(0);
        },
      }),
    }));
    const [before, after] = [await assets.getStream(hash), await assets.getStream(hash)];
    await expect(readAll(before)).rejects.toMatchObject({ code: 'damaged' });
    await during(origin, assets.delete(hash));
    await expect(readAll(after)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('deleted'),
    });
  });
});

describe('bytes that are missing or wrong', () => {
  it('are told by get, getStream and verify, and mended by putting them again', async () => {
    const origin = newOrigin();
    const { assets } = await open(origin);
    const hashes: string[] = [];
    for (const text of ['a', 'b', 'c']) hashes.push((await during(origin, assets.put(textBytes(text)))).hash);
    const [gone, wrong, fine] = hashes as [string, string, string];
    await blobsOf(origin).delete(gone, (await blobsOf(origin).list(Number.POSITIVE_INFINITY)).get(gone)!);
    async function* other() {
      yield textBytes('B');
    }
    await blobsOf(origin).put(
      other(),
      async () => wrong,
      () => 0,
    );

    const damaged = { code: 'damaged' };
    for (const hash of [gone, wrong]) await expect(assets.get(hash)).rejects.toMatchObject(damaged);
    await expect(assets.getStream(gone)).rejects.toMatchObject(damaged);
    await expect(readAll(await assets.getStream(wrong))).rejects.toMatchObject(damaged);
    const states = new Map([
      [gone, 'missing'],
      [wrong, 'damaged'],
      [fine, 'ok'],
    ]);
    const checks = await gather(assets.verify());
    expect(new Map(checks.map(({ hash, state }) => [hash, state]))).toEqual(states);
    for (const check of checks) {
      expect(await assets.verify(check.hash)).toEqual(check);
      expect((check.error as { code?: string } | undefined)?.code).toBe(
        check.state === 'damaged' ? 'damaged' : undefined,
      );
    }
    for (const text of ['a', 'b']) await during(origin, assets.put(textBytes(text)));
    expect((await found(origin)).size).toBe(3);
  });

  it('are told as they are found, one after the other, while assets come and go', async () => {
    const origin = newOrigin();
    const { assets } = await open(origin);
    const puts = Array.from({ length: 250 }, (_, n) => assets.put(textBytes(`${n}`)));
    for (const put of puts) await during(origin, put);
    const seen: string[] = [];
    const deleted = new Set<string>();
    for await (const { hash, state } of assets.verify()) {
      expect(state).toBe('ok');
      expect(deleted).not.toContain(hash);
      seen.push(hash);
      const next = assets.list({ cursor: hash, limit: 2 }).assets.at(-1);
      if (seen.length % 3 || !next) continue;
      deleted.add(next.hash);
      await during(origin, assets.delete(next.hash));
    }
    expect(deleted.size).toBeGreaterThan(50);
    expect(seen).toEqual([...seen].sort());
    expect(seen.length).toBe(250 - deleted.size);
  });
});
