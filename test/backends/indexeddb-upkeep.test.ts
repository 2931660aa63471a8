// What else an IndexedDB database does for a venue: quarantine, usage, what the platform promises, and what it needs after a crash.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { makeCommit } from '../backend-contract';
import { A, patience, pattern, pieces } from './contract/stage';
import { look } from './helpers/indexeddb';
import { openTab } from './helpers/indexeddb-tab';

afterEach(() => vi.unstubAllGlobals());

describe('after a crash', () => {
  it('mend() writes 4 MB in small records, strictly, and takes them away again, once an opening', async () => {
    const { world, backend, watched } = await openTab();
    const before = await backend.usage();
    const counts: number[] = [];
    watched.onCommit = (_, proceed) => {
      proceed();
      counts.push(watched.writing('scratch').length);
    };
    await Promise.all([backend.mend!(), backend.mend!()]);
    await backend.mend!();
    const [filled, emptied, ...more] = watched.writing('scratch');
    expect(more).toEqual([]);
    expect([filled!.durability, emptied!.durability]).toEqual(['strict', 'strict']);
    const sizes = filled!.calls.map(({ args }) => (args[0] as ArrayBuffer).byteLength);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(4 * 1024 * 1024);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(32 * 1024);
    expect(await look(world, (db) => db.count('scratch'))).toBe(0);
    expect(await backend.usage()).toEqual(before);
  });
});

describe('the platform', () => {
  it('is asked what it gives and promises, where it can say', async () => {
    const { backend } = await openTab();
    vi.stubGlobal('navigator', {
      storage: {
        estimate: async () => ({ quota: 1000, usage: 7 }),
        persisted: async () => true,
        persist: async () => true,
      },
    });
    expect(await backend.usage()).toEqual({ bytes: 0, quota: 1000, persisted: true });
    expect(await backend.persist!()).toBe(true);
  });

  it.each([
    ['no navigator', undefined],
    ['no storage', {}],
    ['a storage that can do nothing', { storage: {} }],
    [
      'a storage that refuses',
      {
        storage: {
          estimate: () => Promise.reject(new Error('no')),
          persisted: () => Promise.reject(new Error('no')),
          persist: () => Promise.reject(new Error('no')),
        },
      },
    ],
  ])('%s: nothing is said, and nothing promised', async (_, navigator) => {
    const { backend } = await openTab();
    vi.stubGlobal('navigator', navigator);
    expect(await backend.usage()).toEqual({ bytes: 0 });
    expect(await backend.persist!()).toBe(false);
  });

  it('does not count for the bytes: those are of our records, all of them', async () => {
    const { backend } = await openTab();
    const [first, last] = [makeCommit(A, 0, 100_000), makeCommit(A, 1)];
    await backend.append(first.line, first.at, 'relaxed');
    await backend.appendNow!(last.line, last.at);
    await backend.quarantine(pattern(300, 1), 'a test says so');
    await backend.checkpoint(pieces(pattern(5000, 1)), {}, 0);
    await backend.checkpoint(pieces(pattern(700, 1)), {}, 1);
    expect((await backend.usage()).bytes).toBe(first.line.length + last.line.length + 300 + 5000 + 700);
  });
});

describe('quarantine', () => {
  it('says where, with why, strictly; and does not take other bytes for the same', async () => {
    const { world, backend, watched } = await openTab();
    const places: string[] = [];
    for (const bytes of [[1, 2], [3, 4], [1, 2], [1, 2, 3], []])
      places.push(await backend.quarantine(new Uint8Array(bytes), `${bytes}`));
    expect(places).toEqual(['2-0', '2-1', '2-0', '3-0', '0-0'].map((place) => `${backend.target}/quarantine/${place}`));
    const kept = await look(world, (db) => db.getAll('quarantine'));
    expect(kept.map(({ why }) => why)).toEqual(['', '1,2', '3,4', '1,2,3']);
    expect(watched.writing('quarantine').every(({ durability }) => durability === 'strict')).toBe(true);
  });

  it('is waited for by close()', async () => {
    const { world, backend } = await openTab();
    const kept = backend.quarantine(pattern(1000, 1), 'a test says so');
    await backend.close();
    await kept;
    await expect.poll(() => world.quarantined(), patience).toHaveLength(1);
  });
});
