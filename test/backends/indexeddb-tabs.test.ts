// What tabs tell each other, what a page gives up before it may be frozen, and what else a store does for a venue: quarantine, usage, mending
// after a crash.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { indexeddbBackend } from '../../backends/indexeddb';
import { makeCommit } from '../backend-contract';
import { findTexts, patience, pattern, pieces, text } from './contract/stage';
import { indexeddbWorld, look } from './helpers/indexeddb';
import { WatchedFactory } from './helpers/indexeddb-watch';

const A = 'a0a0a0a0a0a0a0a0';

/** Channels that a test can look at; those of one name hear each other, in the same turn. */
class Heard {
  static open = new Set<Heard>();
  static posts: unknown[] = [];
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor(readonly name: string) {
    Heard.open.add(this);
  }
  postMessage(data: unknown) {
    Heard.posts.push(data);
    for (const other of Heard.open) if (other !== this && other.name === this.name) other.onmessage?.({ data });
  }
  close() {
    Heard.open.delete(this);
  }
}
const Channel = Heard as unknown as typeof BroadcastChannel;

async function start() {
  const world = indexeddbWorld();
  const watched = new WatchedFactory(world.inner);
  const [one, two] = [world.backend({ factory: watched.factory, Channel }), world.backend({ Channel })];
  const heard: (string | undefined)[] = [];
  two.onAppend!((commit) => heard.push(commit && text(commit)));
  await one.open('venue');
  await two.open('venue');
  watched.transactions.length = 0;
  return { world, watched, one, two, heard };
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  Heard.open.clear();
  Heard.posts = [];
});

describe('others are told', () => {
  it('of a commit once it is durable, with a copy of its bytes and nothing around them', async () => {
    const { one, watched, heard } = await start();
    const { line, at } = makeCommit(A, 0);
    const around = new Uint8Array(line.length + 100);
    around.set(line, 50);
    watched.onCommit = (_, proceed) => {
      expect(Heard.posts).toEqual([]);
      proceed();
    };
    await one.append(around.subarray(50, 50 + line.length), at, 'relaxed');
    around.fill(0);
    expect(heard).toEqual([text(line)]);
    expect((Heard.posts[0] as { commit: Uint8Array }).commit.buffer.byteLength).toBe(line.length);
    expect([...Heard.open].every(({ name }) => name === `tidemark:${one.target.slice('indexeddb:'.length)}`)).toBe(
      true,
    );
  });

  it('of none that failed', async () => {
    const { one, watched, heard } = await start();
    watched.onCommit = ({ tx }) => tx.abort();
    const { line, at } = makeCommit(A, 0);
    await expect(one.append(line, at, 'relaxed')).rejects.toThrow();
    expect(heard).toEqual([]);
  });

  it('that there is one, in the turn in which the page goes away, and find it', async () => {
    const { one, two, heard } = await start();
    const { line, at } = makeCommit(A, 0);
    one.appendNow!(line, at);
    expect(heard).toEqual([undefined]);
    expect(await findTexts(await two.newer!({}))).toEqual([text(line)]);
  });

  it('by messages that are looked at before they are believed', async () => {
    const { two, heard } = await start();
    const [, channel] = [...Heard.open];
    const bytes = new Uint8Array([1, 10]);
    const wrong = [
      undefined,
      null,
      'text',
      7,
      [],
      {},
      { commit: 'text' },
      { commit: [1] },
      { commit: undefined },
      { newer: 1 },
      { commit: new Float64Array(1) },
    ];
    for (const data of wrong) channel!.onmessage!({ data });
    expect(heard).toEqual([]);
    for (const data of [{ commit: bytes }, { commit: bytes.buffer }]) channel!.onmessage!({ data });
    expect(heard).toEqual(['\x01\n', '\x01\n']);
    const also: Uint8Array[] = [];
    two.onAppend!((commit) => also.push(commit!.fill(0)));
    channel!.onmessage!({ data: { commit: bytes } });
    expect([...bytes]).toEqual([1, 10]);
    expect(also).toHaveLength(1);
  });

  it('from before the store is read, so that nothing is missed between', async () => {
    const { world, one } = await start();
    const late = world.backend({ Channel });
    const heard: string[] = [];
    late.onAppend!((commit) => heard.push(text(commit!)));
    const opening = late.open('venue');
    const { line, at } = makeCommit(A, 0);
    await one.append(line, at, 'relaxed');
    const found = await findTexts(await opening);
    expect([...found, ...heard]).toContain(text(line));
    expect(heard).toEqual([text(line)]);
  });

  it('where there are channels; without, and where none can be made, one works alone', async () => {
    class Forbidden {
      constructor() {
        throw new DOMException('', 'SecurityError');
      }
    }
    for (const Channel of [undefined, Forbidden as unknown as typeof BroadcastChannel]) {
      const world = indexeddbWorld();
      const backend = world.backend({ Channel });
      await backend.open('venue');
      const { line, at } = makeCommit(A, 0);
      await backend.append(line, at, 'relaxed');
      await backend.appendNow!(line, at);
      backend.suspend!();
      await backend.resume!();
      await backend.close();
    }
  });

  it('over the platform’s own channel, unless another is given; it is closed with the store', async () => {
    vi.stubGlobal('BroadcastChannel', Heard);
    const { inner } = indexeddbWorld();
    const backend = indexeddbBackend('own', { factory: inner });
    await backend.open('venue');
    expect(Heard.open.size).toBe(1);
    await backend.close();
    expect(Heard.open.size).toBe(0);
    const failing = indexeddbBackend('own', {
      factory: {
        open: () => {
          throw new Error('no');
        },
      } as never,
    });
    await expect(failing.open('venue')).rejects.toThrow('no');
    expect(Heard.open.size).toBe(0);
  });
});

