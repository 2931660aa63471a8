// The part of the contract that is about everything else: hearing of others, quarantine, usage and closing.
import { describe, expect, it } from 'vitest';
import {
  A,
  B,
  findTexts,
  makeCommit,
  patience,
  pattern,
  pieces,
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
