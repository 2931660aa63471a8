// What the tests of assets share: bytes to put, and looking at what came back. Knows no venue.
import { createHash } from 'node:crypto';
import { expect } from 'vitest';

export type Bytes = Uint8Array<ArrayBuffer>;

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const textBytes = (text: string): Bytes => new TextEncoder().encode(text) as Bytes;

/** Bytes that are others at every place and for every seed. */
export function pattern(size: number, seed = 0): Bytes {
  const bytes = new Uint8Array(size);
  let state = (seed + 1) * 2654435761;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** In pieces of this size, from a buffer that is used again for each. */
export async function* streamOf(bytes: Uint8Array, pieceSize: number): AsyncGenerator<Uint8Array> {
  const slab = new Uint8Array(pieceSize);
  for (let at = 0; at < bytes.length; at += pieceSize) {
    const part = bytes.subarray(at, at + pieceSize);
    slab.set(part);
    yield slab.subarray(0, part.length);
  }
}

export async function readAll(pieces: AsyncIterable<Uint8Array> | undefined): Promise<Bytes | undefined> {
  if (!pieces) return undefined;
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return new Uint8Array(Buffer.concat(parts));
}

export async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Quick also where they are large. */
export function expectBytes(found: Uint8Array | undefined, wanted: Uint8Array): void {
  expect(found?.length).toBe(wanted.length);
  expect(Buffer.compare(found!, wanted)).toBe(0);
}
