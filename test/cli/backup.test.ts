// backup and restore: a copy is whole, verified and in its place in one step; nothing that stands anywhere is lost by it.
import { appendFile, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProgress } from '../../src/cli/progress';
import { copyBeside, placeNew } from '../../src/cli/store/copy';
import {
  codeOf,
  contentOf,
  fill,
  freshPath,
  liveWriter,
  sampleStore,
  snapshot,
  tidemark,
  tidemarkJson,
  tidemarkWithin,
} from './helpers/cli';

const keyOf = (path: string) => path.replace(/\.etch$/, '.key');
/** What is beside a store, its key aside. */
const beside = async (path: string) => (await readdir(dirname(path))).filter((name) => name !== 'venue.key').sort();

describe('backup', () => {
  it('copies a store whole, without its key, and says so', async () => {
    const store = await sampleStore();
    const to = join(dirname(freshPath()), 'deep/er/copy.etch');
    const { code, json } = await tidemarkJson('backup', store, to);
    expect(code).toBe(0);
    expect(json).toMatchObject({
      store,
      to,
      venue: expect.any(String),
      key: keyOf(store),
      leftOut: 0,
      checked: { checkpoints: 1, commits: 4 },
    });
    for (const name of await readdir(store))
      expect(await readFile(join(to, name))).toEqual(await readFile(join(store, name)));
    expect(await readdir(dirname(to))).toEqual(['copy.etch']);
    expect((await tidemark('verify', to)).code).toBe(0);
    const text = await tidemark('backup', store, `${to}.2`);
    expect(text.stdout).toContain(`Keep ${keyOf(store)} somewhere else`);
  });

  it('can be opened with the key', async () => {
    const store = await sampleStore();
    const to = freshPath();
    await tidemark('backup', store, to);
    await copyFile(keyOf(store), keyOf(to));
    expect(await contentOf(to)).toEqual(await contentOf(store));
  });

  it('replaces nothing: not a store, not a file, not an empty folder', async () => {
    const store = await sampleStore();
    const [other, file, empty] = [await sampleStore(), freshPath(), freshPath()];
    await mkdir(empty, { recursive: true });
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, 'mine');
    for (const to of [other, file, empty]) {
      const before = await snapshot(dirname(to));
      const ran = await tidemark('backup', store, to);
      expect([ran.code, codeOf(ran)]).toEqual([1, 'exists']);
      expect(await snapshot(dirname(to))).toEqual(before);
    }
  });

  it('leaves out what is no whole line', async () => {
    const store = await sampleStore();
    const log = (await readdir(store)).find((name) => name.startsWith('log.1.'))!;
    await appendFile(join(store, log), '["eyJ');
    const to = freshPath();
    expect((await tidemarkJson('backup', store, to)).json).toMatchObject({ leftOut: 5 });
    expect((await tidemarkJson('verify', to)).json).toMatchObject({ ok: true, warnings: [], checked: { commits: 4 } });
  });

  it('leaves nothing behind on a disk that is full', async () => {
    const store = await sampleStore();
    const to = freshPath();
    const ran = await tidemarkWithin(8, 'backup', store, to);
    expect([ran.code, ran.stdout]).toEqual([1, '']);
    expect(ran.stderr).toMatch(/^tidemark: io: .+\n$/);
    expect(await readdir(dirname(to))).toEqual([]);
  });

  it('does not replace what came into being while it was made', async () => {
    const store = await sampleStore();
    const to = freshPath();
    const made = copyBeside(store, to, [], createProgress(), async (copy) => {
      await mkdir(to);
      await placeNew(copy, to);
    });
    await expect(made).rejects.toMatchObject({ code: 'exists' });
    expect(await readdir(dirname(to))).toEqual(['venue.etch']);
    expect(await readdir(to)).toEqual([]);
  });

  it('refuses a damaged store, says where, and leaves nothing behind', async () => {
    const store = await sampleStore();
    const bytes = await readFile(join(store, 'checkpoint.1'));
    bytes[50]! ^= 1;
    await writeFile(join(store, 'checkpoint.1'), bytes);
    const to = freshPath();
    const ran = await tidemark('backup', store, to);
    expect([ran.code, codeOf(ran), ran.stdout]).toEqual([1, 'damaged', '']);
    expect(ran.stderr).toMatch(/^checkpoint\.1 +0 +the chunk of region 'notes'/m);
    expect(await readdir(dirname(to))).toEqual([]);
    const { stderr } = await tidemark('backup', store, to, '--json');
    expect(JSON.parse(stderr).error).toMatchObject({
      code: 'damaged',
      findings: [{ file: 'checkpoint.1', offset: 0 }],
    });
  });
});

