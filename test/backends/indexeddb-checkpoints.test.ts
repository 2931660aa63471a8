// Checkpoints of several tabs in one IndexedDB database: at once, at every step; of a tab that dies or is frozen in between; of one whose
// database says no. At every moment one stands, whole, and no commit that is needed is gone.
import { describe, expect, it, vi } from 'vitest';
import type { IndexedDBBackend } from '../../backends/indexeddb';
import { checkpointPartBytes } from '../../backends/indexeddb/checkpoints';
import type { Bytes } from '../../src/backend';
import { makeCommit } from '../backend-contract';
import { A, B, expectSame, findLines, pattern, pieces, readAll, some, text, textsOf } from './contract/stage';
import { indexeddbWorld, look } from './helpers/indexeddb';
import { abortWith, failingRequest, gate, WatchedFactory } from './helpers/indexeddb-watch';

/** More than one part, and different every time. */
const bytesOf = (seed: number) => pattern(checkpointPartBytes + 1000 + seed, seed);
const own = some(A, 0, 4);
const codeOf = (error: unknown) => (error as { cause?: { code?: unknown } }).cause?.code;

/** A checkpoint that covers half of the commits; one tab that is watched, and another one. */
async function start() {
  const world = indexeddbWorld();
  const watched = new WatchedFactory(world.inner);
  const tab = world.backend({ factory: watched.factory });
  const other = world.backend();
  await other.open('venue');
  for (const { line, at } of own) await other.append(line, at, 'relaxed');
  await other.checkpoint(pieces(bytesOf(1)), { [A]: 1 }, 0);
  await tab.open('venue');
  watched.transactions.length = 0;
  return { world, watched, tab, other };
}
type Stage = Awaited<ReturnType<typeof start>>;

/** Every transaction is the last one of its connection, so that a test can hold up what comes before the next. */
function holdBefore(watched: WatchedFactory, step: number) {
  const reached = gate();
  const on = gate();
  let steps = 0;
  watched.onTransaction = () => {
    for (const db of watched.connections) queueMicrotask(() => db.onversionchange?.(undefined as never));
  };
  for (const db of watched.connections) db.onversionchange?.(undefined as never);
  watched.holdOpen = () => {
    if (++steps !== step) return undefined;
    reached.open();
    return on.opened;
  };
  return { reached: reached.opened, goOn: on.open };
}

/** What must hold for whoever opens the store next: a whole checkpoint, and every commit that it does not cover. */
async function expectSound({ world }: Stage, newest: Bytes, last: number): Promise<void> {
  const next = world.backend();
  const stored = await next.open('venue');
  const [standing, before, ...more] = stored.checkpoints;
  expect(more).toEqual([]);
  expectSame(await readAll(standing!), newest);
  if (before) expect((await readAll(before)).length).toBe(before.size);
  const after = (await findLines(stored)).filter(({ generation }) => generation >= standing!.generation);
  const owns = after.map(({ line }) => line).filter((line) => textsOf(own).includes(line));
  expect(owns).toEqual(textsOf(own.slice(last + 1)));
  // The next is made as ever, and nothing is left of those that came to nothing.
  const made = await next.checkpoint(pieces(bytesOf(9)), { [A]: 3 }, standing!.generation);
  expect(made!.generation).toBeGreaterThan(standing!.generation);
  await next.close();
  const keys = (await look(world, (db) => db.getAllKeys('checkpoint'))) as [number, string, number][];
  expect([...new Set(keys.map(([generation]) => generation))]).toEqual([standing!.generation, made!.generation]);
  expect(new Set(keys.map(([, attempt]) => attempt)).size).toBe(2);
}

const finish = async ({ world, tab, other }: Stage) => {
  await Promise.all([tab.close(), other.close()]);
  world.destroy();
};

/** look, two parts, look, swap. */
const stepsOfOne = 5;

