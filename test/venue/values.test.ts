// What may be stored comes back deeply equal, from memory, from the log and from a checkpoint.
import vm from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openIn } from './helpers';

/** What is given, and what comes back where that is not the same. */
const values: Record<string, [given: unknown, back?: unknown]> = {
  null: [null],
  true: [true],
  false: [false],
  zero: [0],
  'minus zero': [-0],
  'whole number': [9007199254740991],
  fraction: [-1.5e-300],
  'greatest number': [Number.MAX_VALUE],
  NaN: [Number.NaN],
  infinity: [Number.POSITIVE_INFINITY],
  'minus infinity': [Number.NEGATIVE_INFINITY],
  'empty text': [''],
  text: ['Grüße, \u{1F600} \u2028 "quoted" \\ \n\t\0'],
  'lone surrogates in a text': ['a\ud800b\udfff'],
  'a text like a tag': ['{"$":["date",0]}'],
  bigint: [123456789012345678901234567890n],
  'negative bigint': [-1n],
  'bigint zero': [0n],
  date: [new Date(1700000000000)],
  'date before 1970': [new Date(-1)],
  'invalid date': [new Date(Number.NaN)],
  bytes: [Uint8Array.of(0, 1, 127, 128, 255)],
  'no bytes': [new Uint8Array()],
  'a part of a buffer': [new Uint8Array([1, 2, 3, 4]).subarray(1, 3), Uint8Array.of(2, 3)],
  Buffer: [Buffer.from('bytes'), new Uint8Array(Buffer.from('bytes'))],
  'empty array': [[]],
  array: [[1, 'a', null, [2], { n: 3 }]],
  'holes and undefined in an array': [Object.assign(new Array(4), { 0: 1, 2: undefined, 3: 2 }), [1, null, null, 2]],
  'empty object': [{}],
  object: [{ a: 1, b: { c: [true] }, 'with space': '' }],
  'undefined in an object': [
    { a: undefined, b: { c: undefined, d: 1 }, e: [{ f: undefined }] },
    { b: { d: 1 }, e: [{}] },
  ],
  'an empty name': [{ '': 1, a: { '': { '': 2 } } }],
  'names like numbers': [{ 10: 'ten', 9: 'nine', b: 1, '-1': 0, '01': 0 }],
  'names that objects have': [{ constructor: 1, toString: 2, hasOwnProperty: 3, length: 4, toJSON: 5 }],
  'a name __proto__': [JSON.parse('{"__proto__":{"a":1},"b":2}')],
  'a name __proto__ beside what needs a tag': [Object.assign(JSON.parse('{"__proto__":{"a":1}}'), { d: new Date(5) })],
  'lone surrogates in a name': [{ '\ud800': 1 }],
  'the reserved name': [{ $: 1 }],
  'the reserved name, looking like a tag': [{ $: ['date', 0] }],
  'the reserved name, nested': [{ $: { $: ['bytes', 'AAAA', { $: 1 }] } }],
  'the reserved name beside others': [{ $: 1, a: new Date(1), b: { $: 2 } }],
  'the reserved name with undefined': [{ $: undefined, a: 1n }, { a: 1n }],
  'Map of anything': [
    new Map<unknown, unknown>([
      ['a', 1],
      [1, 'a'],
      [null, null],
      [Number.NaN, -0],
      [true, [1n]],
      [{ k: 1 }, new Map([['b', new Set([1])]])],
    ]),
  ],
  'empty Map': [new Map()],
  Set: [new Set<unknown>(['a', 1, null, -1n, Number.NaN, [1], { a: { $: 1 } }, new Date(3)])],
  'empty Set': [new Set()],
  'Map and Set in plain things': [{ list: [new Map([['a', { b: new Set([Uint8Array.of(1)]) }]])] }],
  'undefined within objects in a Map': [
    new Map([['a', { b: undefined, c: [undefined] }]]),
    new Map([['a', { c: [null] }]]),
  ],
  'a Map within a Map is no pair': [
    new Map([
      [
        ['k', 'v'],
        ['x', 'y'],
      ],
    ]),
  ],
  'the same object twice': [
    (() => {
      const same = { a: new Date(1) };
      return { one: same, two: [same] };
    })(),
  ],
  'deep nesting': [
    (() => {
      let value: unknown = 1;
      for (let i = 0; i < 900; i++) value = i % 2 ? [value] : { a: value };
      return value;
    })(),
  ],
  'a long text': ['\u{1F600}\0x'.repeat(100_000)],
};

