// What every backend promises (src/backend.ts), as one suite: fs, memory, IndexedDB in real browsers and those to come
// run it unchanged. So it knows no platform, and sees a store only through Backend and the few things a World can do.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Backend,
  type Bytes,
  type CommitId,
  concatBytes,
  LockedError,
  type Stored,
  type StoredBytes,
} from '../src/backend';

/** One storage that backends are opened on. */
export interface World {
  /** A new Backend, not open yet. */
  backend(): Backend;
  /** Whoever has it open dies at this moment, without closing. */
  kill(): void | Promise<void>;
  /** Bytes in quarantine, one element each. */
  quarantined(): Promise<Bytes[]>;
  destroy(): void | Promise<void>;
}

export interface Commit {
  readonly line: Bytes;
  readonly at: CommitId;
}

/** A commit as a backend sees one: some bytes and "\n". */
export function makeCommit(writer: string, index: number, size = 40): Commit {
  const head = new TextEncoder().encode(`["${writer} ${index}",`);
  const line = new Uint8Array(head.length + size).fill(0xe9, head.length); // not even UTF-8: bytes are opaque
  for (let at = head.length; at < line.length; at += 7) line[at] = 32 + ((at * 31 + index) % 200);
  line.set(head);
  line[line.length - 1] = 10;
  for (let at = 0; at < line.length - 1; at++) if (line[at] === 10) line[at] = 11;
  return { line, at: { writer, index, hash: `${writer}-${index}` } };
}

const decoder = new TextDecoder('latin1');
/** One character per byte, different ones for different bytes. */
const text = (bytes: Uint8Array) => decoder.decode(bytes);

/** toEqual takes seconds for what is compared here. */
const expectSame = (found: Uint8Array, wanted: Uint8Array) => {
  expect(found.length).toBe(wanted.length);
  expect(text(found) === text(wanted)).toBe(true);
};

async function readAll(bytes: StoredBytes): Promise<Bytes> {
  const slabs: Bytes[] = [];
  for await (const slab of bytes.stream()) slabs.push(slab);
  return concatBytes(slabs);
}

/** Each line found, "\n" included, with the generation of its log. */
async function findLines(stored: Stored): Promise<{ line: string; generation: number }[]> {
  const found: { line: string; generation: number }[] = [];
  for (const log of stored.logs) {
    const lines = text(await readAll(log)).split(/(?<=\n)/);
    found.push(...lines.map((line) => ({ line, generation: log.generation })));
  }
  return found;
}

async function findTexts(stored: Stored): Promise<string[]> {
  return (await findLines(stored)).map(({ line }) => line);
}

async function* pieces(...parts: Uint8Array[]): AsyncGenerator<Bytes, void> {
  for (const part of parts) yield part as Bytes;
}

/** Bytes that differ from place to place. */
function pattern(size: number, seed: number): Bytes {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = (at * 2654435761 + seed * 97 + (at >> 13)) & 255;
  return bytes;
}

const A = 'a0a0a0a0a0a0a0a0';
const B = 'b1b1b1b1b1b1b1b1';
/** A poll ends as soon as it may; only a broken backend waits so long. */
const patience = { timeout: 10_000, interval: 5 };
const venue = '00112233445566778899aabbccddeeff';

