// Opening in a page: by name, "temp", with storage refused; the key that is in the database; a database that is gone.
import { IDBFactory } from 'fake-indexeddb';
import { describe, expect, it, vi } from 'vitest';
import { indexeddbBackend } from '../../backends/indexeddb';
import { openVenue } from '../../src/browser';
import { rememberingLogger } from '../venue/helpers';
import { settle, usePage } from './page';

const page = usePage();
const databases = async () => (await indexedDB.databases()).map(({ name }) => name);

describe('a venue by name', () => {
  it('is the database of that name, with its key in it', async () => {
    const venue = await page.open();
    venue.region('r').set('a', 1);
    await venue.close();
    expect(await databases()).toEqual(['notes']);
    const again = await page.open();
    expect(again.did).toBe(venue.did);
    expect(again.region('r').get('a')).toBe(1);
    expect(again.health()).toMatchObject({
      status: 'ok',
      target: 'indexeddb:notes',
      lock: 'shared',
      journal: { available: true },
      capabilities: { appendNow: true, remote: true },
    });
  });

  it('knows its did without deriving it, and signs nothing with a key that is not its own', async () => {
    const venue = await page.open();
    venue.region('r').set('a', 1);
    await venue.flush();
    await vi.advanceTimersByTimeAsync(500); // when the page has nothing to do, the did is put beside the seed
    await venue.close();
    const backend = indexeddbBackend('notes');
    const record = await backend.key({ seed: new Uint8Array(32) });
    expect(record.did).toBe(venue.did);
    await backend.keySet({ ...record, seed: record.seed.map((byte) => byte ^ 1) });
    await backend.close();

    const logger = rememberingLogger();
    const broken = await page.open({ logger });
    expect(broken.region('r').get('a')).toBe(1);
    broken.region('r').set('b', 2);
    broken.flush().catch(() => undefined);
    await settle();
    expect(broken.health().lastFailure).toMatchObject({ code: 'bad_key_file' });
    vi.useRealTimers();
    expect(await broken.close()).toMatchObject({ durable: false, unsaved: { entries: 1 } }); // after its 5 s
  });

  it('opened twice at once is one venue under one key', async () => {
    const [one, two] = await Promise.all([page.open(), page.open()]);
    expect(one.did).toBe(two.did);
    expect(one.health().venue).toBe(two.health().venue);
    one.region('r').set('a', 1);
    two.region('r').set('b', 2);
    await Promise.all([one.flush(), two.flush()]);
    await vi.waitFor(() => expect(Object.fromEntries(one.region('r'))).toEqual({ a: 1, b: 2 }));
    await vi.waitFor(() => expect(Object.fromEntries(two.region('r'))).toEqual({ a: 1, b: 2 }));
  });

  it('under a key of the program’s is refused without it, and found with it', async () => {
    const venue = await page.open({ seed: '33'.repeat(32) });
    venue.region('r').set('a', 1);
    await venue.close();
    await expect(page.open()).rejects.toMatchObject({ code: 'foreign_key' });
    expect((await page.open({ seed: '33'.repeat(32) })).region('r').get('a')).toBe(1);
  });

  it('may be wrapped: what is passed on is the same venue', async () => {
    const venue = await page.open();
    venue.region('r').set('a', 1);
    await venue.close();
    const wrapped = Object.create(indexeddbBackend('notes'));
    const again = await page.open({ store: wrapped });
    expect(again.did).toBe(venue.did);
    expect(again.health().journal.available).toBe(true);
  });

  it.each([
    [{ store: '' }, 'store'],
    [{ store: 7 as never }, 'store'],
    [{ fallback: 'disk' as never }, 'fallback'],
    [{ journalBytes: -1 }, 'journalBytes'],
  ])('%j is refused', async (options, what) => {
    await expect(page.open(options)).rejects.toMatchObject({
      code: 'bad_option',
      message: expect.stringContaining(what),
    });
  });
});

describe('"temp"', () => {
  it('is a database of its own that goes with close()', async () => {
    const [one, two] = [await page.open({ store: 'temp' }), await page.open({ store: 'temp' })];
    one.region('r').set('a', 1);
    await one.flush();
    expect(two.region('r').get('a')).toBeUndefined();
    expect(await databases()).toHaveLength(2);
    await one.close();
    await two.close();
    expect(await databases()).toEqual([]);
  });

  it('that a page has left behind goes when the next is opened; one that is in use stays', async () => {
    const used = await page.open({ store: 'temp' });
    used.region('r').set('a', 1);
    await used.flush();
    const [usedName] = await databases();
    const left = indexeddbBackend('tidemark.temp.left');
    await left.open('00');
    await left.close();
    await page.open({ store: 'temp' });
    await settle();
    expect(await databases()).not.toContain('tidemark.temp.left');
    used.region('r').set('b', 1);
    await used.flush();
    expect(await databases()).toContain(usedName);
    expect(used.health()).toMatchObject({ status: 'ok', failures: 0 });
  });

  it('leaves nothing in localStorage', async () => {
    const venue = await page.open({ store: 'temp' });
    venue.region('r').set('a', 1);
    page.hide();
    expect(page.window.localStorage.length).toBe(0);
  });
});

