// What a web page pays: everything that openVenue needs with the memory backend, minified and gzipped.
// @ts-check
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { root } from './packages.mjs';

/** What was wanted: docs/decisions/0005-bundle-size.md says why it is not reached. */
export const GOAL_BYTES = 18 * 1024;
/** What it is today, rounded up: it may shrink, it must not grow. */
export const LIMIT_BYTES = 31_000;

/** @returns {Promise<{ total: number, noble: number }>} bytes, minified, gzip level 9 */
export async function measureSize() {
  const total = await bundledSize([]);
  return { total, noble: total - (await bundledSize([/^@noble\//])) };
}

/** Prints a table. @returns {Promise<number>} an exit code: 1 over the limit */
export async function printSize() {
  const { total, noble } = await measureSize();
  const rows = {
    'openVenue + memory': total,
    'of which noble': noble,
    'of which Tidemark': total - noble,
    goal: GOAL_BYTES,
    limit: LIMIT_BYTES,
  };
  for (const [name, bytes] of Object.entries(rows))
    console.log(
      `${name.padEnd(20)}${bytes.toLocaleString('en').padStart(8)} B  ${(bytes / 1024).toFixed(1).padStart(5)} KB`,
    );
  if (total > GOAL_BYTES) console.log(`goal not reached: ${(total - GOAL_BYTES).toLocaleString('en')} B over it`);
  if (total > LIMIT_BYTES) console.error(`${(total - LIMIT_BYTES).toLocaleString('en')} B over the limit`);
  return total > LIMIT_BYTES ? 1 : 0;
}

/** @param {RegExp[]} external */
async function bundledSize(external) {
  const { rolldown } = await import('rolldown');
  const entry = 'size-entry';
  const build = await rolldown({
    input: entry,
    platform: 'browser',
    external,
    transform: { target: 'es2022', define: { 'process.env.NODE_ENV': '"production"' } },
    plugins: [
      {
        name: entry,
        resolveId: (id) => (id === entry ? id : null),
        load: (id) =>
          id === entry
            ? `export { openVenue } from ${JSON.stringify(join(root, 'src/browser.ts'))};
               export * from ${JSON.stringify(join(root, 'backends/memory.ts'))};`
            : null,
      },
    ],
  });
  const { output } = await build.generate({ format: 'esm', minify: true, codeSplitting: false });
  await build.close();
  return gzipSync(output[0].code, { level: 9 }).length;
}
