// Serves and builds the page. The library comes from its sources, under the names that its users import.
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Only what was built: vite's own client, which reloads the page while it is worked on, needs inline styles. */
const contentSecurityPolicy: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [
    {
      tag: 'meta',
      attrs: {
        'http-equiv': 'Content-Security-Policy',
        content: "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'",
      },
      injectTo: 'head-prepend',
    },
  ],
};

export default defineConfig({
  root: path('.'),
  base: './',
  plugins: [contentSecurityPolicy],
  resolve: {
    alias: [
      { find: /^tidemark$/, replacement: path('../../src/browser.ts') },
      { find: /^tidemark\/indexeddb$/, replacement: path('../../backends/indexeddb/index.ts') },
      { find: /^tidemark\/memory$/, replacement: path('../../backends/memory.ts') },
    ],
  },
  server: { host: '127.0.0.1' },
  build: { target: 'esnext', modulePreload: { polyfill: false }, reportCompressedSize: false, emptyOutDir: true },
});
