// Snapshots as records of an IndexedDB: parts that every engine keeps, one transaction that reads nothing, and a connection that may be lost.
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type SnapshotRecords, snapshotRecords } from '../../backends/indexeddb/snapshots';
import { createSnapshotWriter, readSnapshot } from '../../src/snapshots-browser';

let factory: IDBFactory;
/** Of the browser, by whoever opened one. */
const connections: IDBDatabase[] = [];
/** What was asked of the database: openings, transactions, and what was done in them. */
let calls: string[];
let hangs = 0;
const opened: SnapshotRecords[] = [];

beforeEach(() => {
  factory = new IDBFactory();
  calls = [];
  hangs = 0;
  const open = factory.open.bind(factory);
  factory.open = (...args) => {
    calls.push('open');
    if (hangs-- > 0) return {} as ReturnType<typeof open>;
    const request = open(...args);
    request.addEventListener('success', () => watch(request.result as unknown as IDBDatabase));
    return request;
  };
  vi.stubGlobal('indexedDB', factory);
});
afterEach(() => {
  for (const records of opened.splice(0)) records.close();
  connections.length = 0;
  vi.unstubAllGlobals();
});

function watch(db: IDBDatabase): void {
  connections.push(db);
  const { transaction } = db;
  db.transaction = (stores, mode, options) => {
    calls.push(`${mode} ${options?.durability}`);
    const tx = transaction.call(db, stores, mode, options);
    const commit = tx.commit.bind(tx);
    tx.commit = () => {
      calls.push('commit');
      commit();
    };
    const { objectStore } = tx;
    tx.objectStore = (name) => {
      const store = objectStore.call(tx, name);
      for (const method of ['put', 'delete', 'get', 'getAll'] as const) {
        const was = store[method].bind(store) as (...args: unknown[]) => never;
        store[method] = (...args: unknown[]) => {
          calls.push(method === 'put' ? `put ${JSON.stringify(args[1])}` : method);
          return was(...args);
        };
      }
      return store;
    };
    return tx;
  };
}

function open(options: Parameters<typeof snapshotRecords>[1] = {}): SnapshotRecords {
  const records = snapshotRecords('db', { factory, ...options });
  opened.push(records);
  return records;
}
const bytesOf = (length: number) => new Uint8Array(length).map((_, at) => at * 7);

describe('a record', () => {
  it.each([0, 1, 32 * 1024, 32 * 1024 + 1, 300_000])('of %i bytes is there as it was written', async (length) => {
    const records = open();
    await records.write('k', bytesOf(length));
    await records.write('k2', bytesOf(3));
    expect(Buffer.from(bytesOf(length)).equals((await open().read('k'))!)).toBe(true);
    expect(await records.read('K')).toBeUndefined();
  });

  it.each([
    ['write', []],
    ['writeNow', ['commit']],
  ] as const)('is in parts of 32 KiB, in one strict transaction that reads nothing (%s)', async (method, end) => {
    const records = open();
    await records.write('k', bytesOf(5));
    calls = [];
    await records[method]('k', bytesOf(70_000));
    expect(calls).toEqual([
      'readwrite strict',
      'delete',
      'put ["k"]',
      'put ["k",0]',
      'put ["k",1]',
      'put ["k",2]',
      ...end,
    ]);
    await records.write('k', bytesOf(2)); // fewer parts than before
    expect(await records.read('k')).toEqual(bytesOf(2));
  });

  it('is issued in the turn of the call, once the database is open', async () => {
    const records = open();
    await records.write('k', bytesOf(1));
    calls = [];
    const written = records.writeNow('k', bytesOf(2));
    expect(calls.at(-1)).toBe('commit');
    await written;
  });

  it('that is not whole is an error, not an answer', async () => {
    const records = open();
    await records.write('k', bytesOf(70_000));
    const tx = connections[0]!.transaction('snapshots', 'readwrite');
    tx.objectStore('snapshots').delete(['k', 1]);
    await new Promise((resolve) => {
      tx.oncomplete = resolve;
    });
    await expect(records.read('k')).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining("'db'"),
    });
  });
});

