// What stands in an IndexedDB database and should not: records that are missing, changed or not ours. What is damaged is handed on to be
// reported and put in quarantine; what is beside it stays whole.
import { describe, expect, it } from 'vitest';
import { checkpointPartBytes } from '../../backends/indexeddb/checkpoints';
import type { Stored } from '../../src/backend';
import { openVenue } from '../../src/browser';
import { makeCommit } from '../backend-contract';
import { A, B, expectSame, findTexts, pattern, pieces, readAll, text, textsOf } from './contract/stage';
import { indexeddbWorld, look } from './helpers/indexeddb';
import { WatchedFactory } from './helpers/indexeddb-watch';

const part = checkpointPartBytes;
const commits = [makeCommit(A, 0), makeCommit(A, 1, 100_000), makeCommit(A, 2), makeCommit(B, 0)];

/** A store with those commits, and a checkpoint of two and a half parts that covers none of them. */
async function start() {
  const world = indexeddbWorld();
  const first = world.backend();
  await first.open('venue');
  for (const { line, at } of commits) await first.append(line, at, 'relaxed');
  await first.checkpoint(pieces(pattern(2.5 * part, 1)), {}, 0);
  await first.close();
  const watched = new WatchedFactory(world.inner);
  const backend = world.backend({ factory: watched.factory });
  return { world, watched, backend };
}

type Harm = (db: Parameters<Parameters<typeof look>[1]>[0]) => Promise<unknown>;

describe('a commit that is damaged', () => {
  it.each<[what: string, harm: Harm]>([
    ['its first part is gone', (db) => db.delete('commits', [A, 1, 0])],
    ['a part in its middle is gone', (db) => db.delete('commits', [A, 1, 1])],
    ['its last part is gone', (db) => db.delete('commits', [A, 1, 3])],
    ['a part is a text', (db) => db.put('commits', 'garbage', [A, 1, 2])],
    ['a part is nothing', (db) => db.put('commits', undefined, [A, 1, 3])],
    ['a part is an object', (db) => db.put('commits', { bytes: 1 }, [A, 1, 0])],
    ['a part is empty', (db) => db.put('commits', new ArrayBuffer(0), [A, 1, 3])],
    ['there is one part too many', (db) => db.put('commits', new Uint8Array([1, 2]).buffer, [A, 1, 4])],
  ])('%s: its neighbours are whole', async (_, harm) => {
    const { world, backend } = await start();
    await look(world, harm);
    const found = await findTexts(await backend.open('venue'));
    expect(found.every((line) => line.endsWith('\n'))).toBe(true);
    expect(found).toEqual(expect.arrayContaining(textsOf([commits[0]!, commits[2]!, commits[3]!])));
    await backend.close();
  });

  it('the last one of its writer is the end of a log, and cut() takes exactly that one away', async () => {
    const { world, backend } = await start();
    await look(world, (db) => db.put('commits', 'torn', [A, 2, 0]));
    const { logs } = await backend.open('venue');
    const log = logs.find(({ name }) => name.includes(A))!;
    const good = commits[0]!.line.length + commits[1]!.line.length;
    expect(text(await log.read(good, log.size - good))).toBe('torn');
    await log.cut(good);
    const keys = await look(world, (db) => db.getAllKeys('commits'));
    expect(new Set(keys.map((key) => `${(key as unknown[]).slice(0, 2)}`))).toEqual(
      new Set([`${A},0`, `${A},1`, `${B},0`]),
    );
    await backend.close();
    expect((await findTexts(await world.backend().open('venue'))).sort()).toEqual(
      textsOf([commits[0]!, commits[1]!, commits[3]!]),
    );
    world.destroy();
  });

  it('of which nothing is left is still a line, so that it is missed', async () => {
    const { world, backend } = await start();
    await look(world, (db) => db.put('commits', new ArrayBuffer(0), [A, 2, 0]));
    const { logs } = await backend.open('venue');
    const log = logs.find(({ name }) => name.includes(A))!;
    expect(text(await readAll(log))).toBe(`${textsOf(commits.slice(0, 2)).join('')}\n`);
    await log.retire('a test says so');
    expect((await findTexts(await backend.newer!({}))).sort()).toEqual(textsOf([commits[3]!]));
    expect((await world.quarantined()).map(text)).toEqual([`${textsOf(commits.slice(0, 2)).join('')}\n`]);
    await backend.close();
  });

  it('is reported by the venue and in quarantine; the rest is there; the next opening knows that it is missing, and no more', async () => {
    const world = indexeddbWorld();
    const logger = { info() {}, warn() {}, error() {} };
    const seed = '11'.repeat(32);
    const open = () => openVenue({ store: world.backend(), seed, logger, pageEvents: false });
    let writer: string | undefined;
    for (const key of ['one', 'two', 'three']) {
      const venue = await open();
      venue.region('r').set(key, key.repeat(30_000));
      await venue.close();
      writer ??= ((await look(world, (db) => db.getAllKeys('commits'))) as [string][])[0]![0];
    }
    await look(world, (db) => db.put('commits', 'garbage\n\n', [writer!, 0, 1]));
    const venue = await open();
    const { recovery } = venue.health();
    const region = venue.region('r');
    const there = ['one', 'two', 'three'].filter((key) => region.get(key) === key.repeat(30_000));
    expect(there).toEqual(['two', 'three']);
    expect(recovery.tornBytes + recovery.damage.length).toBeGreaterThan(0);
    expect((await world.quarantined()).map(text).join()).toContain('garbage');
    await venue.close();
    const again = await open();
    expect(again.health().recovery).toMatchObject({
      tornBytes: 0,
      damage: [{ what: 'commits 0 to 0 are missing', bytes: 0 }],
    });
    await again.close();
  });
});