describe('a page that may be frozen', () => {
  it('has no channel from the turn of suspend() on, and one again after resume()', async () => {
    const { one, two, heard } = await start();
    two.suspend!();
    expect(Heard.open.size).toBe(1);
    const [first, second] = [makeCommit(A, 0), makeCommit(A, 1)];
    await one.append(first.line, first.at, 'relaxed');
    expect(heard).toEqual([]);
    await two.resume!();
    await two.resume!();
    expect(Heard.open.size).toBe(2);
    await one.append(second.line, second.at, 'relaxed');
    expect(heard).toEqual([text(second.line)]);
  });

  it('tells the others, when it is back, that it has written meanwhile; and only then', async () => {
    const { one, heard } = await start();
    one.suspend!();
    const { line, at } = makeCommit(A, 0);
    await one.append(line, at, 'relaxed');
    expect(heard).toEqual([]);
    await one.resume!();
    expect(heard).toEqual([undefined]);
    one.suspend!();
    await one.resume!();
    expect(heard).toEqual([undefined]);
  });

  it('probes its connection, and keeps it if it answers', async () => {
    const { one, watched } = await start();
    await one.resume!();
    expect(watched.transactions.map(({ stores, mode }) => [stores, mode])).toEqual([[['meta'], 'readonly']]);
    expect(watched.connections.size).toBe(1);
  });

  it('replaces a connection that fails', async () => {
    const { one, watched } = await start();
    watched.onTransaction = () => {
      watched.onTransaction = undefined;
      throw new DOMException('', 'InvalidStateError');
    };
    await one.resume!();
    const { line, at } = makeCommit(A, 0);
    await one.appendNow!(line, at);
  });

  it('replaces one that is silent, and gives up what it had under way', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { one, watched } = await start();
    // What the engine has lost never settles.
    watched.onCommit = ({ tx }, proceed) => {
      tx.oncomplete = null;
      proceed();
    };
    const { line, at } = makeCommit(A, 0);
    const appended = one.append(line, at, 'relaxed');
    watched.onCommit = undefined;
    watched.onCall = (_, proceed) => {
      watched.onCall = undefined;
      const request = proceed();
      request.addEventListener = () => {};
      return request;
    };
    const resumed = one.resume!();
    await vi.advanceTimersByTimeAsync(5000);
    await Promise.all([resumed, appended]);
    expect(watched.connections.size).toBe(1);
    expect(watched.writing('commits')).toHaveLength(2);
  });

  it('opens one where there is none, and says so when it cannot', async () => {
    const { one, watched } = await start();
    watched.loseConnections();
    await one.resume!();
    expect(watched.connections.size).toBe(1);
    watched.loseConnections();
    watched.holdOpen = () => {
      throw new DOMException('', 'SecurityError');
    };
    await expect(one.resume!()).rejects.toMatchObject({ code: 'no_storage' });
  });
});

