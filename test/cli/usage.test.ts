// How the command is called: help, exit codes, errors.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { codeOf, fill, folder, freshPath, sampleStore, tidemark } from './helpers/cli';

const commands = ['status', 'verify', 'inspect', 'log', 'backup', 'restore', 'compact', 'export', 'import'];

describe('help', () => {
  it('names every command, shows examples, and is a success when asked for', async () => {
    const { code, stdout, stderr } = await tidemark('--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(stdout).toContain('tidemark verify ./data/venue.etch');
    expect(stdout).toContain('Exit codes');
  });

  it('is there for one command', async () => {
    const { code, stdout } = await tidemark('help', 'restore');
    expect(code).toBe(0);
    expect(stdout).toContain('tidemark restore [options] <from> <store>');
    expect(stdout).toContain('--force');
  });

  it('tells the version', async () => {
    expect(await tidemark('--version')).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  });
});

describe('wrong arguments', () => {
  it.each([
    ['no command', []],
    ['an unknown command', ['frobnicate']],
    ['a store that is not named', ['status']],
    ['one argument too many', ['status', 'a', 'b']],
    ['an unknown option', ['status', 'a', '--frob']],
    ['a limit that is no number', ['log', 'a', '--limit', '-1']],
    ['a limit without a number', ['log', 'a', '--limit']],
    ['a did that is none', ['verify', 'a', '--trust', 'did:key:z123']],
    ['a backup without a place', ['backup', 'a']],
  ])('exit with 2: %s', async (_, args) => {
    const { code, stdout, stderr } = await tidemark(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    if (args.length > 0) expect(stderr).toMatch(/^tidemark: usage: .+\n$/);
  });

  it('exit with 2 for a backup into the store itself', async () => {
    const store = await sampleStore();
    for (const to of [store, join(store, 'copy.etch')]) {
      const ran = await tidemark('backup', store, to);
      expect([ran.code, codeOf(ran)]).toEqual([2, 'usage']);
    }
  });
});

describe('a store that is not there', () => {
  const reading = [['status'], ['verify'], ['inspect'], ['log'], ['compact'], ['export']];

  it.each(reading)('is one line and exit code 1, and is not made: %s', async (command) => {
    const store = freshPath();
    const ran = await tidemark(command, store);
    expect([ran.code, ran.stdout, codeOf(ran)]).toEqual([1, '', 'not_found']);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
    expect(codeOf(await tidemark('status', store))).toBe('not_found');
  });

  it('is told apart from other folders and from files', async () => {
    const other = join(folder, 'other');
    await mkdir(other, { recursive: true });
    await writeFile(join(other, 'letter.txt'), 'Dear');
    expect((await tidemark('status', other)).stderr).toContain('is a folder, but not a store');
    const file = await tidemark('verify', join(other, 'letter.txt'));
    expect([file.code, codeOf(file)]).toEqual([1, 'not_found']);
  });

  it('is not to be confused with an empty one', async () => {
    const store = await fill(freshPath(), () => {});
    const { code, stdout } = await tidemark('status', store);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^status +empty$/m);
    for (const command of ['verify', 'inspect', 'log', 'export', 'compact'])
      expect((await tidemark(command, store)).code).toBe(0);
  });

  it('has not the region or key', async () => {
    const store = await sampleStore();
    const ran = await tidemark('inspect', store, 'nodes');
    expect([ran.code, codeOf(ran)]).toEqual([1, 'not_found']);
    expect(ran.stderr).toContain("'high', 'notes', 'odd'");
    expect(codeOf(await tidemark('inspect', store, 'notes', 'n9999'))).toBe('not_found');
    expect((await tidemark('inspect', store, 'notes', 'n3')).stderr).toMatch(/was deleted at 20\d\d-/);
    expect(codeOf(await tidemark('export', store, '--region', 'nodes'))).toBe('not_found');
  });
});

describe('errors with --json', () => {
  it('are one JSON document on stderr', async () => {
    const { code, stdout, stderr } = await tidemark('status', freshPath(), '--json');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'not_found', message: expect.stringContaining('no such store') },
    });
  });
});

describe('a store whose folder cannot be read', () => {
  it('is an io error in one line', async () => {
    const loop = join(folder, 'x'.repeat(300)); // ENAMETOOLONG: also for root, whom permissions do not stop
    const ran = await tidemark('status', loop);
    expect([ran.code, codeOf(ran)]).toEqual([1, 'io']);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
  });
});
