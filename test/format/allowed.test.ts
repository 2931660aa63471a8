// What docs/FORMAT.md allows and the library would not write itself, made by the outside writer: the library and the outside reader
// make the same of it.
import { describe, expect, it } from 'vitest';
import { readFiles } from './reader';
import { agrees, filled, openMade, seed, stateOf, storeOf } from './stores';
import type { Json } from './values';
import { Chain, checkpoint, type Entry, Signer } from './writer';

describe('what the page allows, the library reads', () => {
  const signer = new Signer(seed);
  const time = 1000 * 4096;
  const [one, two, three] = ['1111111111111111', '2222222222222222', '3333333333333333'];

  const chain = (writer: string, venue = 'ab') => new Chain(signer, venue.repeat(16), writer);
  const commit = (to: Chain, at: number, entries: Entry[], more: object = {}) =>
    to.commit(at, [['r', 1, 'lww', entries]], more);

  it('commits written twice, payload members and elements that it does not know, stamps that tie', async () => {
    const a = chain(one);
    const first: Entry[] = [
      ['tie', 0, 'x'],
      ['dead', 0],
      ['gone', 0],
    ];
    const [l0, l1] = [
      commit(a, time, first, { later: [1] }),
      commit(a, time + 1, [['k', -1, 1, 0, 1, 0, 'later'] as never]),
    ];
    const second: Entry[] = [
      ['tie', 0, 'y'],
      ['dead', 0, ''],
      ['gone', -1, 1],
    ];
    const venue = await openMade(storeOf(), {
      [`log.0.${one}`]: l0 + l1,
      [`log.0.${one}.1`]: l1,
      [`log.0.${two}`]: commit(chain(two), time, second, { heads: { [one]: 1 } }),
    });
    expect(Object.fromEntries(venue.region('r'))).toEqual({ tie: 'y', dead: '', k: 1 });
    await agrees(venue);
    expect(venue.health().recovery.damage).toEqual([]);
  });

  describe('what is damaged, missing, or of another venue costs the library and the outside reader the same, and both tell', () => {
    const a = chain(one);
    const [l0, l1, l2, l3] = [0, 1, 2, 3].map((n) => {
      const entries: Entry[] = [
        [`a${n}`, 0, n],
        ['shared', 0, n],
      ];
      return commit(a, time + n, n === 3 ? [...entries, ['a0', 0]] : entries);
    }) as [string, string, string, string];
    const other = commit(
      chain(two),
      time + 9,
      [
        ['b', 0, 1],
        ['shared', -7, 'b'],
      ],
      { heads: { [one]: 3 } },
    );
    const foreign = commit(chain(three, 'ef'), time, [['a0', 99, 'foreign']]);
    const twice = commit(chain(one), time + 20, [['a1', 0, 'twice']]);
    const logs = {
      whole: l0 + l1 + l2 + l3,
      flipped: l0 + l1.replace('["a1"', '["A1"') + l2 + l3,
      'badly signed': l0 + l1 + l2.replace(/\.(.)(?=[^.]*$)/, (_, first) => (first === 'A' ? '.B' : '.A')) + l3,
      'without its first': l1 + l2 + l3,
      'without its middle': l0 + l3,
      'without its end': l0 + l1,
      cut: l0 + l1 + l2 + l3.slice(0, 500),
      'without a newline': `${l0 + l1 + l2.slice(0, -1)} ${l3}`,
      'in another order': l2 + l0 + l3 + l1,
      empty: '',
      'with a commit of another venue': l0 + foreign + l1 + l2 + l3,
      'with one index signed twice': l0 + l1 + l2 + l3 + twice,
    };
    for (const [name, log] of Object.entries(logs)) {
      it(`a log ${name}`, async () => {
        const files = { [`log.0.${one}`]: log, [`log.0.${two}`]: other };
        const view = await readFiles(new Map(Object.entries(files).map(([file, text]) => [file, Buffer.from(text)])));
        const venue = await openMade(storeOf(), files);
        expect(filled(stateOf(venue))).toEqual(filled(view.regions));
        const { damage, holes, tornBytes } = venue.health().recovery;
        expect(damage.length + holes.length + tornBytes > 0).toBe(view.problems.length > 0);
      });
    }
  });

  describe('a checkpoint that is not whole costs both the same, and both tell', () => {
    const a = chain(one);
    const l0 = commit(a, time, [
      ['a', 0, 1],
      ['b', 0, 1],
      ['c', 0, 1],
      ['gone', 0],
    ]);
    const covers: Record<string, [number, string]> = { [one]: [0, String(a.prev)] };
    const chunks: Entry[][] = [[['a', 0, 1]], [['b', 0, 1]], [['c', 0, 1]]];
    const base = checkpoint(signer, 'ab'.repeat(16), one, time, covers, [['r', 1, 'lww', chunks]]);
    const l1 = commit(a, time + 1, [['a', 0, 2]]);
    const [c0, c1, c2, index] = base.split(/(?<=\n)/) as [string, string, string, string];
    const bases = {
      whole: base,
      'with a flipped chunk': base.replace('["b"', '["B"'),
      'with a flipped index': c0 + c1 + c2 + index.replace('"a",1', '"a",2'),
      'badly signed': c0 + c1 + c2 + index.replace(/\.(.)(?=[^.]*$)/, (_, first) => (first === 'A' ? '.B' : '.A')),
      'without a chunk': c0 + c2 + index,
      'without its index': c0 + c1 + c2,
      'cut in the index': base.slice(0, -20),
      'of another venue': checkpoint(signer, 'ef'.repeat(16), one, time, {}, [
        ['r', 1, 'lww', [[['a', 99, 'foreign']]]],
      ]),
      empty: '',
    };
    for (const [name, content] of Object.entries(bases)) {
      it(`a checkpoint ${name}`, async () => {
        const files = { [`log.0.${one}`]: l0, 'checkpoint.1': content, [`log.1.${one}`]: l1 };
        const view = await readFiles(new Map(Object.entries(files).map(([file, text]) => [file, Buffer.from(text)])));
        const venue = await openMade(storeOf(), files);
        expect(filled(stateOf(venue))).toEqual(filled(view.regions));
        const { damage, holes, tornBytes } = venue.health().recovery;
        expect(damage.length + holes.length + tornBytes > 0).toBe(view.problems.length > 0);
      });
    }
  });

  it('every pair of values under every join, by both alike', async () => {
    const [a, b] = [chain(one), chain(two)];
    const rules = ['lww', 'max', 'min', 'union'];
    const all = (pick: (i: number, j: number) => number): Entry[] =>
      samples.flatMap((_, i) =>
        samples.map((_, j): Entry => [`${i} ${j}`, 0, ...(samples[pick(i, j)] as [Json, 0 | 1])]),
      );
    const write = (to: Chain, entries: Entry[]) =>
      to.commit(
        time,
        rules.map((rule) => [rule, 1, rule, entries]),
      );
    const logs = {
      [`log.0.${one}`]: write(
        a,
        all((i) => i),
      ),
      [`log.0.${two}`]: write(
        b,
        all((_, j) => j),
      ),
    };
    const view = await agrees(await openMade(storeOf(), logs));
    expect(view.regions.get('union')?.size).toBe(samples.length ** 2);
  });

  for (const rule of ['lww', 'max', 'min', 'union']) {
    it(`any entries in any order, joined as ${rule} by both alike, before and after a checkpoint`, async () => {
      const random = randomFrom(rule.length * 7919);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
      const anyEntry = (key: string): Entry => {
        const dt = -pick([0, 0, 1, 2, 3]);
        if (random() < 0.2) return [key, dt];
        const [value, tagged] = pick(samples);
        return rule === 'lww' || random() < 0.5
          ? [key, dt, value, tagged]
          : [key, dt, value, tagged, 1, -pick([1, 2, 3, 4])];
      };
      for (let round = 0; round < 20; round++) {
        const chains = [one, two, three].map((writer) => chain(writer));
        const logs: Record<string, string> = {};
        for (let n = 0; n < 30; n++) {
          const to = pick(chains);
          const keys = new Set([1, 2, 3, 4, 5].map(() => `k${pick([0, 1, 2, 3, 4, 5, 6, 7])}`));
          const name = `log.0.${to.writer}`;
          logs[name] = (logs[name] ?? '') + to.commit(time + (n % 3), [['r', 1, rule, [...keys].map(anyEntry)]]);
        }
        const store = storeOf(`round ${round}`);
        const venue = await openMade(store, logs);
        await agrees(venue, store);
        await venue.checkpoint();
        await agrees(venue, store);
        await venue.close();
      }
    });
  }
});

