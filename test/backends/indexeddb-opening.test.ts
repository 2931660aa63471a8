// How the IndexedDB backend opens its database: within bounds, whatever the engine does; and what a new database must have before
// anything else.
import { wrap } from 'idb';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { indexeddbBackend, removeDatabase } from '../../backends/indexeddb';
import { makeCommit } from '../backend-contract';
import { A } from './contract/stage';
import { indexeddbWorld } from './helpers/indexeddb';
import { gate, WatchedFactory } from './helpers/indexeddb-watch';

const never = new Promise(() => {});
const seedOf = (byte: number) => new Uint8Array(32).fill(byte);

function start() {
  const watched = new WatchedFactory();
  return { watched, world: indexeddbWorld(watched) };
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('opening has an end', () => {
  it('one attempt that is never answered costs openMs, and the next is taken', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { watched, world } = start();
    watched.holdOpen = (attempt) => (attempt < 3 ? never : undefined);
    const backend = world.backend();
    const opened = backend.open('venue');
    await vi.advanceTimersByTimeAsync(4999);
    expect(watched.opens).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(watched.opens).toBe(2);
    await vi.advanceTimersByTimeAsync(5000);
    expect((await opened).venue).toBe('venue');
    await backend.close();
  });

  it('one that is refused is not tried again in the same moment', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { watched, world } = start();
    watched.holdOpen = (attempt) => {
      if (attempt === 1) throw new DOMException('The connection was closed.', 'AbortError');
      return undefined;
    };
    const backend = world.backend();
    const opened = backend.open('venue');
    await vi.advanceTimersByTimeAsync(199);
    expect(watched.opens).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect((await opened).venue).toBe('venue');
    await backend.close();
  });

  it('and none is answered: no_storage, which says what to do', async () => {
    const { watched, world } = start();
    watched.holdOpen = () => never;
    const backend = world.backend({ openMs: 5, openTries: 2 });
    await expect(backend.open('venue')).rejects.toMatchObject({
      code: 'no_storage',
      message: expect.stringMatching(new RegExp(`'${world.name}'.*TimeoutError.*Allow this site`)),
      cause: { code: 'TimeoutError' },
    });
    expect(watched.opens).toBe(2);
    await backend.close();
  });

  it('a connection that comes too late is closed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { watched, world } = start();
    const late = gate();
    watched.holdOpen = (attempt) => (attempt === 1 ? late.opened : undefined);
    const backend = world.backend();
    const opened = backend.open('venue');
    await vi.advanceTimersByTimeAsync(5000);
    await opened;
    expect(watched.connections.size).toBe(2);
    late.open();
    await vi.waitUntil(() => watched.connections.size === 1);
    const { line, at } = makeCommit(A, 0);
    await backend.append(line, at, 'strict');
    await backend.close();
    expect(watched.connections.size).toBe(0);
  });

  it('and no timer is left when it ends well', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { world } = start();
    const backend = world.backend();
    await backend.open('venue');
    expect(vi.getTimerCount()).toBe(0);
    await backend.close();
  });

  it('while somebody keeps the database from being deleted', async () => {
    const { world } = start();
    await world.backend().key({ seed: seedOf(1) });
    const keeper = (await wrap(world.inner.open(world.name))) as unknown as IDBDatabase;
    const removed = removeDatabase(world.name, world.inner);
    const backend = world.backend({ openMs: 5, openTries: 2 });
    await expect(backend.open('venue')).rejects.toMatchObject({ code: 'no_storage' });
    keeper.close();
    await removed;
    await backend.close();
  });
});

