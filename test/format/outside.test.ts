// The outside reader on its own, before it judges the library: it finds what is there, and nothing that was changed escapes it.
// Its stores come from the outside writer.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readFiles } from './reader';
import { type Json, untag } from './values';
import { Chain, checkpoint, type Entry, Signer } from './writer';

const signer = new Signer(new Uint8Array(32).fill(7));
const venue = '00112233445566778899aabbccddeeff';
const [one, two] = ['1111111111111111', '2222222222222222'];
const time = 1000 * 4096;

const chain = (writer: string) => new Chain(signer, venue, writer);
const commit = (from: Chain, entries: Entry[], more: { join?: string; heads?: object; prev?: string } = {}) => {
  const { join = 'lww', ...payload } = more;
  return from.commit(time, [['r', 0, join, entries]], payload);
};

async function read(files: Record<string, string | Uint8Array>) {
  const view = await readFiles(new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)])));
  return { ...view, kinds: view.problems.map(({ kind }) => kind), r: Object.fromEntries(view.regions.get('r') ?? []) };
}

describe('the outside reader and writer know only the page', () => {
  for (const file of ['reader', 'files', 'join', 'jws', 'values', 'writer']) {
    it(`${file}.ts imports nothing of the library`, async () => {
      const source = await readFile(new URL(`${file}.ts`, import.meta.url), 'utf8');
      const imported = [...source.matchAll(/\bfrom '([^']+)'|\bimport\('([^']+)'\)/g)].map(
        ([, from, dynamic]) => from ?? dynamic,
      );
      expect(
        imported.filter((name) => !/^(node:[a-z/]+|jose|\.\/(files|join|jws|values))$/.test(name as string)),
      ).toEqual([]);
    });
  }
});

describe('what is whole is read without a complaint', () => {
  it('commits of two writers, joined in any order', async () => {
    const [a, b] = [chain(one), chain(two)];
    const files = {
      [`log.0.${one}`]:
        commit(a, [
          ['x', -9, 'old'],
          ['y', -8, 1],
        ]) + commit(a, [['y', -2]]),
      [`log.0.${two}`]: commit(
        b,
        [
          ['x', -5, 'new'],
          ['z', -4, { $: ['bigint', '12'] }, 1],
        ],
        { heads: { [one]: 1 } },
      ),
    };
    const view = await read(files);
    expect(view.problems).toEqual([]);
    expect(view.r).toEqual({ x: 'new', z: 12n });
    expect(view.signers).toEqual(new Set([signer.did]));
  });

  it('a checkpoint, what came after it, and what it covers only once', async () => {
    const a = chain(one);
    const covered = commit(a, [
      ['purged', -9, 1],
      ['kept', -9, 1],
    ]);
    const base = checkpoint(signer, venue, one, time, { [one]: [0, String(a.prev)] }, [
      ['r', 0, 'lww', [[['kept', 0, 1]], [['later', -9, 2]]]],
    ]);
    const view = await read({
      [`log.0.${one}`]: covered,
      [`log.1.${one}`]: covered + commit(a, [['later', 1, 3]]),
      'checkpoint.1': base,
    });
    expect(view.problems).toEqual([]);
    expect(view.r).toEqual({ kept: 1, later: 3 });
    expect(view.checkpoint).toBe(1);
  });

  it('a commit that stands in two files because its write was tried again', async () => {
    const a = chain(one);
    const [first, second] = [commit(a, [['x', 0, 1]]), commit(a, [['x', 0, 2]])];
    const view = await read({ [`log.0.${one}`]: first + second.slice(0, 99), [`log.0.${one}.1`]: first + second });
    expect(view.kinds).toEqual(['torn']);
    expect(view.commits.get(one)).toBe(2);
  });

  it('payload members and entry elements that it does not know', async () => {
    const entry = ['x', 0, 1, 0, 0, -5, 'later'] as unknown as Entry;
    const view = await read({ [`log.0.${one}`]: chain(one).commit(time, [['r', 0, 'lww', [entry]]], { later: true }) });
    expect(view.problems).toEqual([]);
    expect(view.r).toEqual({ x: 1 });
  });
});

