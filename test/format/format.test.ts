// Stores that the library makes through its public face, judged by the outside reader: every signature, digest and link is good, and the
// state is the one that the library shows. And the other way round: what the page allows, the library reads.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenOptions, openVenue, type Venue } from '../../src/node';
import { type OutsideView, readStore } from './reader';
import type { Json } from './values';
import { Chain, type Entry, Signer } from './writer';

const seed = new Uint8Array(32).fill(7);
const silent = { info() {}, warn() {}, error() {} };

let home: string;
let store: string;
const opened: Venue[] = [];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'format-'));
  store = join(home, 'venue.etch');
});
afterEach(async () => {
  for (const venue of opened.splice(0)) await venue.close();
  await rm(home, { recursive: true });
});

async function open(options: OpenOptions = {}): Promise<Venue> {
  const venue = await openVenue({ store, seed, signals: false, logger: silent, ...options });
  opened.push(venue);
  return venue;
}

const stateOf = (venue: Venue) => new Map(venue.regions.map((name) => [name, new Map(venue.region(name))]));

/** What both say is there; regions that hold nothing are not compared, since bytes need not tell of them. */
const filled = (regions: OutsideView['regions']) =>
  new Map([...regions].filter(([, values]) => values.size > 0).sort(byName));
const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1);
const sorted = (regions: OutsideView['regions']) =>
  new Map([...regions].map(([name, values]) => [name, new Map([...values].sort(byName))]));

/** The store as the outside reader finds it, once it has been found whole and to be what the venue shows. */
async function agrees(venue: Venue): Promise<OutsideView> {
  const view = await readStore(store);
  expect(view.problems).toEqual([]);
  expect(view.signers).toEqual(new Set([venue.did]));
  expect(sorted(filled(view.regions))).toStrictEqual(filled(stateOf(venue)));
  return view;
}

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
    expect((await readdir(store)).filter((name) => name.startsWith('checkpoint')).sort()).toEqual([
      'checkpoint.2',
      'checkpoint.3',
    ]);

    const newest = join(store, 'checkpoint.3');
    const bytes = await readFile(newest);
    bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
    await writeFile(newest, bytes);
    const view = await readStore(store);
    expect(view.problems.map(({ kind }) => kind)).toEqual(['checkpoint']);
    expect(view.checkpoint).toBe(2);
    expect(sorted(filled(view.regions))).toStrictEqual(filled(stateOf(venue)));
  });

  it('the tail that a killed writer leaves', async () => {
    const killed = await open();
    const notes = killed.region<unknown>('notes');
    notes.set('first', 1);
    await killed.flush();
    const durable = stateOf(killed);
    notes.set('second', { text: 'never reported durable' });
    await killed.flush();
    const [log] = (await readdir(store)).filter((name) => name.startsWith('log'));
    const bytes = await readFile(join(store, log as string));
    const second = bytes.indexOf(10) + 1;
    for (const size of [second + 1, second + 300, bytes.length - 5, bytes.length - 1]) {
      const copy = join(home, `cut at ${size}.etch`);
      await cp(store, copy, { recursive: true, filter: (path) => !path.endsWith('LOCK') });
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
      new Map([...((await readStore(store)).entries.get('r') ?? [])].map(([key, { version }]) => [key, version]));
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
    expect((await readStore(store)).problems).toEqual([]);
    expect(await versions()).toEqual(
      new Map([
        ['a', 2],
        ['b', 2],
        ['c', 2],
      ]),
    );
    older.region<unknown>('r').set('d', 4);
    await older.checkpoint();
    expect((await readStore(store)).problems).toEqual([]);
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
    const [log] = (await readdir(store)).filter((name) => name.startsWith('log')) as [string];
    const bytes = await readFile(join(store, log));
    const second = await open();
    second.region('r').set('c', 3);
    await second.flush();
    await writeFile(join(store, log), bytes.subarray(0, bytes.indexOf(10) + 1));
    expect((await readStore(store)).problems.map(({ kind }) => kind)).toEqual(['hole']);
  });

  it('LOCK is one line of JSON, gone after close', async () => {
    const venue = await open();
    const lock = await readFile(join(store, 'LOCK'), 'utf8');
    expect(lock).toMatch(/^[^\n]+\n$/);
    const { pid, host, nonce, since, start } = JSON.parse(lock);
    expect(pid).toBe(process.pid);
    expect(typeof host).toBe('string');
    expect(nonce).toMatch(/^[0-9a-f]{32}$/);
    expect(new Date(since).toISOString()).toBe(since);
    expect(start).toBeDefined();
    await venue.close();
    expect(await readdir(store)).not.toContain('LOCK');
  });

  it('the key is a line of 64 hexadecimal digits beside the folder', async () => {
    const venue = await openVenue({ store, signals: false, logger: silent });
    opened.push(venue);
    const text = await readFile(join(home, 'venue.key'), 'utf8');
    expect(text).toMatch(/^[0-9a-f]{64}\n$/);
    expect(new Signer(Buffer.from(text.trim(), 'hex')).did).toBe(venue.did);
  });
});

