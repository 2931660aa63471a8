// How the library is bundled and how tests are run. The declarations beside the bundles are made by scripts/build.mjs.
import { isBuiltin } from 'node:module';
import { defineConfig } from 'vitest/config';
import manifest from './package.json' with { type: 'json' };

const dependencies = Object.keys(manifest.dependencies);
/** Tests that drive real browsers. */
const inBrowsers = ['test/browser/**/*.test.ts', 'test/demo/board.test.ts', 'test/demo/board/**/*.test.ts'];

export default defineConfig({
  build: {
    target: 'es2022',
    minify: false, // a library: whoever bundles it minifies it, and everybody else can read it
    sourcemap: true,
    reportCompressedSize: false,
    lib: {
      entry: {
        node: 'src/node.ts',
        browser: 'src/browser.ts',
        backend: 'src/backend.ts',
        indexeddb: 'backends/indexeddb/index.ts',
        memory: 'backends/memory.ts',
        testing: 'src/testing.ts',
        agents: 'src/services/agents.ts',
        jobs: 'src/services/jobs.ts',
        sessions: 'src/services/sessions.ts',
        traces: 'src/services/traces.ts',
        assets: 'src/services/assets.ts',
        drives: 'src/services/drives.ts',
        health: 'src/services/health.ts',
        secrets: 'src/services/secrets.ts',
        'snapshots-node': 'src/snapshots-node.ts',
        'snapshots-browser': 'src/snapshots-browser.ts',
        cli: 'src/cli/main.ts',
      },
      formats: ['es'],
    },
    rolldownOptions: {
      platform: 'node', // keeps require() of Node's modules working in what the CLI bundles; other entries have none
      external: (id) => isBuiltin(id) || dependencies.some((name) => id === name || id.startsWith(`${name}/`)),
      output: {
        chunkFileNames: 'chunks/[name].js',
        banner: (chunk) => (chunk.isEntry && chunk.name === 'cli' ? '#!/usr/bin/env node' : ''),
      },
    },
  },
  resolve: { conditions: ['node'], mainFields: ['module', 'main'] },
  test: {
    // Generous, since the machine may be busy: what must be fast is measured in bench/, not asserted here.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    projects: [
      { extends: true, test: { name: 'node', include: ['test/**/*.test.ts'], exclude: inBrowsers } },
      {
        // Real browsers, one file at a time and after everything else: they want the machine for themselves.
        extends: true,
        test: {
          name: 'browsers',
          include: inBrowsers,
          globalSetup: ['test/browser/setup.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