/** Registers the suite for one kind of backend. `make` gives a new, empty storage. */
export function backendContract(name: string, make: () => World | Promise<World>): void {
  describe(`${name} keeps the contract of a backend`, () => {
    let world: World;
    let backend: Backend;

    beforeEach(async () => {
      world = await make();
      backend = world.backend();
    });
    afterEach(async () => {
      await backend.close();
      await world.destroy();
    });

    /** The next opening of the same store. */
    async function reopen(how: 'closed' | 'killed' = 'closed'): Promise<Stored> {
      if (how === 'closed') await backend.close();
      else await world.kill();
      backend = world.backend();
      return backend.open(venue);
    }

    async function append(...commits: Commit[]): Promise<void> {
      for (const { line, at } of commits) await backend.append(line, at, 'strict');
    }

    const some = (writer: string, from: number, to: number): Commit[] =>
      Array.from({ length: to - from }, (_, i) => makeCommit(writer, from + i));
    const textsOf = (commits: Commit[]) => commits.map(({ line }) => text(line));

    describe('open', () => {
      it('finds nothing in a new store', async () => {
        const stored = await backend.open(venue);
        expect(stored.checkpoints).toEqual([]);
        expect(stored.logs).toEqual([]);
        expect(stored.notes).toEqual([]);
      });

      it('finds nothing in a store that was opened and never written to', async () => {
        await backend.open(venue);
        const stored = await reopen();
        expect([...stored.checkpoints, ...stored.logs]).toEqual([]);
      });

      it('names its target', () => {
        expect(backend.target).toMatch(/^[a-z]+/);
      });

      it('refuses a second owner with LockedError if exclusive, and otherwise gives both one venue', async () => {
        const first = await backend.open(venue);
        const second = world.backend();
        const opening = second.open('ffffffffffffffffffffffffffffffff');
        if (backend.exclusive) {
          await expect(opening).rejects.toBeInstanceOf(LockedError);
          expect(first.venue).toBeUndefined();
        } else {
          expect(first.venue).toBe(venue);
          expect((await opening).venue).toBe(venue);
        }
        await second.close();
      });

      it('finds what was durable when the last owner died without closing', async () => {
        await backend.open(venue);
        await append(...some(A, 0, 3));
        expect(await findTexts(await reopen('killed'))).toEqual(textsOf(some(A, 0, 3)));
        await append(...some(B, 0, 2));
        expect((await findTexts(await reopen('killed'))).sort()).toEqual(textsOf([...some(A, 0, 3), ...some(B, 0, 2)]));
      });

      it('changes nothing: the next one finds the same', async () => {
        await backend.open(venue);
        await append(...some(A, 0, 3));
        await backend.checkpoint(pieces(pattern(500, 1)), { [A]: 2 }, 0);
        await append(...some(A, 3, 6));
        const first = await findLines(await reopen());
        expect(await findLines(await reopen())).toEqual(first);
      });
    });

    describe('append', () => {
      it('keeps every line whole and in order, relaxed or strict', async () => {
        await backend.open(venue);
        const commits = some(A, 0, 20);
        for (const { line, at } of commits) await backend.append(line, at, at.index % 2 ? 'relaxed' : 'strict');
        expect(await findTexts(await reopen())).toEqual(textsOf(commits));
      });

      it('keeps the chains of many writers, each in order', async () => {
        await backend.open(venue);
        const writers = Array.from({ length: 50 }, (_, i) => (i + 16).toString(16).repeat(8));
        for (let index = 0; index < 4; index++) await append(...writers.map((writer) => makeCommit(writer, index)));
        const found = await findTexts(await reopen());
        expect(found).toHaveLength(200);
        for (const writer of writers) {
          expect(found.filter((line) => line.includes(writer))).toEqual(textsOf(some(writer, 0, 4)));
        }
      });

      it('keeps a line of 5 MB', async () => {
        await backend.open(venue);
        const commits = [makeCommit(A, 0), makeCommit(A, 1, 5_000_000), makeCommit(A, 2)];
        await append(...commits);
        const found = await findTexts(await reopen());
        expect(found.map(({ length }) => length)).toEqual(commits.map(({ line }) => line.length));
        expect(found.every((line, i) => line === text(commits[i]!.line))).toBe(true);
      });

      it('may be given the same commit again, by this opening and by a later one', async () => {
        await backend.open(venue);
        const commits = some(A, 0, 3);
        await append(commits[0]!, commits[1]!, commits[1]!);
        await reopen();
        await append(commits[1]!, commits[2]!, commits[0]!);
        const found = await findTexts(await reopen());
        expect([...new Set(found)].sort()).toEqual(textsOf(commits));
      });

      it('has taken the bytes when it resolves: the buffer may be used for something else', async () => {
        await backend.open(venue);
        const { line, at } = makeCommit(A, 0);
        const buffer = line.slice();
        await backend.append(buffer, at, 'strict');
        buffer.fill(0);
        expect(await findTexts(await reopen())).toEqual([text(line)]);
      });
    });

    // Absent where a platform cannot: then there is nothing to keep.
    describe('appendNow', () => {
      it('is durable when it returns', async () => {
        await backend.open(venue);
        await append(makeCommit(A, 0));
        const last = makeCommit(A, 1);
        backend.appendNow?.(last.line, last.at);
        const found = await findTexts(await reopen('killed'));
        expect(found).toEqual(textsOf(backend.appendNow ? some(A, 0, 2) : some(A, 0, 1)));
      });

      it('may overlap an append, the first one and a later one', async () => {
        await backend.open(venue);
        const commits = some(A, 0, backend.appendNow ? 4 : 2);
        const [first, second, third, fourth] = commits as [Commit, Commit, Commit?, Commit?];
        for (const [slow, now] of [
          [first, third],
          [second, fourth],
        ] as const) {
          const appended = backend.append(slow.line, slow.at, 'strict');
          if (now) backend.appendNow!(now.line, now.at);
          await appended;
        }
        expect((await findTexts(await reopen())).sort()).toEqual(textsOf(commits));
      });

      it('may be given a commit that is being appended', async () => {
        await backend.open(venue);
        const { line, at } = makeCommit(A, 0);
        const appended = backend.append(line, at, 'relaxed');
        backend.appendNow?.(line, at);
        await appended;
        expect([...new Set(await findTexts(await reopen()))]).toEqual([text(line)]);
      });
    });

    describe('a log', () => {
      it('has the size and the bytes that its stream gives, again and again', async () => {
        await backend.open(venue);
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

      it('can be cut anywhere', async () => {
        await backend.open(venue);
        await append(...some(A, 0, 4));
        let whole = textsOf(some(A, 0, 4)).join('');
        for (const size of [whole.length - 1, 70, 0]) {
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
        await backend.open(venue);
        await append(...some(A, 0, 3));
        const { logs } = await reopen('killed');
        await logs[0]!.cut(makeCommit(A, 0).line.length);
        await append(makeCommit(B, 0));
        expect((await findTexts(await reopen())).sort()).toEqual(textsOf([makeCommit(A, 0), makeCommit(B, 0)]));
      });

      it('can be retired: gone from the store, whole in quarantine', async () => {
        await backend.open(venue);
        await append(...some(A, 0, 3));
        const { logs } = await reopen();
        await append(...some(B, 0, 3));
        await logs[0]!.retire('a test says so');
        expect(await findTexts(await reopen())).toEqual(textsOf(some(B, 0, 3)));
        expect((await world.quarantined()).map(text)).toEqual([textsOf(some(A, 0, 3)).join('')]);
      });
    });

    describe('checkpoint', () => {
      const bytes = pattern(300_000, 7);

      it('stands, as it was given, now and at the next open', async () => {
        await backend.open(venue);
        await append(...some(A, 0, 3));
        const made = await backend.checkpoint(pieces(bytes), { [A]: 2 }, 0);
        const { checkpoints } = await reopen();
        expect(checkpoints).toHaveLength(1);
        for (const checkpoint of [made!, checkpoints[0]!]) {
          expect(checkpoint.generation).toBe(1);
          expect(checkpoint.name).not.toBe('');
          expect(checkpoint.size).toBe(bytes.length);
          expectSame(await readAll(checkpoint), bytes);
        }
      });

      it('takes pieces of any size, also of none, and from a buffer that is used again', async () => {
        await backend.open(venue);
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
        await backend.checkpoint(reusing(), {}, 0);
        const [found] = (await reopen()).checkpoints;
        expect(found!.size).toBe(whole.length);
        expectSame(await readAll(found!), whole);
      });

      it('is read at any place, and says so when a place is not there', async () => {
        await backend.open(venue);
        await backend.checkpoint(pieces(bytes), {}, 0);
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
        await backend.open(venue);
        const large = pattern(9_000_000, 4);
        await backend.checkpoint(pieces(large), {}, 0);
        const [found] = (await reopen()).checkpoints;
        for await (const slab of found!.stream()) {
          expect(slab.length).toBeGreaterThan(0);
          break;
        }
        const both = await Promise.all([readAll(found!), readAll(found!)]);
        for (const read of both) expectSame(read, large);
      });

      it('leaves commits that it does not cover, also those that are appended while it is made', async () => {
        await backend.open(venue);
        await append(...some(A, 0, 3));
        async function* lines() {
          yield pattern(100, 1);
          await append(...some(A, 3, 5));
          yield pattern(100, 2);
        }
        const made = await backend.checkpoint(lines(), { [A]: 2 }, 0);
        await append(...some(A, 5, 7));
        const stored = await reopen();
        expect(stored.checkpoints.map(({ generation }) => generation)).toEqual([made!.generation]);
        const after = (await findLines(stored)).filter(({ generation }) => generation >= made!.generation);
        expect(after.map(({ line }) => line)).toEqual(expect.arrayContaining(textsOf(some(A, 3, 7))));
      });

      it('changes nothing when its lines throw, and the next one succeeds', async () => {
        await backend.open(venue);
        await append(...some(A, 0, 2));
        await backend.checkpoint(pieces(bytes), { [A]: 1 }, 0);
        await append(...some(A, 2, 4));
        async function* failing() {
          yield pattern(3_000_000, 1);
          await append(...some(A, 4, 5));
          throw new Error('no more lines');
        }
        await expect(backend.checkpoint(failing(), { [A]: 3 }, 1)).rejects.toThrow('no more lines');
        await append(...some(A, 5, 6));
        const stored = await reopen();
        expect(stored.checkpoints).toHaveLength(1);
        expectSame(await readAll(stored.checkpoints[0]!), bytes);
        expect((await findTexts(stored)).sort()).toEqual(expect.arrayContaining(textsOf(some(A, 2, 6))));

        const next = await backend.checkpoint(pieces(pattern(50, 9)), { [A]: 5 }, stored.checkpoints[0]!.generation);
        expect(next!.generation).toBeGreaterThan(stored.checkpoints[0]!.generation);
        const after = await reopen();
        expectSame(await readAll(after.checkpoints[0]!), pattern(50, 9));
        expectSame(await readAll(after.checkpoints[1]!), bytes);
      });

      it('changes nothing when the owner dies while it is made', async () => {
        await backend.open(venue);
        await append(...some(A, 0, 2));
        await backend.checkpoint(pieces(bytes), { [A]: 1 }, 0);
        await append(...some(A, 2, 4));
        await new Promise<void>((reached) => {
          async function* endless() {
            yield pattern(3_000_000, 1);
            reached();
            await new Promise(() => {});
          }
          backend.checkpoint(endless(), { [A]: 3 }, 1).catch(() => {});
        });
        const stored = await reopen('killed');
        expect(stored.checkpoints).toHaveLength(1);
        expectSame(await readAll(stored.checkpoints[0]!), bytes);
        expect(await findTexts(stored)).toEqual(expect.arrayContaining(textsOf(some(A, 2, 4))));
      });

      it('keeps the one before it, and all commits after that, until the next', async () => {
        await backend.open(venue);
        let replaces = 0;
        const generations: number[] = [];
        for (let round = 0; round < 4; round++) {
          await append(...some(A, 3 * round, 3 * round + 3));
          const made = await backend.checkpoint(pieces(pattern(1000, round)), { [A]: 3 * round + 2 }, replaces);
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
        await backend.open(venue);
        const first = await backend.checkpoint(pieces(bytes), {}, 0);
        await backend.checkpoint(pieces(pattern(10, 1)), {}, first!.generation);
        expectSame(await readAll(first!), bytes);
        expectSame(await first!.read(10, 5), bytes.slice(10, 15));
      });

      it('can be retired: the one before and its commits are found, and the next stands', async () => {
        await backend.open(venue);
        await append(...some(A, 0, 2));
        await backend.checkpoint(pieces(bytes), { [A]: 1 }, 0);
        await append(...some(A, 2, 4));
        await backend.checkpoint(pieces(pattern(10, 1)), { [A]: 3 }, 1);
        await append(...some(A, 4, 6));
        const damaged = await reopen();
        await damaged.checkpoints[0]!.retire('a test says so');
        expect((await world.quarantined()).map(text)).toEqual([text(pattern(10, 1))]);

        const stored = await reopen();
        expect(stored.checkpoints).toHaveLength(1);
        expectSame(await readAll(stored.checkpoints[0]!), bytes);
        expect(await findTexts(stored)).toEqual(expect.arrayContaining(textsOf(some(A, 2, 6))));
        const next = await backend.checkpoint(pieces(pattern(20, 2)), { [A]: 5 }, stored.checkpoints[0]!.generation);
        expect(next!.generation).toBeGreaterThan(stored.checkpoints[0]!.generation);
        expectSame(await readAll((await reopen()).checkpoints[0]!), pattern(20, 2));
      });

      it('that was retired is not the one before: the next keeps the one that it was made from', async () => {
        await backend.open(venue);
        await append(...some(A, 0, 2));
        await backend.checkpoint(pieces(bytes), { [A]: 1 }, 0);
        await append(...some(A, 2, 4));
        await backend.checkpoint(pieces(pattern(10, 1)), { [A]: 3 }, 1);
        const damaged = await reopen();
        await damaged.checkpoints[0]!.retire('a test says so');
        await backend.checkpoint(pieces(pattern(20, 2)), { [A]: 3 }, damaged.checkpoints[1]!.generation);
        const { checkpoints } = await reopen();
        expect(checkpoints).toHaveLength(2);
        expectSame(await readAll(checkpoints[1]!), bytes);
      });

      it('gives way to another writer’s newer one, where there can be another', async () => {
        await backend.open(venue);
        if (backend.exclusive) return expect(backend.onAppend).toBeUndefined();
        const other = world.backend();
        await other.open(venue);
        await append(...some(A, 0, 4));
        const newer = await backend.checkpoint(pieces(bytes), { [A]: 3 }, 0);
        expect(await other.checkpoint(pieces(pattern(10, 1)), { [A]: 1 }, 0)).toBeUndefined();
        await other.close();
        const stored = await reopen();
        expect(stored.checkpoints.map(({ generation }) => generation)).toEqual([newer!.generation]);
        expectSame(await readAll(stored.checkpoints[0]!), bytes);
      });

      it('leaves commits of other writers that it does not cover, where there are others', async () => {
        await backend.open(venue);
        if (backend.exclusive) return expect(backend.onAppend).toBeUndefined();
        const other = world.backend();
        await other.open(venue);
        for (const { line, at } of some(B, 0, 2)) await other.append(line, at, 'strict');
        await append(...some(A, 0, 2));
        for (const [round, last] of [1, 1, 1].entries()) {
          await backend.checkpoint(pieces(pattern(10, round)), { [A]: last }, round);
        }
        await other.close();
        const stored = await reopen();
        const newest = stored.checkpoints[0]!.generation;
        const after = (await findLines(stored)).filter(({ generation }) => generation >= newest);
        expect(after.map(({ line }) => line)).toEqual(expect.arrayContaining(textsOf(some(B, 0, 2))));
      });
    });

    describe('onAppend', () => {
      it('tells of every other’s commit and of none of one’s own, until it is stopped', async () => {
        await backend.open(venue);
        if (!backend.onAppend) return expect(backend.exclusive).toBe(true);
        const other = world.backend();
        await other.open(venue);
        const heard: string[] = [];
        const ownHeard: string[] = [];
        const stop = other.onAppend!((commit) => heard.push(text(commit)));
        backend.onAppend((commit) => ownHeard.push(text(commit)));
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
        await backend.open(venue);
        const bytes = [pattern(10, 1), pattern(400_000, 2), new Uint8Array(0)];
        const places: string[] = [];
        for (const part of [...bytes, ...bytes]) places.push(await backend.quarantine(part.slice(), 'a test says so'));
        expect(places.slice(3)).toEqual(places.slice(0, 3));
        expect(new Set(places).size).toBe(3);
        await reopen();
        expect(await backend.quarantine(pattern(10, 1), 'another reason')).toBe(places[0]);
        const found = (await world.quarantined()).map(text);
        expect(found.sort()).toEqual(bytes.map(text).sort());
      });

      it('takes several at once', async () => {
        await backend.open(venue);
        const parts = [1, 2, 3, 1, 2, 3].map((seed) => pattern(1000, seed));
        await Promise.all(parts.map((part) => backend.quarantine(part, 'a test says so')));
        expect(await world.quarantined()).toHaveLength(3);
      });
    });

    describe('usage', () => {
      it('counts what is stored', async () => {
        await backend.open(venue);
        const empty = (await backend.usage()).bytes;
        await append(makeCommit(A, 0, 100_000));
        const withLog = (await backend.usage()).bytes;
        expect(withLog - empty).toBeGreaterThanOrEqual(100_000);
        await backend.checkpoint(pieces(pattern(200_000, 1)), {}, 0);
        expect((await backend.usage()).bytes - withLog).toBeGreaterThanOrEqual(200_000);
      });
    });

    describe('close', () => {
      it('waits for what was issued', async () => {
        await backend.open(venue);
        const order: string[] = [];
        const { line, at } = makeCommit(A, 0, 2_000_000);
        const appended = backend.append(line, at, 'relaxed').then(() => order.push('appended'));
        const made = backend.checkpoint(pieces(pattern(2_000_000, 1)), {}, 0).then(() => order.push('checkpoint'));
        await backend.close().then(() => order.push('closed'));
        await Promise.all([appended, made]);
        expect(order.at(-1)).toBe('closed');
        const stored = await reopen();
        expect(await findTexts(stored)).toEqual([text(line)]);
        expect(stored.checkpoints).toHaveLength(1);
      });

      it('may be called twice, at once, and before open', async () => {
        await backend.open(venue);
        await append(makeCommit(A, 0));
        await Promise.all([backend.close(), backend.close()]);
        await backend.close();
        await world.backend().close();
        expect(await findTexts(await reopen())).toEqual(textsOf([makeCommit(A, 0)]));
      });

      it('gives the store free for the next, whom a second close does not disturb', async () => {
        await backend.open(venue);
        await backend.close();
        const next = world.backend();
        await next.open(venue);
        await backend.close();
        const { line, at } = makeCommit(B, 0);
        await next.append(line, at, 'strict');
        await next.close();
        expect(await findTexts(await reopen())).toEqual([text(line)]);
      });
    });
  });
}