describe('nothing that was changed escapes', () => {
  const a = chain(one);
  const log = commit(a, [['x', 0, 1]]) + commit(a, [['y', 0, { $: ['bytes', 'AQID'] }, 1]]) + commit(a, [['z', 0, 1]]);
  const base = checkpoint(signer, venue, one, time, { [two]: [3, 'h'.repeat(43)] }, [
    [
      'r',
      0,
      'lww',
      [
        [
          ['a', 0, 1],
          ['b', -1],
        ],
        [['c', 0, 2]],
      ],
    ],
  ]);
  const files = { [`log.1.${one}`]: log, 'checkpoint.1': base };

  for (const [name, content] of Object.entries(files)) {
    it(`one bit flipped anywhere in ${name}`, async () => {
      expect((await read(files)).problems).toEqual([]);
      const bytes = Buffer.from(content);
      const escaped: number[] = [];
      for (let at = 0; at < bytes.length; at++) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at);
        if ((await read({ ...files, [name]: flipped })).problems.length === 0) escaped.push(at);
      }
      expect(escaped).toEqual([]);
    });
  }

  it('a log or a checkpoint cut short, but for a cut between two commits, which nobody has named', async () => {
    const ends = [...log.matchAll(/\n/g)].map((match) => match.index + 1);
    for (let size = 1; size < log.length; size++) {
      const { kinds } = await read({ ...files, [`log.1.${one}`]: log.slice(0, size) });
      expect(kinds).toEqual(ends.includes(size) ? [] : ['torn']);
    }
    for (let size = 0; size < base.length; size++)
      expect((await read({ ...files, 'checkpoint.1': base.slice(0, size) })).kinds).toContain('checkpoint');
  });

  it('damage in the middle is rot, and costs its own line only', async () => {
    const view = await read({ [`log.0.${one}`]: log.replace('"y"', '"Y"') });
    expect(view.kinds).toEqual(['rot', 'hole']);
    expect(view.r).toEqual({ x: 1, z: 1 });
  });

  it('a commit that is missing: at the beginning, in the middle, at an end that another writer has seen', async () => {
    const [first, second, third] = log.split(/(?<=\n)/) as [string, string, string];
    expect((await read({ [`log.0.${one}`]: second + third })).kinds).toEqual(['hole']);
    expect((await read({ [`log.0.${one}`]: first + third })).kinds).toEqual(['hole']);
    const other = { [`log.0.${two}`]: commit(chain(two), [], { heads: { [one]: 2 } }) };
    expect((await read({ [`log.0.${one}`]: log, ...other })).kinds).toEqual([]);
    expect((await read({ [`log.0.${one}`]: first + second, ...other })).kinds).toEqual(['hole']);
  });

  it('two commits of one index, links that do not fit, another venue, a newer format', async () => {
    const twice = commit(chain(one), [['x', 0, 1]]) + commit(chain(one), [['x', 0, 2]]);
    expect((await read({ [`log.0.${one}`]: twice })).kinds).toEqual(['link']);
    const base = checkpoint(signer, venue, one, time, { [one]: [0, 'h'.repeat(43)] }, []);
    expect((await read({ 'checkpoint.1': base, [`log.1.${one}`]: log })).kinds).toEqual(['link']);
    const uncovered = log.slice(log.indexOf('\n') + 1);
    expect((await read({ 'checkpoint.1': base, [`log.1.${one}`]: uncovered })).kinds).toEqual(['link']);
    const unlinked = chain(one);
    const links = commit(unlinked, []) + commit(unlinked, [], { prev: 'h'.repeat(43) });
    expect((await read({ [`log.0.${one}`]: links })).kinds).toEqual(['link']);
    const foreign = new Chain(signer, 'f'.repeat(32), two).commit(time, []);
    expect((await read({ [`log.0.${one}`]: log, [`log.0.${two}`]: foreign })).kinds).toEqual(['venue']);
    expect((await read({ [`log.0.${one}`]: chain(one).commit(time, [], { format: 2 }) })).kinds).toEqual(['newer']);
  });
});

