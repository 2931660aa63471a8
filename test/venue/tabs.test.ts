// Several tabs on one store: whoever missed something catches up, from commits or from a checkpoint; and a store that has vanished or gone
// back is told from a new one. On pages without a browser; test/browser does the same in real ones.
import { describe, expect, it } from 'vitest';
import { memoryBackend, memoryStore } from '../../backends/memory';
import type { Backend } from '../../src/backend';
import { TidemarkError } from '../../src/backend';
import { fromHex } from '../../src/base/bytes';
import { createIdentity } from '../../src/identity/identity';
import type { CommitInfo } from '../../src/index';
import { encodeBody } from '../../src/log/entries';
import { type CommitPayload, encodeLine } from '../../src/log/line';
import { openVenue } from '../../src/node';
import { nodeCrypto } from '../../src/platform/node-crypto';
import { otherSeed, seed, settle } from './helpers';
import { entriesOf, journal, newOrigin, type Origin, openTab, type Tab } from './pages';

const write = async ({ venue }: Tab, key: string, value: unknown = 1) => {
  venue.region('r').set(key, value);
  await venue.flush();
  await settle();
};

describe('a tab that has missed commits catches up', () => {
  it('when it is back, and its subscribers hear of it as remote', async () => {
    const origin = newOrigin();
    const [one, two] = [await openTab(origin), await openTab(origin)];
    two.hears = false;
    await write(one, 'a');
    await write(one, 'b');
    expect(entriesOf(two.venue)).toEqual({});
    const heard: unknown[] = [];
    two.venue.region('r').subscribe((changes) => heard.push(...changes));
    two.going.resume();
    await settle();
    expect(two.calls).toContain('resume');
    expect(entriesOf(two.venue)).toEqual({ a: 1, b: 1 });
    expect(heard).toEqual(['a', 'b'].map((key) => ({ key, value: 1, origin: 'remote' })));
  });

  it('when it hears of a later one', async () => {
    const origin = newOrigin();
    const [one, two] = [await openTab(origin), await openTab(origin)];
    two.hears = false;
    await write(one, 'a');
    two.hears = true;
    await write(one, 'b');
    expect(entriesOf(two.venue)).toEqual({ a: 1, b: 1 });
    expect(two.venue.health()).toMatchObject({ failures: 0, recovery: { holes: [] } });
  });

  it('from a checkpoint, when the commits are gone', async () => {
    const origin = newOrigin();
    const [one, two] = [await openTab(origin), await openTab(origin)];
    await write(two, 'own', 2);
    two.hears = false;
    await write(one, 'a');
    one.venue.region('r').delete('own');
    await one.venue.checkpoint();
    await write(one, 'b');
    await one.venue.checkpoint();
    await write(one, 'c');
    expect(origin.store.commits().length).toBeLessThan(4);
    two.going.resume();
    await settle();
    expect(entriesOf(two.venue)).toEqual({ a: 1, b: 1, c: 1 });
    expect(Object.fromEntries(two.venue.root.region('r'))).toEqual({ a: 1, b: 1, c: 1 });
    // What it makes now covers all of it.
    await two.venue.checkpoint();
    await two.venue.checkpoint();
    expect(entriesOf((await openTab(origin)).venue)).toEqual({ a: 1, b: 1, c: 1 });
  });

  it('with an old fork of its own: the later write of each key wins, wherever it was made', async () => {
    const origin = newOrigin();
    const [one, two] = [await openTab(origin), await openTab(origin)];
    two.hears = two.appends = false;
    two.venue.region('r').set('early', 'two');
    two.venue.region('r').set('only', 'two');
    await origin.clock.advance(3_600_000);
    await write(one, 'early', 'one');
    await write(one, 'late', 'one');
    await origin.clock.advance(1);
    two.venue.region('r').set('late', 'two');
    two.appends = two.hears = true;
    two.going.resume();
    await settle();
    const all = { early: 'one', only: 'two', late: 'two' };
    expect(entriesOf(two.venue)).toEqual(all);
    two.kill(); // its first append never came back: only the journal could have it, and there was no event
    expect(entriesOf((await openTab(origin)).venue)).toEqual({ early: 'one', late: 'one' });
  });

  it('and reports what it cannot read, keeps the rest, and looks again the next time', async () => {
    const origin = newOrigin();
    const [one, two] = [await openTab(origin), await openTab(origin)];
    two.hears = false;
    await write(one, 'a');
    const { newer } = two.backend;
    two.backend.newer = async () => {
      throw new Error('connection lost');
    };
    two.going.resume();
    await settle();
    expect(two.venue.health().lastFailure).toMatchObject({ reason: 'remote', message: 'connection lost' });
    two.backend.newer = newer!;
    two.going.resume();
    await settle();
    expect(entriesOf(two.venue)).toEqual({ a: 1 });
  });

  it('but not with what another key has signed', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin);
    const stranger = { ...origin, store: memoryStore() };
    const theirs = await openTab(stranger, { seed: otherSeed });
    await write(theirs, 'a', 'theirs');
    await theirs.venue.checkpoint();
    tab.backend.newer = theirs.backend.newer!;
    tab.going.resume();
    await settle();
    expect(entriesOf(tab.venue)).toEqual({});
    expect(tab.venue.health().lastFailure).toMatchObject({ reason: 'remote', code: 'damaged' });
  });
});

