// What the contract's tests stand on: a world with one backend opened after the other, commits, and ways to look at what
// was found. Knows no platform, as the contract itself.
import { afterEach, beforeEach, expect } from 'vitest';
import {
  type Backend,
  type Bytes,
  type CommitId,
  concatBytes,
  type Stored,
  type StoredBytes,
} from '../../../src/backend';

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
export const text = (bytes: Uint8Array) => decoder.decode(bytes);

/** toEqual takes seconds for what is compared here. */
export const expectSame = (found: Uint8Array, wanted: Uint8Array) => {
  expect(found.length).toBe(wanted.length);
  expect(text(found) === text(wanted)).toBe(true);
};

export async function readAll(bytes: StoredBytes): Promise<Bytes> {
  const slabs: Bytes[] = [];
  for await (const slab of bytes.stream()) slabs.push(slab);
  return concatBytes(slabs);
}

/** Each line found, "\n" included, with the generation of its log. */
export async function findLines(stored: Pick<Stored, 'logs'>): Promise<{ line: string; generation: number }[]> {
  const found: { line: string; generation: number }[] = [];
  for (const log of stored.logs) {
    const lines = text(await readAll(log)).split(/(?<=\n)/);
    found.push(...lines.map((line) => ({ line, generation: log.generation })));
  }
  return found;
}

export async function findTexts(stored: Pick<Stored, 'logs'>): Promise<string[]> {
  return (await findLines(stored)).map(({ line }) => line);
}

export async function* pieces(...parts: Uint8Array[]): AsyncGenerator<Bytes, void> {
  for (const part of parts) yield part as Bytes;
}

/** Bytes that differ from place to place. */
export function pattern(size: number, seed: number): Bytes {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = (at * 2654435761 + seed * 97 + (at >> 13)) & 255;
  return bytes;
}

export const A = 'a0a0a0a0a0a0a0a0';
export const B = 'b1b1b1b1b1b1b1b1';
/** A poll ends as soon as it may; only a broken backend waits so long. */
export const patience = { timeout: 10_000, interval: 5 };
export const venue = '00112233445566778899aabbccddeeff';

/** The commits of one writer from an index up to another. */
export const some = (writer: string, from: number, to: number): Commit[] =>
  Array.from({ length: to - from }, (_, i) => makeCommit(writer, from + i));

export const textsOf = (commits: Commit[]): string[] => commits.map(({ line }) => text(line));

/** A new world for every test, and the backend that has it open or is about to. */
export interface Stage {
  readonly world: World;
  readonly backend: Backend;
  append(...commits: Commit[]): Promise<void>;
  /** Ends the opening that there is, one way or the other. @returns what the next one finds. */
  reopen(how?: 'closed' | 'killed'): Promise<Stored>;
}

export function setStage(make: () => World | Promise<World>): Stage {
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

  return {
    get world() {
      return world;
    },
    get backend() {
      return backend;
    },
    async append(...commits) {
      for (const { line, at } of commits) await backend.append(line, at, 'strict');
    },
    async reopen(how = 'closed') {
      if (how === 'closed') await backend.close();
      else await world.kill();
      backend = world.backend();
      return backend.open(venue);
    },
  };
}
