// What tabs tell each other of commits, and what a page gives up before it may be frozen and takes up again.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { indexeddbBackend } from '../../backends/indexeddb';
import { makeCommit } from '../backend-contract';
import { A, B, findTexts, text } from './contract/stage';
import { indexeddbWorld } from './helpers/indexeddb';
import { WatchedFactory } from './helpers/indexeddb-watch';

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
    const written = one.appendNow!(line, at);
    expect(Heard.posts).toEqual([{ newer: true }]);
    expect(heard).toEqual([]); // not at once: a page in front of whose last write somebody waits is not kept for going back
    await written;
    expect(heard).toEqual([text(line)]); // it lives on
    await vi.waitUntil(() => heard.length > 1);
    expect(heard[1]).toBeUndefined();
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
    one.suspend!();
    await one.resume!();
    expect(Heard.posts).toEqual([{ newer: true }]);
    await vi.waitUntil(() => heard.length > 0);
    expect(heard).toEqual([undefined]);
  });

  it('leaves no transaction open that waits for what it reads, begins none, and reads again when it is back', async () => {
    const { one, two } = await start();
    const commits = Array.from({ length: 30 }, (_, index) => makeCommit(A, index, 40_000));
    for (const { line, at } of commits) await one.append(line, at, 'relaxed');
    for (const asked of [() => two.newer!({}), () => two.quarantine(commits[0]!.line, 'a test'), () => two.usage()]) {
      const reading = asked();
      two.suspend!();
      await expect(reading).rejects.toMatchObject({ code: 'io', cause: { code: 'AbortError' } });
      await expect(asked()).rejects.toMatchObject({ cause: { code: 'AbortError' } });
      // What only writes goes on.
      const { line, at } = makeCommit(B, 0);
      await Promise.all([two.append(line, at, 'strict'), two.appendNow!(line, at)]);
      await two.resume!();
      await asked();
    }
    const { logs } = await two.newer!({});
    expect(logs.reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(30 * 40_000);
  });

  it('is not kept from it by a transaction that has finished and not said so yet', async () => {
    const { one, watched } = await start();
    const [first, second] = [one.newer!({}), one.newer!({})];
    watched.transactions[0]!.tx.abort = () => {
      throw new DOMException('The transaction has finished.', 'InvalidStateError');
    };
    one.suspend!();
    await Promise.all([first, expect(second).rejects.toMatchObject({ cause: { code: 'AbortError' } })]);
  });

  it('probes its connection, and keeps it if it answers', async () => {
    const { one, watched } = await start();
    one.suspend!();
    await one.resume!();
    expect(watched.opens).toBe(1);
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

  it('does not wait for what was under way when it left: nobody may ever say what became of it', async () => {
    const { world, one, watched } = await start();
    watched.onCommit = ({ tx }, proceed) => {
      watched.onCommit = undefined;
      tx.oncomplete = null;
      proceed();
    };
    const { line, at } = makeCommit(A, 0);
    const appended = one.append(line, at, 'relaxed');
    one.suspend!();
    await one.resume!();
    await appended;
    expect(watched.connections.size).toBe(1);
    await one.close();
    expect(await findTexts(await world.backend().open('venue'))).toEqual([text(line)]);
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