const names = Object.keys(values);

/** Through memory, the log, a checkpoint, and a checkpoint made of that checkpoint. */
async function stages(
  write: (region: { set(key: string, value: unknown): void }) => void,
  look: (get: (key: string) => unknown, stage: string) => void,
  freeze = true,
) {
  let { venue, store, clock } = await openIn({ exclusive: true }, { freeze });
  const reopen = async () => {
    await venue.close();
    ({ venue } = await openIn({ store, clock, exclusive: true }, { freeze }));
  };
  write(venue.region('r'));
  look((key) => venue.region('r').get(key), 'memory');
  await venue.flush();
  look((key) => venue.root.region('r').get(key), 'root');
  await reopen();
  look((key) => venue.root.region('r').get(key), 'root of the log');
  look((key) => venue.region('r').get(key), 'log');
  await venue.checkpoint();
  look((key) => venue.region('r').get(key), 'checkpoint, still open');
  await reopen();
  // A neighbour is written, so that the chunk is decoded and encoded again, but this time without an overlay.
  venue.region('r').set('!', 'neighbour');
  await venue.checkpoint();
  await reopen();
  const scanned = new Map(venue.region('r').scan());
  look((key) => scanned.get(key), 'scan of a checkpoint');
  look((key) => venue.region('r').get(key), 'checkpoint of a checkpoint');
  expect(venue.health()).toMatchObject({ status: 'ok' });
  await venue.close();
}

describe('a value that may be stored', () => {
  it.each([{ freeze: true }, { freeze: false }])('comes back deeply equal: each alone, %j', async ({ freeze }) => {
    await stages(
      (region) => {
        for (const [name, [given]] of Object.entries(values)) region.set(name, given);
      },
      (get, stage) => {
        for (const [name, [given, back = given]] of Object.entries(values))
          expect(get(name), `${name}, ${stage}`).toStrictEqual(back);
      },
      freeze,
    );
  });

  it('comes back deeply equal: all in one', async () => {
    const given = {
      list: names.map((name) => values[name]![0]),
      map: new Map(names.map((name) => [name, values[name]![0]])),
    };
    const backOf = (name: string) => (values[name]!.length === 2 ? values[name]![1] : values[name]![0]);
    const back = { list: names.map(backOf), map: new Map(names.map((name) => [name, backOf(name)])) };
    await stages(
      (region) => region.set('all', given),
      (get, stage) => expect(get('all'), stage).toStrictEqual(back),
    );
  });

  it('comes back deeply equal: any', async () => {
    const any = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withSparseArray: false,
      withNullPrototype: false,
      withObjectString: true,
      key: fc.oneof(fc.string(), fc.constantFrom('$', '__proto__', '', '0')),
      values: [
        fc.boolean(),
        fc.integer(),
        fc.double(),
        fc.string({ unit: 'binary' }),
        fc.constant(null),
        fc.constantFrom(-0, Number.NaN),
        fc.uint8Array(),
      ],
    });
    await fc.assert(
      fc.asyncProperty(fc.array(any, { minLength: 10, maxLength: 30 }), (given) =>
        stages(
          (region) => {
            for (const [i, value] of given.entries()) region.set(`${i}`, value);
          },
          (get, stage) => {
            for (const [i, value] of given.entries()) expect(get(`${i}`), stage).toStrictEqual(value);
          },
        ),
      ),
      { numRuns: 8, seed: 5 },
    );
  });

  it('may be an object without a prototype, or one of another realm', async () => {
    await stages(
      (region) => {
        region.set('bare', Object.assign(Object.create(null), { a: [1], $: new Date(1) }));
        region.set('foreign', vm.runInNewContext('({ a: [1, { b: undefined, c: 2 }] })'));
      },
      (get, stage) => {
        expect(get('bare'), stage).toEqual({ a: [1], $: new Date(1) });
        expect(get('foreign'), stage).toEqual({ a: [1, { c: 2 }] });
      },
    );
  });
});

