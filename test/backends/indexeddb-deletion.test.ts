// An IndexedDB database that is deleted while backends have it open: nobody is held up, and what they know of it is not mixed with another one.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { removeDatabase } from '../../backends/indexeddb';
import { makeCommit } from '../backend-contract';
import { A, findTexts, text } from './contract/stage';
import { indexeddbWorld, look } from './helpers/indexeddb';
import { WatchedFactory } from './helpers/indexeddb-watch';

const seedOf = (byte: number) => new Uint8Array(32).fill(byte);

function start() {
  const watched = new WatchedFactory();
  return { watched, world: indexeddbWorld(watched) };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('whoever deletes the database is not held up', () => {
  it('and what is open begins it anew, as the same venue with the same key, and says so', async () => {
    const { world, watched } = start();
    const backend = world.backend();
    const key = await backend.key({ seed: seedOf(1) });
    await backend.open('venue');
    const [one, two] = [makeCommit(A, 0), makeCommit(A, 1)];
    await backend.append(one.line, one.at, 'strict');
    let resets = 0;
    const stop = backend.onReset!(() => resets++);
    await removeDatabase(world.name, world.inner);
    expect(watched.connections.size).toBe(0);

    await backend.append(two.line, two.at, 'strict');
    expect(resets).toBe(1);
    expect(await look(world, (db) => db.get('meta', 'key'))).toEqual(key);
    await backend.keySet({ ...key, trusted: ['did:key:other'] });
    stop();
    await removeDatabase(world.name, world.inner);
    await backend.append(two.line, two.at, 'strict');
    expect(resets).toBe(1);
    const next = world.backend();
    expect(await next.key({ seed: seedOf(2) })).toEqual({ seed: seedOf(1), trusted: ['did:key:other'] });
    const stored = await next.open('another');
    expect(stored.venue).toBe('venue');
    expect(await findTexts(stored)).toEqual([text(two.line)]);
    await Promise.all([backend.close(), next.close()]);
  });

  it('nor is what has become another venue meanwhile written to', async () => {
    const { world, watched } = start();
    const backend = world.backend();
    await backend.open('venue');
    await removeDatabase(world.name, world.inner);
    const stranger = world.backend();
    await stranger.open('stranger');
    const { line, at } = makeCommit(A, 0);
    await expect(backend.append(line, at, 'strict')).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining('was deleted while it was open'),
    });
    expect(watched.connections.size).toBe(1);
    await stranger.close();
    expect(await look(world, (db) => db.count('commits'))).toBe(0);
    await backend.close();
  });

  it('but where it must not be deleted under us, it is not', async () => {
    const { world } = start();
    const backend = world.backend({ yields: false });
    await backend.open('venue');
    const { line, at } = makeCommit(A, 0);
    const removed = vi.fn();
    const removing = removeDatabase(world.name, world.inner).then(removed);
    await backend.append(line, at, 'strict');
    expect((await backend.usage()).bytes).toBe(line.length);
    expect(removed).not.toHaveBeenCalled();
    await backend.close();
    await removing;
  });

  it('who deletes one that nobody has is told, and who cannot within its time, too', async () => {
    const { world } = start();
    await removeDatabase(world.name, world.inner);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await world.backend({ yields: false }).open('venue');
    const removing = expect(removeDatabase(world.name, world.inner)).rejects.toThrow(/removing .* took more than/);
    await vi.advanceTimersByTimeAsync(5000);
    await removing;
    world.destroy();
  });
});