describe('what the newest checkpoint covers', () => {
  it.each(['retire', 'cut'] as const)('is a log of its own, in which %s() takes away exactly those', async (how) => {
    const { world, backend } = await start();
    const maker = world.backend();
    await maker.open('venue');
    await maker.checkpoint(pieces(pattern(10, 1)), { [A]: 1 }, 1);
    await maker.close();
    const { logs } = await backend.open('venue');
    const [covered, ...more] = logs.filter(({ generation }) => generation === 1);
    expect(more).toEqual([]);
    expect(text(await readAll(covered!))).toBe(textsOf(commits.slice(0, 2)).join(''));
    expect(text(await covered!.read(0, 5))).toBe(text(commits[0]!.line.slice(0, 5)));
    if (how === 'cut') await covered!.cut(commits[0]!.line.length);
    else await covered!.retire('a test says so');
    expect(await world.quarantined()).toHaveLength(how === 'cut' ? 0 : 1);
    await backend.close();
    const left = how === 'cut' ? [0, 2, 3] : [2, 3];
    const found = await findTexts(await world.backend().open('venue'));
    expect(found.sort()).toEqual(textsOf(left.map((at) => commits[at]!)));
    world.destroy();
  });
});

describe('records that are not ours', () => {
  const strange: IDBValidKey[] = [
    'text',
    7,
    new Date(0),
    [],
    [5],
    ['x'],
    [A, 0],
    [A, 'text', 0],
    [A, 0, 'text'],
    [[]],
    [A, 0, 0, 0],
  ];

  it('are passed over, and left alone', async () => {
    const { world, backend } = await start();
    const stores = ['commits', 'last', 'checkpoint', 'meta', 'quarantine', 'blobs', 'scratch'];
    await look(world, async (db) => {
      for (const store of stores) for (const key of strange) await db.put(store, 'strange', key);
      await db.put('meta', 'strange', ['checkpoint']);
      await db.put('meta', 'strange', ['checkpoint', 'text']);
    });
    const stored = await backend.open('venue');
    expect((await findTexts(stored)).sort()).toEqual(textsOf(commits));
    expect(stored.checkpoints.map(({ generation }) => generation)).toEqual([1]);
    expect((await findTexts(await backend.newer!({ [A]: 1 }))).sort()).toEqual(textsOf(commits.slice(2)));
    await backend.usage();
    await backend.quarantine(new Uint8Array([1]), 'a test says so');
    await backend.checkpoint(pieces(pattern(10, 1)), { [B]: 0 }, 1);
    await backend.checkpoint(pieces(pattern(10, 2)), { [B]: 0 }, 2);
    await backend.mend!();
    const left = await look(world, (db) => Promise.all(stores.map((store) => db.getAllKeys(store))));
    for (const [at, keys] of left.slice(0, 2).entries()) {
      expect(
        keys.filter((key) => !Array.isArray(key) || key.length !== 3),
        stores[at],
      ).toHaveLength(strange.length - 2);
    }
    await backend.close();
  });
});

