// The commands that only look: what they show, and that they change nothing.
import { appendFile, chmod, cp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openVenue, type Venue } from '../../src/node';
import { contentOf, fill, freshPath, sampleStore, snapshot, tidemark, tidemarkJson } from './helpers/cli';

let store: string;
beforeAll(async () => {
  store = await sampleStore();
});

const iso = expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/);
const keyOf = (path: string) => path.replace(/\.etch$/, '.key');

describe('status', () => {
  it('says what is there, for programs', async () => {
    const { code, json } = await tidemarkJson('status', store);
    expect(code).toBe(0);
    expect(json).toMatchObject({
      store,
      status: 'ok',
      format: 1,
      venue: expect.stringMatching(/^[0-9a-f]{32}$/),
      did: expect.stringMatching(/^did:key:z6Mk/),
      key: { path: keyOf(store), state: 'ok', did: json.did, matches: true },
      lock: { state: 'free' },
      checkpoints: [{ name: 'checkpoint.1', generation: 1 }],
      quarantine: { files: 0, bytes: 0 },
      regions: [
        { name: 'high', entries: 1 },
        { name: 'notes', entries: 299 },
        { name: 'odd', entries: 1 },
      ],
      entries: 301,
      lastCommit: { time: iso, index: 3 },
      recovery: { checkpoint: 1, commits: 2, damage: [], tornBytes: 0 },
    });
    expect(json.logs).toHaveLength(2);
    expect(JSON.stringify(json)).not.toContain('seed');
  });

  it('says it for people', async () => {
    const { stdout } = await tidemark('status', store);
    expect(stdout).toMatch(/^status +ok$/m);
    expect(stdout).toMatch(/^lock +not in use$/m);
    expect(stdout).toMatch(/^entries +301 in 3 regions$/m);
  });

  it('needs no key, and tells when it is another one', async () => {
    const copy = await sampleStore();
    await rm(keyOf(copy));
    expect((await tidemarkJson('status', copy)).json).toMatchObject({
      status: 'ok',
      entries: 301,
      key: { state: 'missing', matches: null },
    });
    await writeFile(keyOf(copy), `${'1'.repeat(64)}\n`, { mode: 0o600 });
    expect((await tidemarkJson('status', copy)).json).toMatchObject({
      entries: 301,
      key: { state: 'ok', matches: false },
    });
    await writeFile(keyOf(copy), 'short');
    expect((await tidemarkJson('status', copy)).json).toMatchObject({
      entries: 301,
      key: { state: 'unusable', matches: null },
    });
  });
});

