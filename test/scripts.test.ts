// The repository's own machinery, as far as a fault in it would hide faults elsewhere.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isInstalled } from '../scripts/packages.mjs';
import { count } from '../scripts/test.mjs';
import { bundle } from '../scripts/ts.mjs';

const exec = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-scripts-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the count of passed and failed tests', () => {
  const report = (...files: [status: string, ...tests: string[]][]): string =>
    JSON.stringify({
      testResults: files.map(([status, ...tests]) => ({
        status,
        assertionResults: tests.map((test) => ({ status: test })),
      })),
    });

  it('adds up all files', () => {
    const files = report(['passed', 'passed', 'passed'], ['failed', 'failed', 'passed']);
    expect(count(files, true)).toEqual({ passed: 3, failed: 1 });
  });
  it('has a failure for a file that could not be loaded', () => {
    expect(count(report(['passed', 'passed'], ['failed']), true)).toEqual({ passed: 1, failed: 1 });
  });
  it('has a failure for a file whose hooks failed', () => {
    expect(count(report(['failed', 'passed']), true)).toEqual({ passed: 1, failed: 1 });
  });
  it('has a failure for each skipped test in CI, and only there', () => {
    expect(count(report(['passed', 'passed', 'skipped', 'todo']), true)).toEqual({ passed: 1, failed: 2 });
    expect(count(report(['passed', 'passed', 'skipped', 'todo']), false)).toEqual({ passed: 1, failed: 0 });
  });
  it.each(['', '{"testResults"', '{}', 'null'])('has a failure for the report %j', (text) => {
    expect(count(text, false)).toEqual({ passed: 0, failed: 1 });
  });
});

describe('packages count as installed', () => {
  const lock = (...packages: [path: string, version: string, optional?: boolean][]): string =>
    JSON.stringify({
      packages: Object.fromEntries(packages.map(([path, version, optional]) => [path, { version, optional }])),
    });
  it.each<[what: string, wanted: string, found: string | undefined, installed: boolean]>([
    ['not before npm has been there', lock(['', '1'], ['node_modules/a', '1']), undefined, false],
    [
      'when every version is the one wanted',
      lock(['', '1'], ['node_modules/a', '1']),
      lock(['node_modules/a', '1']),
      true,
    ],
    ['not in another version', lock(['node_modules/a', '2']), lock(['node_modules/a', '1']), false],
    [
      'not when one is missing',
      lock(['node_modules/a', '1'], ['node_modules/b', '1']),
      lock(['node_modules/a', '1']),
      false,
    ],
    ["when only another platform's is missing", lock(['node_modules/a', '1', true]), lock(), true],
  ])('%s', async (what, wanted, found, installed) => {
    const project = join(folder, what.replace(/\W/g, '-'));
    await mkdir(join(project, 'node_modules'), { recursive: true });
    await writeFile(join(project, 'package-lock.json'), wanted);
    if (found) await writeFile(join(project, 'node_modules/.package-lock.json'), found);
    expect(isInstalled(project)).toBe(installed);
  });
});

describe('a TypeScript program', () => {
  it('runs on the oldest Node, with its packages, its own place and its own line numbers', async () => {
    const entry = join(folder, 'main.ts');
    await mkdir(join(folder, 'node_modules/thing'), { recursive: true });
    await writeFile(join(folder, 'package.json'), '{}');
    await writeFile(join(folder, 'node_modules/thing/package.json'), '{ "type": "module", "exports": "./index.js" }');
    await writeFile(join(folder, 'node_modules/thing/index.js'), 'export const thing = import.meta.url;');
    await writeFile(join(folder, 'part.ts'), `export const part: string = 'part';`);
    await writeFile(
      entry,
      `import { thing } from 'thing';
       import { part } from './part';
       await using _ = { async [Symbol.asyncDispose]() { console.log(JSON.stringify(found)); } };
       const found: string[] = [part, thing, import.meta.url, new Error().stack!.split('\\n')[1]!];`,
    );
    const { stdout } = await exec('node', ['--enable-source-maps', await bundle(entry)]);
    const [part, thing, url, line] = JSON.parse(stdout) as string[];
    expect(part).toBe('part');
    expect(thing).toBe(pathToFileURL(join(folder, 'node_modules/thing/index.js')).href);
    expect(url).toBe(pathToFileURL(entry).href);
    expect(line).toContain(`${entry}:4:`);
  });
});
