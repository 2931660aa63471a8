// The part of the contract that is about commits: opening, appending, and the logs in which they are found again.
import { describe, expect, it } from 'vitest';
import { LockedError } from '../../../src/backend';
import {
  A,
  B,
  type Commit,
  findLines,
  findTexts,
  makeCommit,
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
export function commitsContract(stage: Stage): void {
  const { append, reopen } = stage;

  describe('open', () => {
    it('finds nothing in a new store', async () => {
      const stored = await stage.backend.open(venue);
      expect(stored.checkpoints).toEqual([]);
      expect(stored.logs).toEqual([]);
      expect(stored.notes).toEqual([]);
    });

    it('finds nothing in a store that was opened and never written to', async () => {
      await stage.backend.open(venue);
      const stored = await reopen();
      expect([...stored.checkpoints, ...stored.logs]).toEqual([]);
    });

    it('names its target', () => {
      expect(stage.backend.target).toMatch(/^[a-z]+/);
    });

    it('refuses a second owner with LockedError if exclusive, and otherwise gives both one venue', async () => {
      const first = await stage.backend.open(venue);
      const second = stage.world.backend();
      const opening = second.open('ffffffffffffffffffffffffffffffff');
      if (stage.backend.exclusive) {
        await expect(opening).rejects.toBeInstanceOf(LockedError);
        expect(first.venue).toBeUndefined();
      } else {
        expect(first.venue).toBe(venue);
        expect((await opening).venue).toBe(venue);
      }
      await second.close();
    });

    it('finds what was durable when the last owner died without closing', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 3));
      expect(await findTexts(await reopen('killed'))).toEqual(textsOf(some(A, 0, 3)));
      await append(...some(B, 0, 2));
      expect((await findTexts(await reopen('killed'))).sort()).toEqual(textsOf([...some(A, 0, 3), ...some(B, 0, 2)]));
    });

    it('changes nothing: the next one finds the same', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 3));
      await stage.backend.checkpoint(pieces(pattern(500, 1)), { [A]: 2 }, 0);
      await append(...some(A, 3, 6));
      const first = await findLines(await reopen());
      expect(await findLines(await reopen())).toEqual(first);
    });
  });

  describe('append', () => {
    it('keeps every line whole and in order, relaxed or strict', async () => {
      await stage.backend.open(venue);
      const commits = some(A, 0, 20);
      for (const { line, at } of commits) await stage.backend.append(line, at, at.index % 2 ? 'relaxed' : 'strict');
      expect(await findTexts(await reopen())).toEqual(textsOf(commits));
    });

    it('keeps the chains of many writers, each in order', async () => {
      await stage.backend.open(venue);
      const writers = Array.from({ length: 50 }, (_, i) => (i + 16).toString(16).repeat(8));
      for (let index = 0; index < 4; index++) await append(...writers.map((writer) => makeCommit(writer, index)));
      const found = await findTexts(await reopen());
      expect(found).toHaveLength(200);
      for (const writer of writers) {
        expect(found.filter((line) => line.includes(writer))).toEqual(textsOf(some(writer, 0, 4)));
      }
    });

    it('keeps a line of 5 MB', async () => {
      await stage.backend.open(venue);
      const commits = [makeCommit(A, 0), makeCommit(A, 1, 5_000_000), makeCommit(A, 2)];
      await append(...commits);
      const found = await findTexts(await reopen());
      expect(found.map(({ length }) => length)).toEqual(commits.map(({ line }) => line.length));
      expect(found.every((line, i) => line === text(commits[i]!.line))).toBe(true);
    });

    it('may be given the same commit again, by this opening and by a later one', async () => {
      await stage.backend.open(venue);
      const commits = some(A, 0, 3);
      await append(commits[0]!, commits[1]!, commits[1]!);
      await reopen();
      await append(commits[1]!, commits[2]!, commits[0]!);
      const found = await findTexts(await reopen());
      expect([...new Set(found)].sort()).toEqual(textsOf(commits));
    });

    it('has taken the bytes when it resolves: the buffer may be used for something else', async () => {
      await stage.backend.open(venue);
      const { line, at } = makeCommit(A, 0);
      const buffer = line.slice();
      await stage.backend.append(buffer, at, 'strict');
      buffer.fill(0);
      expect(await findTexts(await reopen())).toEqual([text(line)]);
    });
  });

  // Absent where a platform cannot: then there is nothing to keep.
  describe('appendNow', () => {
    it('is durable when it returns', async () => {
      await stage.backend.open(venue);
      await append(makeCommit(A, 0));
      const last = makeCommit(A, 1);
      stage.backend.appendNow?.(last.line, last.at);
      const found = await findTexts(await reopen('killed'));
      expect(found).toEqual(textsOf(stage.backend.appendNow ? some(A, 0, 2) : some(A, 0, 1)));
    });

    it('may overlap an append, the first one and a later one', async () => {
      await stage.backend.open(venue);
      const commits = some(A, 0, stage.backend.appendNow ? 4 : 2);
      const [first, second, third, fourth] = commits as [Commit, Commit, Commit?, Commit?];
      for (const [slow, now] of [
        [first, third],
        [second, fourth],
      ] as const) {
        const appended = stage.backend.append(slow.line, slow.at, 'strict');
        if (now) stage.backend.appendNow!(now.line, now.at);
        await appended;
      }
      expect((await findTexts(await reopen())).sort()).toEqual(textsOf(commits));
    });

    it('may be given a commit that is being appended', async () => {
      await stage.backend.open(venue);
      const { line, at } = makeCommit(A, 0);
      const appended = stage.backend.append(line, at, 'relaxed');
      stage.backend.appendNow?.(line, at);
      await appended;
      expect([...new Set(await findTexts(await reopen()))]).toEqual([text(line)]);
    });
  });

  describe('a log', () => {
    it('has the size and the bytes that its stream gives, again and again', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 5));
      for (const log of (await reopen()).logs) {
        expect(log.name).not.toBe('');
        const bytes = await readAll(log);
        expect(bytes.length).toBe(log.size);
        const before = text(bytes);
        bytes.fill(0); // bytes read are the caller's
        expect(text(await readAll(log))).toBe(before);
      }
    });

    it('is read at any place, and says so when a place is not there', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 3));
      const whole = textsOf(some(A, 0, 3)).join('');
      const [log] = (await reopen()).logs;
      for (const [offset, length] of [
        [0, 5],
        [50, 70],
        [whole.length - 1, 1],
        [whole.length, 0],
      ] as const) {
        expect(text(await log!.read(offset, length))).toBe(whole.slice(offset, offset + length));
      }
      await expect(log!.read(whole.length - 1, 2)).rejects.toThrow();
      await log!.cut(60);
      expect(text(await log!.read(50, 10))).toBe(whole.slice(50, 60));
      await expect(log!.read(50, 11)).rejects.toThrow();
      await log!.cut(0);
      await expect(log!.read(0, 1)).rejects.toThrow();
      expect(await log!.read(0, 0)).toHaveLength(0);
    });

    it('can be cut anywhere', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 4));
      let whole = textsOf(some(A, 0, 4)).join('');
      for (const size of [whole.length, whole.length - 1, 70, 0]) {
        const { logs } = await reopen();
        expect(logs).toHaveLength(1);
        await logs[0]!.cut(size);
        whole = whole.slice(0, size);
        expect(logs[0]!.size).toBe(size);
        expect(text(await readAll(logs[0]!))).toBe(whole);
      }
      expect((await reopen()).logs).toEqual([]);
    });

    it('takes appends after a cut', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 3));
      const { logs } = await reopen('killed');
      await logs[0]!.cut(makeCommit(A, 0).line.length);
      await append(makeCommit(B, 0));
      expect((await findTexts(await reopen())).sort()).toEqual(textsOf([makeCommit(A, 0), makeCommit(B, 0)]));
    });

    it('can be retired: gone from the store, whole in quarantine', async () => {
      await stage.backend.open(venue);
      await append(...some(A, 0, 3));
      const { logs } = await reopen();
      await append(...some(B, 0, 3));
      await logs[0]!.retire('a test says so');
      expect(await findTexts(await reopen())).toEqual(textsOf(some(B, 0, 3)));
      expect((await stage.world.quarantined()).map(text)).toEqual([textsOf(some(A, 0, 3)).join('')]);
    });
  });
}
