// Redaction: what is named is nowhere in the copy, and all else is as it was. Pure functions.
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REDACTED, redactFields, redactPaths, secretFields } from '../../src/services/redact';

describe('redactPaths takes out what is at the paths, and says where', () => {
  it.each<[string, unknown, string[], unknown, string[]]>([
    ['a field', { apiKey: 'k', model: 'm' }, ['apiKey'], { apiKey: REDACTED, model: 'm' }, ['apiKey']],
    ['a field of a field', { a: { b: 1, c: 2 } }, ['a.b'], { a: { b: REDACTED, c: 2 } }, ['a.b']],
    [
      'of every element',
      { items: [{ secret: 1 }, { open: 2 }, { secret: 3 }] },
      ['items.*.secret'],
      { items: [{ secret: REDACTED }, { open: 2 }, { secret: REDACTED }] },
      ['items.0.secret', 'items.2.secret'],
    ],
    ['of every key', { a: { k: 1 }, b: { k: 2 } }, ['*.k'], { a: { k: REDACTED }, b: { k: REDACTED } }, ['a.k', 'b.k']],
    ['an element', ['a', 'b'], ['1'], ['a', REDACTED], ['1']],
    ['something whole, once, if a path leads into it too', { a: { b: 1 } }, ['a', 'a.b'], { a: REDACTED }, ['a']],
    ['null', { a: null }, ['a'], { a: REDACTED }, ['a']],
    [
      'entries of a Map',
      {
        m: new Map<unknown, unknown>([
          ['k', 1],
          [7, 2],
          [null, 3],
        ]),
      },
      ['m.k', 'm.7'],
      {
        m: new Map<unknown, unknown>([
          ['k', REDACTED],
          [7, REDACTED],
          [null, 3],
        ]),
      },
      ['m.k', 'm.7'],
    ],
    ['within a Set', { s: new Set([{ k: 1 }]) }, ['s.*.k'], { s: new Set([{ k: REDACTED }]) }, ['s.0.k']],
  ])('%s', (_, value, paths, copy, redacted) => {
    const before = structuredClone(value);
    expect(redactPaths(value, paths)).toEqual({ value: copy, redacted });
    expect(value).toEqual(before);
  });

  it('also in objects without a prototype, and of another realm', () => {
    const bare = Object.assign(Object.create(null), { k: 1, o: 2 });
    expect(redactPaths({ bare }, ['bare.k'])).toEqual({ value: { bare: { k: REDACTED, o: 2 } }, redacted: ['bare.k'] });
    const foreign = runInNewContext('({ k: 1, list: [{ k: 2 }] })');
    expect(redactPaths(foreign, ['k', 'list.*.k']).redacted).toEqual(['k', 'list.0.k']);
  });

  it('and leaves what is not there: the value itself comes back', () => {
    const value = { a: { b: Number.NaN }, gone: undefined, when: new Date(0), bytes: new Uint8Array(2) };
    for (const paths of [[], ['x'], ['a.x'], ['a.b.c'], ['gone'], ['when.x'], ['bytes.0'], ['']]) {
      expect(redactPaths(value, paths)).toEqual({ value, redacted: [] });
      expect(redactPaths(value, paths).value).toBe(value);
    }
    for (const nothing of [undefined, null, 1, 'text']) expect(redactPaths(nothing, ['a']).value).toBe(nothing);
  });

  it('looks no deeper than the paths do, so that a cycle is no trouble', () => {
    const cycle: Record<string, unknown> = { k: 1 };
    cycle.self = cycle;
    expect(redactPaths(cycle, ['k', 'self.k']).redacted).toEqual(['k', 'self.k']);
  });
});

describe('redactFields takes out fields of those names, wherever they are', () => {
  it('however they are written', () => {
    const value = {
      Api_Key: 1,
      'API-KEY': 2,
      apikey: 3,
      key: 4,
      nested: [{ Authorization: 5 }],
      m: new Map([['Set-Cookie', 6]]),
    };
    expect(redactFields(value)).toEqual({
      value: {
        Api_Key: REDACTED,
        'API-KEY': REDACTED,
        apikey: REDACTED,
        key: 4,
        nested: [{ Authorization: REDACTED }],
        m: new Map([['Set-Cookie', REDACTED]]),
      },
      redacted: ['Api_Key', 'API-KEY', 'apikey', 'nested.0.Authorization', 'm.Set-Cookie'],
    });
  });

  it('or those that are given', () => {
    expect(redactFields({ ssn: 1, password: 2 }, ['SSN']).value).toEqual({ ssn: REDACTED, password: 2 });
  });

  it('and gives the value itself if there are none', () => {
    const value = { a: [{ b: 1 }] };
    expect(redactFields(value).value).toBe(value);
  });

  it('leaves a cycle to set(), which refuses it', () => {
    const cycle: Record<string, unknown> = { a: 1 };
    cycle.self = cycle;
    expect(redactFields(cycle).value).toBe(cycle);
  });

  it('so that no text of theirs is left in anything that can be stored', () => {
    const secret = 'S3CRET';
    const name = fc.constantFrom(...secretFields, 'API_KEY', 'Client-Secret');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue(),
        fc
          .tuple(name, fc.oneof(fc.constant(secret), fc.constant([{ deep: secret }])))
          .map(([key, held]) => ({ [key]: held })),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.string({ maxLength: 3 }), tie('value'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(value, (value) => {
        const { value: copy, redacted } = redactFields(value);
        expect(JSON.stringify(copy)).not.toContain(secret);
        expect(redacted.length > 0).toBe(JSON.stringify(copy).includes(REDACTED));
        expect(redactFields(copy).value).toEqual(copy);
      }),
      { seed: 4 },
    );
  });
});
