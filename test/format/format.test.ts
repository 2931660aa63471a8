// Stores that the library makes through its public face, judged by the outside reader: every signature, digest and link is good, and the
// state is the one that the library shows.
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { readStore } from './reader';
import { agrees, filled, home, open, stateOf, storeOf } from './stores';
import { Signer } from './writer';

const everyKind: Record<string, unknown> = {
  null: null,
  booleans: [true, false],
  numbers: [0, -0, 1.5, -1e300, 5e-324, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  minusZero: -0,
  text: 'ä€😀\n\u2028\u0000"\\/',
  loneSurrogate: '\ud800',
  bytes: [new Uint8Array(), new Uint8Array([0]), new Uint8Array([0, 255]), new Uint8Array([1, 2, 3])],
  dates: [new Date(0), new Date(-1), new Date(1_700_000_000_000), new Date(Number.NaN)],
  bigints: [0n, -123n, 2n ** 100n],
  map: new Map<unknown, unknown>([
    [{ a: 1n }, new Set([1, [2n]])],
    ['k', new Map()],
  ]),
  set: new Set([new Date(5), 'x', null]),
  dollar: { $: 1, other: 2n },
  looksLikeATag: { $: ['date', 1] },
  nested: { a: { $: { $: -0 } } },
  proto: JSON.parse('{"__proto__":{"x":1}}'),
  dropped: { a: undefined, b: [undefined] },
  order: { b: 1, 2: 1, 1: 1 },
  empty: [{}, [], ''],
};

describe('what the library stores is what the page says', () => {
  it('every kind of value, alone and together', async () => {
    const venue = await open();
    for (const [key, value] of Object.entries(everyKind)) venue.region('kinds').set(key, value);
    venue.region('kinds').set('ключ 😀 \u0001', everyKind);
    await venue.flush();
    const view = await agrees(venue);
    expect(view.regions.get('kinds')?.size).toBe(Object.keys(everyKind).length + 1);
    await venue.checkpoint();
    expect((await agrees(venue)).checkpoint).toBe(1);
  });

  it('many regions, deletes, forks, several writers by several openings', async () => {
    for (let opening = 0; opening < 5; opening++) {
      const venue = await open();
      for (let r = 0; r < 10; r++) {
        const region = venue.region(`region ${r}`);
        for (let n = 0; n < 10; n++) region.set(`key ${(n * 7 + opening) % 20}`, { opening, n });
        if (opening > 1) region.delete(`key ${opening * 3}`);
        if (r % 3 === 0) await venue.flush();
      }
      const fork = venue.fork();
      fork.region('forked').set(`fork ${opening}`, opening);
      fork.region('region 0').delete('key 1');
      fork.sync();
      await venue.flush();
      const view = await agrees(venue);
      expect(view.commits.size).toBe(opening + 1);
      await venue.close();
    }
    const view = await agrees(await open());
    expect([...view.commits.values()].every((count) => count >= 4)).toBe(true);
  });

  it('every join, over openings, deletes and checkpoints', async () => {
    for (let opening = 0; opening < 4; opening++) {
      const venue = await open();
      const latest = venue.region<unknown>('latest');
      const most = venue.region<unknown>('most', { join: 'max' });
      const least = venue.region<unknown>('least', { join: 'min' });
      const all = venue.region<unknown>('all', { join: 'union' });
      for (const region of [latest, most, least, all]) {
        for (const value of [opening, -opening, 5 - opening]) region.set('number', value);
        region.set('array', [opening, `${opening}`, 'always']);
        region.set('set', new Set([opening, new Date(opening)]));
        region.set('object', { [opening]: [opening], same: { [`k${opening}`]: 1 } });
        region.set(
          'map',
          new Map<unknown, unknown>([
            [opening, 1n],
            ['same', [opening]],
          ]),
        );
        await venue.flush();
        if (opening === 2) for (const key of ['number', 'array', 'map']) region.delete(key);
        if (opening === 2) region.set('array', ['afresh']);
      }
      await venue.flush();
      await agrees(venue);
      if (opening === 1) await venue.checkpoint();
      await agrees(venue);
      await venue.close();
    }
    await agrees(await open());
  });

  it('a checkpoint of many chunks, entries after it, chunks that are copied, and the one before as a substitute', async () => {
    const venue = await open();
    const big = venue.region<unknown>('big');
    const value = (n: number) => ({
      n,
      text: 'x'.repeat(100),
      ...(n % 50 === 0 && { bytes: new Uint8Array([n % 256]) }),
    });
    for (let n = 0; n < 3000; n++) big.set(`key ${(n * 7919) % 3000}`, value(n));
    venue.region('small').set('only', 1);
    await venue.checkpoint();
    expect((await agrees(venue)).checkpoint).toBe(1);

    big.set('key 5', 'changed');
    big.delete('key 2999');
    big.set('key 😀', 'above U+FFFF');
    big.set('key \uffee', 'below it in UTF-8, above it in UTF-16');
    await venue.flush();
    await agrees(venue);
    await venue.checkpoint();
    expect((await agrees(venue)).checkpoint).toBe(2);

    // What a fork holds back is older than these deletions and must lose to them: their tombstones are kept.
    const fork = venue.fork();
    fork.region('big').set('key 0', 'held back');
    for (let n = 0; n < 3000; n += 3) big.delete(`key ${n}`);
    await venue.checkpoint();
    const tombstones = [...((await agrees(venue)).entries.get('big')?.values() ?? [])].filter(({ value }) => !value);
    expect(tombstones.length).toBe(1000);
    fork.drop();
    big.set('last', 1);
    await venue.flush();
    expect((await agrees(venue)).checkpoint).toBe(3);
    expect((await readdir(storeOf())).filter((name) => name.startsWith('checkpoint')).sort()).toEqual([
      'checkpoint.2',
      'checkpoint.3',
    ]);

    const newest = join(storeOf(), 'checkpoint.3');
    const bytes = await readFile(newest);
    bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
    await writeFile(newest, bytes);
    const view = await readStore(storeOf());
    expect(view.problems.map(({ kind }) => kind)).toEqual(['checkpoint']);
    expect(view.checkpoint).toBe(2);
    expect(filled(view.regions)).toStrictEqual(filled(stateOf(venue)));
  });

  it('the tail that a killed writer leaves', async () => {
    const killed = await open();
    const notes = killed.region<unknown>('notes');
    notes.set('first', 1);
    await killed.flush();
    const durable = stateOf(killed);
    notes.set('second', { text: 'never reported durable' });
    await killed.flush();
    const [log] = (await readdir(storeOf())).filter((name) => name.startsWith('log'));
    const bytes = await readFile(join(storeOf(), log as string));
    const second = bytes.indexOf(10) + 1;
    for (const size of [second + 1, second + 300, bytes.length - 5, bytes.length - 1]) {
      const copy = join(home, `cut at ${size}.etch`);
      await cp(storeOf(), copy, { recursive: true, filter: (path) => !path.endsWith('LOCK') });
      await writeFile(join(copy, log as string), bytes.subarray(0, size));
      const torn = await readStore(copy);
      expect(torn.problems.map(({ kind }) => kind)).toEqual(['torn']);
      expect(torn.regions).toStrictEqual(durable);

      const venue = await open({ store: copy });
      expect(stateOf(venue)).toStrictEqual(durable);
      venue.region('notes').set('after', true);
      await venue.flush();
      const mended = await readStore(copy);
      expect(mended.problems).toEqual([]);
      expect(mended.regions).toStrictEqual(stateOf(venue));
    }
  });

  it('schema versions: each entry has the one that its value was written under', async () => {
    const versions = async () =>
      new Map([...((await readStore(storeOf())).entries.get('r') ?? [])].map(([key, { version }]) => [key, version]));
    const first = await open();
    first.region('r', { version: 1 }).set('a', 1);
    first.region('r').set('b', 1);
    await first.checkpoint();
    await agrees(first);
    await first.close();

    const second = await open();
    const r = second.region<unknown>('r', { version: 2, migrate: (value) => ({ value }) });
    r.set('c', { value: 3 });
    await second.flush();
    await agrees(second);
    await second.checkpoint();
    await agrees(second);
    expect(await versions()).toEqual(
      new Map([
        ['a', 2],
        ['b', 2],
        ['c', 2],
      ]),
    );
    await second.close();

    // An older program keeps what it cannot read, also in checkpoints of its own: chunks that it copies and chunks that it writes.
    const older = await open();
    older.region<unknown>('r', { version: 1 });
    older.region<unknown>('other').set('x', 1);
    await older.checkpoint();
    expect((await readStore(storeOf())).problems).toEqual([]);
    expect(await versions()).toEqual(
      new Map([
        ['a', 2],
        ['b', 2],
        ['c', 2],
      ]),
    );
    older.region<unknown>('r').set('d', 4);
    await older.checkpoint();
    expect((await readStore(storeOf())).problems).toEqual([]);
    expect(await versions()).toEqual(
      new Map([
        ['a', 2],
        ['b', 2],
        ['c', 2],
        ['d', 1],
      ]),
    );
    await older.close();

    const again = await open();
    expect([...again.region('r', { version: 1 })]).toEqual([['d', 4]]);
    await again.close();
    const newest = await open();
    const migrated = newest.region<unknown>('r', { version: 2, migrate: (value) => ({ value }) });
    expect(Object.fromEntries(migrated)).toEqual({
      a: { value: 1 },
      b: { value: 1 },
      c: { value: 3 },
      d: { value: 4 },
    });
  });

  it('an end of a chain that is lost, once the next writer has seen it', async () => {
    const first = await open();
    first.region('r').set('a', 1);
    await first.flush();
    first.region('r').set('b', 2);
    await first.flush();
    await first.close();
    const [log] = (await readdir(storeOf())).filter((name) => name.startsWith('log')) as [string];
    const bytes = await readFile(join(storeOf(), log));
    const second = await open();
    second.region('r').set('c', 3);
    await second.flush();
    await writeFile(join(storeOf(), log), bytes.subarray(0, bytes.indexOf(10) + 1));
    expect((await readStore(storeOf())).problems.map(({ kind }) => kind)).toEqual(['hole']);
  });

  it('LOCK is one line of JSON, gone after close', async () => {
    const venue = await open();
    const lock = await readFile(join(storeOf(), 'LOCK'), 'utf8');
    expect(lock).toMatch(/^[^\n]+\n$/);
    const { pid, host, nonce, since, start } = JSON.parse(lock);
    expect(pid).toBe(process.pid);
    expect(typeof host).toBe('string');
    expect(nonce).toMatch(/^[0-9a-f]{32}$/);
    expect(new Date(since).toISOString()).toBe(since);
    expect(start).toBeDefined();
    await venue.close();
    expect(await readdir(storeOf())).not.toContain('LOCK');
  });

  it('the key is a line of 64 hexadecimal digits beside the folder', async () => {
    const venue = await openVenue({ store: storeOf(), signals: false });
    const text = await readFile(join(home, 'venue.key'), 'utf8');
    expect(text).toMatch(/^[0-9a-f]{64}\n$/);
    expect(new Signer(Buffer.from(text.trim(), 'hex')).did).toBe(venue.did);
    await venue.close();
  });
});
