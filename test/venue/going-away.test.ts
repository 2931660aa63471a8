// The last write before a page goes: what is unsaved is in the journal when the event's turn is over, whatever becomes of the database, and the next
// opening joins it. On pages without a browser; test/browser does the same in real ones.
import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/log/line';
import { nodeCrypto } from '../../src/platform/node-crypto';
import { gate, otherSeed, seed, settle } from './helpers';
import { entriesOf, journal, newOrigin, openTab, type Tab } from './pages';

const leave = ({ going }: Tab) => going.leave();

const bytes = (text: string) => new TextEncoder().encode(text);

describe('as the page goes away, what is unsaved is kept', () => {
  it('in the same turn: signed, in the journal, and issued', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin);
    tab.venue.region('r').set('a', { typed: 'last' });
    tab.going.writeNow();
    const [[key, line]] = journal(origin) as [[string, string]];
    expect(key).toBe(`journal:${tab.venue.health().writer}:0`);
    expect(line.endsWith('\n')).toBe(true);
    expect(parseLine(nodeCrypto, bytes(line.slice(0, -1)))).toMatchObject({ payload: { kind: 'commit', count: 1 } });
    expect(tab.calls).toEqual(['appendNow']);
  });

  it.each([
    ['the database loses', false],
    ['the database keeps', true],
  ])('where %s what is issued then', async (_, keeps) => {
    const origin = newOrigin();
    const tab = await openTab(origin, { keeps });
    tab.venue.region('r').set('a', 1);
    await tab.venue.flush();
    tab.venue.region('r').set('b', 2);
    tab.appends = false;
    leave(tab);
    tab.kill();

    const next = await openTab(origin);
    expect(entriesOf(next.venue)).toEqual({ a: 1, b: 2 });
    expect(next.venue.root.region('r').get('b')).toBe(2);
    expect(next.venue.health()).toMatchObject({ status: 'ok', recovery: { holes: [], damage: [] } });
    expect(journal(origin)).toEqual([]);
    next.kill();
    expect(entriesOf((await openTab(origin)).venue)).toEqual({ a: 1, b: 2 });
  });

  it('with a sweep on its way that never arrives, in the order of the chain', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin, { keeps: false });
    const region = tab.venue.region('r');
    tab.appends = false;
    region.set('a', 1);
    await origin.clock.advance(150);
    region.set('a', 2);
    region.set('b', 2);
    leave(tab);
    expect(journal(origin)).toHaveLength(2);
    tab.kill();
    const { venue } = await openTab(origin);
    expect(entriesOf(venue)).toEqual({ a: 2, b: 2 });
    expect(venue.health().recovery).toMatchObject({ holes: [], damage: [], commits: 2 });
  });

  it('at the first event, and what comes after it at the next, nothing twice', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin, { keeps: false });
    tab.appends = false;
    tab.venue.region('r').set('a', 1);
    tab.going.writeNow();
    tab.going.writeNow();
    expect(tab.calls).toEqual(['appendNow']);
    tab.venue.region('r').set('b', 1);
    leave(tab);
    expect(tab.calls).toEqual(['appendNow', 'appendNow', 'suspend']);
    expect(journal(origin)).toHaveLength(2);
  });

  it.each([
    ['that was enough', true, ['appendNow']],
    ['where that failed it is written in the usual way', false, ['appendNow', 'append strict']],
  ])('and when the page lives on it leaves the journal; %s', async (_, keeps, calls) => {
    const origin = newOrigin();
    const tab = await openTab(origin, { keeps });
    tab.venue.region('r').set('a', 1);
    tab.going.writeNow();
    expect(tab.venue.unsaved.get()).toBe(true);
    await settle();
    await origin.clock.advance(1000);
    expect(tab.calls).toEqual(calls);
    expect(tab.venue.health().unsaved.entries).toBe(0);
    expect(tab.venue.unsaved.get()).toBe(false);
    expect(journal(origin)).toEqual([]);
    expect(origin.store.commits()).toHaveLength(1);
    tab.kill();
    expect(entriesOf((await openTab(origin)).venue)).toEqual({ a: 1 });
  });

  it('what is issued is waited for before anything else is written, and a flush asks for more than that', async () => {
    const origin = newOrigin();
    const { opened, open } = gate();
    const tab = await openTab(origin);
    const { appendNow } = tab.backend;
    tab.backend.appendNow = async (commit, at) => {
      await opened;
      await appendNow!(commit, at);
    };
    tab.venue.region('r').set('a', 1);
    await origin.clock.advance(50);
    tab.going.writeNow();
    await origin.clock.advance(1000); // a sweep was due
    expect(tab.calls).toEqual([]);
    const flushed = tab.venue.flush();
    await settle();
    expect(tab.calls).toEqual([]);
    open();
    await origin.clock.runUntil(flushed);
    expect(tab.calls).toEqual(['appendNow', 'append strict']);
    expect(tab.venue.health()).toMatchObject({ unsaved: { entries: 0 }, failures: 0 });
    expect(journal(origin)).toEqual([]);
  });

  it('and counts as durable when what was written before it is', async () => {
    const origin = newOrigin();
    const { opened, open } = gate();
    const tab = await openTab(origin);
    const { append } = tab.backend;
    tab.backend.append = async (...args) => {
      await opened;
      await append(...args);
    };
    const { appendNow } = tab.backend;
    tab.backend.appendNow = (commit, at) =>
      at.index === 0 ? Promise.reject(new Error('not kept')) : appendNow!(commit, at);
    const region = tab.venue.region('r');
    region.set('a', 1);
    await origin.clock.advance(150);
    region.set('b', 2);
    tab.going.writeNow();
    await settle();
    expect([...tab.venue.root.region('r').scan()]).toEqual([]);
    open();
    await settle();
    expect(tab.venue.health().unsaved.entries).toBe(0);
    expect(journal(origin)).toEqual([]);
    tab.kill();
    const { venue } = await openTab(origin);
    expect(entriesOf(venue)).toEqual({ a: 1, b: 2 });
  });

  it.each([
    ['only issues', false],
    ['makes durable at once', true],
  ])(
    'in the middle of a sweep whose digest is being taken, where the platform %s what is written then',
    async (_, sync) => {
      const origin = newOrigin();
      const { opened, open } = gate();
      const digest = async (body: Uint8Array<ArrayBuffer>) => {
        await opened;
        return nodeCrypto.sha256(body);
      };
      const tab = await openTab(origin, { digest, sync, keeps: false });
      tab.venue.region('r').set('a', 'x'.repeat(50_000));
      await origin.clock.advance(150);
      tab.venue.region('r').set('b', 1);
      expect(origin.store.commits()).toHaveLength(0);
      tab.going.writeNow();
      expect(journal(origin)).toHaveLength(sync ? 0 : 2);
      open();
      await settle();
      expect(tab.venue.health()).toMatchObject({ unsaved: { entries: 0 }, failures: 0 });
      expect(origin.store.commits()).toHaveLength(2);
      expect(journal(origin)).toEqual([]);
      tab.kill();
      const { venue } = await openTab(origin);
      expect(Object.keys(entriesOf(venue))).toEqual(['a', 'b']);
      expect(venue.health()).toMatchObject({ status: 'ok', recovery: { commits: 2, holes: [] } });
    },
  );

  it('by close(), when the database does not answer', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin, { keeps: false });
    tab.appends = false;
    tab.venue.region('r').set('a', 1);
    const report = await origin.clock.runUntil(tab.venue.close());
    expect(report).toMatchObject({ durable: false, unsaved: { entries: 1 } });
    tab.kill();
    expect(entriesOf((await openTab(origin)).venue)).toEqual({ a: 1 });
  });

  it('until the one who opens it next has made it durable', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin, { keeps: false });
    tab.venue.region('r').set('a', 1);
    tab.appends = false;
    leave(tab);
    tab.kill();
    const next = await Promise.race([openTab(origin, { keeps: false, appends: false }), settle(20)]);
    expect(next).toBeUndefined(); // it waits for the database
    expect(journal(origin)).toHaveLength(1);
    expect(entriesOf((await openTab(origin)).venue)).toEqual({ a: 1 });
    expect(journal(origin)).toEqual([]);
  });
});

