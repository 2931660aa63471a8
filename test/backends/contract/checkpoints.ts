// The part of the contract that is about checkpoints: what stands, what is kept beside it, and what a failure leaves.
import { describe, expect, it } from 'vitest';
import type { StoredCheckpoint } from '../../../src/backend';
import {
  A,
  B,
  expectSame,
  findLines,
  findTexts,
  pattern,
  pieces,
  readAll,
  type Stage,
  some,
  text,
  textsOf,
  venue,
} from './stage';

/** Registers it. */
export function checkpointsContract(stage: Stage): void {
  const { append, reopen } = stage;

  describe('checkpoint', () => {
    const bytes = pattern(300_000, 7);

    it('stands, as it was given, now and at the next open', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 3));
      const made = await stage.backend.checkpoint(pieces(bytes), { [A]: 2 }, 0);
      const expectIt = async (checkpoint: StoredCheckpoint | undefined) => {
        expect(checkpoint?.generation).toBe(1);
        expect(checkpoint?.name).not.toBe('');
        expect(checkpoint?.size).toBe(bytes.length);
        expectSame(await readAll(checkpoint!), bytes);
      };
      await expectIt(made);
      const { checkpoints } = await reopen();
      expect(checkpoints).toHaveLength(1);
      await expectIt(checkpoints[0]);
    });

    it('takes pieces of any size, also of none, and from a buffer that is used again', async () => {
      await stage.backend.open(venue);
      const sizes = [0, 1, 70_000, 0, 5_000_000, 3, 1_048_576, 4_194_304, 2];
      const whole = pattern(
        sizes.reduce((a, b) => a + b),
        3,
      );
      const buffer = new Uint8Array(5_000_000);
      async function* reusing() {
        let at = 0;
        for (const size of sizes) {
          const piece = buffer.subarray(0, size);
          piece.set(whole.subarray(at, at + size));
          yield piece;
          piece.fill(0);
          at += size;
        }
      }
      await stage.backend.checkpoint(reusing(), {}, 0);
      const [found] = (await reopen()).checkpoints;
      expect(found!.size).toBe(whole.length);
      expectSame(await readAll(found!), whole);
    });

    it('is read at any place, and says so when a place is not there', async () => {
      await stage.backend.open(venue);
      await stage.backend.checkpoint(pieces(bytes), {}, 0);
      const [found] = (await reopen()).checkpoints;
      for (const [offset, length] of [
        [0, 10],
        [1, 1],
        [65_530, 70_000],
        [bytes.length - 5, 5],
        [100, 0],
      ] as const) {
        expectSame(await found!.read(offset, length), bytes.slice(offset, offset + length));
      }
      for (const [offset, length] of [
        [bytes.length - 5, 6],
        [bytes.length, 1],
        [bytes.length + 10, 1],
      ] as const) {
        await expect(found!.read(offset, length)).rejects.toThrow();
      }
      const part = await found!.read(50, 10);
      part.fill(0); // bytes read are the caller's
      expectSame(await found!.read(50, 10), bytes.slice(50, 60));
    });

    it('is streamed by several at once, and by one who stops early', async () => {
      await stage.backend.open(venue);
      const large = pattern(9_000_000, 4);
      await stage.backend.checkpoint(pieces(large), {}, 0);
      const [found] = (await reopen()).checkpoints;
      for await (const slab of found!.stream()) {
        expect(slab.length).toBeGreaterThan(0);
        break;
      }
      const both = await Promise.all([readAll(found!), readAll(found!)]);
      for (const read of both) expectSame(read, large);
    });

    it('leaves commits that it does not cover, also those that are appended while it is made', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 3));
      async function* lines() {
        yield pattern(100, 1);
        await append(...some(A, 3, 5));
        yield pattern(100, 2);
      }
      const made = await stage.backend.checkpoint(lines(), { [A]: 2 }, 0);
      await append(...some(A, 5, 7));
      const stored = await reopen();
      expect(stored.checkpoints.map(({ generation }) => generation)).toEqual([made!.generation]);
      const after = (await findLines(stored)).filter(({ generation }) => generation >= made!.generation);
      expect(after.map(({ line }) => line)).toEqual(expect.arrayContaining(textsOf(some(A, 3, 7))));
    });

    it('changes nothing when its lines throw, and the next one succeeds', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 2));
      await stage.backend.checkpoint(pieces(bytes), { [A]: 1 }, 0);
      await append(...some(A, 2, 4));
      async function* failing() {
        yield pattern(3_000_000, 1);
        await append(...some(A, 4, 5));
        throw new Error('no more lines');
      }
      await expect(stage.backend.checkpoint(failing(), { [A]: 3 }, 1)).rejects.toThrow('no more lines');
      await append(...some(A, 5, 6));
      const stored = await reopen();
      expect(stored.checkpoints).toHaveLength(1);
      expectSame(await readAll(stored.checkpoints[0]!), bytes);
      expect((await findTexts(stored)).sort()).toEqual(expect.arrayContaining(textsOf(some(A, 2, 6))));

      const next = await stage.backend.checkpoint(
        pieces(pattern(50, 9)),
        { [A]: 5 },
        stored.checkpoints[0]!.generation,
      );
      expect(next!.generation).toBeGreaterThan(stored.checkpoints[0]!.generation);
      const after = await reopen();
      expectSame(await readAll(after.checkpoints[0]!), pattern(50, 9));
      expectSame(await readAll(after.checkpoints[1]!), bytes);
    });

    it('changes nothing when the owner dies while it is made', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 2));
      await stage.backend.checkpoint(pieces(bytes), { [A]: 1 }, 0);
      await append(...some(A, 2, 4));
      await new Promise<void>((reached) => {
        async function* endless() {
          yield pattern(3_000_000, 1);
          reached();
          await new Promise(() => {});
        }
        stage.backend.checkpoint(endless(), { [A]: 3 }, 1).catch(() => {});
      });
      const stored = await reopen('killed');
      expect(stored.checkpoints).toHaveLength(1);
      expectSame(await readAll(stored.checkpoints[0]!), bytes);
      expect(await findTexts(stored)).toEqual(expect.arrayContaining(textsOf(some(A, 2, 4))));
    });

    it('keeps the one before it, and all commits after that, until the next', async () => {
      await stage.backend.open(venue);
      let replaces = 0;
      const generations: number[] = [];
      for (let round = 0; round < 4; round++) {
        await append(...some(A, 3 * round, 3 * round + 3));
        const made = await stage.backend.checkpoint(pieces(pattern(1000, round)), { [A]: 3 * round + 2 }, replaces);
        replaces = made!.generation;
        generations.unshift(replaces);

        const stored = await reopen();
        expect(stored.checkpoints.map(({ generation }) => generation)).toEqual(generations.slice(0, 2));
        expectSame(await readAll(stored.checkpoints[0]!), pattern(1000, round));
        if (round > 0) expectSame(await readAll(stored.checkpoints[1]!), pattern(1000, round - 1));
        const found = await findLines(stored);
        expect(found.map(({ line }) => line)).toEqual(
          expect.arrayContaining(textsOf(some(A, 3 * round, 3 * round + 3))),
        );
        // What both cover is of no use to anybody.
        expect(found.filter(({ line }) => round > 0 && textsOf(some(A, 0, 3 * round)).includes(line))).toEqual([]);
      }
      expect([...generations].sort((a, b) => b - a)).toEqual(generations);
      expect(new Set(generations).size).toBe(4);
    });

    it('is still read through what checkpoint() returned when it has become the one before', async () => {
      await stage.backend.open(venue);
      const first = await stage.backend.checkpoint(pieces(bytes), {}, 0);
      await stage.backend.checkpoint(pieces(pattern(10, 1)), {}, first!.generation);
      expectSame(await readAll(first!), bytes);
      expectSame(await first!.read(10, 5), bytes.slice(10, 15));
    });

    it('can be retired: the one before and its commits are found, and the next stands', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 2));
      await stage.backend.checkpoint(pieces(bytes), { [A]: 1 }, 0);
      await append(...some(A, 2, 4));
      await stage.backend.checkpoint(pieces(pattern(10, 1)), { [A]: 3 }, 1);
      await append(...some(A, 4, 6));
      const damaged = await reopen();
      await damaged.checkpoints[0]!.retire('a test says so');
      expect((await stage.world.quarantined()).map(text)).toEqual([text(pattern(10, 1))]);

      const stored = await reopen();
      expect(stored.checkpoints).toHaveLength(1);
      expectSame(await readAll(stored.checkpoints[0]!), bytes);
      expect(await findTexts(stored)).toEqual(expect.arrayContaining(textsOf(some(A, 2, 6))));
      const next = await stage.backend.checkpoint(
        pieces(pattern(20, 2)),
        { [A]: 5 },
        stored.checkpoints[0]!.generation,
      );
      expect(next!.generation).toBeGreaterThan(stored.checkpoints[0]!.generation);
      expectSame(await readAll((await reopen()).checkpoints[0]!), pattern(20, 2));
    });

    it('that was retired is not the one before: the next keeps the one that it was made from', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 2));
      await stage.backend.checkpoint(pieces(bytes), { [A]: 1 }, 0);
      await append(...some(A, 2, 4));
      await stage.backend.checkpoint(pieces(pattern(10, 1)), { [A]: 3 }, 1);
      const damaged = await reopen();
      await damaged.checkpoints[0]!.retire('a test says so');
      await stage.backend.checkpoint(pieces(pattern(20, 2)), { [A]: 3 }, damaged.checkpoints[1]!.generation);
      const { checkpoints } = await reopen();
      expect(checkpoints).toHaveLength(2);
      expectSame(await readAll(checkpoints[1]!), bytes);
    });

    it('gives way to another writer’s newer one, where there can be another', async () => {
      await stage.backend.open(venue);
      if (stage.backend.exclusive) return expect(stage.backend.onAppend).toBeUndefined();
      const other = stage.world.backend();
      await other.open(venue);
      await append(...some(A, 0, 4));
      const newer = await stage.backend.checkpoint(pieces(bytes), { [A]: 3 }, 0);
      expect(await other.checkpoint(pieces(pattern(10, 1)), { [A]: 1 }, 0)).toBeUndefined();
      await other.close();
      const stored = await reopen();
      expect(stored.checkpoints.map(({ generation }) => generation)).toEqual([newer!.generation]);
      expectSame(await readAll(stored.checkpoints[0]!), bytes);
    });

    it('of two that are made at the same time one stands, and all of it, where there can be another', async () => {
      await stage.backend.open(venue);
      if (stage.backend.exclusive) return expect(stage.backend.onAppend).toBeUndefined();
      const other = stage.world.backend();
      await other.open(venue);
      for (let round = 0; round < 10; round++) {
        const contents = [pattern(1000, round), pattern(2000, round)];
        const made = await Promise.all(
          [stage.backend, other].map((backend, n) => backend.checkpoint(pieces(contents[n]!), { [A]: round }, 0)),
        );
        expect(made.filter(Boolean).length).toBeGreaterThan(0);
        const [stands] = (await stage.backend.newer!({})).checkpoints;
        expectSame(await readAll(stands!), contents.find(({ length }) => length === stands!.size)!);
      }
      await other.close();
    });

    it('leaves commits of other writers that it does not cover, where there are others', async () => {
      await stage.backend.open(venue);
      if (stage.backend.exclusive) return expect(stage.backend.onAppend).toBeUndefined();
      const other = stage.world.backend();
      await other.open(venue);
      for (const { line, at } of some(B, 0, 2)) await other.append(line, at, 'strict');
      await append(...some(A, 0, 2));
      for (const [round, last] of [1, 1, 1].entries()) {
        await stage.backend.checkpoint(pieces(pattern(10, round)), { [A]: last }, round);
      }
      await other.close();
      const stored = await reopen();
      const newest = stored.checkpoints[0]!.generation;
      const after = (await findLines(stored)).filter(({ generation }) => generation >= newest);
      expect(after.map(({ line }) => line)).toEqual(expect.arrayContaining(textsOf(some(B, 0, 2))));
    });
  });
}
