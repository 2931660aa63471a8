// A connection that is lost while the IndexedDB backend works: whatever becomes of a transaction, the promise settles, and the same
// bytes are written again on a fresh connection.
import { describe, expect, it } from 'vitest';
import { makeCommit } from '../backend-contract';
import { A, B, findTexts, text } from './contract/stage';
import { codeOf, openTab, outcome } from './helpers/indexeddb-tab';
import { failingRequest, gate, type WatchedFactory } from './helpers/indexeddb-watch';

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
    const { watched, backend, reopened } = await openTab();
    harm(watched);
    const { line, at } = makeCommit(A, 0, 100_000);
    await backend.append(line, at, 'strict');
    expect(watched.opens).toBe(1);
    expect(watched.connections.size).toBe(1);
    expect(await reopened()).toEqual([text(line)]);
  });

  it('a transaction that never settles is given up with its connection', async () => {
    const { watched, backend, reopened } = await openTab();
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
    const { watched, backend, reopened } = await openTab();
    const { line, at } = makeCommit(A, 0);
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
    const { watched, world, backend } = await openTab();
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
    const { backend } = await openTab();
    await backend.close();
    const { line, at } = makeCommit(A, 0);
    expect(await outcome(backend.append(line, at, 'strict'))).toMatchObject({ code: 'closed' });
    expect(() => backend.appendNow!(line, at)).toThrow(expect.objectContaining({ code: 'closed' }));
    expect(await outcome(backend.key({ seed: new Uint8Array(32) }))).toMatchObject({ code: 'closed' });
  });
});
