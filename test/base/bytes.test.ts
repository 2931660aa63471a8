// Text as UTF-8, by whatever way is quickest: always the bytes that the platform's own encoder gives.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeUtf8 } from '../../src/base/bytes';

const alike = (text: string) => {
  const bytes = encodeUtf8(text);
  expect(Buffer.from(bytes).equals(Buffer.from(text, 'utf8'))).toBe(true);
  expect(bytes.byteLength).toBe(bytes.buffer.byteLength); // whole: it is stored as its buffer
};

describe('encodeUtf8', () => {
  const long = 10_000;

  it.each([
    ['ASCII', 'a'],
    ['two bytes each', 'é'],
    ['three', '海'],
    ['pairs', '🌊'],
    ['halves of pairs', '\ud83c'],
    ['none', ''],
  ])('%s', (_, one) => {
    alike(one);
    alike(one.repeat(long));
    alike('a'.repeat(long - 1) + one);
    alike(one + 'a'.repeat(long));
  });

  it('whatever is in it, wherever the room ends', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '海', '🌊', '\ud83c', '\udf0a'), maxLength: 40 });
    fc.assert(fc.property(text, text, (one, other) => alike(one + 'x'.repeat(long) + other + one.repeat(100))));
  });
});