describe('after a crash', () => {
  it('mend() writes 4 MB in small records, strictly, and takes them away again, once an opening', async () => {
    const { world, one, watched } = await start();
    const before = await one.usage();
    const counts: number[] = [];
    watched.onCommit = (_, proceed) => {
      proceed();
      counts.push(watched.writing('scratch').length);
    };
    await Promise.all([one.mend!(), one.mend!()]);
    await one.mend!();
    const [filled, emptied, ...more] = watched.writing('scratch');
    expect(more).toEqual([]);
    expect([filled!.durability, emptied!.durability]).toEqual(['strict', 'strict']);
    const sizes = filled!.calls.map(({ args }) => (args[0] as ArrayBuffer).byteLength);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(4 * 1024 * 1024);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(32 * 1024);
    expect(await look(world, (db) => db.count('scratch'))).toBe(0);
    expect(await one.usage()).toEqual(before);
  });
});

describe('the platform', () => {
  it('is asked what it gives and promises, where it can say', async () => {
    const { one } = await start();
    vi.stubGlobal('navigator', {
      storage: {
        estimate: async () => ({ quota: 1000, usage: 7 }),
        persisted: async () => true,
        persist: async () => true,
      },
    });
    expect(await one.usage()).toEqual({ bytes: 0, quota: 1000, persisted: true });
    expect(await one.persist!()).toBe(true);
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
    const { one } = await start();
    vi.stubGlobal('navigator', navigator);
    expect(await one.usage()).toEqual({ bytes: 0 });
    expect(await one.persist!()).toBe(false);
  });

  it('does not count for the bytes: those are of our records, all of them', async () => {
    const { one } = await start();
    const [first, last] = [makeCommit(A, 0, 100_000), makeCommit(A, 1)];
    await one.append(first.line, first.at, 'relaxed');
    await one.appendNow!(last.line, last.at);
    await one.quarantine(pattern(300, 1), 'a test says so');
    await one.checkpoint(pieces(pattern(5000, 1)), {}, 0);
    await one.checkpoint(pieces(pattern(700, 1)), {}, 1);
    expect((await one.usage()).bytes).toBe(first.line.length + last.line.length + 300 + 5000 + 700);
  });
});

describe('quarantine', () => {
  it('says where, with why, strictly; and does not take other bytes for the same', async () => {
    const { world, one, watched } = await start();
    const places: string[] = [];
    for (const bytes of [[1, 2], [3, 4], [1, 2], [1, 2, 3], []])
      places.push(await one.quarantine(new Uint8Array(bytes), `${bytes}`));
    expect(places).toEqual(['2-0', '2-1', '2-0', '3-0', '0-0'].map((place) => `${one.target}/quarantine/${place}`));
    const kept = await look(world, (db) => db.getAll('quarantine'));
    expect(kept.map(({ why }) => why)).toEqual(['', '1,2', '3,4', '1,2,3']);
    expect(watched.writing('quarantine').every(({ durability }) => durability === 'strict')).toBe(true);
  });

  it('is waited for by close()', async () => {
    const { world, one } = await start();
    const kept = one.quarantine(pattern(1000, 1), 'a test says so');
    await one.close();
    await kept;
    await expect.poll(() => world.quarantined(), patience).toHaveLength(1);
  });
});
