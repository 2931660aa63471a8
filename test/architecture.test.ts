// Holds the floors of the design apart: reads every file of src/ and backends/ and asks test/architecture/rules.ts.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { brokenRules, FLOORS } from './architecture/rules';

const root = join(import.meta.dirname, '..');
const library = Object.keys(manifest.dependencies);
const packages = { library, cli: [...library, ...Object.keys(manifest.devDependencies)] };

function sources(folder: string): Record<string, string> {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name.replaceAll('\\', '/')}`);
  return Object.fromEntries(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

describe('the floors of the design', () => {
  it('hold in src/ and backends/', () => {
    expect(brokenRules({ ...sources('src'), ...sources('backends') }, packages)).toEqual([]);
  });
});

describe('the checker lets through', () => {
  it.each<[what: string, files: Record<string, string>]>([
    [
      'a floor that imports its own and those below',
      {
        'src/base/bytes.ts': '',
        'src/log/a.ts': `import '../base/bytes'; import { b } from './b'; import { sha256 } from '@noble/hashes/sha2.js';`,
        'src/log/b.ts': 'export const b = 1;',
      },
    ],
    [
      'a local variable named like a global',
      {
        'src/log/a.ts':
          'export function f(document: { title: string }, name = document.title) { const process = name; return process; }',
      },
    ],
    [
      'a property, a label and a type named like a global',
      {
        'src/engine/a.ts':
          'export const f = (clock: { setTimeout: number; w: Window }) => ({ console: clock.setTimeout });',
      },
    ],
    ['a date made from a number', { 'src/log/a.ts': 'export const f = (ms: number) => new Date(ms) instanceof Date;' }],
    ['a promise as a type of a pure function', { 'src/log/a.ts': 'export type Later = Promise<number>;' }],
    [
      'a backend with its own folder and Node',
      {
        'src/backend.ts': '',
        'backends/fs/lock.ts': '',
        'backends/fs/index.ts': `import '../../src/backend'; import './lock'; import 'node:fs'; setTimeout(() => {}, 1);`,
      },
    ],
    [
      'entries that put the core on a platform',
      {
        'src/platform/x.ts': `import 'node:fs'; Date.now();`,
        'backends/fs.ts': '',
        'src/node.ts': `import './platform/x'; import '../backends/fs'; process.exit();`,
        'src/cli/main.ts': `import '../node'; import 'commander'; console.log();`,
      },
    ],
    [
      'a type from the Node side in the browser entry',
      {
        'src/platform/x.ts': `import 'node:fs'; export type X = 1;`,
        'src/browser.ts': `import type { X } from './platform/x'; export const x: X = 1;`,
      },
    ],
  ])('%s', (_what, files) => {
    expect(brokenRules(files, packages)).toEqual([]);
  });
});

describe('the checker finds', () => {
  it.each<[what: string, file: string, source: string, complaint: string]>([
    [
      'an import from above',
      'src/log/a.ts',
      `import '../engine/e';`,
      'src/log/a.ts imports src/engine/e.ts, from a floor above its own',
    ],
    [
      'a type from above',
      'src/backend.ts',
      `import type { E } from './engine/e';`,
      'src/backend.ts imports src/engine/e.ts, from a floor above its own',
    ],
    [
      'an import() from above',
      'src/log/a.ts',
      `export const f = (): unknown => import('../engine/e');`,
      'src/log/a.ts imports src/engine/e.ts, from a floor above its own',
    ],
    [
      'an import() type from above',
      'src/log/a.ts',
      `export type E = import('../engine/e').E;`,
      'src/log/a.ts imports src/engine/e.ts, from a floor above its own',
    ],
    [
      'a re-export from above',
      'src/log/a.ts',
      `export * from '../engine/e';`,
      'src/log/a.ts imports src/engine/e.ts, from a floor above its own',
    ],
    [
      'a named re-export from above',
      'src/log/a.ts',
      `export { e } from '../engine/e';`,
      'src/log/a.ts imports src/engine/e.ts, from a floor above its own',
    ],
    ['a file on no floor', 'src/util/a.ts', '', 'src/util/a.ts is on no floor of the design'],
    ['an import of nothing', 'src/log/a.ts', `import './gone';`, 'src/log/a.ts imports ./gone, which is not there'],
    [
      'a package that is no dependency',
      'src/log/a.ts',
      `import 'zod';`,
      'src/log/a.ts imports zod, which is no dependency',
    ],
    [
      'a computed import',
      'src/log/a.ts',
      'export const f = (x: string): unknown => import(x);',
      'src/log/a.ts imports (computed), which is no dependency',
    ],
    [
      'Node in the core',
      'src/engine/a.ts',
      `import { join } from 'node:path'; join();`,
      'src/engine/a.ts imports node:',
    ],
    ['Node in the browser entry', 'src/browser.ts', `import 'node:path';`, 'src/browser.ts imports node:'],
    ['Node in the memory backend', 'backends/memory.ts', `import 'node:path';`, 'backends/memory.ts imports node:'],
    [
      'Node on the way from the browser entry',
      'src/browser.ts',
      `import './platform/node';`,
      'src/browser.ts reaches src/platform/node.ts, which imports node:fs',
    ],
    [
      'a platform in the core',
      'src/engine/a.ts',
      `import '../platform/node';`,
      'src/engine/a.ts imports src/platform/node.ts; the core knows no platform',
    ],
    [
      'the core in a platform',
      'src/platform/a.ts',
      `import '../engine/e';`,
      'src/platform/a.ts imports src/engine/e.ts; src/platform may import src/base',
    ],
    [
      'a backend in the core',
      'src/engine/a.ts',
      `import '../../backends/other/b';`,
      'src/engine/a.ts imports backends/other/b.ts; the core knows no backend',
    ],
    [
      'the core in a backend',
      'backends/fs/a.ts',
      `import '../../src/base/b';`,
      'backends/fs/a.ts imports src/base/b.ts; a backend imports src/backend.ts and its own folder',
    ],
    [
      'a backend in another',
      'backends/fs/a.ts',
      `import '../other/b';`,
      'backends/fs/a.ts imports backends/other/b.ts; a backend imports src/backend.ts and its own folder',
    ],
    ['a timer', 'src/engine/a.ts', 'setTimeout(() => {}, 1);', 'src/engine/a.ts uses the global setTimeout'],
    ['the console', 'src/engine/a.ts', 'console.log(1);', 'src/engine/a.ts uses the global console'],
    ['the process', 'src/engine/a.ts', 'export const e = typeof process;', 'src/engine/a.ts uses the global process'],
    ['the page', 'src/engine/a.ts', 'export const t = document.title;', 'src/engine/a.ts uses the global document'],
    [
      'a clock',
      'src/engine/a.ts',
      'export const t = performance.now();',
      'src/engine/a.ts uses the global performance',
    ],
    [
      'a way round by globalThis',
      'src/engine/a.ts',
      'export const t = globalThis.performance;',
      'src/engine/a.ts uses the global globalThis',
    ],
    [
      'a global beside a local of that name',
      'src/engine/a.ts',
      'export const f = (name: string) => name; export const g = name;',
      'src/engine/a.ts uses the global name',
    ],
    ['the time of day', 'src/engine/a.ts', 'export const t = Date.now();', 'src/engine/a.ts uses Date.now'],
    ['the time of day as a date', 'src/engine/a.ts', 'export const t = new Date();', 'src/engine/a.ts uses new Date()'],
    ['the time of day as a string', 'src/engine/a.ts', 'export const t = Date();', 'src/engine/a.ts uses Date()'],
    [
      'the time of day by another name',
      'src/engine/a.ts',
      'const { now } = Date; now();',
      'src/engine/a.ts uses another name for Date',
    ],
    ['chance', 'src/engine/a.ts', 'export const t = Math.random();', 'src/engine/a.ts uses Math.random'],
    [
      'chance by a computed name',
      'src/engine/a.ts',
      `export const t = Math['random']();`,
      'src/engine/a.ts uses Math.[]',
    ],
    [
      'an async function in pure code',
      'src/log/a.ts',
      'export const f = async () => 1;',
      'src/log/a.ts waits, on a floor of pure functions',
    ],
    [
      'an async generator in pure code',
      'src/lattice/a.ts',
      'export async function* f() {}',
      'src/lattice/a.ts waits, on a floor of pure functions',
    ],
    [
      'a promise made in pure code',
      'src/log/a.ts',
      'export const f = () => Promise.resolve();',
      'src/log/a.ts waits, on a floor of pure functions',
    ],
    [
      'a file that is too long',
      'src/log/a.ts',
      'void 0;\n'.repeat(401),
      'src/log/a.ts has 401 lines; 400 are the limit',
    ],
  ])('%s', (_what, file, source, complaint) => {
    const others = {
      'src/base/b.ts': '',
      'src/engine/e.ts': 'export type E = 1; export const e = 1;',
      'src/platform/node.ts': `import 'node:fs';`,
      'backends/other/b.ts': '',
    };
    expect(brokenRules({ ...others, [file]: source }, packages)).toContain(complaint);
  });

  it('a cycle, once', () => {
    const files = { 'src/log/a.ts': `import './b';`, 'src/log/b.ts': `import './c';`, 'src/log/c.ts': `import './a';` };
    expect(brokenRules(files, packages)).toEqual([
      'cycle: src/log/a.ts -> src/log/b.ts -> src/log/c.ts -> src/log/a.ts',
    ]);
  });

  it('a file that is not TypeScript', () => {
    expect(() => brokenRules({ 'src/log/a.ts': 'const = 1;' }, packages)).toThrow(SyntaxError);
  });

  it('every floor in the order of the design', () => {
    const files = FLOORS.map(([place = '']) => (place.endsWith('/') ? `${place}x.ts` : place));
    for (const [index, path] of files.entries()) {
      for (const [other, target] of files.entries()) {
        if (index === other) continue;
        const up = '../'.repeat(path.split('/').length - 1);
        const broken = brokenRules({ [path]: `import '${up}${target.replace(/\.ts$/, '')}';`, [target]: '' }, packages);
        expect(broken.length > 0, `${path} -> ${target}`).toBe(other > index);
      }
    }
  });
});
