// The examples in README.md and docs/ are programs: each one runs, as it stands there.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../scripts/ts.mjs';

const root = join(import.meta.dirname, '..');
const sources: Record<string, string> = {
  tidemark: 'src/node.ts',
  'tidemark/backend': 'src/backend.ts',
  'tidemark/indexeddb': 'backends/indexeddb/index.ts',
  'tidemark/memory': 'backends/memory.ts',
  'tidemark/agents': 'src/services/agents.ts',
  'tidemark/jobs': 'src/services/jobs.ts',
  'tidemark/sessions': 'src/services/sessions.ts',
  'tidemark/traces': 'src/services/traces.ts',
  'tidemark/assets': 'src/services/assets.ts',
  'tidemark/drives': 'src/services/drives.ts',
  'tidemark/health': 'src/services/health.ts',
  'tidemark/secrets': 'src/services/secrets.ts',
  'tidemark/snapshots': 'src/snapshots-node.ts',
  'tidemark/testing': 'src/testing.ts',
};

const pages = [
  'README.md',
  ...(await readdir(join(root, 'docs'), { recursive: true }))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const examples: { page: string; code: string; output: string[] }[] = [];
for (const page of pages) {
  for (const [, code] of (await readFile(join(root, page), 'utf8')).matchAll(/^```ts\n(.*?)^```/gms)) {
    if (!code!.includes("from 'tidemark")) continue; // a fragment, not a program
    const output = [...code!.matchAll(/\/\/ prints ([^\s:,]+)/g)].map(([, said]) => said!);
    examples.push({ page, code: code!, output });
  }
}

let folder: string;
let programs: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-docs-'));
  programs = join(root, 'node_modules/.cache/tidemark/docs');
  await mkdir(programs, { recursive: true });
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(programs, { recursive: true, force: true });
});

describe('the examples in the docs', () => {
  it('are there', () => {
    expect(examples.filter(({ page }) => page === 'README.md').length).toBeGreaterThan(1);
  });

  it.each(examples.map((example, i) => ({ ...example, i })))('$page, example $i', async ({ code, output, i }) => {
    const source = join(programs, `example-${i}.ts`);
    await writeFile(
      source,
      code.replace(
        /from '(tidemark[^']*)'/g,
        (_, name: string) => `from ${JSON.stringify(join(root, sources[name]!))}`,
      ),
    );
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [await bundle(source)], { cwd: folder });
    expect(stderr).toBe('');
    for (const said of output) expect(stdout).toContain(said);
  });
});