describe('an opening whose checkpoint is replaced while it is read', () => {
  const gone = async (): Promise<never> => {
    throw new TidemarkError('io', 'checkpoint 1 was replaced by others');
  };
  async function openWithout(origin: Origin, newer: NonNullable<Backend['newer']>) {
    const inner = memoryBackend(origin.store);
    const backend: Backend = {
      ...inner,
      newer,
      async open(venue) {
        const stored = await inner.open(venue);
        const [found] = stored.checkpoints;
        return {
          ...stored,
          checkpoints: [{ ...found!, stream: () => ({ [Symbol.asyncIterator]: () => ({ next: gone }) }), read: gone }],
        };
      },
    };
    return openVenue({ store: backend, seed, clock: origin.clock.process(), signals: false });
  }

  it('looks once more, and finds the one that stands', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin);
    await write(tab, 'a', 1);
    await tab.venue.checkpoint();
    const venue = await openWithout(origin, (known) => memoryBackend(origin.store).newer!(known));
    expect(entriesOf(venue)).toEqual({ a: 1 });
    expect(venue.health()).toMatchObject({ status: 'ok', recovery: { checkpoint: 1, damage: [] } });
    await venue.close();
  });

  it('is refused when it cannot be read then, either', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin);
    await write(tab, 'a', 1);
    await tab.venue.checkpoint();
    await expect(openWithout(origin, gone)).rejects.toMatchObject({ code: 'io' });
  });
});

