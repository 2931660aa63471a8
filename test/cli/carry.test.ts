// compact, export and import: what they carry over is what was there.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  codeOf,
  contentOf,
  fill,
  freshPath,
  sampleStore,
  snapshot,
  tidemark,
  tidemarkJson,
  tidemarkWithin,
} from './helpers/cli';

const keyOf = (path: string) => path.replace(/\.etch$/, '.key');
const exported = async (store: string) => (await tidemark('export', store)).stdout;

const allKinds: Record<string, unknown> = {
  text: 'Grüße \u{1f30a} "quoted" \\ \n\u0000',
  numbers: [0, 1.5, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300],
  flags: [true, false, null],
  bytes: new Uint8Array([0, 255, 7]),
  date: new Date(1_700_000_000_123),
  noDate: new Date(Number.NaN),
  bigint: -(2n ** 80n),
  map: new Map<unknown, unknown>([
    ['a', 1n],
    [{ deep: true }, new Set(['x', new Date(0)])],
  ]),
  set: new Set([1, [2], new Uint8Array(1)]),
  dollar: { $: ['date', 1], nested: { $: { $: 0n } } },
  empty: [{}, [], '', new Map(), new Set(), new Uint8Array(0)],
  proto: JSON.parse('{"__proto__": {"a": 1}}'),
};

