// What may not be stored is refused where it is set, by an error that says where; nothing else is touched by it.
import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import { TidemarkError, ValueError } from '../../src/node';
import { openIn } from './helpers';

class Point {
  x = 1;
}
const cycle: { self?: unknown; list: unknown[] } = { list: [] };
cycle.self = cycle;
const cycleInMap = new Map<string, unknown>();
cycleInMap.set('me', { deep: cycleInMap });
const nested = (depth: number) => {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
};

const bad: Record<string, unknown> = {
  undefined: undefined,
  'a function': () => 1,
  'a symbol': Symbol('s'),
  'a class': Point,
  'an instance of a class': new Point(),
  'an object with another prototype': Object.create({ inherited: 1 }),
  'a regular expression': /x/,
  'an error': new Error('x'),
  'a promise': Promise.resolve(1),
  'a WeakMap': new WeakMap(),
  'an ArrayBuffer': new ArrayBuffer(1),
  'a DataView': new DataView(new ArrayBuffer(1)),
  'a Float32Array': new Float32Array(1),
  'a boxed text': new String('x'),
  'a boxed number': new Number(1),
  'a URL': new URL('http://localhost'),
  'a proxy of an instance': new Proxy(new Point(), {}),
  'an array without a prototype': Object.setPrototypeOf([1], null),
  'a function of another realm': vm.runInNewContext('() => 1'),
  'a cycle': cycle,
  'a cycle through a Map': cycleInMap,
  'an array in itself': (() => {
    const a: unknown[] = [];
    a.push(a);
    return a;
  })(),
  'a member undefined of a Map': new Map([['a', undefined]]),
  'a key undefined of a Map': new Map([[undefined, 1]]),
  'a member undefined of a Set': new Set([undefined]),
};

