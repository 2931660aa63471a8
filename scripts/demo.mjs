// `npm run demo`: serves the page of demo/board while it is worked on; `npm run demo -- --build` makes a static site of it.
// @ts-check
import { join, relative } from 'node:path';
import { build, createServer } from 'vite';
import { root } from './packages.mjs';

const configFile = join(root, 'demo/board/vite.config.ts');

/** @param {string} [outDir] default demo/board/dist */
export async function buildPage(outDir = join(root, 'demo/board/dist')) {
  await build({ configFile, logLevel: 'warn', build: { outDir } });
  return outDir;
}

/** On 127.0.0.1, at the first free port from 5173: the same as last time if it can be, since a browser keeps a store by its port, too. */
export async function servePage() {
  const server = await createServer({ configFile, logLevel: 'warn' });
  return server.listen();
}

/** @param {string[]} args */
export async function demo(args) {
  if (args.includes('--build')) console.log(`Built: ${relative(process.cwd(), await buildPage())}`);
  else console.log(`The page: ${(await servePage()).resolvedUrls?.local[0]}  (Ctrl-C ends it)`);
}
