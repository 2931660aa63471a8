// Runs TypeScript on a Node that cannot strip types: bundles one entry with all that it imports by relative path, and
// leaves packages where they are. Usage: node scripts/ts.mjs <file.ts> [arguments]
// @ts-check
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

/** What rolldown imports for syntax that Node 20 lacks, e.g. `await using`; it brings them itself. */
const LOWERING_HELPERS = '@oxc-project/runtime/';

/**
 * Makes a program that plain Node runs, e.g. as a child process of a test.
 * @param {string} entry a TypeScript file
 * @returns {Promise<string>} the path of the program
 */
export async function bundle(entry) {
  const source = resolve(entry);
  const build = await rolldown({
    input: source,
    platform: 'node',
    external: (id) => !id.startsWith('.') && !isAbsolute(id) && !id.startsWith(LOWERING_HELPERS),
    transform: { target: 'node20' },
    plugins: [importMetaOfSource],
  });
  // Beside the packages that the entry's own package.json names, so that Node finds them from there.
  const home = packageFolder(source);
  const name = relative(home, source)
    .replace(/\.[^.]+$/, '')
    .replace(/[/\\]/g, '-');
  const program = join(home, 'node_modules/.cache/tidemark', `${name}.mjs`);
  const { output } = await build.generate({ file: program, format: 'esm', sourcemap: 'inline', codeSplitting: false });
  await build.close();

  const unfinished = `${program}.${process.pid}.${unfinishedCount++}`; // others may be running the one that is there
  await mkdir(dirname(program), { recursive: true });
  await writeFile(unfinished, output[0].code);
  await rename(unfinished, program);
  return program;
}

/** Bundles and runs it in this process. @param {string} entry @param {string[]} args */
export async function runTypeScript(entry, args) {
  const program = await bundle(entry);
  process.setSourceMapsEnabled(true);
  process.argv = [process.execPath, program, ...args];
  await import(pathToFileURL(program).href);
}

let unfinishedCount = 0;

/** @type {import('rolldown').Plugin} A module's import.meta goes on naming the file that it was written in. */
const importMetaOfSource = {
  name: 'import-meta-of-source',
  transform: {
    filter: { code: /\bimport\.meta\.(url|filename|dirname)\b/ },
    handler: (code, id) => ({
      code: code
        .replace(/\bimport\.meta\.url\b/g, JSON.stringify(pathToFileURL(id).href))
        .replace(/\bimport\.meta\.filename\b/g, JSON.stringify(id))
        .replace(/\bimport\.meta\.dirname\b/g, JSON.stringify(dirname(id))),
      map: null,
    }),
  },
};

/** @param {string} path @returns {string} */
function packageFolder(path) {
  const folder = dirname(path);
  if (folder === path) throw new Error('No package.json above the entry');
  return existsSync(join(folder, 'package.json')) ? folder : packageFolder(folder);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [entry = '', ...args] = process.argv.slice(2);
  await runTypeScript(entry, args);
}
