// Joins are lattice joins: on whole entries, tombstones and epochs included, and whatever values they hold.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareValues, type Entry, type Join, joinEntries, TOMBSTONE } from '../../src/lattice/joins';
import { textOf } from '../../src/log/values';

const leaf = fc.oneof(
  fc.constantFrom(
    null,
    true,
    false,
    0,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    '',
    'a',
    'b',
    '\ud800',
  ),
  fc.integer({ min: -3, max: 3 }),
  fc.double(),
  fc.bigInt({ min: -2n, max: 2n }),
  fc.constantFrom(new Date(0), new Date(-1), new Date(1), new Date(Number.NaN)),
  fc.uint8Array({ maxLength: 2 }),
  fc.string({ maxLength: 2 }),
);
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', '$', '__proto__', '1'), tie('value'), { maxKeys: 3 }),
    fc.array(tie('value'), { maxLength: 3 }).map((members) => new Set(members)),
    fc.array(fc.tuple(fc.oneof(leaf, tie('value')), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
  ),
})).value;

/** Entries as they are: few stamps and epochs, so that they meet; a tombstone's epoch is its stamp; lww knows no epochs. */
const entryOf = (values: fc.Arbitrary<unknown>, lww: boolean): fc.Arbitrary<Entry> =>
  fc.oneof(
    fc.record({
      value: values,
      stamp: fc.integer({ min: 1, max: 4 }),
      epoch: lww ? fc.constant(0) : fc.integer({ min: 0, max: 3 }),
    }),
    fc.integer({ min: 1, max: 4 }).map((stamp) => ({ value: TOMBSTONE, stamp, epoch: lww ? 0 : stamp })),
  );

const same = (a: Entry, b: Entry) => {
  const text = (entry: Entry) => [
    entry.value === TOMBSTONE ? 'deleted' : textOf(entry.value),
    entry.stamp,
    entry.epoch,
  ];
  expect(text(a)).toEqual(text(b));
};

const greatest = (a: number, b: number) => Math.max(a, b);
const both = (a: string[], b: string[]) => [...new Set([...a, ...b])].sort();
const cases: [string, Join<never>, fc.Arbitrary<unknown>][] = [
  ['lww', 'lww', value],
  ['max', 'max', value],
  ['min', 'min', value],
  ['union', 'union', value],
  ['a function: the greatest', greatest as unknown as Join<never>, fc.integer()],
  [
    'a function: all members',
    both as unknown as Join<never>,
    fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }),
  ],
];

describe.each(cases)('%s', (_, join, values) => {
  const entry = entryOf(values, join === 'lww');
  const of = (a: Entry, b: Entry) => joinEntries(join, a, b, textOf);
  /** What a region holds: a join applied to itself may bring the value into a normal form first. */
  const held = entry.map((one) => of(one, one));

  it('is commutative', () => {
    fc.assert(
      fc.property(held, held, (a, b) => same(of(a, b), of(b, a))),
      { numRuns: 1000 },
    );
  });

  it('is associative', () => {
    fc.assert(
      fc.property(held, held, held, (a, b, c) => same(of(of(a, b), c), of(a, of(b, c)))),
      { numRuns: 1000 },
    );
  });

  it('is idempotent, and joining what is in already changes nothing', () => {
    fc.assert(
      fc.property(held, held, (a, b) => {
        same(of(a, a), a);
        const joined = of(a, b);
        same(of(joined, a), joined);
        same(of(b, joined), joined);
      }),
      { numRuns: 1000 },
    );
  });

  it('answers with the entry itself where that is the answer', () => {
    fc.assert(
      fc.property(held, held, (a, b) => {
        const joined = of(a, b);
        if (joined !== a && joined !== b) {
          expect(() => same(joined, a)).toThrow();
          expect(() => same(joined, b)).toThrow();
        }
      }),
    );
  });
});

describe('what wins', () => {
  const at = (value: unknown, stamp: number, epoch = 0): Entry => ({ value, stamp, epoch });
  const deleted = (stamp: number): Entry => ({ value: TOMBSTONE, stamp, epoch: stamp });

  it('lww: the later stamp, whatever the values', () => {
    const [old, late] = [at('z', 1), at('a', 2)];
    expect(joinEntries('lww', old, late, textOf)).toBe(late);
    expect(joinEntries('lww', late, { ...deleted(3), epoch: 0 }, textOf)).toMatchObject({ value: TOMBSTONE });
    expect(joinEntries('lww', late, { ...deleted(1), epoch: 0 }, textOf)).toBe(late);
  });

  it('others: a deletion starts afresh, and what was joined before it does not come back', () => {
    for (const join of ['max', 'min', 'union'] as const) {
      const [before, gone, after] = [at(9, 1), deleted(2), at(5, 3, 2)];
      expect(joinEntries(join, before, gone, textOf)).toBe(gone);
      expect(joinEntries(join, gone, after, textOf)).toBe(after);
      expect(joinEntries(join, after, before, textOf)).toBe(after);
    }
  });

  it('max and min: by kind, then within it', () => {
    const kinds = [
      null,
      false,
      true,
      Number.NEGATIVE_INFINITY,
      -1,
      -0,
      0,
      1,
      Number.POSITIVE_INFINITY,
      Number.NaN,
      -5n,
      5n,
      '',
      'a',
      'b',
      new Date(-1),
      new Date(1),
      new Date(Number.NaN),
      Uint8Array.of(1),
      [],
      new Set(),
      new Map(),
      {},
    ];
    for (const [i, a] of kinds.entries()) {
      for (const [j, b] of kinds.entries())
        expect([i, j, Math.sign(compareValues(a, b, textOf))]).toEqual([i, j, Math.sign(i - j)]);
    }
  });

  it.each<[string, unknown, unknown, unknown]>([
    ['arrays by member', ['b', 'a'], ['c', 'a'], ['a', 'b', 'c']],
    ['sets by member', new Set([1, 2]), new Set([2, 3]), new Set([1, 2, 3])],
    ['members that are objects', [{ a: 1 }], [{ a: 1 }, { b: 1 }], [{ a: 1 }, { b: 1 }]],
    ['objects by name', { a: 1, b: ['x'] }, { b: ['y'], c: 3 }, { a: 1, b: ['x', 'y'], c: 3 }],
    [
      'maps by key',
      new Map([['a', [1]]]),
      new Map([
        ['a', [2]],
        ['b', [3]],
      ]),
      new Map([
        ['a', [1, 2]],
        ['b', [3]],
      ]),
    ],
    ['other kinds: the greater', 1, 2, 2],
    ['different kinds: the greater kind', [1], 'text', [1]],
    [
      '__proto__ is a name',
      JSON.parse('{"__proto__":[1]}'),
      JSON.parse('{"__proto__":[2]}'),
      JSON.parse('{"__proto__":[1,2]}'),
    ],
  ])('union: %s', (_, a, b, joined) => {
    expect(joinEntries('union', at(a, 1), at(b, 1), textOf).value).toStrictEqual(joined);
    expect(joinEntries('union', at(b, 1), at(a, 2), textOf).value).toStrictEqual(joined);
  });
});
