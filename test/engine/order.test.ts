// Keys in order: sorted runs give what sorting everything would.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyOrder, lowerBound, mergeRuns, type Range } from '../../src/engine/order';

const key = fc.oneof(
  fc.constantFrom('', 'a', 'aa', 'ab', 'b', '\uffff', '\u{1F600}', '10', '9'),
  fc.string({ maxLength: 3 }),
);
const range: fc.Arbitrary<Range> = fc.record({
  from: fc.option(key, { nil: undefined }),
  to: fc.option(key, { nil: undefined }),
  reverse: fc.boolean(),
});

const walked = (walk: Iterator<string>) => {
  const keys: string[] = [];
  for (let next = walk.next(); !next.done; next = walk.next()) keys.push(next.value);
  return keys;
};
const sorted = (keys: readonly string[], { from, to, reverse }: Range) => {
  const within = [...new Set(keys)]
    .filter((one) => (from === undefined || one >= from) && (to === undefined || one < to))
    .sort((a, b) => (a < b ? -1 : 1));
  return reverse ? within.reverse() : within;
};

describe('keys in order', () => {
  it('come each once, whenever they were added and however often', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.array(key, { maxLength: 40 }), range), { maxLength: 10 }), (steps) => {
        const order = new KeyOrder();
        const added: string[] = [];
        for (const [keys, part] of steps) {
          for (const one of keys) order.add(one);
          added.push(...keys);
          expect(walked(order.walk(part))).toEqual(sorted(added, part));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('come without those that are added while they are walked', () => {
    const order = new KeyOrder();
    for (const one of ['c', 'a']) order.add(one);
    const walk = order.walk({});
    expect(walk.next().value).toBe('a');
    order.add('b');
    expect(walked(order.walk({}))).toEqual(['a', 'b', 'c']);
    expect(walked(walk)).toEqual(['c']);
  });

  it('come from any number of sorted runs', () => {
    fc.assert(
      fc.property(fc.array(fc.array(key), { maxLength: 9 }), range, (runs, part) => {
        const each = runs.map((run) => run.sort((a, b) => (a < b ? -1 : 1)));
        expect(walked(mergeRuns(each, part))).toEqual(sorted(each.flat(), part));
      }),
      { numRuns: 300 },
    );
  });

  it('are found by halving', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key), key, (keys, one) => {
        keys.sort((a, b) => (a < b ? -1 : 1));
        const at = keys.findIndex((other) => other >= one);
        expect(lowerBound(keys, one)).toBe(at < 0 ? keys.length : at);
      }),
    );
  });
});