describe('joins are as the page says', () => {
  const cases: [join: string, a: Entry, b: Entry, r: object][] = [
    ['lww', ['k', -1, 'z'], ['k', 0, 'a'], { k: 'a' }],
    ['lww', ['k', 0, 'a'], ['k', 0, 'b'], { k: 'b' }],
    ['lww', ['k', 0, 10], ['k', 0, 9], { k: 9 }],
    ['lww', ['k', 0, ''], ['k', 0], { k: '' }],
    ['lww', ['k', -1, ''], ['k', 0], {}],
    ['max', ['k', -1, 10], ['k', 0, 9], { k: 10 }],
    ['max', ['k', 0, { $: ['number', '-0'] }, 1], ['k', 0, 0], { k: 0 }],
    ['max', ['k', 0, { $: ['number', 'NaN'] }, 1], ['k', 0, { $: ['number', 'Infinity'] }, 1], { k: Number.NaN }],
    ['max', ['k', 0, { $: ['bigint', '3'] }, 1], ['k', 0, 9], { k: 3n }],
    ['max', ['k', 0, 9], ['k', -5, 1, 0, 0, -6], { k: 1 }],
    ['max', ['k', 0, 9], ['k', -5], {}],
    ['max', ['k', -5], ['k', -4, 1, 0, 0, -5], { k: 1 }],
    ['min', ['k', -1, '10'], ['k', 0, '9'], { k: '10' }],
    ['union', ['k', 0, [3, 1]], ['k', 0, [1, 2]], { k: [1, 2, 3] }],
    ['union', ['k', 0, [3, 1]], ['k', 0, [3, 1]], { k: [3, 1] }],
    ['union', ['k', 0, { a: [1], b: 1 }], ['k', 0, { a: [2], c: 2 }], { k: { a: [1, 2], b: 1, c: 2 } }],
    ['union', ['k', 0, { $: ['set', ['b']] }, 1], ['k', 0, { $: ['set', ['a']] }, 1], { k: new Set(['a', 'b']) }],
    ['union', ['k', 0, { $: ['map', [[1, 1]]] }, 1], ['k', 0, { $: ['map', [[1, 2]]] }, 1], { k: new Map([[1, 2]]) }],
    ['custom', ['k', -1, 10], ['k', 0, 9], { k: 9 }],
  ];
  for (const [join, a, b, r] of cases) {
    it(`${join} of ${JSON.stringify(a)} and ${JSON.stringify(b)}`, async () => {
      for (const [first, second] of [
        [a, b],
        [b, a],
      ] as const) {
        const log = chain(one);
        const view = await read({ [`log.0.${one}`]: commit(log, [first], { join }) + commit(log, [second], { join }) });
        expect(view.problems).toEqual([]);
        expect(view.r).toEqual(r);
      }
    });
  }
});

describe('a tag that nobody knows is an error, not a value', () => {
  const wrong: Json[] = [
    { $: ['symbol', 'x'] },
    { $: ['bytes', 'A'] },
    { $: ['bytes', 'AB=='] },
    { $: ['bigint', '01'] },
    { $: ['number', '5'] },
    { $: ['set', {}] },
    { $: ['map', [[1]]] },
    { $: ['date'] },
    { $: 1 },
    { $: ['bigint', '1'], other: 1 },
  ];
  for (const json of wrong) {
    it(JSON.stringify(json), () => {
      expect(() => untag(json)).toThrow(TypeError);
    });
  }
});