describe('a checkpoint that is damaged', () => {
  it('a part is gone or changed: the others are read', async () => {
    const { world, backend } = await start();
    const [key] = (await look(world, (db) => db.getAllKeys('checkpoint'))) as [number, string, number][];
    await look(world, (db) => db.delete('checkpoint', [key![0], key![1], 1]));
    const whole = pattern(2.5 * part, 1);
    const [found] = (await backend.open('venue')).checkpoints;
    const read = await readAll(found!);
    expectSame(read, new Uint8Array([...whole.subarray(0, part), ...whole.subarray(2 * part)]));
    expectSame(await found!.read(2 * part, 5), whole.slice(2 * part, 2 * part + 5));
    await expect(found!.read(part + 5, 5)).rejects.toThrow('damaged part');
    await expect(found!.read(part - 5, 10)).rejects.toThrow('damaged part');
    await look(world, (db) => db.put('checkpoint', 'garbage', [key![0], key![1], 1]));
    await expect(found!.read(part + 5, 5)).rejects.toThrow('damaged part');
    expect((await readAll(found!)).length).toBe(1.5 * part + 'garbage'.length);
    await backend.close();
  });

  it.each(['text', undefined, {}, { attempt: 'x', size: -0.5, partBytes: 1, covers: {} }, { attempt: 'x', size: 1 }])(
    'its record is %j: it is one of which nothing is left, and the one before is used with what followed',
    async (record) => {
      const { world, backend } = await start();
      const maker = world.backend();
      await maker.open('venue');
      await maker.checkpoint(pieces(pattern(500, 2)), { [A]: 2 }, 1);
      await maker.close();
      await look(world, (db) => db.put('meta', record, ['checkpoint', 2]));
      const stored = await backend.open('venue');
      expect(stored.checkpoints.map(({ generation, size }) => [generation, size])).toEqual([
        [2, 0],
        [1, 2.5 * part],
      ]);
      expect(await readAll(stored.checkpoints[0]!)).toHaveLength(0);
      expect((await findTexts(stored)).sort()).toEqual(textsOf(commits));
      await stored.checkpoints[0]!.retire('a test says so');
      expect((await backend.checkpoint(pieces(pattern(20, 3)), { [A]: 2 }, 1))?.generation).toBe(3);
      await backend.close();
    },
  );

  it('is told from one that others have replaced twice meanwhile', async () => {
    const { world, backend } = await start();
    const [found] = (await backend.open('venue')).checkpoints;
    const other = world.backend();
    await other.open('venue');
    await other.checkpoint(pieces(pattern(10, 1)), {}, 1);
    expect((await readAll(found!)).length).toBe(2.5 * part);
    await other.checkpoint(pieces(pattern(10, 2)), {}, 2);
    const replaced = { code: 'io', message: expect.stringContaining('replaced') };
    await expect(readAll(found!)).rejects.toMatchObject(replaced);
    await expect(found!.read(5, 5)).rejects.toMatchObject(replaced);
    await Promise.all([backend.close(), other.close()]);
  });
});

describe('a checkpoint is read', () => {
  const rangesOf = (watched: WatchedFactory) =>
    watched.transactions.flatMap(({ calls }) =>
      calls.flatMap(({ store, method, args }) => {
        const { lower, upper } = (args[0] ?? {}) as IDBKeyRange;
        return store === 'checkpoint' && method === 'getAll' ? [[lower[2], upper[2]]] : [];
      }),
    );

  it('at a place, by the parts that are needed, and a part that is near once', async () => {
    const { watched, backend } = await start();
    const [found] = (await backend.open('venue')).checkpoints;
    const whole = pattern(2.5 * part, 1);
    for (let at = part - 1000; at < part + 1000; at += 100)
      expectSame(await found!.read(at, 100), whole.slice(at, at + 100));
    expect(rangesOf(watched)).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expectSame(await found!.read(5, 2 * part), whole.slice(5, 2 * part + 5));
    await backend.close();
  });

  it('as a stream, by eight parts at a time', async () => {
    const { world, watched, backend } = await start();
    const maker = world.backend();
    await maker.open('venue');
    await maker.checkpoint(pieces(pattern(17.5 * part, 2)), {}, 1);
    await maker.close();
    const [found] = (await backend.open('venue')).checkpoints;
    expect((await readAll(found!)).length).toBe(17.5 * part);
    expect(rangesOf(watched)).toEqual([
      [0, 7],
      [8, 15],
      [16, 17],
    ]);
    await backend.close();
  });
});

describe('many small commits', () => {
  it('and large ones between them are found whole and in order, more than are asked for at a time', async () => {
    const world = indexeddbWorld();
    const backend = world.backend();
    await backend.open('venue');
    const many = Array.from({ length: 500 }, (_, i) => makeCommit(A, i, i % 99 === 70 ? 32_768 * 9 : 40));
    for (const { line, at } of many) await backend.append(line, at, 'relaxed');
    const isSame = async (found: Pick<Stored, 'logs'>, wanted: typeof many) =>
      (await findTexts(found)).join('') === textsOf(wanted).join('');
    expect(await isSame(await backend.newer!({}), many)).toBe(true);
    expect(await isSame(await backend.newer!({ [A]: 168 }), many.slice(169))).toBe(true);
    expect(await isSame(await backend.newer!({ [A]: 497 }), many.slice(498))).toBe(true);
    await backend.close();
    const next = world.backend();
    expect(await isSame(await next.open('venue'), many)).toBe(true);
    await next.close();
  });
});
