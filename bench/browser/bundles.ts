// What a browser is given: the bench's page, and each library by itself to be weighed. Knows no workload.
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { InputOptions } from 'rolldown';

const folder = 'bench/browser';
const ENTRY = 'entry';

async function bundle(options: InputOptions, codeSplitting: boolean): Promise<Map<string, string>> {
  const { rolldown } = await import('rolldown');
  const build = await rolldown({
    platform: 'browser',
    transform: { target: 'es2022', define: { 'process.env.NODE_ENV': '"production"' } },
    ...options,
  });
  const { output } = await build.generate({
    format: 'esm',
    minify: true,
    ...(codeSplitting ? { chunkFileNames: '[name].js', entryFileNames: '[name].js' } : { codeSplitting: false }),
  });
  await build.close();
  return new Map(output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : String(file.source)]));
}

/** The page's scripts by file name; page.js is the first. */
export const bundlePage = (): Promise<Map<string, string>> => bundle({ input: join(folder, 'page.ts') }, true);

/** @returns bytes of what a page loads to use it, minified, gzip level 9. */
export async function bundledBytes(code: string, external: RegExp[] = []): Promise<number> {
  const plugin = {
    name: ENTRY,
    // As if it stood in the bench's folder, where the peers are found.
    resolveId: (id: string) => (id === ENTRY ? join(process.cwd(), folder, ENTRY) : null),
    load: (id: string) => (id.endsWith(ENTRY) ? code : null),
  };
  const [chunk] = (await bundle({ input: ENTRY, plugins: [plugin], external }, false)).values();
  return gzipSync(chunk!, { level: 9 }).length;
}
