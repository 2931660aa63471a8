// Lines and chains: what was signed verifies; a single damaged byte never does; what is missing is said.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, encodeUtf8 } from '../../src/base/bytes';
import { createIdentity } from '../../src/identity/identity';
import { TOMBSTONE } from '../../src/lattice/joins';
import { type CommitLine, verifyChains } from '../../src/log/chain';
import { decodeBody, decodeEntry, encodeBody, encodeEntry, type StoredEntry } from '../../src/log/entries';
import { encodeLine, parseLine, verifyLine } from '../../src/log/line';
import { found, storable } from '../../src/log/values';
import { nodeCrypto as crypto } from '../../src/platform/node-crypto';

const identity = createIdentity(new Uint8Array(32).fill(7), crypto);
const body = (text: string) => encodeUtf8(JSON.stringify([['r', 1, 'lww', [['k', 0, text]]]]));

function commit(writer: string, index: number, prev: string | null, text = 'x', more = {}) {
  const payload = { kind: 'commit' as const, venue: 'v', writer, index, prev, time: 5, count: 1, ...more };
  return encodeLine(crypto, identity, payload, body(text));
}

/** A chain of commits, as lines without "\n". */
function chain(writer: string, length: number): Bytes[] {
  const lines: Bytes[] = [];
  let prev: string | null = null;
  for (let index = 0; index < length; index++) {
    const { bytes, hash } = commit(writer, index, prev, `${writer}${index}`, { time: 10 * index });
    lines.push(bytes.subarray(0, -1));
    prev = hash;
  }
  return lines;
}

const parse = (bytes: Bytes) => parseLine(crypto, bytes) as CommitLine | undefined;
const verify = (lines: readonly Bytes[], covers = {}) =>
  verifyChains(
    crypto,
    lines.flatMap((line) => parse(line) ?? []),
    covers,
  );
const names = (lines: readonly CommitLine[]) => lines.map(({ payload }) => `${payload.writer}${payload.index}`);