describe('a commit that is still missing between others', () => {
  /** A page that went away with two commits, of which the second one came through first. */
  async function overtaken(origin: Origin) {
    const one = await openTab(origin);
    one.appends = one.keeps = false;
    one.venue.region('r').set('a', 1);
    await origin.clock.advance(150); // on its way, in the usual manner
    one.venue.region('r').set('b', 2);
    one.going.writeNow();
    const [first, second] = one.dropped;
    origin.beside.items.clear(); // as if it had been too large
    one.kill();
    const late = memoryBackend(origin.store);
    const { writer } = one.venue.health();
    const arrive = (commit = first!, index = 0) => late.append(commit, { writer, index, hash: '' }, 'relaxed');
    await arrive(second, 1);
    return arrive;
  }

  it('is waited for by checkpoints, and joined when it comes', async () => {
    const origin = newOrigin();
    const arrive = await overtaken(origin);
    const tab = await openTab(origin);
    expect(tab.venue.health().recovery.holes).toHaveLength(1);
    await tab.venue.checkpoint();
    await arrive();
    await settle();
    expect(entriesOf(tab.venue)).toEqual({ a: 1, b: 2 });
    for (let i = 0; i < 3; i++) await tab.venue.checkpoint();
    tab.kill();
    const next = await openTab(origin);
    expect(entriesOf(next.venue)).toEqual({ a: 1, b: 2 });
    expect(next.venue.health()).toMatchObject({ status: 'ok', recovery: { holes: [] } });
  });

  it('is taken for lost after a day, so that the log does not grow for ever', async () => {
    const origin = newOrigin();
    await overtaken(origin);
    await origin.clock.advance(25 * 3_600_000);
    const tab = await openTab(origin);
    for (let i = 0; i < 3; i++) await tab.venue.checkpoint();
    tab.kill();
    const { venue } = await openTab(origin);
    expect(entriesOf(venue)).toEqual({ b: 2 });
    expect(venue.health()).toMatchObject({ status: 'ok', recovery: { holes: [] } });
    expect(origin.store.commits()).toEqual([]);
  });
});

describe('a store of many openings', () => {
  it('names those that wrote last, and loses no entry', async () => {
    const origin = newOrigin();
    const first = await openTab(origin);
    await write(first, 'a');
    const { venue, root } = first.venue.health();
    const others = memoryBackend(origin.store);
    const identity = createIdentity(fromHex(seed), nodeCrypto);
    for (let i = 0; i < 1100; i++) {
      const body = encodeBody([{ region: 'r', version: 1, join: 'lww', entries: [[`k${i}`, 0, i]] }]);
      const writer = i.toString(16).padStart(16, '0');
      const payload = { kind: 'commit' as const, venue, writer, index: 0, prev: null, time: root!.time + i, count: 1 };
      const { bytes, hash } = encodeLine<CommitPayload>(nodeCrypto, identity, payload, body);
      await others.append(bytes, { writer, index: 0, hash }, 'strict');
    }
    first.kill();
    for (let i = 0; i < 3; i++) {
      const tab = await openTab(origin);
      expect(tab.venue.region('r').size).toBe(1101);
      expect(tab.venue.health()).toMatchObject({ status: 'ok', recovery: { holes: [], damage: [] } });
      await tab.venue.checkpoint();
      tab.kill();
    }
    const [checkpoint] = (await others.open('')).checkpoints;
    const text = new TextDecoder().decode(await checkpoint!.read(0, checkpoint!.size));
    const [, payload] = text.trimEnd().split('\n').at(-1)!.split('.');
    const { covers } = JSON.parse(Buffer.from(payload!, 'base64url').toString());
    expect(Object.keys(covers)).toHaveLength(1024);
    expect(covers).toHaveProperty((1099).toString(16).padStart(16, '0'));
    expect(covers).not.toHaveProperty((3).toString(16).padStart(16, '0'));
  });
});

