// What the fs backend's own tests stand on: a folder, a watched disk, one backend opened after the other.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { type Backend, type Bytes, concatBytes, TidemarkError } from '../../../src/backend';
import { makeCommit } from '../../backend-contract';
import { type FsWorld, makeFsWorld } from './fs-world';
import { type Call, type WatchedDisk, watchDisk } from './watched-disk';

export const writer = 'abcdef0123456789';
/** The first log of that writer. */
export const log = `log.0.${writer}`;

export const linesOf = (...indexes: number[]): Bytes =>
  concatBytes(indexes.map((index) => makeCommit(writer, index).line));

export const is =
  (op: Call['op'], name: string) =>
  (call: Call): boolean =>
    call.op === op && call.name === name;

export async function expectIoError(work: Promise<unknown>, ...mentions: string[]): Promise<void> {
  const error = (await work.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error,
  )) as TidemarkError;
  expect(error).toBeInstanceOf(TidemarkError);
  expect(error.code).toBe('io');
  for (const mention of mentions) expect(error.message).toContain(mention);
  expect(error.cause).toBeInstanceOf(Error);
}

export interface FsStage {
  readonly world: FsWorld;
  readonly disk: WatchedDisk;
  readonly backend: Backend;
  append(index: number): Promise<void>;
  /** The bytes of a file in the store. */
  read(name: string): Promise<Bytes>;
  /** Ends the opening that there is. @returns what the next one finds: names of checkpoints and logs. */
  reopen(): Promise<string[]>;
}

export function setFsStage(): FsStage {
  let world: FsWorld;
  let disk: WatchedDisk;
  let backend: Backend;

  beforeEach(async () => {
    world = await makeFsWorld();
    disk = watchDisk();
    backend = world.backend({ disk });
  });
  afterEach(async () => {
    await backend.close();
    await world.destroy();
  });

  return {
    get world() {
      return world;
    },
    get disk() {
      return disk;
    },
    get backend() {
      return backend;
    },
    append(index) {
      const { line, at } = makeCommit(writer, index);
      return backend.append(line, at, 'strict');
    },
    read: async (name) => new Uint8Array(await readFile(join(world.folder, name))),
    async reopen() {
      await backend.close();
      backend = world.backend({ disk });
      const { checkpoints, logs } = await backend.open('');
      return [...checkpoints, ...logs].map(({ name }) => name);
    },
  };
}
