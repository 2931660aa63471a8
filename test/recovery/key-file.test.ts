// A key that was used and lost is a store that nobody can go on with: in which order its file comes about, as the system sees it.
import type { PathLike } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readSeed, writeSeed } from '../../src/platform/key-file';
import { otherSeed, seed, silent } from './stores';

const calls = vi.hoisted(() => [] as string[]);

// node:fs/promises as it is, with a witness: a sync leaves nothing that could be seen afterwards.
vi.mock(import('node:fs/promises'), async (original) => {
  const real = await original();
  const name = (path: unknown) =>
    String(path)
      .replace(/^.*\//, '')
      .replace(/\.[0-9a-f]{12}\.tmp$/, '.tmp');
  return {
    ...real,
    async open(...args: Parameters<typeof real.open>) {
      const file = await real.open(...args);
      const path = name(args[0]);
      for (const call of ['writeFile', 'sync', 'close'] as const) {
        const does = file[call].bind(file) as (...args: unknown[]) => Promise<void>;
        Object.assign(file, {
          [call]: (...given: unknown[]) => {
            calls.push(`${call} ${path}`);
            return does(...given);
          },
        });
      }
      return file;
    },
    link(from: PathLike, to: PathLike) {
      calls.push(`link ${name(from)} ${name(to)}`);
      return real.link(from, to);
    },
  };
});

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-key-'));
  path = join(folder, 'venue.key');
  calls.length = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a new key', () => {
  it('has its bytes for good before it has its name, and its name before it is used', async () => {
    await writeSeed(path, seed);
    const here = basename(folder);
    expect(calls).toEqual([
      'writeFile venue.key.tmp',
      'sync venue.key.tmp',
      'close venue.key.tmp',
      'link venue.key.tmp venue.key',
      `sync ${here}`,
      `close ${here}`,
    ]);
    expect(await readSeed(path, silent)).toEqual(seed);
    expect(await readdir(folder)).toEqual(['venue.key']);
  });

  it('never takes the place of one that is there', async () => {
    await writeSeed(path, seed);
    const before = await readFile(path);
    await expect(writeSeed(path, otherSeed)).rejects.toMatchObject({ code: 'bad_key_file' });
    expect(await readFile(path)).toEqual(before);
    expect(await readdir(folder)).toEqual(['venue.key']);
  });
});