describe('a line', () => {
  it('says what was signed, and the body as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, index) => {
        const { bytes, hash } = commit('w', index, null, text);
        expect(bytes.at(-1)).toBe(10);
        expect(bytes.indexOf(10)).toBe(bytes.length - 1);
        const line = parse(bytes.subarray(0, -1))!;
        expect(line).toMatchObject({
          hash,
          kid: identity.did,
          payload: { format: 1, kind: 'commit', venue: 'v', writer: 'w', index, prev: null, time: 5, count: 1 },
        });
        expect(line.body).toEqual(body(text));
        expect(verifyLine(crypto, line)).toBe(true);
        const [jws, decoded] = JSON.parse(new TextDecoder().decode(bytes));
        expect([jws, decoded]).toEqual([line.jws, [['r', 1, 'lww', [['k', 0, text]]]]]);
      }),
      { numRuns: 100 },
    );
  });

  it('with any one byte changed does not verify', () => {
    const good = commit('w', 3, null, 'some text that is long enough').bytes.subarray(0, -1);
    const verifies = (bytes: Bytes) => {
      const line = parse(bytes);
      return line !== undefined && verifyLine(crypto, line);
    };
    expect(verifies(good)).toBe(true);
    for (let at = 0; at < good.length; at++) {
      for (const flip of [1, 2, 4, 0x20, 0x80, 0xff]) {
        const bad = good.slice();
        bad[at]! ^= flip;
        expect(verifies(bad), `byte ${at} ^ ${flip}`).toBe(false);
      }
    }
  });

  it('cut, doubled, lengthened, or with bytes moved does not verify', () => {
    const good = commit('w', 3, null).bytes.subarray(0, -1);
    const other = commit('w', 4, null, 'other').bytes.subarray(0, -1);
    const middle = good.indexOf(0x22, 2);
    const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
    const bads = [
      ...Array.from({ length: good.length }, (_, n) => good.slice(0, n)),
      ...Array.from({ length: 20 }, (_, n) => good.slice(n + 1)),
      join(good, good),
      join(good, Uint8Array.of(0x20)),
      join(Uint8Array.of(0x20), good),
      join(good.slice(0, middle), other.slice(other.indexOf(0x22, 2))),
    ];
    for (const bad of bads) {
      const line = parse(bad);
      expect(line !== undefined && verifyLine(crypto, line)).toBe(false);
    }
  });

  it('of anything at all is no line, and no exception', () => {
    const bits = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.string().map((text) => encodeUtf8(text)),
      fc.tuple(fc.string(), fc.json()).map(([jws, json]) => encodeUtf8(`["${jws}",${json}]`)),
    );
    fc.assert(
      fc.property(bits, (bytes) => {
        expect(parse(new Uint8Array(bytes))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});

describe('a chain', () => {
  it('verifies in whatever order its lines come, each once', () => {
    const lines = [...chain('a', 5), ...chain('b', 3)];
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...lines, ...lines.slice(2, 4)], { minLength: lines.length + 2 }),
        (shuffled) => {
          const { good, forged, holes, forks } = verify(shuffled);
          expect([...names(good)].sort()).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'b0', 'b1', 'b2']);
          expect([forged, holes, forks]).toEqual([[], [], []]);
          for (const [i, { payload }] of good.entries())
            if (i > 0) expect(payload.time).toBeGreaterThanOrEqual(good[i - 1]!.payload.time);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('says what is missing, and still has what comes before and after', () => {
    const lines = chain('a', 8);
    fc.assert(
      fc.property(fc.subarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 1 }), (kept) => {
        const { good, holes } = verify(kept.map((index) => lines[index]!));
        expect(names(good)).toEqual(kept.map((index) => `a${index}`));
        const missing = holes.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
        expect(missing).toEqual(
          [0, 1, 2, 3, 4, 5, 6, 7].filter((index) => index < kept.at(-1)! && !kept.includes(index)),
        );
      }),
    );
  });

  it('with a damaged byte anywhere loses one line and nothing else', () => {
    const lines = chain('a', 5);
    fc.assert(
      fc.property(fc.nat(4), fc.nat(), fc.integer({ min: 1, max: 255 }), (n, place, flip) => {
        const bad = lines.map((line) => line.slice());
        bad[n]![place % bad[n]!.length]! ^= flip;
        expect(names(verify(bad).good)).toEqual([0, 1, 2, 3, 4].filter((i) => i !== n).map((i) => `a${i}`));
      }),
      { numRuns: 300 },
    );
  });

  it('knows of an end that others have named', () => {
    const named = commit('b', 0, null, 'x', { heads: { a: 4, gone: 1 } }).bytes.subarray(0, -1);
    expect(verify([...chain('a', 3), named]).holes).toEqual(
      expect.arrayContaining([
        { writer: 'a', from: 3, to: 4 },
        { writer: 'gone', from: 0, to: 1 },
      ]),
    );
  });

  it('begins where a checkpoint ends', () => {
    const lines = chain('a', 6);
    const { good, holes } = verify(lines.slice(3), { a: [2, parse(lines[2]!)!.hash] });
    expect([names(good), holes]).toEqual([['a3', 'a4', 'a5'], []]);
    expect(verify(lines.slice(4), { a: [2, parse(lines[2]!)!.hash] }).holes).toEqual([{ writer: 'a', from: 3, to: 3 }]);
  });

  it('with one index signed twice keeps both and says so', () => {
    const lines = chain('a', 3);
    const twin = commit('a', 2, parse(lines[1]!)!.hash, 'twin').bytes.subarray(0, -1);
    const { good, forks } = verify([...lines, twin]);
    expect(good).toHaveLength(4);
    expect(forks).toHaveLength(1);
  });

  it('signed by nobody is forged', () => {
    const [first, second] = chain('a', 2);
    const stranger = createIdentity(new Uint8Array(32).fill(9), crypto);
    const payload = {
      kind: 'commit' as const,
      venue: 'v',
      writer: 'a',
      index: 2,
      prev: parse(second!)!.hash,
      time: 5,
      count: 1,
    };
    const theirs = new TextDecoder().decode(encodeLine(crypto, stranger, payload, body('x')).bytes.subarray(0, -1));
    // Their signature under our name.
    const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid: identity.did })).toString('base64url');
    const forgery = encodeUtf8(theirs.replace(/^\["[^.]+/, `["${header}`));
    const { good, forged } = verify([first!, second!, forgery]);
    expect([names(good), names(forged)]).toEqual([['a0', 'a1'], ['a2']]);
  });
});

describe('entries', () => {
  const entry: fc.Arbitrary<StoredEntry> = fc
    .record({
      key: fc.string({ minLength: 1 }),
      value: fc.oneof(fc.constant(TOMBSTONE), fc.constantFrom(null, 1, 'x', { $: 1 }, new Date(1), -0, [1n])),
      stamp: fc.integer({ min: 1, max: 2 ** 50 }),
      version: fc.integer({ min: 1, max: 3 }),
      epoch: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 50 })),
    })
    .map((one) => {
      if (one.value === TOMBSTONE) return { ...one, tagged: false, version: 2, epoch: one.stamp };
      storable(one.value);
      return { ...one, tagged: found.tagged };
    });

  it('come back as they were, with stamp, version and epoch', () => {
    fc.assert(
      fc.property(fc.array(entry), fc.integer({ min: 1, max: 2 ** 50 }), (entries, base) => {
        const bytes = encodeBody([
          { region: 'r', version: 2, join: 'max', entries: entries.map((one) => encodeEntry(one, base, 2)) },
        ]);
        const [group] = decodeBody(bytes);
        expect(group).toMatchObject({ region: 'r', version: 2, join: 'max' });
        expect(group!.entries.map((encoded) => decodeEntry(encoded, base, 2))).toStrictEqual(entries);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    null,
    5,
    {},
    [],
    ['k'],
    [5, 0, 1],
    ['k', 'x', 1],
    ['k', 0.5, 1],
    ['k', 0, 1, 0, 1, 'x'],
    ['k', 0, { $: ['what', 1] }, 1],
  ])('that nobody wrote are an error: %j', (encoded) => {
    expect(() => decodeEntry(encoded, 10, 1)).toThrow(TypeError);
  });
});