describe('the connection', () => {
  it('is opened ahead, and once', async () => {
    const records = open();
    expect(calls).toEqual(['open']);
    await Promise.all([records.write('a', bytesOf(1)), records.write('b', bytesOf(1))]);
    expect(calls.filter((call) => call === 'open')).toHaveLength(1);
  });

  it('that was closed under it is opened again, and the write done again', async () => {
    const records = open();
    await records.write('k', bytesOf(1));
    connections[0]!.close();
    await records.write('k', bytesOf(2));
    expect(await records.read('k')).toEqual(bytesOf(2));
  });

  it('that is lost in mid-write: written again on a fresh one', async () => {
    const records = open();
    await records.write('k', bytesOf(1));
    const written = records.write('k', bytesOf(2));
    connections[0]!.onclose!(new Event('close'));
    await written;
    expect(connections).toHaveLength(2);
    expect(await records.read('k')).toEqual(bytesOf(2));
  });

  it('does not hold up who deletes the database; the next write makes it anew', async () => {
    const records = open();
    await records.write('k', bytesOf(1));
    await new Promise((resolve, reject) => {
      const request = factory.deleteDatabase('db');
      request.onsuccess = resolve;
      request.onblocked = () => reject(new Error('blocked'));
    });
    expect(await records.read('k')).toBeUndefined();
    await records.write('k', bytesOf(2));
    expect(await records.read('k')).toEqual(bytesOf(2));
  });

  it('that never opens is a failure after its time, and asked for again', async () => {
    hangs = 3;
    const records = open({ openMs: 20 });
    await expect(records.write('k', bytesOf(1))).rejects.toMatchObject({
      code: 'no_storage',
      cause: { code: 'TimeoutError' },
    });
    await records.write('k', bytesOf(2));
    expect(await records.read('k')).toEqual(bytesOf(2));
  });

  it('whose transaction never ends is given up after its time', async () => {
    const records = open({ transactionMs: 30 });
    await records.write('k', bytesOf(1));
    const db = connections[0]!;
    db.transaction = () => ({ objectStore: () => ({ delete() {}, put() {} }), commit() {} }) as never;
    await records.write('k', bytesOf(2));
    expect(await records.read('k')).toEqual(bytesOf(2));
  });

  it('a full disk is said at once, and with the browser’s word', async () => {
    const records = open();
    await records.write('k', bytesOf(1));
    calls = [];
    connections[0]!.transaction = () => {
      throw new DOMException('no room', 'QuotaExceededError');
    };
    await expect(records.write('k', bytesOf(2))).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining("'db'"),
      cause: { code: 'QuotaExceededError' },
    });
    expect(calls).toEqual([]);
  });

  it('is closed with the writer', async () => {
    const records = open();
    await records.write('k', bytesOf(1));
    records.close();
    expect(() => connections[0]!.transaction('snapshots')).toThrow();
    const early = open();
    early.close();
    await expect.poll(() => connections.length).toBe(2);
    await expect.poll(() => connections[1]!.objectStoreNames.length).toBe(1);
    expect(() => connections[1]!.transaction('snapshots')).toThrow();
  });
});

describe('the writer for browsers', () => {
  it('keeps a record for each key, and is read by readSnapshot', async () => {
    const state: Record<string, string> = { '': '{"ü": 1}', a: 'other' };
    const writer = createSnapshotWriter({ target: 'settings', snapshot: (key) => state[key]! });
    await Promise.all([writer.save('all'), writer.save('all', 'a')]);
    expect(writer.state()).toMatchObject({ generation: 2, unsaved: 0 });
    expect(new TextDecoder().decode(await readSnapshot('settings'))).toBe('{"ü": 1}');
    expect(new TextDecoder().decode(await readSnapshot('settings', 'a'))).toBe('other');
    expect(await readSnapshot('settings', 'b')).toBeUndefined();
    expect(await writer.close()).toEqual({ durable: true, unsaved: [] });
    for (const target of ['', 1, undefined] as never[])
      expect(() => createSnapshotWriter({ target, snapshot: () => '' })).toThrow(
        expect.objectContaining({ code: 'bad_option' }),
      );
  });

  it('names database and key when it fails', async () => {
    vi.stubGlobal('indexedDB', undefined);
    const told: string[] = [];
    const logger = { info: () => undefined, warn: (said: string) => void told.push(said), error: () => undefined };
    const writer = createSnapshotWriter({ target: 'settings', snapshot: () => '', logger });
    await expect(writer.save('now', 'a')).rejects.toMatchObject({ cause: { code: 'NotSupportedError' } });
    expect(writer.state().lastError).toMatchObject({ target: 'indexeddb:settings/a', code: 'NotSupportedError' });
    await writer.close({ timeoutMs: 0 });
  });
});