/** Values in tagged form, many of them nearly equal. */
const samples: [value: Json, tagged: 0 | 1][] = [
  [null, 0],
  [true, 0],
  [0, 0],
  [{ $: ['number', '-0'] }, 1],
  [{ $: ['number', 'NaN'] }, 1],
  [{ $: ['number', '-Infinity'] }, 1],
  [10, 0],
  [9, 0],
  [{ $: ['bigint', '9'] }, 1],
  [{ $: ['bigint', '10'] }, 1],
  ['', 0],
  ['a', 0],
  ['\u{1f600}', 0],
  ['\uffee', 0],
  [{ $: ['date', 1] }, 1],
  [{ $: ['date', null] }, 1],
  [{ $: ['bytes', 'AQ'] }, 1],
  [{ $: ['bytes', 'AQI'] }, 1],
  [[2, 1], 0],
  [['1', [1], { a: 1 }], 0],
  [[{ $: ['number', '-0'] }, 0, 10], 1],
  [{ $: ['set', [2, 'x']] }, 1],
  [{ $: ['set', [{ $: ['bigint', '2'] }, 2]] }, 1],
  [
    {
      $: [
        'map',
        [
          [1, [1]],
          ['1', 2],
        ],
      ],
    },
    1,
  ],
  [{ $: ['map', [[1, [{ $: ['number', 'NaN'] }]]]] }, 1],
  [{ a: 1, b: [1] }, 0],
  [{ b: [2], a: 2, 7: 1 }, 0],
  [{ $: ['object', { $: 1, a: 3 }] }, 1],
  [{ a: { $: ['object', { $: [1] }] } }, 1],
];

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
function randomFrom(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