describe('a journal over its share', () => {
  const size = 1600;
  const text = (name: string) => name.repeat(400);

  it('keeps the newest entries of critical regions first, and health says what did not fit', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin, { journalBytes: size + 1200, keeps: false });
    const plain = tab.venue.region('plain');
    const critical = tab.venue.region('critical', { critical: true });
    for (const name of ['a', 'b', 'c']) critical.set(name, text(name));
    for (const name of ['x', 'y', 'z']) plain.set(name, text(name));
    critical.set('a', text('A'));
    tab.appends = false;
    leave(tab);
    const { journal: info, status, reasons } = tab.venue.health();
    expect(info.unfit).toBeGreaterThanOrEqual(2);
    expect(info.bytes).toBeLessThanOrEqual(size + 1200);
    expect([status, ...reasons]).toEqual(['degraded', `${info.unfit} unsaved entries do not fit into the journal`]);
    tab.kill();
    const { venue } = await openTab(origin);
    const kept = [...Object.keys(entriesOf(venue, 'critical')), ...Object.keys(entriesOf(venue, 'plain'))];
    expect(kept).toHaveLength(6 - info.unfit);
    expect(kept.slice(0, 3)).toEqual(['a', 'b', 'c']);
    expect(entriesOf(venue, 'critical').a).toBe(text('A'));
    expect(kept.slice(3).every((key) => key !== 'x' || kept.includes('y'))).toBe(true);
  });

  it('parts nothing where there is room', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin, { keeps: false });
    for (const name of ['x', 'y', 'z']) tab.venue.region(name).set(name, text(name));
    tab.going.writeNow();
    expect(journal(origin)).toHaveLength(1);
    expect(tab.venue.health().journal).toMatchObject({ available: true, unfit: 0 });
  });

  it('loses nothing where the database keeps what does not fit, and forgets that it did not fit', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin, { journalBytes: 1500 });
    for (const name of ['x', 'y', 'z']) tab.venue.region('r').set(name, text(name));
    leave(tab);
    tab.kill();
    const next = await openTab(origin);
    expect(Object.keys(entriesOf(next.venue))).toEqual(['x', 'y', 'z']);
    next.venue.region('r').set('w', text('w'));
    next.going.writeNow();
    await settle();
    expect(next.venue.health()).toMatchObject({ status: 'ok', journal: { unfit: 0 } });
  });

  it('counts what other tabs have in it, and characters as localStorage does', async () => {
    const origin = newOrigin();
    const [one, two] = [
      await openTab(origin, { keeps: false }),
      await openTab(origin, { keeps: false, journalBytes: 9000 }),
    ];
    two.appends = false;
    one.venue.region('r').set('a', '\u00e9'.repeat(5000));
    one.going.writeNow();
    two.venue.region('r').set('b', '\u00e9'.repeat(3000)); // 6,000 bytes in UTF-8
    two.going.writeNow();
    expect(journal(origin)).toHaveLength(1);
    expect(two.venue.health().journal.unfit).toBe(1);
    await origin.clock.runUntil(one.venue.flush());
    expect(journal(origin)).toHaveLength(0);
  });

  it('or a localStorage that is full, stops nothing', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin);
    origin.beside.full = true;
    tab.venue.region('r').set('a', 1);
    leave(tab);
    expect(tab.venue.health().journal.unfit).toBe(1);
    tab.kill();
    expect(entriesOf((await openTab(origin)).venue)).toEqual({ a: 1 });
  });
});

