// How the IndexedDB backend writes: in the turn of the call, in small parts, without reading. When the database says no, the promise
// says why.
import { describe, expect, it, vi } from 'vitest';
import { makeCommit } from '../backend-contract';
import { A, some, text, textsOf } from './contract/stage';
import { look } from './helpers/indexeddb';
import { codeOf, openTab, outcome } from './helpers/indexeddb-tab';
import { abortWith, failingRequest, type WatchedFactory, type WatchedTransaction } from './helpers/indexeddb-watch';

const putsOf = (seen: WatchedTransaction | undefined) => seen?.calls.filter(({ method }) => method === 'put') ?? [];
describe('a commit is issued in the turn of the call', () => {
  it.each(['append', 'appendNow'] as const)('%s: every put and the commit() before it returns', async (method) => {
    const { watched, backend, reopened } = await openTab();
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
    const { watched, backend, reopened } = await openTab();
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
    const { watched, backend, reopened } = await openTab();
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
    const { watched, backend, reopened } = await openTab();
    const [one, two] = some(A, 0, 2);
    const appended = backend.append(one!.line, one!.at, 'relaxed');
    const last = backend.appendNow!(two!.line, two!.at);
    expect(watched.transactions.map(({ stores }) => stores)).toEqual([['commits'], ['last']]);
    await Promise.all([appended, last]);
    expect(await reopened()).toEqual(textsOf([one!, two!]));
  });

  it('is taken out of there by the append of the same commit, and only that append touches it', async () => {
    const { watched, world, backend, reopened } = await openTab();
    const [one, two] = some(A, 0, 2);
    await backend.appendNow!(one!.line, one!.at);
    await backend.append(one!.line, one!.at, 'relaxed');
    await backend.append(two!.line, two!.at, 'relaxed');
    expect(watched.transactions.map(({ stores }) => stores)).toEqual([['last'], ['commits', 'last'], ['commits']]);
    expect(await look(world, (db) => db.count('last'))).toBe(0);
    expect(await reopened()).toEqual(textsOf([one!, two!]));
  });

  it('is taken out by the append of a later opening, too', async () => {
    const { world, backend } = await openTab();
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
    const { watched, backend, reopened } = await openTab();
    watched.loseConnections();
    await vi.waitUntil(() => outcomeOfNow(backend, A) !== undefined);
    expect(codeOf(outcomeOfNow(backend, A))).toBe('InvalidStateError');
    await reopened();
  });

  const outcomeOfNow = (backend: Awaited<ReturnType<typeof openTab>>['backend'], writer: string): unknown => {
    const { line, at } = makeCommit(writer, 0);
    try {
      backend.appendNow!(line, at);
      return undefined;
    } catch (error) {
      return error;
    }
  };

  it('that fails is nobody’s unhandled rejection', async () => {
    const { watched, backend, reopened } = await openTab();
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
    const { watched, backend, reopened } = await openTab();
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
    const { watched, world, backend, reopened } = await openTab();
    const [, thrown] = ways[1]!;
    thrown(watched);
    const { line, at } = makeCommit(A, 0, 100_000);
    expect(codeOf(await outcome(backend.append(line, at, 'strict')))).toBe(full);
    watched.onCall = undefined;
    expect(await look(world, (db) => db.count('commits'))).toBe(0);
    expect(await reopened()).toEqual([]);
  });
});
