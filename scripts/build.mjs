// Makes dist/: bundles with vite (vite.config.ts), declarations with tsc (tsconfig.build.json).
// @ts-check
import { existsSync, readdirSync, statSync } from 'node:fs';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { root, run } from './packages.mjs';

const dist = join(root, 'dist');
const declarations = join(dist, 'types');
/** Written last, so that its age is the age of a build that was finished. */
const finished = join(dist, '.finished');
const inputs = [
  'src',
  'backends',
  'scripts/build.mjs',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'vite.config.ts',
];

/** Builds, unless the last build is younger than everything it was made from. */
export async function ensureBuilt() {
  if (!existsSync(finished) || statSync(finished).mtimeMs < Math.max(...inputs.map((path) => newest(join(root, path)))))
    await build();
}

export async function build() {
  const { build: bundle } = await import('vite');
  const { NODE_ENV } = process.env;
  await bundle({ root, logLevel: 'warn' });
  // vite says "production" to this process and to those that it starts: tests, which are none.
  if (NODE_ENV === undefined) delete process.env.NODE_ENV;
  else process.env.NODE_ENV = NODE_ENV;
  await chmod(join(dist, 'cli.js'), 0o755);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  if ((await run(process.execPath, [tsc, '-p', 'tsconfig.build.json'])) !== 0) throw new Error('tsc failed');
  await addExtensions();
  await writeFile(finished, '');
}

/** @param {string} path @returns {number} A folder's own time tells when a file in it was deleted. */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

// Our sources import './x'; in a published declaration Node's resolution wants './x.js'.
async function addExtensions() {
  const { parseSync, Visitor } = await import('rolldown/utils');
  for (const name of await readdir(declarations, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const file = join(declarations, name);
    let text = await readFile(file, 'utf8');
    /** @type {{ value: string, end: number }[]} */
    const specifiers = [];
    /** @param {{ source?: unknown }} node */
    const note = ({ source }) => {
      const literal = /** @type {{ value: string, end: number } | null | undefined} */ (source);
      if (literal?.value.startsWith('.')) specifiers.push(literal);
    };
    new Visitor({
      ImportDeclaration: note,
      ExportNamedDeclaration: note,
      ExportAllDeclaration: note,
      TSImportType: note,
    }).visit(parseSync(file, text).program);
    for (const { value, end } of specifiers.sort((a, b) => b.end - a.end)) {
      const target = join(dirname(file), value);
      const suffix = existsSync(`${target}.d.ts`) ? '.js' : '/index.js';
      text = text.slice(0, end - 1) + suffix + text.slice(end - 1);
    }
    await writeFile(file, text);
  }
}