describe('export and import', () => {
  it('carry every kind of value over', async () => {
    const store = await fill(freshPath(), (venue) => {
      for (const [key, value] of Object.entries(allKinds)) venue.region('kinds').set(key, value);
      venue.region('o\u202eth er').set('k\n', 1);
    });
    const file = join(dirname(store), 'all.jsonl');
    expect((await tidemarkJson('export', store, '--jsonl', '--out', file)).json).toMatchObject({
      store,
      out: file,
      entries: 13,
    });
    const to = freshPath();
    const { code, json } = await tidemarkJson('import', file, to);
    expect(code).toBe(0);
    expect(json).toEqual({
      file,
      store: to,
      entries: 13,
      regions: ['kinds', 'o\u202eth er'],
      did: expect.stringMatching(/^did:key:/),
      created: true,
    });
    expect(await contentOf(to)).toEqual(await contentOf(store));
    expect((await contentOf(to)).kinds).toEqual(allKinds);
    expect((await tidemark('verify', to)).code).toBe(0);
  });

  it('write lines that anybody can read, in order, of one region if asked', async () => {
    const store = await sampleStore();
    const lines = (await exported(store))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(301);
    expect(lines[0]).toEqual({ region: 'high', key: 'score', value: 7, stamp: expect.any(Number), join: 'max' });
    expect(lines[1]).toEqual({ region: 'notes', key: 'n0', value: { title: 'Note 0' }, stamp: expect.any(Number) });
    const some = (await tidemark('export', store, '--region', 'odd')).stdout;
    expect(JSON.parse(some)).toMatchObject({
      region: 'odd',
      value: { $: ['map', [['a', { $: ['set', [{ $: ['bigint', '1'] }]] }]]] },
    });
  });

  it('set what is there, delete nothing, and keep the key', async () => {
    const store = await sampleStore();
    const did = (await tidemarkJson('status', store)).json.did;
    const file = join(dirname(store), 'some.jsonl');
    await writeFile(file, '{"region":"notes","key":"n1","value":"new"}\n\n{"region":"fresh","key":"k","value":[1]}');
    const { json } = await tidemarkJson('import', file, store);
    expect(json).toMatchObject({ entries: 2, regions: ['fresh', 'notes'], created: false, did });
    const { notes = {}, fresh } = await contentOf(store);
    expect([Object.keys(notes).length, notes.n1, notes.n2, fresh]).toEqual([
      299,
      'new',
      { title: 'changed after the checkpoint' },
      { k: [1] },
    ]);
    expect((await tidemarkJson('log', store)).json.commits.at(-1)).toMatchObject({ index: 0, entries: 2 });
  });

  it('look at every line before anything is written', async () => {
    const store = await sampleStore();
    const before = await snapshot(dirname(store));
    const good = '{"region":"notes","key":"n1","value":"new"}';
    const bad: [string, RegExp][] = [
      ['{', /JSON/],
      ['[]', /not an object/],
      ['{"region":"r","key":"k"}', /needs "region", "key" and "value"/],
      ['{"region":"r","key":7,"value":1}', /needs/],
      ['{"region":"","key":"k","value":1}', /region/],
      [`{"region":"r","key":"${'k'.repeat(1025)}","value":1}`, /1024 bytes/],
      ['{"region":"r","key":"\\ud800","value":1}', /surrogate/],
      ['{"region":"r","key":"k","value":{"$":["date","yesterday"]}}', /tagged/],
      ['{"region":"r","key":"k","value":{"$":["unicorn",1]}}', /tagged/],
      ['{"region":"r","key":"k","value":{"$":5}}', /tagged/],
      ['{"region":"r","key":"k","value":1,"version":0}', /version/],
      ['{"region":"r","key":"k","value":1,"join":"xor"}', /join/],
      ['{"region":"notes","key":"k","value":1,"version":2}', /version 1 and join lww in the lines before/],
    ];
    const file = join(dirname(freshPath()), '..', 'bad.jsonl');
    await writeFile(file, [good, ...bad.map(([line]) => line)].join('\n'));
    const { code, stderr } = await tidemark('import', file, store, '--json');
    const { error } = JSON.parse(stderr);
    expect([code, error.code]).toEqual([1, 'bad_line']);
    expect(error.message).toContain(`${bad.length} lines`);
    expect(error.findings).toHaveLength(bad.length);
    bad.forEach(([, why], i) => {
      expect(error.findings[i]).toMatchObject({ file, what: expect.stringMatching(why) });
      expect(error.findings[i].what).toMatch(new RegExp(`^line ${i + 2}: `));
    });
    expect(error.findings[0].offset).toBe(good.length + 1);
    await writeFile(
      file,
      Buffer.from([...Buffer.from('{"region":"r","key":"k","value":"'), 0xff, ...Buffer.from('"}')]),
    );
    expect(codeOf(await tidemark('import', file, store))).toBe('bad_line');
    expect(await snapshot(dirname(store))).toEqual(before);
    expect(codeOf(await tidemark('import', file, freshPath()))).toBe('bad_line');
  });

  it('need a file', async () => {
    expect(codeOf(await tidemark('import', 'nowhere.jsonl', freshPath()))).toBe('not_found');
  });

  it('carry schema versions over, and refuse to mix them', async () => {
    const store = await fill(freshPath(), (venue) => venue.region('r', { version: 3 }).set('k', 1));
    const file = join(dirname(store), 'v3.jsonl');
    await tidemark('export', store, '--out', file);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ version: 3 });
    const to = freshPath();
    expect((await tidemark('import', file, to)).code).toBe(0);
    expect((await tidemarkJson('inspect', to)).json.regions).toMatchObject([{ name: 'r', version: 3 }]);
    const older = await fill(freshPath(), (venue) => venue.region('r').set('k', 0));
    const ran = await tidemark('import', file, older);
    expect([ran.code, codeOf(ran)]).toEqual([1, 'bad_option']);
    expect(await contentOf(older)).toEqual({ r: { k: 0 } });
  });

  it('carry joins over, and keep those that only a program knows', async () => {
    const sum = { join: (a: number, b: number) => Math.max(a, b) };
    const store = await fill(freshPath(), (venue) => {
      venue.region<number>('own', sum).set('k', 9);
      venue.region<string[]>('tags', { join: 'union' }).set('t', ['a']);
    });
    const file = join(dirname(store), 'joins.jsonl');
    await tidemark('export', store, '--out', file);
    const to = freshPath();
    await tidemark('import', file, to);
    const joins = async (path: string) =>
      (await tidemarkJson('inspect', path)).json.regions.map(({ name, join: rule }: { name: string; join: string }) => [
        name,
        rule,
      ]);
    expect(await joins(to)).toEqual([
      ['own', 'custom'],
      ['tags', 'union'],
    ]);
    await writeFile(file, '{"region":"own","key":"k","value":4}\n');
    await tidemark('import', file, to);
    expect(await joins(to)).toEqual([
      ['own', 'custom'],
      ['tags', 'union'],
    ]);
    expect((await tidemarkJson('inspect', to, 'own', 'k')).json.value).toBe(4);
  });

  it('never report what is not durable', async () => {
    const file = join(dirname(await sampleStore()), 'large.jsonl');
    const line = (n: number) => JSON.stringify({ region: 'large', key: `k${n}`, value: 'x'.repeat(1000) });
    await writeFile(file, Array.from({ length: 100 }, (_, n) => line(n)).join('\n'));
    const store = freshPath();
    const ran = await tidemarkWithin(64, 'import', file, store);
    expect([ran.code, codeOf(ran), ran.stdout]).toEqual([1, 'io', '']);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
    expect((await tidemark('import', file, store)).code).toBe(0);
    expect(Object.keys((await contentOf(store)).large!)).toHaveLength(100);
  });

  it('leave the output whole or not at all', async () => {
    const store = await sampleStore();
    const file = join(dirname(store), 'out.jsonl');
    await writeFile(file, 'before');
    expect((await tidemark('export', store, '--out', file)).code).toBe(0);
    expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(302);
    const before = await readFile(file);
    const full = await tidemarkWithin(8, 'export', store, '--out', file);
    expect([full.code, codeOf(full)]).toEqual([1, 'io']);
    expect(await readFile(file)).toEqual(before);
    const nowhere = await tidemark('export', store, '--out', join(dirname(store), 'no/such/folder.jsonl'));
    expect([nowhere.code, codeOf(nowhere)]).toEqual([1, 'io']);
    expect((await readdir(dirname(store))).sort()).toEqual(['out.jsonl', 'venue.etch', 'venue.key']);
  });
});