describe('where the browser refuses storage', () => {
  const refusals: [string, () => void][] = [
    ['there is no IndexedDB', () => vi.stubGlobal('indexedDB', undefined)],
    [
      'it is forbidden',
      () =>
        vi.stubGlobal('indexedDB', {
          open() {
            throw new DOMException('denied', 'SecurityError');
          },
        }),
    ],
  ];
  it.each(refusals)('%s: a clear error with a code', async (_, refuse) => {
    refuse();
    const refused = expect(openVenue({ store: 'notes' })).rejects.toMatchObject({
      code: 'no_storage',
      message: expect.stringMatching(/IndexedDB.*'notes'.*cannot be opened/),
    });
    await vi.advanceTimersByTimeAsync(10_000); // it is tried again
    await refused;
  });

  it.each(refusals)('%s: or a venue in memory that says why, if the program wants that', async (_, refuse) => {
    refuse();
    const logger = rememberingLogger();
    const opening = page.open({ fallback: 'memory', logger });
    await vi.advanceTimersByTimeAsync(10_000);
    const venue = await opening;
    venue.region('r').set('a', 1);
    await venue.flush();
    const { status, reasons, target } = venue.health();
    expect([status, target]).toEqual(['degraded', 'memory']);
    expect(reasons).toEqual([expect.stringMatching(/^in memory, nothing is kept: .*cannot be opened/)]);
    expect(logger.warnings).toEqual(reasons);
  });

  it('an opening that hangs is given up after its time, and tried again', async () => {
    const factory = new IDBFactory();
    const asked = vi.fn(() => new EventTarget() as IDBOpenDBRequest);
    factory.open = asked;
    vi.stubGlobal('indexedDB', factory);
    const opening = page.open({ fallback: 'memory', logger: rememberingLogger() });
    await vi.advanceTimersByTimeAsync(15_100);
    expect((await opening).health().reasons[0]).toContain('took more than 5000 ms');
    expect(asked).toHaveBeenCalledTimes(3);
  });

  it('the fallback is not for other errors', async () => {
    const venue = await page.open({ seed: '33'.repeat(32) });
    venue.region('r').set('a', 1);
    await venue.close();
    await expect(page.open({ fallback: 'memory' })).rejects.toMatchObject({ code: 'foreign_key' });
  });

  it('no localStorage (a worker, or forbidden): no journal, and health says so', async () => {
    vi.stubGlobal('localStorage', undefined);
    vi.stubGlobal('document', undefined);
    const venue = await page.open();
    venue.region('r').set('a', 1);
    await venue.flush();
    expect(venue.health()).toMatchObject({ status: 'ok', journal: { available: false } });
  });
});

describe('a database that is gone', () => {
  it('between two openings is told from a new one, and its journal is joined', async () => {
    const venue = await page.open({ logger: rememberingLogger() });
    venue.region('r').set('a', 1);
    await venue.flush();
    venue.region('r').set('b', 2);
    page.hide();
    const [key, line] = Object.entries({ ...page.window.localStorage }).find(([name]) => name.includes('/journal:'))!;
    await venue.close();
    page.window.localStorage.setItem(key, line as string);
    vi.stubGlobal('indexedDB', new IDBFactory());
    const next = await page.open({ logger: rememberingLogger() });
    const heard = new Promise((resolve) => next.on('evicted', resolve));
    await vi.advanceTimersByTimeAsync(1);
    expect(await heard).toMatchObject({ writer: venue.health().writer });
    expect(next.health()).toMatchObject({ status: 'degraded', recovery: { evicted: true } });
    expect(Object.fromEntries(next.region('r'))).toEqual({ b: 2 });
    expect(next.did).not.toBe(venue.did);
    next.region('r').set('c', 3);
    await next.flush(); // with it comes a checkpoint, which ends the chain that is broken
    await vi.waitFor(() => expect(next.health().checkpoints).toBe(1));
    await next.close();
    // And the one after it knows whose commit that was.
    const last = await page.open();
    expect(Object.fromEntries(last.region('r'))).toEqual({ b: 2, c: 3 });
    expect(last.health()).toMatchObject({ status: 'ok', recovery: { evicted: false } });
  });

  it('while it is open is written anew from memory, and health says so', async () => {
    const logger = rememberingLogger();
    const venue = await page.open({ logger });
    for (let i = 0; i < 50; i++) venue.region('r').set(`k${i}`, i);
    await venue.flush();
    await venue.checkpoint();
    await new Promise((resolve, reject) => {
      const removing = indexedDB.deleteDatabase('notes');
      removing.onsuccess = resolve;
      removing.onerror = reject;
    });
    venue.region('r').set('after', 1);
    await venue.flush();
    await vi.waitFor(() => expect(venue.health().checkpoints).toBe(2));
    expect(venue.health().recovery.evicted).toBe(true);
    await venue.close();
    const next = await page.open();
    expect(next.region('r').size).toBe(51);
    expect(next.health()).toMatchObject({ status: 'ok', recovery: { holes: [] } });
  });
});

describe('persist()', () => {
  it('asks the browser, and usage() says what it answered', async () => {
    let persisted = false;
    vi.stubGlobal('navigator', {
      storage: {
        persist: async () => {
          persisted = true;
          return persisted;
        },
        persisted: async () => persisted,
        estimate: async () => ({ quota: 5_000_000, usage: 1 }),
      },
    });
    const venue = await page.open();
    expect(await venue.usage()).toMatchObject({ quota: 5_000_000, persisted: false });
    expect(await venue.persist()).toBe(true);
    expect(await venue.usage()).toMatchObject({ persisted: true });
    expect(venue.health().usage).toMatchObject({ persisted: true, quota: 5_000_000 });
  });

  it('is false where nobody can promise it', async () => {
    const venue = await openVenue({ store: 'memory' });
    expect(await venue.persist()).toBe(false);
    await venue.close();
  });
});
