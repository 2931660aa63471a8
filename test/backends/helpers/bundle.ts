// Node 20 runs no TypeScript, so what a child process imports is bundled first. Knows nothing of what it bundles.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';

export interface Bundle {
  /** The path of one .mjs file with everything in it. */
  readonly path: string;
  remove(): Promise<void>;
}

export async function bundleForNode(entry: string): Promise<Bundle> {
  const outDir = await mkdtemp(join(tmpdir(), 'tidemark-bundle-'));
  await build({
    configFile: false,
    logLevel: 'error',
    build: { ssr: entry, outDir, minify: false, rolldownOptions: { output: { entryFileNames: 'bundle.mjs' } } },
    ssr: { noExternal: true },
  });
  return { path: join(outDir, 'bundle.mjs'), remove: () => rm(outDir, { recursive: true, force: true }) };
}