describe('what is in the store is not in the hands of the caller', () => {
  it('later changes of what was handed in change nothing', async () => {
    const { venue, store, clock } = await openIn({}, { freeze: false });
    const region = venue.region<Record<string, unknown>>('r');
    const [bytes, date, map, set] = [Uint8Array.of(1, 2), new Date(5), new Map([['a', { n: 1 }]]), new Set([1])];
    region.set('k', { bytes, date, map, set });
    const look = (value: unknown) =>
      expect(value).toStrictEqual({
        bytes: Uint8Array.of(1, 2),
        date: new Date(5),
        map: new Map([['a', { n: 1 }]]),
        set: new Set([1]),
      });
    bytes[0] = 99;
    date.setTime(99);
    map.get('a')!.n = 99;
    map.set('b', { n: 2 });
    set.add(2);
    look(region.get('k'));
    await venue.flush();
    look((await openIn({ store, clock })).venue.region('r').get('k'));
  });

  it('a Buffer comes back as the bytes it showed, without its pool', async () => {
    const { venue } = await openIn();
    venue.region('r').set('k', Buffer.from('abc'));
    const back = venue.region<Uint8Array>('r').get('k')!;
    expect([Object.getPrototypeOf(back) === Uint8Array.prototype, back.buffer.byteLength]).toEqual([true, 3]);
  });
});

describe('values are frozen outside production, all the way down', () => {
  const given = () => ({
    a: { b: [{ c: 1 }] },
    with: { map: new Map([['x', { y: [1] }]]), set: new Set([{ z: 1 }]), date: new Date(1) },
  });
  const parts = (value: ReturnType<typeof given>) => [
    value,
    value.a,
    value.a.b,
    value.a.b[0],
    value.with,
    value.with.map.get('x'),
    value.with.map.get('x')!.y,
    [...value.with.set][0],
  ];

  it('by default, wherever they come from', async () => {
    await stages(
      (region) => region.set('k', given()),
      (get, stage) => {
        const value = get('k') as ReturnType<typeof given>;
        expect(
          parts(value).map((part) => Object.isFrozen(part)),
          stage,
        ).toEqual(parts(value).map(() => true));
        expect(() => {
          value.a.b[0]!.c = 2;
        }, stage).toThrow(TypeError);
      },
    );
  });

  it('in forks and changes too', async () => {
    const { venue } = await openIn();
    const seen: unknown[] = [];
    venue.region('r').subscribe(([change]) => seen.push(change!.value));
    const fork = venue.fork();
    fork.region('r').set('k', given());
    seen.push(fork.region('r').get('k'));
    fork.sync();
    seen.push(venue.region('r').update('k', (value) => ({ old: value })));
    expect(seen.map((value) => Object.isFrozen(value))).toEqual([true, true, true, true]);
  });

  it('and not with freeze: false', async () => {
    await stages(
      (region) => region.set('k', { a: { n: 1 } }),
      (get, stage) => expect(Object.isFrozen((get('k') as { a: object }).a), stage).toBe(false),
      false,
    );
  });

  it('and not in production', async () => {
    const before = process.env.NODE_ENV;
    process.env.NODE_ENV = 'production';
    try {
      const { venue } = await openIn();
      venue.region('r').set('k', { a: {} });
      expect(Object.isFrozen(venue.region('r').get('k'))).toBe(false);
    } finally {
      process.env.NODE_ENV = before;
    }
  });
});
