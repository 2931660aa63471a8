// The value codec: what is stored can be read back, and equal texts mean equal values.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeUtf8 } from '../../src/base/bytes';
import { found, fromTagged, storable, textOf, toTagged } from '../../src/log/values';

const anyOf = (...more: fc.Arbitrary<unknown>[]) =>
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: false,
    key: fc.oneof(fc.string(), fc.constantFrom('$', '__proto__', 'toJSON', '', '0')),
    values: [
      fc.boolean(),
      fc.integer(),
      fc.double(),
      fc.string({ unit: 'binary' }),
      fc.constant(null),
      fc.uint8Array(),
      fc.constantFrom(-0, Number.NaN),
      ...more,
    ],
  });
/** Anything as a region keeps it, with what was found out about it. */
const kept = anyOf(fc.constant(undefined))
  .map((given) => ({ given, value: storable(given), ...found }))
  .filter(({ refusal }) => refusal === undefined);
const throughJson = (json: unknown) => JSON.parse(JSON.stringify(json));

describe('values', () => {
  it('come back from their JSON strictly equal', () => {
    fc.assert(
      fc.property(kept, ({ value, tagged }) => {
        const back = tagged ? fromTagged(throughJson(toTagged(value))) : throughJson(value);
        expect(back).toStrictEqual(value);
        expect(textOf(back)).toBe(textOf(value));
      }),
      { numRuns: 1500 },
    );
  });

  it('are kept as they are given, where there is no undefined to drop', () => {
    fc.assert(
      fc.property(anyOf(), (given) => {
        expect(storable(given)).toStrictEqual(given);
        expect(found.refusal).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('are taken for plain JSON only when they are', () => {
    fc.assert(
      fc.property(kept, ({ value, tagged }) => {
        if (!tagged) expect(JSON.stringify(value)).toBe(JSON.stringify(toTagged(value)));
      }),
      { numRuns: 500 },
    );
  });

  it('are estimated at no less than a sixth of their size', () => {
    fc.assert(
      fc.property(kept, ({ value, size }) => {
        expect(size * 6).toBeGreaterThanOrEqual(encodeUtf8(textOf(value)).length);
      }),
      { numRuns: 1000 },
    );
  });

  it('have a text that tells them apart', () => {
    const different = [
      0,
      -0,
      '0',
      0n,
      [0],
      { 0: 0 },
      new Set([0]),
      new Map([[0, 0]]),
      new Date(0),
      Uint8Array.of(0),
      null,
      false,
      Number.NaN,
      'NaN',
      new Date(Number.NaN),
      { $: 0 },
      { $: ['bigint', '0'] },
      { $: ['object', { $: 0 }] },
    ];
    expect(new Set(different.map(textOf)).size).toBe(different.length);
  });

  it.each([{ $: ['unknown', 1] }, [{ $: ['later', {}] }]])('of a kind that is not known are an error: %j', (json) => {
    expect(() => fromTagged(json)).toThrow(TypeError);
  });
});
