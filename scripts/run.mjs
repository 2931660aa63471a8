// `npm run <task>` for every task: installs what is missing first, so that each works on a fresh clone. Imports nothing
// but Node's own modules and its neighbours, which do the same until the packages are there.
// @ts-check
import { join } from 'node:path';
import { ensurePackages, root, run } from './packages.mjs';

/** A tool from node_modules. @param {string} script @param {string[]} args */
const tool = (script, ...args) => run(process.execPath, [join(root, 'node_modules', script), ...args]);

/** A TypeScript program in this repository, as this process. @param {string} entry @param {string[]} args */
const program = async (entry, args) => (await import('./ts.mjs')).runTypeScript(join(root, entry), args);

const types = () => tool('typescript/bin/tsc', '-p', '.');
/** @param {string[]} args */
const lint = (...args) => tool('@biomejs/biome/bin/biome', 'check', ...args);

/** @type {Record<string, (args: string[]) => Promise<number | void>>} Each gives an exit code, or 0 for none. */
const tasks = {
  async start(args) {
    await (await import('./build.mjs')).ensureBuilt();
    const main = join(root, 'demo/start/main.mjs');
    process.argv = [process.execPath, main, ...args];
    await import(main);
  },
  async test(args) {
    await (await import('./build.mjs')).ensureBuilt();
    const { passed, failed } = await (await import('./test.mjs')).runTests(args);
    console.log(`\n${passed} passed, ${failed} failed`);
    return failed > 0 || passed === 0 ? 1 : 0;
  },
  async check() {
    const codes = [await types(), await lint(), await tool('vitest/vitest.mjs', 'run', 'test/architecture.test.ts')];
    return Math.max(...codes);
  },
  demo: async (args) => (await import('./demo.mjs')).demo(args),
  types,
  lint: (args) => lint(...args),
  format: () => lint('--write'),
  build: async () => (await import('./build.mjs')).build(),
  size: async () => (await import('./size.mjs')).printSize(),
  simulate: (args) => program('test/simulator/main.ts', args),
  sabotage: (args) => program('test/sabotage/main.ts', args),
  async bench(args) {
    await ensurePackages(join(root, 'bench'));
    await program('bench/main.ts', args);
  },
};

const [name = '', ...args] = process.argv.slice(2);
const task = tasks[name];
if (!task) {
  console.error(`Usage: node scripts/run.mjs <${Object.keys(tasks).join(' | ')}>`);
  process.exitCode = 2;
} else {
  await ensurePackages();
  process.exitCode = (await task(args)) || process.exitCode;
}
