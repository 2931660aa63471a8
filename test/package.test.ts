// What is published: packs the library as npm would, and looks at the tarball as its users will.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { rolldown } from 'rolldown';
import { parseAst } from 'rolldown/parseAst';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { ensureBuilt } from '../scripts/build.mjs';
import { BUNDLES, measureSize } from '../scripts/size.mjs';

const exec = promisify(execFile);
const root = join(import.meta.dirname, '..');
const entries = Object.keys(manifest.exports).filter((path) => path !== './package.json');
const specifiers = entries.map((path) => `tidemark${path.slice(1)}`);

let project: string; // an empty project that has installed the tarball
let tarball: Buffer;
let files: string[];

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'tidemark-package-'));
  await ensureBuilt();
  const packed = await exec('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], {
    cwd: root,
  });
  const [{ filename, files: listed }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
  tarball = await readFile(join(project, filename));
  files = listed.map((file) => file.path);

  // As `npm install` lays it out, without asking a registry: the tarball, and what it depends on beside it.
  const modules = join(project, 'node_modules');
  await mkdir(join(modules, 'tidemark'), { recursive: true });
  await exec('tar', ['xzf', join(project, filename), '-C', join(modules, 'tidemark'), '--strip-components=1']);
  for (const name of Object.keys(manifest.dependencies)) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, 'node_modules', name), join(modules, name));
  }
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }');
});

afterAll(() => rm(project, { recursive: true, force: true }));

describe('the tarball', () => {
  it('holds the bundles, their types and the documents, and nothing else', () => {
    const shipped = /^(dist\/.+\.(js|js\.map|d\.ts)|docs\/.+|package\.json|(README|CHANGELOG)\.md|LICENSE)$/;
    expect(files.filter((path) => !shipped.test(path))).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(['README.md', 'CHANGELOG.md', 'LICENSE', 'dist/cli.js']));
  });

  it('has everything that package.json points at', () => {
    const paths = JSON.stringify([manifest.exports, manifest.bin]).match(/\.\/[^"]+(?=")/g) ?? [];
    const targets = paths.filter((path) => /\.(js|d\.ts)$/.test(path)).map((path) => path.slice(2));
    expect(targets.length).toBeGreaterThan(entries.length);
    expect(targets.filter((path) => !files.includes(path))).toEqual([]);
  });

  it('satisfies publint', async () => {
    const { messages } = await publint({ pack: { tarball: new Uint8Array(tarball).buffer }, strict: true });
    expect(messages).toEqual([]);
  });

  it('satisfies arethetypeswrong, as an ESM-only package', async () => {
    const checked = await checkPackage(createPackageFromTarballData(new Uint8Array(tarball)));
    if (!checked.types) throw new Error('no types were found');
    // What its profile "esm-only" leaves out: resolution before `exports` existed, and require() of an ES module.
    const leftOut = ['node10', 'node16-cjs'];
    const problems = checked.problems.filter(
      (problem) => !('resolutionKind' in problem && leftOut.includes(problem.resolutionKind)),
    );
    expect(problems).toEqual([]);
    expect(Object.keys(checked.entrypoints)).toEqual(expect.arrayContaining(entries));
  });
});

describe('a project that installs it', () => {
  it.each(specifiers)('imports %s in Node', async (specifier) => {
    const program = `console.log(Object.keys(await import('${specifier}')).join())`;
    const { stdout } = await exec('node', ['--input-type=module', '--eval', program], { cwd: project });
    expect(stdout.trim()).toMatch(/^\w+(,\w+)*$/);
  });

  it.each(specifiers)('bundles %s for a browser, without anything of Node', async (specifier) => {
    const { exports, imports } = await bundle(`export * from '${specifier}';`);
    expect(exports).not.toEqual([]);
    expect(imports).toEqual([]);
  });

  it.each(['nodenext', 'bundler'])('type-checks against it with %s resolution', async (resolution) => {
    const lines = specifiers.map((specifier, index) => `export * as entry${index} from '${specifier}';`);
    await writeFile(join(project, 'main.ts'), lines.join('\n'));
    const module = resolution === 'nodenext' ? 'nodenext' : 'esnext';
    const options = `--module ${module} --moduleResolution ${resolution} --target es2022 --lib es2023,esnext.disposable,dom`;
    const tsc = [join(root, 'node_modules/typescript/bin/tsc'), 'main.ts', '--ignoreConfig', '--strict', '--noEmit'];
    const checked = exec('node', [...tsc, ...options.split(' ')], { cwd: project });
    const { stdout } = await checked.catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  });

  it('runs the command line', async () => {
    const { stdout } = await exec(join(project, 'node_modules/tidemark/dist/cli.js'), ['--version'], { cwd: project });
    expect(stdout.trim()).toBe(manifest.version);
  });
});

describe('what a web page pays', () => {
  it.each(BUNDLES)('is at most $limit bytes for $name', async (bundle) => {
    const bytes = await measureSize(bundle);
    expect(bytes).toBeGreaterThan(500);
    expect(bytes).toBeLessThanOrEqual(bundle.limit);
  });

  it.each(specifiers)('is nothing for an unused import of %s', async (specifier) => {
    expect((await bundle(`import {} from '${specifier}';`)).statements).toEqual([]);
  });
});

/** Bundles one module of the project for browsers, and tells what is left of it. */
async function bundle(source: string) {
  const input = join(project, 'entry.js');
  await writeFile(input, source);
  const build = await rolldown({ input, platform: 'browser' });
  const { output } = await build.generate({ format: 'esm', codeSplitting: false });
  await build.close();
  const { code, exports, imports } = output[0];
  const statements = parseAst(code).body.map(({ start, end }) => code.slice(start, Math.min(end, start + 80)));
  return { exports, imports, statements };
}
