// Assets in several tabs on one store, under virtual time: putting, deleting and collecting at once, pages frozen at the worst moment; and that no
// asset is ever without its bytes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryBackend } from '../../backends/memory';
import type { BlobStore } from '../../src/backend';
import { type Asset, type Assets, openAssets } from '../../src/services/assets';
import { gate, settle } from '../venue/helpers';
import { newOrigin, type Origin, openTab, type Tab } from '../venue/pages';
import { expectBytes, gather, hashOf, readAll, textBytes } from './assets-bytes';

const hourMs = 3600 * 1000;

interface Page {
  tab: Tab;
  assets: Assets;
}
const open = async (origin: Origin): Promise<Page> => {
  const tab = await openTab(origin);
  return { tab, assets: openAssets(tab.venue) };
};
const during = <T>({ clock }: Origin, work: Promise<T>) => clock.runUntil(work);

/** The store of all tabs, from below. */
const blobsOf = ({ store }: Origin): BlobStore => memoryBackend(store).blobs!;
const blobNames = async (origin: Origin) => [...(await blobsOf(origin).list(Number.POSITIVE_INFINITY)).keys()];

/** Puts something between a tab and the blobs of its store. */
const tamper = ({ backend }: Tab, change: (blobs: BlobStore) => Partial<BlobStore>): void => {
  const blobs = backend.blobs!;
  Object.assign(backend, { blobs: { ...blobs, ...change(blobs) } });
};

/** Its commits wait from now on. @returns lets them go */
const hold = ({ backend }: Tab): (() => void) => {
  const { opened, open: thaw } = gate();
  const { append } = backend;
  Object.assign(backend, {
    append: async (...call: Parameters<typeof append>) => {
      await opened;
      return append(...call);
    },
  });
  return thaw;
};

/** What the next one to open finds: every asset has its bytes, but for those that may be bare. @returns them by their text */
async function found(origin: Origin, mayBeBare: (hash: string) => boolean = () => false): Promise<Map<string, Asset>> {
  const { tab, assets } = await open(origin);
  const all = new Map<string, Asset>();
  const checks = await gather(assets.verify());
  const bare = checks.filter(({ state }) => state !== 'ok');
  expect(bare.filter(({ hash, state }) => state !== 'missing' || !mayBeBare(hash))).toEqual([]);
  expect(checks.map(({ hash }) => hash)).toEqual(assets.list().assets.map(({ hash }) => hash));
  for (const asset of assets.list().assets)
    if (!bare.some(({ hash }) => hash === asset.hash))
      all.set(new TextDecoder().decode(await assets.get(asset.hash)), asset);
  tab.kill();
  return all;
}
/** Enough for everything that nothing names to be collected. */
async function collect(origin: Origin, { tab }: Page): Promise<void> {
  await origin.clock.advance(25 * hourMs);
  for (let i = 0; i < 3; i++) {
    tab.venue.region('r').set('n', i);
    await during(origin, tab.venue.checkpoint());
    await settle();
  }
}

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

