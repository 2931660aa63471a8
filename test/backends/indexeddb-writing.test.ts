// How the IndexedDB backend writes: in the turn of the call, in small parts, without reading, and again on a fresh connection when
// the one it has is lost. Whatever becomes of a transaction, the promise settles, with the reason.
import { describe, expect, it, vi } from 'vitest';
import type { TidemarkError } from '../../src/backend';
import { makeCommit } from '../backend-contract';
import { findTexts, some, text, textsOf } from './contract/stage';
import { indexeddbWorld, look } from './helpers/indexeddb';
import { abortWith, failingRequest, gate, WatchedFactory, type WatchedTransaction } from './helpers/indexeddb-watch';

const A = 'a0a0a0a0a0a0a0a0';
const B = 'b1b1b1b1b1b1b1b1';

async function start() {
  const watched = new WatchedFactory();
  const world = indexeddbWorld(watched);
  const backend = world.backend();
  const first = await backend.open('venue');
  watched.transactions.length = 0;
  /** What the next one finds. */
  const reopened = async () => {
    await backend.close();
    const next = world.backend();
    const found = await findTexts(await next.open('venue'));
    await next.close();
    world.destroy();
    return found;
  };
  return { watched, world, backend, first, reopened };
}

const putsOf = (seen: WatchedTransaction | undefined) => seen?.calls.filter(({ method }) => method === 'put') ?? [];
const codeOf = (error: unknown) => ((error as Error).cause as { code?: unknown } | undefined)?.code;

/** Settles the promise either way. */
const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: TidemarkError) => error,
  );

