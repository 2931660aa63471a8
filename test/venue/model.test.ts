// Random programs on a venue and on a sorted Map: whatever was written, deleted, forked, checkpointed, failed, killed and reopened, both show
// the same, live and as root.
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { Both } from './both';
import type { Range, Step, Write } from './model';

// Prefixes of one another, at both ends of the order, names that objects have, beyond the first plane.
const keys = [
  'a',
  'aa',
  'ab',
  'ab\uffff',
  'b',
  'm1',
  'm150',
  'm99',
  'n7',
  '0',
  '10',
  '9',
  '__proto__',
  'constructor',
  '\u{1F600}',
  '\uffff',
  ' ',
  '"',
];
const key = fc.constantFrom(...keys);
const region = fc.constantFrom('a', 'b');
const few = fc.constantFrom('x', 'y', 'z');
const kind = fc.nat(8);
const bound = fc.option(fc.constantFrom(...keys, 'm', 'zz', ''), { nil: undefined });

const range: fc.Arbitrary<Range> = fc
  .record({
    prefix: fc.option(fc.constantFrom('', 'a', 'ab', 'm', 'm1', 'ab\uffff', '\uffff', 'nothing'), { nil: undefined }),
    from: bound,
    to: bound,
    reverse: fc.option(fc.boolean(), { nil: undefined }),
    limit: fc.option(fc.nat(6), { nil: undefined }),
  })
  // Left out or undefined: both must be the same.
  .chain((full) =>
    fc.constantFrom(full, Object.fromEntries(Object.entries(full).filter(([, value]) => value !== undefined))),
  ) as fc.Arbitrary<Range>;

const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({ do: fc.constantFrom('set' as const, 'forkSet' as const), region, key, kind }),
  fc.record({ do: fc.constantFrom('delete' as const, 'forkDelete' as const), region, key }),
);

const look = fc.record({
  do: fc.constant('look' as const),
  at: fc.constantFrom('live' as const, 'root' as const, 'fork' as const),
  region,
  what: fc.constantFrom('size' as const, 'get' as const, 'has' as const, 'scan' as const, 'iterate' as const),
  key,
  range,
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: write },
  { weight: 8, arbitrary: look },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('update' as const), region, key }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('raise' as const), key: few, value: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lower' as const), key: few }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('many' as const),
      region,
      prefix: fc.constantFrom('m', 'n', 'a'),
      count: fc.integer({ min: 1, max: 300 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteRange' as const), region, range }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('purge' as const), region, ms: fc.integer({ min: 0, max: 20 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('sync' as const, 'drop' as const, 'flush' as const, 'flush' as const, 'release' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('close' as const, 'kill' as const, 'declare' as const, 'fallBack' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tick' as const), ms: fc.constantFrom(1, 99, 100, 700) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hold' as const), stored: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('failing' as const), times: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('checkpoint' as const),
      meanwhile: fc.array(write, { maxLength: 4 }),
      fails: fc.boolean(),
    }),
  },
);

describe('a venue shows what a sorted Map would', () => {
  it.each([
    { name: 'on a store of its own', exclusive: true, seed: 1 },
    { name: 'on a store that others may write', exclusive: false, seed: 2 },
  ])('$name', async ({ exclusive, seed }) => {
    const program = fc.array(step, { maxLength: 60, size: 'max' });
    await fc.assert(
      fc.asyncProperty(program, (steps) => new Both(exclusive).run(steps)),
      { numRuns: Number(process.env.RUNS ?? 30), seed: Number(process.env.SEED ?? seed), timeout: 20_000 },
    );
  });
});