describe('restore', () => {
  it('puts a copy where no store is', async () => {
    const from = await sampleStore();
    const store = freshPath();
    const { code, json } = await tidemarkJson('restore', from, store);
    expect(code).toBe(0);
    expect(json).toMatchObject({
      from,
      store,
      movedTo: null,
      checked: { commits: 4 },
      warning: expect.stringContaining(keyOf(store)),
    });
    expect(await readdir(dirname(store))).toEqual(['venue.etch']);
    await copyFile(keyOf(from), keyOf(store));
    expect(await contentOf(store)).toEqual(await contentOf(from));
  });

  it('overwrites nothing without --force', async () => {
    const [from, store] = [await sampleStore(), await sampleStore()];
    const before = await snapshot(dirname(store));
    const ran = await tidemark('restore', from, store);
    expect([ran.code, codeOf(ran)]).toEqual([1, 'exists']);
    expect(ran.stderr).toContain('--force');
    expect(await snapshot(dirname(store))).toEqual(before);
  });

  it('moves what was there aside with --force, and names it', async () => {
    const store = await sampleStore();
    const from = freshPath();
    await tidemark('backup', store, from);
    await fill(store, (venue) => venue.region('notes').set('newer', 'than the backup'));
    const newer = await contentOf(store);
    const { code, json } = await tidemarkJson('restore', from, store, '--force');
    expect(code).toBe(0);
    expect(json.warning).toBeUndefined();
    expect(basename(json.movedTo)).toMatch(/^venue\.etch\.before-restore-\d{8}T\d{6}Z$/);
    expect(await beside(store)).toEqual(['venue.etch', basename(json.movedTo)]);
    expect(await readdir(json.movedTo)).not.toContain('LOCK');
    const restored = await contentOf(store);
    expect(restored).not.toEqual(newer);
    expect(restored.notes).not.toHaveProperty('newer');
    const seed = (await readFile(keyOf(store), 'utf8')).trim();
    await rm(store, { recursive: true });
    expect(await contentOf(json.movedTo, { seed })).toEqual(newer);
  });

  it('takes the place of a store that a crash has left locked', async () => {
    const [from, store] = [await sampleStore(), freshPath()];
    await (await liveWriter(store, 'idle')).kill();
    expect(await readdir(store)).toContain('LOCK');
    expect((await tidemark('restore', from, store, '--force')).code).toBe(0);
    expect(await readdir(store)).not.toContain('LOCK');
  });

  it('never touches a store that is in use, not even with --force', async () => {
    const [from, store] = [await sampleStore(), freshPath()];
    const live = await liveWriter(store, 'idle');
    try {
      for (const force of [[], ['--force']]) {
        const ran = await tidemark('restore', from, store, ...force);
        expect([ran.code, codeOf(ran)]).toEqual([1, 'locked']);
        expect(ran.stderr).toContain(`process ${live.pid}`);
      }
      expect(await beside(store)).toEqual(['venue.etch']);
    } finally {
      await live.kill();
    }
  });

  it('refuses a damaged backup, with or without --force, and changes nothing', async () => {
    const [from, store] = [await sampleStore(), await sampleStore()];
    const log = join(from, (await readdir(from)).find((name) => name.startsWith('log.1.'))!);
    const bytes = await readFile(log);
    bytes[bytes.length - 4]! ^= 1;
    await writeFile(log, bytes);
    const before = await snapshot(dirname(store));
    for (const [to, ...force] of [[freshPath()], [store, '--force']] as [string, ...string[]][]) {
      const ran = await tidemark('restore', from, to, ...force);
      expect([ran.code, codeOf(ran)]).toEqual([1, 'damaged']);
      expect(ran.stderr).toContain(basename(log));
    }
    expect(await snapshot(dirname(store))).toEqual(before);
  });

  it('refuses to restore a store from itself', async () => {
    const store = await sampleStore();
    expect(codeOf(await tidemark('restore', store, store, '--force'))).toBe('usage');
  });

  it('tells when the key that is there is another one', async () => {
    const [from, store] = [await sampleStore(), await sampleStore()];
    const { json } = await tidemarkJson('restore', from, store, '--force');
    expect(json.warning).toMatch(/^The key .+ is of did:key:.+, but the store is signed by did:key:/);
    expect((await stat(keyOf(store))).size).toBe(65);
  });
});