describe('compact', () => {
  it('drops what the checkpoint has, and says how many bytes that were', async () => {
    const store = await fill(freshPath(), async (venue) => {
      for (let round = 0; round < 30; round++) {
        for (let i = 0; i < 50; i++) venue.region('hot').set(`k${i}`, { round, text: 'x'.repeat(50) });
        await venue.flush();
      }
    });
    const before = await exported(store);
    const { code, json } = await tidemarkJson('compact', store);
    expect(code).toBe(0);
    expect(json).toMatchObject({ store, chunks: 1, recovery: { damage: [] } });
    expect(json.bytesAfter).toBeLessThan(json.bytesBefore / 5);
    expect(await exported(store)).toBe(before);
    expect((await tidemarkJson('verify', store)).json).toMatchObject({
      ok: true,
      checked: { checkpoints: 2, commits: 0 },
    });
    expect(await readdir(store)).not.toContain('LOCK');
    expect((await tidemark('compact', store)).stdout).toMatch(/^.+: [\d.]+ kB -> [\d.]+ kB$/m);
  });

  it('carries entries over that it does not understand: joins of a program, newer versions, deletions', async () => {
    const store = freshPath();
    const own = { join: (a: number, b: number) => Math.max(a, b) };
    await fill(store, async (venue) => {
      venue.region<number>('own', own).set('k', 5);
      venue.region('mixed', { version: 2 }).set('newer', { v: 2 });
      await venue.checkpoint();
    });
    await fill(store, (venue) => {
      venue.region<number>('own', own).set('k', 3);
      venue.region('mixed', { version: 1 }).set('older', { v: 1 });
      const high = venue.region<number>('high', { join: 'max' });
      high.set('again', 9);
      high.delete('again');
      high.set('again', 3);
    });
    const before = await exported(store);
    expect(before).toContain('"key":"k","value":5');
    expect((await tidemark('compact', store)).code).toBe(0);
    expect(await exported(store)).toBe(before);
    await fill(store, (venue) => {
      expect(venue.region<number>('own', own).get('k')).toBe(5);
      const migrate = (value: unknown, from: number) => ({ ...(value as object), from });
      const mixed = venue.region('mixed', { version: 2, migrate });
      expect([mixed.get('newer'), mixed.get('older')]).toEqual([{ v: 2 }, { v: 1, from: 1 }]);
      const high = venue.region<number>('high', { join: 'max' });
      high.set('again', 1);
      expect(high.get('again')).toBe(3);
    });
  });

  it('needs the key, and makes none', async () => {
    const store = await sampleStore();
    await rm(keyOf(store));
    const ran = await tidemark('compact', store);
    expect([ran.code, codeOf(ran)]).toEqual([1, 'bad_key_file']);
    expect(await readdir(dirname(store))).toEqual(['venue.etch']);
  });

  it('leaves a store alone in which somebody has signed who is not trusted', async () => {
    const store = freshPath();
    await fill(store, (venue) => venue.region('notes').set('a', 1));
    const { did } = (await tidemarkJson('status', store)).json;
    await rm(keyOf(store));
    await fill(store, (venue) => venue.region('notes').set('b', 2), { trusted: [did] });
    const before = await snapshot(store);
    const ran = await tidemark('compact', store);
    expect([ran.code, codeOf(ran)]).toEqual([1, 'foreign_key']);
    expect(ran.stderr).toContain(did);
    expect(await snapshot(store)).toEqual(before);
    expect((await tidemark('compact', store, '--trust', did)).code).toBe(0);
    expect((await tidemarkJson('inspect', store, 'notes')).json.entries).toMatchObject([{ key: 'a' }, { key: 'b' }]);
  });

  it('heals what can be healed, and says what could not', async () => {
    const store = await sampleStore();
    const log = (await readdir(store)).find((name) => name.startsWith('log.1.'))!;
    const bytes = await readFile(join(store, log));
    bytes[bytes.indexOf(10) - 3]! ^= 1;
    await writeFile(join(store, log), bytes);
    const ran = await tidemark('compact', store);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('does not verify');
    expect((await tidemarkJson('verify', store)).json).toMatchObject({ ok: true });
    expect((await tidemarkJson('status', store)).json).toMatchObject({
      status: 'ok',
      quarantine: { files: 1 },
      entries: 301,
    });
  });
});
