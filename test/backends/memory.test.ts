// The memory backend: the contract, on a shared store, and what it promises beyond.
import { describe, expect, it } from 'vitest';
import { memoryBackend, memoryStore } from '../../backends/memory';
import { backendContract, makeCommit } from '../backend-contract';

backendContract('memory', () => {
  const store = memoryStore();
  return {
    backend: () => memoryBackend(store),
    kill() {},
    quarantined: async () => store.quarantined().map(({ bytes }) => bytes),
    destroy() {},
  };
});

async function* pieces(...parts: Uint8Array<ArrayBuffer>[]) {
  yield* parts;
}

describe('memory without a shared store keeps nothing', () => {
  it('takes commits and drops them', async () => {
    const backend = memoryBackend();
    await backend.open('venue');
    const { line, at } = makeCommit('aa', 0, 1_000_000);
    await backend.append(line, at, 'strict');
    backend.appendNow!(line, at);
    expect(await backend.usage()).toEqual({ bytes: 0 });
    await backend.close();
  });

  it('gives a checkpoint to whoever asked for it, and forgets it', async () => {
    const backend = memoryBackend();
    await backend.open('venue');
    const made = await backend.checkpoint(pieces(new Uint8Array([1, 2]), new Uint8Array([3])), {}, 0);
    expect(await made!.read(1, 2)).toEqual(new Uint8Array([2, 3]));
    expect(await backend.usage()).toEqual({ bytes: 0 });
  });

  it('is a store of its own', async () => {
    const [one, two] = [memoryBackend(), memoryBackend()];
    expect((await one.open('first')).venue).toBe('first');
    expect((await two.open('second')).venue).toBe('second');
  });
});

describe('a shared memory store shows what is in it', () => {
  it('commits in order, and quarantine with its reasons', async () => {
    const store = memoryStore();
    const backend = memoryBackend(store);
    await backend.open('venue');
    const commits = [makeCommit('aa', 0), makeCommit('bb', 0), makeCommit('aa', 1)];
    for (const { line, at } of commits) await backend.append(line, at, 'relaxed');
    expect(store.commits()).toEqual(commits.map(({ line }) => line));
    await backend.quarantine(new Uint8Array([7]), 'not a commit');
    expect(store.quarantined()).toEqual([{ bytes: new Uint8Array([7]), why: 'not a commit' }]);
  });

  it('tells other backends of a commit after the append, never within it', async () => {
    const store = memoryStore();
    const [one, two] = [memoryBackend(store), memoryBackend(store)];
    await one.open('venue');
    await two.open('venue');
    const heard: number[] = [];
    two.onAppend!((commit) => heard.push(commit!.length));
    const { line, at } = makeCommit('aa', 0);
    one.appendNow!(line, at);
    expect(heard).toEqual([]);
    await Promise.resolve();
    expect(heard).toEqual([line.length]);
  });

  it('tells nobody who has closed meanwhile', async () => {
    const store = memoryStore();
    const [one, two] = [memoryBackend(store), memoryBackend(store)];
    await two.open('venue');
    const heard: number[] = [];
    two.onAppend!((commit) => heard.push(commit!.length));
    const { line, at } = makeCommit('aa', 0);
    const appended = one.append(line, at, 'strict');
    await two.close();
    await appended;
    await Promise.resolve();
    expect(heard).toEqual([]);
  });
});