describe('whatever tabs do at once, for days', () => {
  const texts = ['a', 'b', 'c'];
  type Step = { at: number; do: string; text: string; hours: number };

  /** What is known of one text: numbers in the order in which things began and ended. */
  class Known {
    readonly underWay: { readonly what: 'put' | 'delete'; readonly at: number }[] = [];
    /** When the last one that took effect for certain began, and when the last one that may have taken effect ended. */
    readonly sure = { put: -1, delete: -1 };
    private readonly ended = { put: -1, delete: -1 };

    end(which: (call: Known['underWay'][number]) => boolean, now: number): void {
      for (const call of this.underWay.filter(which)) {
        this.underWay.splice(this.underWay.indexOf(call), 1);
        this.ended[call.what] = now;
      }
    }
    /** Whether a put was held up for so long that it might have lost its bytes, and has not taken back its name yet, or never will: it was killed. */
    mayBeBare = false;
    until(what: 'put' | 'delete'): number {
      return this.underWay.some((call) => call.what === what) ? Number.POSITIVE_INFINITY : this.ended[what];
    }
  }

  async function run(steps: readonly Step[]): Promise<{ puts: number; collected: number }> {
    const origin = newOrigin();
    const counts = { puts: 0, collected: 0 };
    const begin = async () => {
      const page = await open(origin);
      page.tab.venue.on('checkpoint', ({ collected }) => {
        counts.collected += collected;
      });
      return { ...page, thaw: () => {}, holds: false };
    };
    const pages = [await begin(), await begin(), await begin()];
    const all = new Map(texts.map((text) => [text, new Known()]));
    let order = 0;
    for (const { at, do: what, text, hours } of steps) {
      const page = pages[at]!;
      const { tab, assets } = page;
      const known = all.get(text)!;
      const began = ++order;
      if (what === 'put' || what === 'delete') {
        const call = { what, at } as const;
        known.underWay.push(call);
        if (what === 'put' && page.holds) known.mayBeBare = true;
        const work =
          what === 'put'
            ? assets.put(textBytes(text), { at }).then(() => true)
            : assets.delete(hashOf(textBytes(text)));
        work.then(
          (was) => {
            if (was) known.sure[what] = Math.max(known.sure[what], began);
            if (what === 'put') {
              counts.puts++;
              known.mayBeBare = false;
            }
            known.end((one) => one === call, ++order);
          },
          (error) => {
            expect(error).toMatchObject({ code: 'conflict' });
            // What it had written it took back.
            known.end((one) => one === call, ++order);
            known.underWay.push({ what: 'delete', at: -1 });
            known.end((one) => one.at === -1, order);
          },
        );
      } else if (what === 'checkpoint') {
        tab.venue.region('r').set('n', began);
        tab.venue.checkpoint().catch(() => undefined);
      } else if (what === 'deaf') tab.hears = false;
      else if (what === 'hear') {
        tab.hears = true;
        tab.going.resume();
      } else if (what === 'leave') tab.going.leave();
      else if (what === 'hold') {
        page.thaw();
        Object.assign(page, { thaw: hold(tab), holds: true });
      } else if (what === 'thaw') page.thaw();
      else {
        tab.kill();
        order++;
        for (const one of all.values()) one.end((call) => call.at === at, order);
        pages[at] = await begin();
      }
      await settle(began % 3);
      await origin.clock.advance(1 + hours * hourMs);
      const bare = new Set(texts.filter((text) => all.get(text)!.mayBeBare).map((text) => hashOf(textBytes(text))));
      const there = await found(origin, (hash) => bare.has(hash));
      for (const [text, known] of all) {
        if (known.sure.put > known.until('delete')) expect(there.has(text), `${text} was put last`).toBe(true);
        if (known.sure.delete > known.until('put')) expect(there.has(text), `${text} was deleted last`).toBe(false);
      }
    }
    for (const { tab } of pages) tab.kill();
    return counts;
  }

  it('what was put last is there, what was deleted last is not, and no asset lacks its bytes', async () => {
    const step = fc.record({
      at: fc.nat(2),
      do: fc.constantFrom(
        ...Array(4).fill('put'),
        ...Array(4).fill('checkpoint'),
        'delete',
        'delete',
        'deaf',
        'hear',
        'leave',
        'hold',
        'hold',
        'thaw',
        'thaw',
        'kill',
      ),
      text: fc.constantFrom(...texts),
      hours: fc.constantFrom(0, 0, 0, 0, 13, 25),
    });
    const sum = { puts: 0, collected: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
        const { puts, collected } = await run(steps);
        sum.puts += puts;
        sum.collected += collected;
      }),
      { numRuns: Number(process.env.RUNS ?? 80), seed: Number(process.env.SEED ?? 7) },
    );
    // Had nothing been collected, nothing would have been shown.
    expect(sum.collected).toBeGreaterThan(10);
    expect(sum.puts).toBeGreaterThan(150);
  });
});