describe('two tabs make a checkpoint at once', () => {
  /** As many as that, one after the other, each covering more than the one before. */
  async function makeMore(backend: IndexedDBBackend, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const { line, at } = makeCommit(B, i);
      await backend.append(line, at, 'relaxed');
      await backend.checkpoint(pieces(bytesOf(2 + i)), { [A]: 1, [B]: i }, 1 + i);
    }
  }

  for (const count of [1, 2, 3, 4]) {
    it.each(Array.from({ length: stepsOfOne }, (_, i) => i + 1))(
      `${count} of the other’s come before step %i`,
      async (step) => {
        const stage = await start();
        const { watched, tab, other } = stage;
        const { reached, goOn } = holdBefore(watched, step);
        const making = tab.checkpoint(pieces(bytesOf(8)), { [A]: 3 }, 1);
        await reached;
        await makeMore(other, count);
        goOn();
        const made = await making;
        // Whoever comes so late that even the trace of his generation is gone has made one that nobody will look at.
        expect(made?.generation).toBe(step === stepsOfOne && count > 2 ? 2 : undefined);
        await expectSound(stage, bytesOf(1 + count), 1);
        await finish(stage);
      },
    );
  }

  it('both of them step by step: one of them stands', async () => {
    const stage = await start();
    const { tab, other, watched } = stage;
    holdBefore(watched, 0);
    const both = await Promise.all([
      tab.checkpoint(pieces(bytesOf(3)), { [A]: 3 }, 1),
      other.checkpoint(pieces(bytesOf(4)), { [A]: 3 }, 1),
    ]);
    expect(both.filter((made) => made?.generation === 2)).toHaveLength(1);
    await expectSound(stage, bytesOf(both[0] ? 3 : 4), 3);
    await finish(stage);
  });

  it('what cannot replace the one that stands is not even asked for its lines', async () => {
    const stage = await start();
    await makeMore(stage.other, 1);
    const asked = vi.fn();
    async function* lines() {
      asked();
      yield bytesOf(1);
    }
    expect(await stage.tab.checkpoint(lines(), { [A]: 3 }, 1)).toBeUndefined();
    expect(asked).not.toHaveBeenCalled();
    expect(stage.watched.writing('checkpoint')).toEqual([]);
    // But what covers more can, whatever it was made from; and so can what was made from it.
    expect((await stage.tab.checkpoint(pieces(bytesOf(3)), { [A]: 3, [B]: 0 }, 1))?.generation).toBe(3);
    expect((await stage.other.checkpoint(pieces(bytesOf(4)), { [A]: 3 }, 3))?.generation).toBe(4);
    await finish(stage);
  });

  it('nor is one that was retired meanwhile taken for the one before', async () => {
    const stage = await start();
    const { watched, tab, other } = stage;
    await makeMore(other, 1);
    const { reached, goOn } = holdBefore(watched, 4);
    const making = tab.checkpoint(pieces(bytesOf(8)), { [A]: 3, [B]: 0 }, 2);
    await reached;
    const third = stage.world.backend();
    await (await third.open('venue')).checkpoints[0]!.retire('a test says so');
    goOn();
    expect(await making).toBeUndefined();
    await third.close();
    const keys = (await look(stage.world, (db) => db.getAllKeys('checkpoint'))) as [number][];
    expect(new Set(keys.map(([generation]) => generation))).toEqual(new Set([1]));
    await expectSound(stage, bytesOf(1), 1);
    await finish(stage);
  });
});

describe('a tab that dies while it makes one', () => {
  it.each(Array.from({ length: stepsOfOne + 1 }, (_, i) => i + 1))('before step %i', async (step) => {
    const stage = await start();
    const { reached } = holdBefore(stage.watched, step);
    const making = stage.tab.checkpoint(pieces(bytesOf(8)), { [A]: 3 }, 1);
    const done = step > stepsOfOne;
    await (done ? making : reached);
    await expectSound(stage, bytesOf(done ? 8 : 1), done ? 3 : 1);
    stage.world.destroy();
  });
});