describe('a commit is issued in the turn of the call', () => {
  it.each(['append', 'appendNow'] as const)('%s: every put and the commit() before it returns', async (method) => {
    const { watched, backend, reopened } = await start();
    const { line, at } = makeCommit(A, 0, 100_000);
    const appended = backend[method]!(line, at, 'strict');
    const [seen, ...more] = watched.transactions;
    expect(more).toEqual([]);
    expect(putsOf(seen)).toHaveLength(4);
    expect(seen!.committed).toBe(true);
    await appended;
    expect(await reopened()).toEqual([text(line)]);
  });

  it('in parts of at most 32 KiB, each a buffer of its own with nothing else in it', async () => {
    const { watched, backend, reopened } = await start();
    const { line, at } = makeCommit(A, 0, 70_000);
    const around = new Uint8Array(line.length + 5000).fill(1);
    around.set(line, 2500);
    await backend.append(around.subarray(2500, 2500 + line.length), at, 'strict');
    const parts = putsOf(watched.transactions[0]).map(({ args }) => args[0] as ArrayBuffer);
    expect(parts.every((part) => part instanceof ArrayBuffer && part.byteLength <= 32 * 1024)).toBe(true);
    expect(parts.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(line.length);
    expect(await reopened()).toEqual([text(line)]);
  });

  it('by a transaction that reads nothing, relaxed or strict as asked', async () => {
    const { watched, backend, reopened } = await start();
    const [one, two] = some(A, 0, 2);
    await backend.append(one!.line, one!.at, 'relaxed');
    await backend.append(two!.line, two!.at, 'strict');
    expect(watched.transactions.map(({ durability }) => durability)).toEqual(['relaxed', 'strict']);
    for (const { calls, stores } of watched.transactions) {
      expect(stores).toEqual(['commits']);
      expect(calls.every(({ method }) => ['put', 'delete'].includes(method))).toBe(true);
    }
    await reopened();
  });
});

describe('the last write before the page goes', () => {
  it('goes to an object store of its own, where nothing is waited for', async () => {
    const { watched, backend, reopened } = await start();
    const [one, two] = some(A, 0, 2);
    const appended = backend.append(one!.line, one!.at, 'relaxed');
    const last = backend.appendNow!(two!.line, two!.at);
    expect(watched.transactions.map(({ stores }) => stores)).toEqual([['commits'], ['last']]);
    await Promise.all([appended, last]);
    expect(await reopened()).toEqual(textsOf([one!, two!]));
  });

  it('is taken out of there by the append of the same commit, and only that append touches it', async () => {
    const { watched, world, backend, reopened } = await start();
    const [one, two] = some(A, 0, 2);
    await backend.appendNow!(one!.line, one!.at);
    await backend.append(one!.line, one!.at, 'relaxed');
    await backend.append(two!.line, two!.at, 'relaxed');
    expect(watched.transactions.map(({ stores }) => stores)).toEqual([['last'], ['commits', 'last'], ['commits']]);
    expect(await look(world, (db) => db.count('last'))).toBe(0);
    expect(await reopened()).toEqual(textsOf([one!, two!]));
  });

  it('is taken out by the append of a later opening, too', async () => {
    const { world, backend } = await start();
    const { line, at } = makeCommit(A, 0);
    await backend.appendNow!(line, at);
    await backend.close();
    const next = world.backend();
    await next.open('venue');
    await next.append(line, at, 'strict');
    expect(await look(world, (db) => db.count('last'))).toBe(0);
    await next.close();
  });

  it('is refused in the turn of the call where there is no connection', async () => {
    const { watched, backend, reopened } = await start();
    watched.loseConnections();
    await vi.waitUntil(() => outcomeOfNow(backend, A) !== undefined);
    expect(codeOf(outcomeOfNow(backend, A))).toBe('InvalidStateError');
    await reopened();
  });

  const outcomeOfNow = (backend: Awaited<ReturnType<typeof start>>['backend'], writer: string): unknown => {
    const { line, at } = makeCommit(writer, 0);
    try {
      backend.appendNow!(line, at);
      return undefined;
    } catch (error) {
      return error;
    }
  };

  it('that fails is nobody’s unhandled rejection', async () => {
    const { watched, backend, reopened } = await start();
    watched.onCommit = ({ tx }) => tx.abort();
    const { line, at } = makeCommit(A, 0);
    const written = backend.appendNow!(line, at);
    expect(codeOf(await outcome(written as Promise<void>))).toBe('AbortError');
    backend.appendNow!(line, at);
    watched.onCommit = undefined;
    await backend.append(line, at, 'strict');
    expect(await reopened()).toEqual([text(line)]);
  });
});

describe('a database that says no is heard, and the next append goes through', () => {
  const full = 'QuotaExceededError';
  const ways: [how: string, harm: (watched: WatchedFactory) => void][] = [
    [
      'at a put, as the result of a request',
      (watched) => {
        watched.onCall = (call, proceed, { tx }) =>
          call.method === 'put' ? failingRequest(tx, call.store, full) : proceed();
      },
    ],
    [
      'at a put, thrown',
      (watched) => {
        let puts = 0;
        watched.onCall = (_, proceed) => {
          if (++puts === 2) throw new DOMException('', full);
          return proceed();
        };
      },
    ],
    [
      'at the commit, with every request done',
      (watched) => {
        watched.onCommit = ({ tx }) => {
          const last = tx.objectStore('commits').get(0);
          last.onsuccess = () => abortWith(tx, full);
        };
      },
    ],
    [
      'at the commit, with requests under way',
      (watched) => {
        watched.onCommit = ({ tx }) => abortWith(tx, full);
      },
    ],
  ];

  it.each(ways)('no room: %s', async (_, harm) => {
    const { watched, backend, reopened } = await start();
    harm(watched);
    const { line, at } = makeCommit(A, 0, 100_000);
    const error = await outcome(backend.append(line, at, 'strict'));
    expect(error).toMatchObject({ code: 'io', message: expect.stringContaining(full) });
    expect(codeOf(error)).toBe(full);
    expect(error!.cause).toBeInstanceOf(Error);
    // There is no sense in trying again at once, nor is the connection to blame.
    expect(watched.transactions).toHaveLength(1);
    expect(watched.opens).toBe(0);

    watched.onCall = undefined;
    watched.onCommit = undefined;
    await backend.append(line, at, 'strict');
    expect(await reopened()).toEqual([text(line)]);
  });

  it('a commit of which one part cannot be put leaves nothing', async () => {
    const { watched, world, backend, reopened } = await start();
    const [, thrown] = ways[1]!;
    thrown(watched);
    const { line, at } = makeCommit(A, 0, 100_000);
    expect(codeOf(await outcome(backend.append(line, at, 'strict')))).toBe(full);
    watched.onCall = undefined;
    expect(await look(world, (db) => db.count('commits'))).toBe(0);
    expect(await reopened()).toEqual([]);
  });
});

describe('a connection that is lost is replaced, and the same bytes are written again in the same call', () => {
  const count = (watched: WatchedFactory) => ({ opens: watched.opens, writes: watched.writing('commits').length });

  it.each<[how: string, harm: (watched: WatchedFactory) => void]>([
    [
      'InvalidStateError',
      (watched) => {
        watched.onTransaction = () => {
          watched.onTransaction = undefined;
          throw new DOMException('The database connection is closing.', 'InvalidStateError');
        };
      },
    ],
    [
      'an abort that says nothing',
      (watched) => {
        watched.onCommit = ({ tx }) => {
          watched.onCommit = undefined;
          tx.abort();
        };
      },
    ],
    [
      'UnknownError, as WebKit says it',
      (watched) => {
        watched.onCall = (call, _, { tx }) => {
          watched.onCall = undefined;
          return failingRequest(tx, call.store, 'UnknownError');
        };
      },
    ],
    [
      'closed by the engine with the transaction under way',
      (watched) => {
        watched.onCommit = (_, proceed) => {
          watched.onCommit = undefined;
          proceed();
          watched.loseConnections();
        };
      },
    ],
    ['closed by the engine before', (watched) => watched.loseConnections()],
  ])('%s', async (_, harm) => {
    const { watched, backend, reopened } = await start();
    watched.holdOpen = () => undefined;
    watched.opens = 0;
    harm(watched);
    const { line, at } = makeCommit(A, 0, 100_000);
    await backend.append(line, at, 'strict');
    expect(watched.opens).toBe(1);
    expect(watched.connections.size).toBe(1);
    expect(await reopened()).toEqual([text(line)]);
  });

  it('a transaction that never settles is given up with its connection', async () => {
    const { watched, backend, reopened } = await start();
    const { line, at } = makeCommit(A, 0);
    watched.onCommit = ({ tx }, proceed) => {
      watched.onCommit = undefined;
      tx.oncomplete = null;
      proceed();
    };
    const hanging = backend.append(line, at, 'relaxed');
    watched.loseConnections();
    await hanging;
    expect(await reopened()).toEqual([text(line)]);
  });

  it('once: then it rejects, and the next call begins with a fresh one', async () => {
    const { watched, backend, reopened } = await start();
    const { line, at } = makeCommit(A, 0);
    watched.holdOpen = () => undefined;
    watched.onCommit = ({ tx }) => tx.abort();
    const error = await outcome(backend.append(line, at, 'strict'));
    expect(error).toMatchObject({ code: 'io' });
    expect(codeOf(error)).toBe('AbortError');
    expect(count(watched)).toEqual({ opens: 1, writes: 2 });
    expect(watched.connections.size).toBe(0);

    watched.onCommit = undefined;
    await backend.append(line, at, 'strict');
    expect(count(watched)).toEqual({ opens: 2, writes: 3 });
    expect(await reopened()).toEqual([text(line)]);
  });
});

describe('close() waits for what was issued', () => {
  it('also for a commit that has to wait for a connection', async () => {
    const { watched, world, backend } = await start();
    const opening = gate();
    watched.holdOpen = () => opening.opened;
    watched.loseConnections();
    const { line, at } = makeCommit(B, 0);
    const appended = backend.append(line, at, 'strict');
    const closed = backend.close();
    opening.open();
    await Promise.all([appended, closed]);
    expect(watched.connections.size).toBe(0);
    const next = world.backend();
    expect(await findTexts(await next.open('venue'))).toEqual([text(line)]);
    await next.close();
    world.destroy();
  });

  it('and what comes after it is refused', async () => {
    const { backend } = await start();
    await backend.close();
    const { line, at } = makeCommit(A, 0);
    expect(await outcome(backend.append(line, at, 'strict'))).toMatchObject({ code: 'closed' });
    expect(() => backend.appendNow!(line, at)).toThrow(expect.objectContaining({ code: 'closed' }));
    expect(await outcome(backend.key({ seed: new Uint8Array(32) }))).toMatchObject({ code: 'closed' });
  });
});