describe('a value that cannot be stored', () => {
  it.each(Object.entries(bad))('%s is refused at set(), alone and within', async (_, value) => {
    const { venue, clock } = await openIn();
    const region = venue.region<unknown>('things');
    region.set('k', 'old');
    const wrapped: [string, unknown][] = [
      ['', value],
      ['.a.b[1]', { a: { b: [0, value] } }],
    ];
    for (const [path, whole] of wrapped) {
      if (value === undefined && path) continue; // within others it is dropped, or null
      let error: unknown;
      try {
        region.set('k', whole);
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toBeInstanceOf(ValueError);
      expect(error).toMatchObject({ name: 'ValueError', code: 'bad_value' });
      expect((error as Error).message).toMatch(/'things'.*'k'/);
      expect((error as Error).message).toContain(path);
      expect(() => region.update('k', () => whole)).toThrow(TypeError);
      expect(() => venue.fork().region('things').set('k', whole)).toThrow(TypeError);
    }
    expect(region.get('k')).toBe('old');
    expect(venue.health().unsaved.entries).toBe(1);
    await clock.advance(200);
    expect(venue.root.region('things').get('k')).toBe('old');
  });

  it('is named by the path to it', async () => {
    const { venue } = await openIn();
    const region = venue.region<unknown>('things');
    const message = (value: unknown) => {
      try {
        region.set('key 1', value);
      } catch (error) {
        return (error as Error).message;
      }
      return undefined;
    };
    expect(message({ list: [1, { deep: { f() {} } }] })).toContain('.list[1].deep.f');
    expect(message([[], [Symbol('s')]])).toContain('[1][0]');
    expect(message({ point: new Point() })).toMatch(/\.point.*Point/);
    expect(message(Symbol('s'))).toMatch(/region 'things', key 'key 1': the value is a symbol/);
  });

  it('does not hold up the others', async () => {
    const { venue, clock } = await openIn();
    const region = venue.region<unknown>('r');
    region.set('a', 1);
    expect(() => region.set('b', () => 1)).toThrow(TypeError);
    region.set('c', 3);
    await clock.advance(200);
    expect([...venue.root.region('r')]).toEqual([
      ['a', 1],
      ['c', 3],
    ]);
  });

  it('nesting up to 1,000 levels is none', async () => {
    const { venue } = await openIn();
    const region = venue.region<unknown>('r');
    region.set('k', nested(1000));
    await venue.flush();
    expect(() => region.set('k', nested(1002))).toThrow(ValueError);
    expect(() => region.set('k', nested(200_000))).toThrow(ValueError);
    expect(region.get('k')).toEqual(nested(1000));
  });
});

describe('keys', () => {
  const long = 'k'.repeat(1024);
  it.each([
    ['empty', ''],
    ['1,025 bytes', `${long}k`],
    ['1,026 bytes in 513 characters', 'ü'.repeat(513)],
    ['1,028 bytes in 257 characters beyond the first plane', '\u{1F600}'.repeat(257)],
    ['a lone high surrogate', 'a\ud800'],
    ['a lone low surrogate', '\udc00a'],
    ['surrogates the wrong way round', '\udc00\ud800'],
    ['a number', 5],
    ['undefined', undefined],
    ['null', null],
    ['a symbol', Symbol('k')],
    ['an object', {}],
  ])('%s is refused', async (_, key) => {
    const { venue } = await openIn();
    const region = venue.region<unknown>('things');
    const refused = expect.objectContaining({ code: 'bad_key', message: expect.stringContaining("'things'") });
    expect(() => region.set(key as string, 1)).toThrow(refused);
    expect(() => region.update(key as string, () => 1)).toThrow(refused);
    expect(() =>
      venue
        .fork()
        .region('things')
        .set(key as string, 1),
    ).toThrow(refused);
    expect([region.get(key as string), region.has(key as string), region.delete(key as string), region.size]).toEqual([
      undefined,
      false,
      false,
      0,
    ]);
  });

  it.each(['k', long, 'ü'.repeat(512), '\u{1F600}'.repeat(256), '\0', '\n', '"', '__proto__', '\uffff', '\ufeff'])(
    '%j is good, and comes back',
    async (key) => {
      const { venue, store, clock } = await openIn();
      venue.region('r').set(key, 1);
      await venue.checkpoint();
      await venue.close();
      const again = await openIn({ store, clock });
      expect([...again.venue.region('r')]).toEqual([[key, 1]]);
      expect(again.venue.region('r').get(key)).toBe(1);
    },
  );
});

describe('sizes', () => {
  const limit = 16 * 1024 * 1024;
  it('16 MiB encoded are good, a byte more is refused', async () => {
    const { venue, store, clock } = await openIn();
    const region = venue.region<unknown>('r');
    const fits = 'x'.repeat(limit - 2);
    region.set('k', fits);
    const refused = expect.objectContaining({ code: 'too_large', message: expect.stringMatching(/'r'.*'k'/) });
    expect(() => region.set('k', `${fits}x`)).toThrow(refused);
    expect(() => region.set('k', `${fits}x`)).toThrow(TidemarkError);
    expect(() => venue.fork().region('r').set('k', `${fits}x`)).toThrow(refused);
    await venue.flush();
    expect(((await openIn({ store, clock })).venue.region('r').get('k') as string).length).toBe(limit - 2);
  });

  it('it is the encoded size that counts', async () => {
    const { venue } = await openIn();
    const region = venue.region<unknown>('r');
    region.set('k', '\0'.repeat(limit / 6 - 10));
    expect(() => region.set('k', '\0'.repeat(limit / 6 + 10))).toThrow(expect.objectContaining({ code: 'too_large' }));
    region.set('k', 'ü'.repeat(limit / 2 - 1));
    expect(() => region.set('k', 'ü'.repeat(limit / 2))).toThrow(expect.objectContaining({ code: 'too_large' }));
    const refused = { list: Array.from({ length: 1025 }, () => 'x'.repeat(16 * 1024)) };
    expect(() => region.set('k', refused)).toThrow(expect.objectContaining({ code: 'too_large' }));
  });
});