describe('a checkpoint that fails changes nothing, and its parts go', () => {
  const fail = async (harm: (watched: WatchedFactory) => void) => {
    const stage = await start();
    harm(stage.watched);
    const error = await stage.tab.checkpoint(pieces(bytesOf(8)), { [A]: 3 }, 1).catch((error) => error);
    stage.watched.onCall = undefined;
    stage.watched.onCommit = undefined;
    const keys = await look(stage.world, (db) => db.getAllKeys('checkpoint'));
    const parts = keys.filter((key) => (key as number[])[0] === 2).length;
    return { stage, error, parts };
  };
  const full = 'QuotaExceededError';

  it('no room for a part', async () => {
    const { stage, error, parts } = await fail((watched) => {
      let puts = 0;
      watched.onCall = (call, proceed, { tx }) =>
        call.store === 'checkpoint' && call.method === 'put' && ++puts === 2
          ? failingRequest(tx, call.store, full)
          : proceed();
    });
    expect(error).toMatchObject({ code: 'io' });
    expect(codeOf(error)).toBe(full);
    expect(parts).toBe(0);
    await expectSound(stage, bytesOf(1), 1);
    await finish(stage);
  });

  it('no room for the record that makes it stand', async () => {
    const { stage, error, parts } = await fail((watched) => {
      watched.onCommit = ({ stores, tx }, proceed) => (stores.includes('meta') ? abortWith(tx, full) : proceed());
    });
    expect(codeOf(error)).toBe(full);
    expect(parts).toBe(0);
    await expectSound(stage, bytesOf(1), 1);
    await finish(stage);
  });

  it.each([
    ['happened', true],
    ['did not happen', false],
  ])('the connection is lost at the last moment: nobody knows, and it %s', async (_, happens) => {
    const { stage, error, parts } = await fail((watched) => {
      watched.onCommit = ({ stores, tx }, proceed) => {
        if (happens || !stores.includes('meta')) proceed();
        if (!stores.includes('meta')) return;
        watched.onCommit = undefined;
        watched.loseConnections();
        if (!happens) tx.abort();
      };
    });
    expect(codeOf(error)).toBe('ConnectionLost');
    expect(parts).toBe(2);
    await expectSound(stage, bytesOf(happens ? 8 : 1), happens ? 3 : 1);
    await finish(stage);
  });

  it('a connection that is lost between two parts costs nothing', async () => {
    const { stage, error, parts } = await fail((watched) => {
      watched.onCommit = (_, proceed) => {
        watched.onCommit = undefined;
        proceed();
        watched.loseConnections();
      };
    });
    expect(error).toMatchObject({ generation: 2 });
    expect(parts).toBe(2);
    await expectSound(stage, bytesOf(8), 3);
    await finish(stage);
  });
});

describe('while a checkpoint is made', () => {
  it('no transaction is open while its lines are waited for, and there is one at a time', async () => {
    const stage = await start();
    const { watched, tab } = stage;
    const unfinished = () => {
      const left = watched
        .writing('checkpoint')
        .filter(({ tx }) => (tx as never as { _state: string })._state !== 'finished');
      return left.length;
    };
    watched.onTransaction = () => expect(unfinished()).toBe(0);
    async function* lines() {
      for (let i = 0; i < 3; i++) {
        yield pattern(checkpointPartBytes, i);
        await expect.poll(unfinished).toBe(0);
      }
    }
    expect(await tab.checkpoint(lines(), { [A]: 3 }, 1)).toBeDefined();
    await finish(stage);
  });

  it('what makes it stand is strict, reads nothing and is committed in its turn', async () => {
    const stage = await start();
    await stage.tab.checkpoint(pieces(bytesOf(8)), { [A]: 3 }, 1);
    expect(stage.watched.writing('checkpoint').map(({ durability }) => durability)).toEqual([
      'strict',
      'strict',
      'strict',
    ]);
    const [swap, ...more] = stage.watched.writing('meta');
    expect(more).toEqual([]);
    expect(swap!.committed).toBe(true);
    expect(new Set(swap!.calls.map(({ method }) => method))).toEqual(new Set(['add', 'delete']));
    // What fails if another was first: Firefox takes back the rest only for the last request (see write()).
    expect(swap!.calls.at(-1)!.method).toBe('add');
    // What is written as the page goes away never waits for it.
    expect(swap!.stores).toEqual(['meta', 'checkpoint', 'commits']);
    await finish(stage);
  });

  it('commits that were written as a page went away go like others, two checkpoints later', async () => {
    const stage = await start();
    const { tab, other } = stage;
    const last = makeCommit(B, 0);
    await other.appendNow!(last.line, last.at);
    await tab.checkpoint(pieces(bytesOf(2)), { [A]: 3, [B]: 0 }, 1);
    expect((await findLines(await tab.newer!({}))).map(({ line }) => line)).toContain(text(last.line));
    await tab.checkpoint(pieces(bytesOf(3)), { [A]: 3, [B]: 0 }, 2);
    expect(await look(stage.world, (db) => db.count('last'))).toBe(0);
    expect(await look(stage.world, (db) => db.count('commits'))).toBe(0);
    await finish(stage);
  });
});