describe('what the page allows, the library reads', () => {
  const signer = new Signer(seed);
  const time = 1000 * 4096;
  const [one, two, three] = ['1111111111111111', '2222222222222222', '3333333333333333'];

  async function make(files: Record<string, string>): Promise<Venue> {
    await (await open()).close(); // makes the folder
    for (const [name, content] of Object.entries(files)) await writeFile(join(store, name), content);
    return open();
  }

  it('commits written twice, payload members and elements that it does not know, stamps that tie', async () => {
    const venueId = 'ab'.repeat(16);
    const [a, b] = [new Chain(signer, venueId, one), new Chain(signer, venueId, two)];
    const commits = [
      a.commit(
        time,
        [
          [
            'r',
            1,
            'lww',
            [
              ['tie', 0, 'x'],
              ['dead', 0],
              ['gone', 0],
            ],
          ],
        ],
        { later: [1] },
      ),
      a.commit(time + 1, [['r', 1, 'lww', [['k', -1, 1, 0, 1, 0, 'later'] as unknown as Entry]]]),
    ];
    const other = b.commit(
      time,
      [
        [
          'r',
          1,
          'lww',
          [
            ['tie', 0, 'y'],
            ['dead', 0, ''],
            ['gone', -1, 1],
          ],
        ],
      ],
      { heads: { [one]: 1 } },
    );
    const venue = await make({
      [`log.0.${one}`]: commits.join(''),
      [`log.0.${one}.1`]: commits[1] as string,
      [`log.0.${two}`]: other,
    });
    expect(Object.fromEntries(venue.region('r'))).toEqual({ tie: 'y', dead: '', k: 1 });
    await agrees(venue);
    expect(venue.health().recovery.damage).toEqual([]);
  });

  it('what is damaged, missing, of another venue or cut costs both the same, and both tell', async () => {
    const [a, b, foreign] = [
      new Chain(signer, 'ab'.repeat(16), one),
      new Chain(signer, 'ab'.repeat(16), two),
      new Chain(signer, 'ef'.repeat(16), three),
    ];
    const lines = [0, 1, 2, 3].map((n) =>
      a.commit(time + n, [
        ['r', 1, 'lww', [[`a${n}`, 0, n], ['shared', 0, n], ...(n === 3 ? [['a0', 0] as Entry] : [])]],
      ]),
    );
    const other = b.commit(
      time + 9,
      [
        [
          'r',
          1,
          'lww',
          [
            ['b', 0, 1],
            ['shared', -7, 'b'],
          ],
        ],
      ],
      { heads: { [one]: 3 } },
    );
    const [l0, l1, l2, l3] = lines as [string, string, string, string];
    const logs = {
      whole: l0 + l1 + l2 + l3,
      flipped: l0 + l1.replace('["a1"', '["A1"') + l2 + l3,
      'badly signed': l0 + l1 + l2.replace(/\.(.)(?=[^.]*$)/, (_, first) => (first === 'A' ? '.B' : '.A')) + l3,
      'without its first': l1 + l2 + l3,
      'without its middle': l0 + l3,
      'without its end': l0 + l1,
      cut: l0 + l1 + l2 + l3.slice(0, 500),
      'without a newline': `${l0 + l1 + l2.slice(0, -1)} ${l3}`,
      'in another order': l2 + l0 + l3 + l1,
      empty: '',
      'with another venue': l0 + foreign.commit(time, [['r', 1, 'lww', [['a0', 99, 'foreign']]]]) + l1 + l2 + l3,
    };
    for (const [name, log] of Object.entries(logs)) {
      store = join(home, `${name}.etch`);
      await (await open()).close();
      await writeFile(join(store, `log.0.${one}`), log);
      await writeFile(join(store, `log.0.${two}`), other);
      const view = await readStore(store);
      const venue = await open();
      const { damage, holes, tornBytes } = venue.health().recovery;
      expect({ name, regions: filled(stateOf(venue)) }).toEqual({ name, regions: sorted(filled(view.regions)) });
      expect({ name, complains: damage.length + holes.length + tornBytes > 0 }).toEqual({
        name,
        complains: view.problems.length > 0,
      });
      await venue.close();
    }
  });

  for (const rule of ['lww', 'max', 'min', 'union']) {
    it(`any entries in any order, joined as ${rule} by both alike, before and after a checkpoint`, async () => {
      const random = randomFrom(rule.length * 7919);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
      for (let round = 0; round < 20; round++) {
        store = join(home, `${round}.etch`);
        const chains = [one, two, three].map((writer) => new Chain(signer, 'cd'.repeat(16), writer));
        const logs: Record<string, string> = {};
        for (let n = 0; n < 30; n++) {
          const chain = pick(chains);
          const entries = new Map<string, Entry>();
          for (let e = 0; e < 5; e++) {
            const key = `k${pick([0, 1, 2, 3, 4, 5, 6, 7])}`;
            const dt = -pick([0, 0, 1, 2, 3]);
            const epoch = rule === 'lww' || random() < 0.5 ? [] : [1, -pick([1, 2, 3, 4])];
            const [value, tagged] = pick(samples);
            entries.set(key, random() < 0.2 ? [key, dt] : ([key, dt, value, tagged, ...epoch] as unknown as Entry));
          }
          const name = `log.0.${chain.writer}`;
          logs[name] = (logs[name] ?? '') + chain.commit(time + (n % 3), [['r', 1, rule, [...entries.values()]]]);
        }
        const venue = await make(logs);
        await agrees(venue);
        await venue.checkpoint();
        await agrees(venue);
        await venue.close();
      }
    });
  }
});