describe('a store that is gone or has gone back', () => {
  async function written(): Promise<Origin> {
    const origin = newOrigin();
    const tab = await openTab(origin);
    await write(tab, 'a');
    await origin.clock.advance(2000);
    await write(tab, 'b');
    tab.going.writeNow();
    tab.kill();
    return origin;
  }

  it('is not taken for a new one: the report, the health and an event say so', async () => {
    const { beside, clock } = await written();
    const tab = await openTab({ beside, clock, store: memoryStore() });
    const events: CommitInfo[] = [];
    tab.venue.on('evicted', (root) => events.push(root));
    await clock.advance(10);
    expect(tab.venue.health()).toMatchObject({ status: 'degraded', recovery: { evicted: true, rolledBack: false } });
    expect(events).toMatchObject([{ index: 1 }]);
    expect(tab.logs.errors).toEqual([expect.stringContaining('was gone')]);
    await write(tab, 'c');
    tab.kill();
    const again = await openTab({ beside, clock, store: memoryStore() });
    expect(again.venue.health().recovery.evicted).toBe(true);
  });

  it('leaves its journal to the one that is begun in its place, also under another key', async () => {
    const { beside, clock, store } = await written();
    const tab = await openTab({ beside, clock, store }, { keeps: false });
    tab.venue.region('r').set('typed', 1);
    tab.appends = false;
    tab.going.writeNow();
    tab.kill();
    const emptied = { beside, clock, store: memoryStore() };
    const next = await openTab(emptied, { seed: otherSeed });
    expect(entriesOf(next.venue)).toEqual({ typed: 1 });
    expect(next.trusted).toEqual([tab.venue.did]);
    expect(journal(emptied)).toEqual([]);
  });

  it('that is older than it has been is reported', async () => {
    const { beside, clock, store } = await written();
    const [first] = store.commits();
    const older = memoryStore();
    const { payload } = JSON.parse(
      `{"payload":${Buffer.from(new TextDecoder().decode(first).split('.')[1]!, 'base64url')}}`,
    );
    const backend = memoryBackend(older);
    await backend.open(payload.venue);
    await backend.append(first!, { writer: payload.writer, index: 0, hash: '' }, 'strict');
    const tab = await openTab({ beside, clock, store: older });
    const events: CommitInfo[] = [];
    tab.venue.on('rolledBack', (root) => events.push(root));
    await clock.advance(10);
    expect(tab.venue.health().recovery).toMatchObject({ evicted: false, rolledBack: true });
    expect(events).toMatchObject([{ writer: payload.writer, index: 1 }]);
    expect(entriesOf(tab.venue)).toEqual({ a: 1 });
  });

  it.each([
    ['a flush', ({ venue }: Tab) => venue.flush()],
    ['close', ({ venue }: Tab) => venue.close()],
    ['a page that is hidden', ({ going }: Tab) => going.writeNow()],
  ])('is known up to %s, however soon after the one before', async (_, done) => {
    const origin = newOrigin();
    const tab = await openTab(origin);
    await write(tab, 'a');
    tab.venue.region('r').set('b', 1);
    await done(tab);
    await settle();
    const { root } = JSON.parse(origin.beside.items.get('mark')!);
    expect(root.index).toBe(1);
  });

  it('is not seen where nothing is wrong', async () => {
    const origin = await written();
    const { venue } = await openTab(origin);
    expect(venue.health()).toMatchObject({ status: 'ok', recovery: { evicted: false, rolledBack: false } });
    origin.beside.items.set('mark', 'not ours');
    expect((await openTab(origin)).venue.health().status).toBe('ok');
  });

  it('leaves no value, key or secret outside', async () => {
    const origin = newOrigin();
    const tab = await openTab(origin);
    await write(tab, 'the-key', 'the-value');
    tab.going.writeNow();
    const outside = JSON.stringify([...origin.beside.items]);
    for (const secret of ['the-key', 'the-value', '11'.repeat(32)]) expect(outside).not.toContain(secret);
  });
});

describe('an unclean end', () => {
  const ended = async (how: (tab: Tab) => unknown) => {
    const origin = newOrigin();
    const tab = await openTab(origin);
    await write(tab, 'a');
    await how(tab);
    tab.kill();
    return (await openTab(origin)).calls;
  };

  it('is mended by the next opening', async () => {
    expect(await ended(() => {})).toEqual(['mend']);
    expect(await ended(({ going }) => going.writeNow())).toEqual(['mend']); // hidden, then killed
  });

  it('is told from a page that was left or closed', async () => {
    expect(await ended(({ venue }) => venue.close())).toEqual([]);
    expect(await ended(({ going }) => going.leave())).toEqual([]);
  });

  it('is one again after a page has come back', async () => {
    const back = async ({ going }: Tab) => [going.leave(), going.resume(), await settle()];
    expect(await ended(back)).toEqual(['mend']);
  });
});
