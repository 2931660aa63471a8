// Names of blobs in bytes: what a collection must not overlook, however the bytes are cut.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeUtf8 } from '../../src/base/bytes';
import { HashScanner } from '../../src/engine/named';

/** Which of the names are found in a text that comes in pieces. */
function foundIn(text: string, cuts: readonly number[], names: readonly string[]): string[] {
  const unnamed = new Map(names.map((name) => [name, 0]));
  const scanner = new HashScanner(unnamed);
  const bytes = encodeUtf8(text);
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    scanner.scan(bytes.subarray(from, end));
    from = end;
  }
  return names.filter((name) => !unnamed.has(name));
}

const digits = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 });

describe('the names of blobs are found', () => {
  it('wherever they stand, between digits or not, and in whatever pieces', () => {
    const filler = fc.oneof(
      fc.string({ maxLength: 150 }),
      fc.string({ unit: fc.constantFrom(...'0123456789abcdefg'), maxLength: 200 }),
    );
    fc.assert(
      fc.property(
        fc.array(digits, { minLength: 1, maxLength: 4 }),
        fc.array(filler, { minLength: 5, maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (names, fillers, cuts) => {
          const text = fillers.map((fill, i) => fill + (names[i] ?? '')).join('');
          expect(foundIn(text, cuts, names)).toEqual(names);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('and nothing else is', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'0123456789abcdef"'), maxLength: 400 }),
        digits,
        fc.array(fc.nat(), { maxLength: 5 }),
        (text, name, cuts) => {
          const cut = [name.slice(0, 63), name.slice(1), name.toUpperCase()].join('g');
          expect(foundIn(text + cut, cuts, [name])).toEqual(text.includes(name) ? [name] : []);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('in the last bytes and in the first', () => {
    const name = '0a'.repeat(32);
    for (const text of [name, `"${name}`, `${name}"`, `f${name}f`, `${'e'.repeat(1000)}${name}${'e'.repeat(1000)}`]) {
      for (let cut = 0; cut <= text.length; cut++) expect(foundIn(text, [cut], [name])).toEqual([name]);
    }
  });
});