describe('inspect', () => {
  it('lists regions', async () => {
    const { json } = await tidemarkJson('inspect', store);
    expect(json.regions).toEqual([
      { name: 'high', entries: 1, bytes: expect.any(Number), join: 'max', version: 1 },
      { name: 'notes', entries: 299, bytes: expect.any(Number), join: 'lww', version: 1 },
      { name: 'odd', entries: 1, bytes: expect.any(Number), join: 'lww', version: 1 },
    ]);
    expect(json.regions[1].bytes).toBeGreaterThan(299 * 20);
    expect((await tidemark('inspect', store)).stdout).toMatch(/^notes +299 +[\d.]+ kB +lww +1$/m);
  });

  it('lists entries in key order, as many as are asked for', async () => {
    const { stdout } = await tidemark('inspect', store, 'notes');
    expect(stdout.match(/^n\d+ /gm)).toHaveLength(50);
    expect(stdout).toContain('249 more');
    const { json } = await tidemarkJson('inspect', store, 'notes', '--limit', '2');
    expect(json).toEqual({
      store,
      region: 'notes',
      found: 299,
      entries: [
        { key: 'n0', value: { title: 'Note 0' }, stamp: expect.any(Number), time: iso, version: 1 },
        {
          key: 'n1',
          value: { title: 'changed before the checkpoint' },
          stamp: expect.any(Number),
          time: iso,
          version: 1,
        },
      ],
    });
    const all = (await tidemarkJson('inspect', store, 'notes', '--all')).json.entries.map(
      ({ key }: { key: string }) => key,
    );
    expect(all).toHaveLength(299);
    expect(all).toEqual([...all].sort());
    expect(all).not.toContain('n3');
    const some = (await tidemarkJson('inspect', store, 'notes', '--prefix', 'n29')).json;
    expect(some.entries.map(({ key }: { key: string }) => key)).toEqual([
      'n29',
      ...Array.from({ length: 10 }, (_, i) => `n29${i}`),
    ]);
  });

  it('shows one entry, its time and where it stands', async () => {
    const after = (await tidemarkJson('inspect', store, 'notes', 'n2')).json;
    expect(after).toMatchObject({
      value: { title: 'changed after the checkpoint' },
      time: iso,
      stands: { file: expect.stringMatching(/^log\.1\./), offset: 0, index: 2 },
    });
    const before = (await tidemarkJson('inspect', store, 'notes', 'n1')).json;
    expect(before).toMatchObject({
      value: { title: 'changed before the checkpoint' },
      stands: { file: 'checkpoint.1' },
    });
    expect(before.stamp).toBeLessThan(after.stamp);
    expect((await tidemark('inspect', store, 'notes', 'n2')).stdout).toMatch(
      /^stands in +log\.1\.\w+, byte 0: commit 2 of writer/m,
    );
  });

  it('shows what JSON has not readably, and tagged to programs', async () => {
    expect((await tidemark('inspect', store, 'odd', 'map')).stdout).toContain("Map(1) { 'a' => Set(1) { 1n } }");
    expect((await tidemarkJson('inspect', store, 'odd', 'map')).json.value).toEqual({
      $: ['map', [['a', { $: ['set', [{ $: ['bigint', '1'] }]] }]]],
    });
  });

  it('lets nothing in a store steer the terminal', async () => {
    const nasty = await fill(freshPath(), (venue) =>
      venue.region('\u001b[2J').set('k\u001b]0;x\u0007\n\u202e', { '\u001b[31m': '\u009b\u202e' }),
    );
    for (const args of [[], ['\u001b[2J'], ['\u001b[2J', 'k\u001b]0;x\u0007\n\u202e']]) {
      const { code, stdout } = await tidemark('inspect', nasty, ...args);
      expect(code).toBe(0);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
    expect((await tidemark('status', nasty)).stdout).not.toContain('\u001b');
  });

  it('joins writers that did not know of each other, as the library does', async () => {
    const [one, other] = [freshPath(), freshPath()];
    await fill(one, async (venue) => {
      venue.region('high', { join: 'max' }).set('score', 1);
      venue.region('tags', { join: 'union' }).set('t', ['a']);
      venue.region('notes').set('n', 'first');
      await venue.checkpoint();
    });
    await cp(dirname(one), dirname(other), { recursive: true });
    const write = (score: number, tag: string) => (venue: Venue) => {
      venue.region('high', { join: 'max' }).set('score', score);
      venue.region('tags', { join: 'union' }).set('t', [tag]);
      venue.region('notes').set('n', tag);
    };
    await fill(one, write(9, 'b'));
    await fill(other, write(5, 'c'));
    for (const name of await readdir(other)) await cp(join(other, name), join(one, name));
    const expected = { high: { score: 9 }, tags: { t: ['a', 'b', 'c'] }, notes: { n: 'c' } };
    const seen = (await tidemark('export', one)).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(seen.map(({ region, key, value }) => [region, key, value])).toEqual([
      ['high', 'score', 9],
      ['notes', 'n', 'c'],
      ['tags', 't', ['a', 'b', 'c']],
    ]);
    expect(await contentOf(one)).toEqual(expected);
  });

  it('takes the join and version of a region from its newest commit', async () => {
    const path = await fill(freshPath(), (venue) => venue.region('r').set('k', 1));
    const declared = { join: 'max', version: 2, migrate: (value: unknown) => value } as const;
    await fill(path, (venue) => venue.region('r', declared).set('k', 5));
    expect((await tidemarkJson('inspect', path)).json.regions).toMatchObject([{ name: 'r', join: 'max', version: 2 }]);
  });

  it('joins as the store says', async () => {
    const joined = freshPath();
    for (const n of [5, 9, 2]) await fill(joined, (venue) => venue.region('high', { join: 'max' }).set('score', n));
    const tags = { join: 'union' } as const;
    await fill(joined, async (venue) => {
      venue.region<string[]>('tags', tags).set('t', ['a']);
      await venue.checkpoint();
    });
    await fill(joined, (venue) => venue.region<string[]>('tags', tags).set('t', ['b']));
    await fill(joined, (venue) => {
      const high = venue.region('high', { join: 'max' });
      high.set('again', 8);
      high.delete('again');
      high.set('again', 3);
    });
    expect((await tidemarkJson('inspect', joined, 'high')).json.entries).toMatchObject([
      { key: 'again', value: 3 },
      { key: 'score', value: 9 },
    ]);
    expect((await tidemarkJson('inspect', joined, 'tags', 't')).json.value).toEqual(['a', 'b']);
  });
});

describe('log', () => {
  it('lists commits, the newest last', async () => {
    const { json } = await tidemarkJson('log', store);
    expect(json.found).toBe(4);
    expect(json.commits.map(({ index, entries }: { index: number; entries: number }) => [index, entries])).toEqual([
      [0, 300],
      [1, 1],
      [2, 3],
      [3, 1],
    ]);
    expect(json.commits[0]).toEqual({
      time: iso,
      writer: expect.stringMatching(/^[0-9a-f]{16}$/),
      index: 0,
      entries: 300,
      bytes: expect.any(Number),
      hash: expect.stringMatching(/^[\w-]{43}$/),
      signer: expect.stringMatching(/^did:key:/),
      file: expect.stringMatching(/^log\.0\./),
      offset: 0,
    });
    const { stdout } = await tidemark('log', store, '--limit', '1');
    const [head, only, ...more] = stdout.trimEnd().split('\n');
    expect(head).toMatch(/^time +writer +index +entries +bytes +hash$/);
    expect(only).toMatch(new RegExp(`^\\S+Z +\\w{16} +3 +1 +\\d+ +${json.commits[3].hash.slice(0, 12)}$`));
    expect(more).toEqual([]);
  });

  it('lists a commit once that stands in two files', async () => {
    const twice = await sampleStore();
    const name = (await readdir(twice)).find((file) => file.startsWith('log.1.'))!;
    const { copyFile } = await import('node:fs/promises');
    await copyFile(join(twice, name), join(twice, `${name}.1`));
    expect((await tidemarkJson('log', twice)).json.found).toBe(4);
    expect((await tidemarkJson('verify', twice)).json).toMatchObject({ ok: true });
  });
});

describe('verify', () => {
  it('finds a good store good, and says what it looked at', async () => {
    const { code, json } = await tidemarkJson('verify', store);
    expect(code).toBe(0);
    expect(json).toMatchObject({
      store,
      ok: true,
      damage: [],
      warnings: [],
      checked: { checkpoints: 1, chunks: 1, logs: 2, commits: 4, entries: 300 + 305 },
      unfinishedBytes: 0,
      lock: { state: 'free' },
      key: { state: 'ok' },
    });
    expect(Object.values(json.signers)).toEqual([5]);
    expect(JSON.stringify(json)).not.toContain('seed');
    expect((await tidemark('verify', store)).stdout).toMatch(/: all good\n/);
  });

  it('warns of a key that others can read', async () => {
    const open = await sampleStore();
    await chmod(keyOf(open), 0o644);
    const { code, json } = await tidemarkJson('verify', open);
    expect([code, json.damage]).toEqual([0, []]);
    expect(json.warnings).toEqual([{ file: keyOf(open), what: expect.stringContaining('chmod 600') }]);
  });
});

describe('looking at a store', () => {
  /** A crash: LOCK of a process that has ended, and half a line. */
  async function crashed(): Promise<string> {
    const path = await sampleStore();
    const name = (await readdir(path)).find((file) => file.startsWith('log.1.'))!;
    await appendFile(join(path, name), '["eyJhbGciOiJFZERTQSI');
    await writeFile(
      join(path, 'LOCK'),
      `${JSON.stringify({ pid: 2 ** 22 + 1, start: '1', host: (await import('node:os')).hostname(), nonce: 'a'.repeat(32) })}\n`,
    );
    return path;
  }

  it.each([['status'], ['verify'], ['inspect'], ['inspect', 'notes'], ['inspect', 'notes', 'n1'], ['log'], ['export']])(
    'changes nothing, not even after a crash: %s %s %s',
    async (command, ...args) => {
      const path = await crashed();
      const before = await snapshot(dirname(path));
      const { code, stderr } = await tidemark(command, path, ...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(await snapshot(dirname(path))).toEqual(before);
    },
  );

  it('leaves a store that its program opens as if nobody had looked', async () => {
    const path = await crashed();
    await tidemark('verify', path);
    const venue = await openVenue({ store: path, signals: false, logger: { info() {}, warn() {}, error() {} } });
    expect(venue.health().recovery).toMatchObject({ tornBytes: 21, damage: [] });
    await venue.close();
  });

  it('takes no notice of where the store lies', async () => {
    const path = await sampleStore();
    const moved = join(dirname(path), 'no-suffix');
    await rename(path, moved);
    expect((await tidemark('verify', moved)).code).toBe(0);
  });
});
