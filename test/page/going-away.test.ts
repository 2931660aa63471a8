// As the page goes away: what happens in the turn of the event, in what order, and what does not.
import { describe, expect, it, vi } from 'vitest';
import { settle, usePage } from './page';

const page = usePage();
const journal = () =>
  Object.keys({ ...page.window.localStorage }).filter((key) => key.startsWith('tidemark/indexeddb:notes/journal:'));
const event = (type: string, target: 'window' | 'document' = 'window') =>
  page.window[target].dispatchEvent(new page.window.Event(type) as never);

describe('in the turn of the first event that says the page may go', () => {
  it.each([
    ['hidden', () => page.hide()],
    ['pagehide', () => event('pagehide')],
    ['freeze', () => event('freeze', 'document')],
    ['beforeunload', () => event('beforeunload')],
  ])('%s: what is unsaved is in the journal and issued, no microtask later', async (_, fire) => {
    const venue = await page.open();
    venue.region('r').set('a', 'typed');
    page.puts.length = page.transactions.length = 0;
    fire();
    expect(journal()).toHaveLength(1);
    expect(page.puts).toEqual([{ store: 'last', bytes: expect.any(Number) }]);
    expect(page.transactions).toEqual([
      { stores: ['last'], mode: 'readwrite', durability: 'relaxed', committed: true },
    ]);
    expect(venue.unsaved.get()).toBe(true);
    await settle();
    expect(venue.unsaved.get()).toBe(false);
    expect(journal()).toEqual([]);
  });

  it('in records of at most 32 KiB, whatever the size', async () => {
    const venue = await page.open();
    venue.region('r').set('a', 'x'.repeat(500_000));
    page.puts.length = 0;
    page.hide();
    const issued = page.puts.filter(({ store }) => store === 'last');
    expect(issued.length).toBe(Math.ceil(500_700 / 32_768));
    expect(Math.max(...issued.map(({ bytes }) => bytes))).toBe(32_768);
  });

  it('the order of a real leaving: each event adds what is new, and nothing is written twice', async () => {
    const venue = await page.open();
    venue.region('r').set('a', 1);
    page.puts.length = 0;
    event('beforeunload');
    venue.region('r').set('b', 1); // by a listener of the page's own
    event('pagehide');
    page.hide();
    expect(journal()).toHaveLength(2);
    expect(page.puts.map(({ store }) => store)).toEqual(['last', 'last']);
  });

  it('nothing at all, when everything is saved', async () => {
    const venue = await page.open();
    venue.region('r').set('a', 1);
    await venue.flush();
    page.puts.length = page.transactions.length = 0;
    page.hide();
    event('pagehide');
    expect([page.puts, page.transactions, journal()]).toEqual([[], [], []]);
  });

  it('and no listener for unload, which would keep the page out of the back/forward cache', async () => {
    const added: string[] = [];
    const { addEventListener } = globalThis;
    vi.stubGlobal('addEventListener', (type: string, listener: () => void) => {
      added.push(type);
      addEventListener(type, listener);
    });
    await page.open();
    expect(added).toEqual(['beforeunload', 'pagehide', 'pageshow']);
  });

  it('unless the program wants none of it', async () => {
    const venue = await page.open({ pageEvents: false });
    venue.region('r').set('a', 1);
    page.hide();
    expect(journal()).toEqual([]);
  });

  it('no more, once it is closed', async () => {
    const venue = await page.open();
    vi.useRealTimers();
    await venue.close();
    page.puts.length = 0;
    page.hide();
    event('pageshow');
    await settle();
    expect(page.puts).toEqual([]);
  });
});

describe('sweeps in a page', () => {
  it('come 100 ms after the first write, relaxed, in one transaction that reads nothing', async () => {
    const venue = await page.open();
    await vi.advanceTimersByTimeAsync(500); // what is done once after an opening
    await settle();
    page.transactions.length = 0;
    venue.region('r').set('a', 1);
    await vi.advanceTimersByTimeAsync(99);
    venue.region('r').set('b', 2);
    expect(page.transactions).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await settle();
    expect(page.transactions).toEqual([
      { stores: ['commits'], mode: 'readwrite', durability: 'relaxed', committed: true },
    ]);
    expect(venue.health()).toMatchObject({ sweeps: 1, unsaved: { entries: 0 } });
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(page.transactions).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('are strict when somebody waits', async () => {
    const venue = await page.open();
    page.transactions.length = 0;
    venue.region('r').set('a', 1);
    await venue.flush();
    expect(page.transactions).toEqual([
      { stores: ['commits'], mode: 'readwrite', durability: 'strict', committed: true },
    ]);
  });
});

describe('a page that comes back', () => {
  it('from hidden has lost nothing, and sees what other tabs wrote meanwhile', async () => {
    const [one, two] = [await page.open(), await page.open()];
    one.region('r').set('a', 1);
    event('pagehide'); // both of them: this window is theirs
    two.region('r').set('b', 2);
    await two.flush();
    expect(one.region('r').get('b')).toBeUndefined(); // its channel is closed
    event('pageshow');
    await vi.waitFor(() => expect(Object.fromEntries(one.region('r'))).toEqual({ a: 1, b: 2 }));
    expect(Object.fromEntries(two.region('r'))).toEqual({ a: 1, b: 2 });
  });

  it('hears others again', async () => {
    const [one, two] = [await page.open(), await page.open()];
    page.hide();
    page.show();
    await settle();
    const origins: string[] = [];
    two.region('r').subscribe((changes) => origins.push(...changes.map(({ origin }) => origin)));
    one.region('r').set('a', 1);
    await one.flush();
    await vi.waitFor(() => expect(two.region('r').get('a')).toBe(1));
    expect(origins).toEqual(['remote']);
  });
});
