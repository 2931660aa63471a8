// What the kill tests of services share: a folder, a program of children/ that works in it, and lives of that program which end by SIGKILL.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { bundle } from '../../scripts/ts.mjs';
import { type Child, start, stopAll } from '../crash/child';
import { readTrace, type TraceLine } from '../crash/trace';

export interface Mortal<Options> {
  /** A path in the folder. */
  at(...names: string[]): string;
  start(options: Options): Child;
  /** One life: so many ms more once it has said this. @returns what it wrote down */
  live(options: Options, word: string | undefined, ms: number): Promise<TraceLine[]>;
}

/** For the tests of one file. */
export function mortal<Options extends { trace: string }>(name: string): Mortal<Options> {
  let folder: string;
  let program: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), `tidemark-${name}-`));
    program = await bundle(join(import.meta.dirname, 'children', `${name}.ts`));
  });
  afterAll(async () => {
    await stopAll();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    at: (...names) => join(folder, ...names),
    start: (options) => start(program, options),
    async live(options, word, ms) {
      const child = start(program, options);
      if (word) await child.said(word);
      await pause(ms);
      child.kill();
      expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL', stderr: '' });
      return readTrace(options.trace);
    },
  };
}
