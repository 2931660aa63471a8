// Blobs in a database: parts that nobody names any more do not stay, and a database that says no leaves what stood.
import { describe, expect, it } from 'vitest';
import { gate } from '../venue/helpers';
import { expectSame, pattern, pieces } from './contract/stage';
import { look } from './helpers/indexeddb';
import { openTab } from './helpers/indexeddb-tab';

const [a, b] = ['a', 'b'].map((digit) => digit.repeat(64)) as [string, string];
const partBytes = 256 * 1024;

describe('the parts of a blob', () => {
  it('go with it, and when it is put again', async () => {
    const { world, backend } = await openTab();
    const blobs = backend.blobs!;
    const count = () => look(world, (db) => db.count('blobs'));
    await blobs.put(
      pieces(pattern(3 * partBytes, 1)),
      async () => a,
      () => 1,
    );
    expect(await count()).toBe(4);
    await blobs.put(
      pieces(pattern(2 * partBytes + 1, 2)),
      async () => a,
      () => 2,
    );
    expect(await count()).toBe(4);
    await blobs.put(
      pieces(pattern(10, 3)),
      async () => b,
      () => 2,
    );
    await blobs.delete(a, 2);
    expect(await count()).toBe(2);
    await backend.close();
  });

  it('go soon when its source fails; and by and by when its page was killed', async () => {
    const { world, backend } = await openTab();
    const blobs = backend.blobs!;
    const count = () => look(world, (db) => db.count('blobs'));
    async function* failing() {
      yield pattern(3 * partBytes, 1);
      throw new Error('the source broke');
    }
    await expect(
      blobs.put(
        failing(),
        async () => a,
        () => 1,
      ),
    ).rejects.toThrow('the source broke');
    await expect.poll(count).toBe(0);
    // The page goes when two parts are written.
    async function* hanging() {
      yield pattern(2 * partBytes, 1);
      await new Promise(() => {});
    }
    void blobs.put(
      hanging(),
      async () => a,
      () => 100,
    );
    await expect.poll(count).toBe(2);
    await blobs.put(
      pieces(pattern(10, 3)),
      async () => b,
      () => 100,
    );
    expect([...(await blobs.list(100)).keys()]).toEqual([]);
    expect(await count()).toBe(4);
    expect([...(await blobs.list(101)).keys()]).toEqual([b]);
    expect(await count()).toBe(2);
    expectSame(await (await blobs.get(b))!.read(0, 10), pattern(10, 3));
  });

  it('that were taken for those of a page that is gone are missed at the end of the put', async () => {
    const { world, backend } = await openTab();
    const blobs = backend.blobs!;
    let time = 100;
    const { opened, open } = gate();
    async function* slow() {
      yield pattern(2 * partBytes, 1);
      await opened;
      yield pattern(10, 2);
    }
    const putting = blobs.put(
      slow(),
      async () => a,
      () => time,
    );
    await expect.poll(() => look(world, (db) => db.count('blobs'))).toBe(2);
    time = 1000;
    await blobs.list(500);
    open();
    await expect(putting).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('put it again') });
    expect(await blobs.get(a)).toBeUndefined();
    await blobs.put(
      slow(),
      async () => a,
      () => time,
    );
    expect(await blobs.list(1001)).toEqual(new Map([[a, 1000]]));
    await backend.close();
  });

  it('that somebody removed are missed by whoever reads, not made up', async () => {
    const { world, backend } = await openTab();
    const blobs = backend.blobs!;
    await blobs.put(
      pieces(pattern(2 * partBytes, 1)),
      async () => a,
      () => 1,
    );
    await look(world, async (db) => {
      const [, second] = (await db.getAllKeys('blobs', IDBKeyRange.bound(['part'], ['part', []]))) as [
        unknown,
        string[],
      ];
      await db.delete('blobs', second);
    });
    const blob = (await blobs.get(a))!;
    let length = 0;
    for await (const piece of blob.stream()) length += piece.length;
    expect(length).toBe(partBytes);
    await expect(blob.read(partBytes, 1)).rejects.toThrow('ends at');
    await backend.close();
  });
});