describe('a journal that is not ours', () => {
  async function leftBy(signer: string, origin = newOrigin()) {
    const tab = await openTab(origin, { seed: signer, keeps: false });
    tab.venue.region('r').set('a', 'theirs');
    tab.appends = false;
    leave(tab);
    tab.kill();
    return journal(origin);
  }

  it('of another key is quarantined, and the venue opens without it', async () => {
    const origin = newOrigin();
    const own = await openTab(origin);
    own.venue.region('r').set('b', 'ours');
    await own.venue.close();
    const [[key, line]] = (await leftBy(otherSeed)) as [[string, string]];
    origin.beside.items.set(key, line);
    const { venue } = await openTab(origin);
    expect(entriesOf(venue)).toEqual({ b: 'ours' });
    expect(journal(origin)).toEqual([]);
    await settle();
    expect(origin.store.quarantined().map(({ bytes }) => new TextDecoder().decode(bytes))).toEqual([line]);
  });

  it('of another key does not keep a new venue from opening', async () => {
    const origin = newOrigin();
    const [[key, line]] = (await leftBy(otherSeed)) as [[string, string]];
    origin.beside.items.set(key, line);
    const { venue } = await openTab(origin);
    venue.region('r').set('b', 1);
    await venue.flush();
    expect(entriesOf(venue)).toEqual({ b: 1 });
    expect(journal(origin)).toEqual([]);
  });

  it('of another venue under the same key is quarantined', async () => {
    const origin = newOrigin();
    const own = await openTab(origin);
    own.venue.region('r').set('b', 'ours');
    await own.venue.close();
    const [[key, line]] = (await leftBy(seed)) as [[string, string]];
    origin.beside.items.set(key, line);
    const { venue } = await openTab(origin);
    expect(entriesOf(venue)).toEqual({ b: 'ours' });
    expect(journal(origin)).toEqual([]);
    expect(origin.store.quarantined()).toHaveLength(1);
  });

  it.each([
    ['cut short', (line: string) => line.slice(0, -30)],
    ['changed', (line: string) => line.replace('theirs', 'mine!!')],
    ['something else', () => 'something else'],
    ['empty', () => ''],
  ])('or is %s, is quarantined', async (_, damage) => {
    const origin = newOrigin();
    const [[key, line]] = (await leftBy(seed, origin)) as [[string, string]];
    origin.beside.items.set(key, damage(line));
    const { venue } = await openTab(origin);
    expect(entriesOf(venue)).toEqual({});
    expect(journal(origin)).toEqual([]);
    await settle();
    expect(origin.store.quarantined()).toHaveLength(1);
  });

  it('is joined by a tab that is open, when it looks, and made durable before that', async () => {
    const origin = newOrigin();
    const one = await openTab(origin, { keeps: false });
    const two = await openTab(origin);
    one.venue.region('r').set('a', 1);
    one.appends = false;
    leave(one);
    one.kill();
    const { opened, open } = gate();
    const { appendNow } = two.backend;
    two.backend.appendNow = async (commit, at) => {
      await opened;
      await appendNow!(commit, at);
    };
    two.going.resume();
    await settle();
    expect(entriesOf(two.venue)).toEqual({});
    open();
    await settle();
    expect(entriesOf(two.venue)).toEqual({ a: 1 });
    expect(journal(origin)).toEqual([]);
    expect(origin.store.commits()).toHaveLength(1);
  });
});
