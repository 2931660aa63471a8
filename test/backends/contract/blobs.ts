// The part of the contract that is about blobs: bytes outside entries, under names that the backend does not understand.
import { describe, expect, it } from 'vitest';
import type { BlobStore, Bytes } from '../../../src/backend';
import { concatBytes } from '../../../src/backend';
import { expectSame, patience, pattern, pieces, type Stage, venue } from './stage';

const nameOf = (digit: string) => digit.repeat(64);
const [a, b, c] = ['a', 'b', '0'].map(nameOf) as [string, string, string];

/** Registers it. */
export function blobsContract(stage: Stage): void {
  const blobs = (): BlobStore => stage.backend.blobs!;
  const put = (name: string, at: number, ...parts: Uint8Array[]) =>
    blobs().put(
      pieces(...parts),
      async () => name,
      () => at,
    );

  async function all(name: string): Promise<Bytes | undefined> {
    const blob = await blobs().get(name);
    if (!blob) return undefined;
    const slabs: Bytes[] = [];
    for await (const slab of blob.stream()) slabs.push(slab);
    const bytes = concatBytes(slabs);
    expect(blob.size).toBe(bytes.length);
    return bytes;
  }

  describe('blobs', () => {
    it('are there as they were put, now and at the next open, and no others', async () => {
      await stage.backend.open(venue);
      expect(await blobs().get(a)).toBeUndefined();
      const sizes = [0, 1, 100, 256 * 1024, 256 * 1024 + 1, 3_000_000];
      const names = sizes.map((_, i) => nameOf(String(i)));
      for (const [i, size] of sizes.entries()) await put(names[i]!, i, pattern(size, i));
      for (const how of ['closed', 'killed'] as const) {
        for (const [i, size] of sizes.entries()) expectSame((await all(names[i]!))!, pattern(size, i));
        expect(await blobs().get(a)).toBeUndefined();
        await stage.reopen(how);
      }
      expect([...(await blobs().list(Number.POSITIVE_INFINITY)).keys()].sort()).toEqual(names);
    });

    it('come in pieces of any size, which may be overwritten once the next one is asked for', async () => {
      await stage.backend.open(venue);
      const whole = pattern(1_500_000, 3);
      async function* reused(): AsyncGenerator<Bytes> {
        const slab = new Uint8Array(70_001);
        for (let at = 0; at < whole.length; at += slab.length) {
          const part = whole.subarray(at, at + slab.length);
          slab.set(part);
          yield slab.subarray(0, part.length);
          yield new Uint8Array(0);
        }
      }
      await blobs().put(
        reused(),
        async () => a,
        () => 1,
      );
      expectSame((await all(a))!, whole);
      await put(b, 1, ...[whole.subarray(0, 1), whole.subarray(1, 900_000), whole.subarray(900_000)]);
      expectSame((await all(b))!, whole);
    });

    it('are read at a place', async () => {
      await stage.backend.open(venue);
      const whole = pattern(700_000, 5);
      await put(a, 1, whole);
      const blob = (await blobs().get(a))!;
      const places: [number, number][] = [
        [0, 10],
        [262_140, 10],
        [1, 699_999],
        [700_000, 0],
        [600_000, 100_000],
      ];
      for (const [offset, length] of places)
        expectSame(await blob.read(offset, length), whole.slice(offset, offset + length));
      await expect(blob.read(699_999, 2)).rejects.toThrow();
    });

    it('are asked for their name when their bytes have ended', async () => {
      await stage.backend.open(venue);
      let ended = false;
      async function* source(): AsyncGenerator<Bytes> {
        yield pattern(10, 1);
        ended = true;
      }
      await blobs().put(
        source(),
        async () => {
          expect(ended).toBe(true);
          return a;
        },
        () => 1,
      );
      expectSame((await all(a))!, pattern(10, 1));
    });

    it('leave nothing when their source fails, or their name; and what stands stands', async () => {
      await stage.backend.open(venue);
      await put(a, 1, pattern(300_000, 1));
      const before = (await stage.backend.usage()).bytes;
      async function* failing(): AsyncGenerator<Bytes> {
        yield pattern(600_000, 2);
        throw new Error('the source is broken');
      }
      await expect(
        blobs().put(
          failing(),
          async () => a,
          () => 2,
        ),
      ).rejects.toThrow('the source is broken');
      const nameless = async () => {
        throw new Error('no name');
      };
      await expect(blobs().put(pieces(pattern(600_000, 3)), nameless, () => 2)).rejects.toThrow('no name');
      expectSame((await all(a))!, pattern(300_000, 1));
      await expect.poll(async () => (await stage.backend.usage()).bytes, patience).toEqual(before);
    });

    it('may be put again, and several at once; the last one stands', async () => {
      await stage.backend.open(venue);
      await put(a, 1, pattern(600_000, 1));
      await Promise.all([put(b, 1, pattern(400_000, 2)), put(a, 2, pattern(500, 3)), put(c, 1, pattern(1, 4))]);
      expectSame((await all(a))!, pattern(500, 3));
      expectSame((await all(b))!, pattern(400_000, 2));
      expectSame((await all(c))!, pattern(1, 4));
      const { bytes } = await stage.backend.usage();
      expect(bytes).toBeGreaterThan(400_000);
      expect(bytes).toBeLessThan(600_000);
    });

    it('go when they are deleted, and may be put again', async () => {
      await stage.backend.open(venue);
      await put(a, 1, pattern(500, 1));
      await put(b, 1, pattern(500, 2));
      await blobs().delete(a, (await blobs().list(9)).get(a)!);
      await blobs().delete(c, 0);
      expect(await blobs().get(a)).toBeUndefined();
      expectSame((await all(b))!, pattern(500, 2));
      await put(a, 2, pattern(7, 3));
      expectSame((await all(a))!, pattern(7, 3));
      await stage.reopen();
      expect((await all(a))!.length).toBe(7);
    });

    it('of others are there, too; and what they have put again since it was listed does not go', async () => {
      await stage.backend.open(venue);
      if (stage.backend.exclusive) return expect([...(await blobs().list(9)).values()]).toEqual([]);
      await put(a, 1, pattern(500, 1));
      await put(b, 5, pattern(500, 2));
      expect(await blobs().list(5)).toEqual(new Map([[a, 1]]));
      const other = stage.world.backend();
      await other.open(venue);
      expect((await other.blobs!.get(a))?.size).toBe(500);
      await other.blobs!.put(
        pieces(pattern(500, 1)),
        async () => a,
        () => 7,
      );
      await blobs().delete(a, 1);
      expectSame((await all(a))!, pattern(500, 1));
      await other.close();
    });

    it('take no names that lead elsewhere', async () => {
      await stage.backend.open(venue);
      await put(a, 1, pattern(5, 1));
      for (const name of ['', '.', '..', `../blobs/${a}`, '../LOCK', a.toUpperCase(), `${a}0`, a.slice(1)]) {
        expect(await blobs().get(name)).toBeUndefined();
        await blobs().delete(name, 0);
      }
      expect((await all(a))!.length).toBe(5);
    });

    it('are waited for by close', async () => {
      await stage.backend.open(venue);
      const order: string[] = [];
      const written = put(a, 1, pattern(2_000_000, 1)).then(() => order.push('put'));
      await stage.backend.close().then(() => order.push('closed'));
      await written;
      expect(order).toEqual(['put', 'closed']);
      await stage.reopen();
      expect((await all(a))!.length).toBe(2_000_000);
    });
  });
}