/** Values in tagged form, many of them nearly equal. */
const samples: [value: Json, tagged: 0 | 1][] = [
  [null, 0],
  [true, 0],
  [0, 0],
  [{ $: ['number', '-0'] }, 1],
  [{ $: ['number', 'NaN'] }, 1],
  [{ $: ['number', '-Infinity'] }, 1],
  [10, 0],
  [9, 0],
  [{ $: ['bigint', '9'] }, 1],
  [{ $: ['bigint', '10'] }, 1],
  ['', 0],
  ['a', 0],
  ['\u{1f600}', 0],
  ['\uffee', 0],
  [{ $: ['date', 1] }, 1],
  [{ $: ['date', null] }, 1],
  [{ $: ['bytes', 'AQ'] }, 1],
  [{ $: ['bytes', 'AQI'] }, 1],
  [[2, 1], 0],
  [['1', [1], { a: 1 }], 0],
  [[{ $: ['number', '-0'] }, 0, 10], 1],
  [{ $: ['set', [2, 'x']] }, 1],
  [{ $: ['set', [{ $: ['bigint', '2'] }, 2]] }, 1],
  [
    {
      $: [
        'map',
        [
          [1, [1]],
          ['1', 2],
        ],
      ],
    },
    1,
  ],
  [{ $: ['map', [[1, [{ $: ['number', 'NaN'] }]]]] }, 1],
  [{ a: 1, b: [1] }, 0],
  [{ b: [2], a: 2, 7: 1 }, 0],
  [{ $: ['object', { $: 1, a: 3 }] }, 1],
  [{ a: { $: ['object', { $: [1] }] } }, 1],
];

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
function randomFrom(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
