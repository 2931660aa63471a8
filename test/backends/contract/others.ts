// The part of the contract that is about everything else: others, quarantine, usage and closing.
import { describe, expect, it } from 'vitest';
import type { VersionVector } from '../../../src/backend';
import {
  A,
  B,
  type Commit,
  expectSame,
  findTexts,
  makeCommit,
  patience,
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
export function othersContract(stage: Stage): void {
  const { append, reopen } = stage;

  describe('onAppend', () => {
    it('tells of every other’s commit and of none of one’s own, until it is stopped', async () => {
      await stage.backend.open(venue);
      if (!stage.backend.onAppend) return expect(stage.backend.exclusive).toBe(true);
      const other = stage.world.backend();
      await other.open(venue);
      const heard: string[] = [];
      const ownHeard: string[] = [];
      const stop = other.onAppend!((commit) => heard.push(text(commit!)));
      stage.backend.onAppend((commit) => ownHeard.push(text(commit!)));
      await append(...some(A, 0, 3));
      await expect.poll(() => heard, patience).toEqual(textsOf(some(A, 0, 3)));

      stop();
      await append(makeCommit(A, 3));
      const back = makeCommit(B, 0);
      await other.append(back.line, back.at, 'relaxed');
      await expect.poll(() => ownHeard, patience).toEqual([text(back.line)]);
      expect(heard).toHaveLength(3);
      await other.close();
    });
  });

  // Present where others write, too; alone there is nothing to catch up with.
  describe('newer', () => {
    const newer = async (known: VersionVector) => {
      const found = await stage.backend.newer!(known);
      return { checkpoints: found.checkpoints, lines: (await findTexts(found)).sort() };
    };

    it('finds the commits of others that are not known', async () => {
      await stage.backend.open(venue);
      if (!stage.backend.newer) return expect(stage.backend.exclusive).toBe(true);
      expect(await newer({})).toEqual({ checkpoints: [], lines: [] });
      const other = stage.world.backend();
      await other.open(venue);
      for (const { line, at } of [...some(A, 0, 3), ...some(B, 0, 2)]) await other.append(line, at, 'relaxed');
      await other.close();
      expect((await newer({ [A]: 0 })).lines).toEqual(textsOf([...some(A, 1, 3), ...some(B, 0, 2)]));
      expect((await newer({ [A]: 2, [B]: 0 })).lines).toEqual(textsOf(some(B, 1, 2)));
      expect(await newer({ [A]: 2, [B]: 1 })).toEqual({ checkpoints: [], lines: [] });
    });

    it('finds what somebody wrote as he went away', async () => {
      await stage.backend.open(venue);
      if (!stage.backend.newer) return expect(stage.backend.exclusive).toBe(true);
      const other = stage.world.backend();
      await other.open(venue);
      const [first, last] = some(A, 0, 2) as [Commit, Commit];
      await other.append(first.line, first.at, 'relaxed');
      other.appendNow!(last.line, last.at);
      await other.close();
      expect((await newer({ [A]: 0 })).lines).toEqual(textsOf([last]));
    });

    it('finds the standing checkpoint when the commits that it covers may be gone, and only then', async () => {
      await stage.backend.open(venue);
      if (!stage.backend.newer) return expect(stage.backend.exclusive).toBe(true);
      const other = stage.world.backend();
      await other.open(venue);
      for (const round of [0, 1]) {
        for (const { line, at } of some(A, 2 * round, 2 * round + 2)) await other.append(line, at, 'relaxed');
        await other.checkpoint(pieces(pattern(500, round)), { [A]: 2 * round + 1 }, round);
      }
      const { checkpoints } = await newer({ [A]: 1 });
      expect(checkpoints.map(({ generation }) => generation)).toEqual([2]);
      expectSame(await readAll(checkpoints[0]!), pattern(500, 1));
      expect((await newer({ [A]: 3 })).checkpoints).toEqual([]);
      expect((await newer({ [A]: 3, [B]: 7 })).checkpoints).toEqual([]);
      await other.close();
    });

    it('changes nothing', async () => {
      await stage.backend.open(venue);
      if (!stage.backend.newer) return expect(stage.backend.exclusive).toBe(true);
      await append(...some(A, 0, 3));
      await stage.backend.checkpoint(pieces(pattern(500, 1)), { [A]: 1 }, 0);
      const before = await newer({});
      expect(before.lines).toEqual(expect.arrayContaining(textsOf(some(A, 2, 3))));
      expect((await newer({})).lines).toEqual(before.lines);
      const found = await reopen();
      expect(found.checkpoints).toHaveLength(1);
      expect((await findTexts(found)).sort()).toEqual(textsOf(some(A, 0, 3)));
    });
  });

  // Present where a page may be frozen.
  describe('suspend', () => {
    it('lets appends go on, and after resume() others are heard again', async () => {
      await stage.backend.open(venue);
      if (!stage.backend.suspend) return expect(stage.backend.resume).toBeUndefined();
      const [first, second] = some(A, 0, 2) as [Commit, Commit];
      const appended = stage.backend.append(first.line, first.at, 'relaxed');
      stage.backend.suspend();
      await appended;
      await append(second);
      const heard: string[] = [];
      stage.backend.onAppend!((commit) => commit && heard.push(text(commit)));
      await stage.backend.resume!();
      const other = stage.world.backend();
      expect(await findTexts(await other.open(venue))).toEqual(textsOf([first, second]));
      const third = makeCommit(B, 0);
      await other.append(third.line, third.at, 'relaxed');
      await expect.poll(() => heard, patience).toEqual([text(third.line)]);
      await other.close();
    });
  });

  describe('quarantine', () => {
    it('keeps bytes whole, the same ones once, and tells where', async () => {
      await stage.backend.open(venue);
      const bytes = [pattern(10, 1), pattern(400_000, 2), new Uint8Array(0)];
      const places: string[] = [];
      for (const part of [...bytes, ...bytes])
        places.push(await stage.backend.quarantine(part.slice(), 'a test says so'));
      expect(places.slice(3)).toEqual(places.slice(0, 3));
      expect(new Set(places).size).toBe(3);
      await reopen();
      expect(await stage.backend.quarantine(pattern(10, 1), 'another reason')).toBe(places[0]);
      const found = (await stage.world.quarantined()).map(text);
      expect(found.sort()).toEqual(bytes.map(text).sort());
    });

    it('takes several at once', async () => {
      await stage.backend.open(venue);
      const parts = [1, 2, 3, 1, 2, 3].map((seed) => pattern(1000, seed));
      await Promise.all(parts.map((part) => stage.backend.quarantine(part, 'a test says so')));
      expect(await stage.world.quarantined()).toHaveLength(3);
    });
  });

  describe('usage', () => {
    it('counts what is stored', async () => {
      await stage.backend.open(venue);
      const empty = (await stage.backend.usage()).bytes;
      await append(makeCommit(A, 0, 100_000));
      const withLog = (await stage.backend.usage()).bytes;
      expect(withLog - empty).toBeGreaterThanOrEqual(100_000);
      await stage.backend.checkpoint(pieces(pattern(200_000, 1)), {}, 0);
      expect((await stage.backend.usage()).bytes - withLog).toBeGreaterThanOrEqual(200_000);
    });
  });

  describe('close', () => {
    it('waits for what was issued', async () => {
      await stage.backend.open(venue);
      const order: string[] = [];
      const { line, at } = makeCommit(A, 0, 2_000_000);
      const appended = stage.backend.append(line, at, 'relaxed').then(() => order.push('appended'));
      const made = stage.backend.checkpoint(pieces(pattern(2_000_000, 1)), {}, 0).then(() => order.push('checkpoint'));
      await stage.backend.close().then(() => order.push('closed'));
      await Promise.all([appended, made]);
      expect(order.at(-1)).toBe('closed');
      const stored = await reopen();
      expect(await findTexts(stored)).toEqual([text(line)]);
      expect(stored.checkpoints).toHaveLength(1);
    });

    it('may be called twice, at once, and before open', async () => {
      await stage.backend.open(venue);
      await append(makeCommit(A, 0));
      await Promise.all([stage.backend.close(), stage.backend.close()]);
      await stage.backend.close();
      await stage.world.backend().close();
      expect(await findTexts(await reopen())).toEqual(textsOf([makeCommit(A, 0)]));
    });

    it('gives the store free for the next, whom a second close does not disturb', async () => {
      await stage.backend.open(venue);
      await stage.backend.close();
      const next = stage.world.backend();
      await next.open(venue);
      await stage.backend.close();
      const { line, at } = makeCommit(B, 0);
      await next.append(line, at, 'strict');
      await next.close();
      expect(await findTexts(await reopen())).toEqual([text(line)]);
    });
  });
}