describe('where there can be no database, no_storage says why', () => {
  it.each<[what: string, factory: () => IDBFactory | undefined, why: string]>([
    ['no IndexedDB', () => undefined, 'NotSupportedError'],
    [
      'a getter that throws SecurityError',
      () => {
        throw new DOMException('The operation is insecure.', 'SecurityError');
      },
      'SecurityError',
    ],
    [
      'an open() that throws SecurityError',
      () =>
        ({
          open() {
            throw new DOMException('access denied', 'SecurityError');
          },
        }) as unknown as IDBFactory,
      'SecurityError',
    ],
  ])('%s', async (_, factory, why) => {
    vi.stubGlobal('indexedDB', undefined);
    Object.defineProperty(globalThis, 'indexedDB', { get: factory, configurable: true });
    const backend = indexeddbBackend('nowhere');
    const expected = { code: 'no_storage', message: expect.stringContaining(why), cause: { code: why } };
    await expect(backend.open('venue')).rejects.toMatchObject(expected);
    await expect(backend.key({ seed: seedOf(1) })).rejects.toMatchObject(expected);
    await backend.close();
  });

  it('a database of that name that another program has made, or a later version', async () => {
    for (const [version, why] of [
      [1, 'another program'],
      [2, 'VersionError'],
    ] as const) {
      const { watched, world } = start();
      const request = world.inner.open(world.name, version);
      request.onupgradeneeded = () => request.result.createObjectStore('meta');
      ((await wrap(request)) as unknown as IDBDatabase).close();
      const backend = world.backend();
      await expect(backend.open('venue')).rejects.toMatchObject({
        code: 'no_storage',
        message: expect.stringContaining(why),
      });
      expect(watched.connections.size).toBe(0);
      await backend.close();
    }
  });

  it('and it can be tried again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { watched, world } = start();
    watched.holdOpen = () => never;
    const backend = world.backend({ openTries: 1 });
    const refused = expect(backend.open('venue')).rejects.toMatchObject({ code: 'no_storage' });
    await vi.advanceTimersByTimeAsync(5000);
    await refused;
    watched.holdOpen = undefined;
    const { line, at } = makeCommit(A, 0);
    await expect(backend.append(line, at, 'strict')).rejects.toMatchObject({ code: 'closed' });
    expect((await backend.open('venue')).venue).toBe('venue');
    await backend.append(line, at, 'strict');
    await backend.close();
  });
});

describe('close() while it opens', () => {
  it('ends the opening at once, and leaves no connection', async () => {
    const { watched, world } = start();
    const late = gate();
    watched.holdOpen = () => late.opened;
    const backend = world.backend({ openMs: 2 ** 30 });
    const opening = backend.open('venue');
    await Promise.all([expect(opening).rejects.toMatchObject({ code: 'closed' }), backend.close()]);
    await expect.poll(() => watched.connections.size).toBe(1);
    late.open();
    await expect.poll(() => watched.connections.size).toBe(0);
    await expect(backend.open('venue')).rejects.toMatchObject({ code: 'closed' });
  });

  it('at any moment, to the microtask', async () => {
    for (let turns = 0; turns < 20; turns++) {
      const { watched, world } = start();
      const answer = gate();
      watched.holdOpen = () => answer.opened;
      const backend = world.backend();
      const opening = backend.open('venue').catch(() => {});
      await expect.poll(() => watched.connections.size).toBe(1);
      answer.open();
      for (let turn = 0; turn < turns; turn++) await undefined;
      await backend.close();
      await opening;
      expect(watched.connections.size).toBe(0);
      world.destroy();
    }
  });

  it('at any moment', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const { watched, world } = start();
      const backend = world.backend();
      const opening = backend.open('venue').catch(() => {});
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      await backend.close();
      await opening;
      await expect.poll(() => watched.connections.size).toBe(0);
      world.destroy();
    }
  });
});

describe('a new database', () => {
  it('has one key, for however many ask at once', async () => {
    const { world } = start();
    const backends = Array.from({ length: 4 }, () => world.backend());
    const keys = await Promise.all(backends.map((backend, i) => backend.key({ seed: seedOf(i), trusted: [`${i}`] })));
    expect(new Set(keys.map(({ seed }) => `${seed}`)).size).toBe(1);
    expect(new Set(keys.map(({ trusted }) => `${trusted}`)).size).toBe(1);
    await Promise.all(backends.map((backend) => backend.close()));
  });

  it('and one venue', async () => {
    const { world } = start();
    const backends = Array.from({ length: 4 }, () => world.backend());
    const opened = await Promise.all(backends.map((backend, i) => backend.open(`venue ${i}`)));
    expect(new Set(opened.map(({ venue }) => venue)).size).toBe(1);
    await Promise.all(backends.map((backend) => backend.close()));
  });

  it('keeps its key strictly', async () => {
    const { watched, world } = start();
    const backend = world.backend();
    await backend.key({ seed: seedOf(1) });
    await backend.keySet({ seed: seedOf(2) });
    expect(await backend.key({ seed: seedOf(3) })).toEqual({ seed: seedOf(2) });
    expect(watched.writing('meta').map(({ durability }) => durability)).toEqual(['strict', 'strict', 'strict']);
    await backend.close();
  });
});
