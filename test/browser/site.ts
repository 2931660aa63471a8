// The pages that the browsers open: built by vite from the packed library as its users get it, and served on two ports of
// 127.0.0.1, which makes two origins.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { build, type Plugin } from 'vite';
import manifest from '../../package.json' with { type: 'json' };
import { ensureBuilt } from '../../scripts/build.mjs';
import { root } from '../../scripts/packages.mjs';

const exec = promisify(execFile);

/** Modules of pages, and scripts of workers, which are built to run without modules: Firefox has none in service workers. */
const pages = ['venue', 'control', 'contract', 'agents', 'assets', 'drives', 'secrets', 'snapshots'];
const workers = ['worker'];

/** What pages import by its source, for its types, and get from the package. */
const entries = {
  'src/browser.ts': 'tidemark',
  'src/backend.ts': 'tidemark/backend',
  'src/services/agents.ts': 'tidemark/agents',
  'src/services/assets.ts': 'tidemark/assets',
  'src/services/drives.ts': 'tidemark/drives',
  'src/services/health.ts': 'tidemark/health',
  'src/services/secrets.ts': 'tidemark/secrets',
  'src/snapshots-browser.ts': 'tidemark/snapshots',
  'backends/memory.ts': 'tidemark/memory',
  'backends/indexeddb/index.ts': 'tidemark/indexeddb',
};

/** Packs the library, installs it in a project of its own and builds the pages there. @returns the project's folder */
export async function buildSite(): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), 'tidemark-site-'));
  await ensureBuilt();
  await exec('npm', ['pack', '--ignore-scripts', '--pack-destination', project], { cwd: root });
  const modules = join(project, 'node_modules');
  await mkdir(join(modules, 'tidemark'), { recursive: true });
  const tarball = join(project, `tidemark-${manifest.version}.tgz`);
  await exec('tar', ['xzf', tarball, '-C', join(modules, 'tidemark'), '--strip-components=1']);
  for (const name of Object.keys(manifest.dependencies)) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, 'node_modules', name), join(modules, name));
  }
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  await writeFile(join(project, 'main.js'), '');

  const make = (names: string[], format: 'es' | 'iife') =>
    build({
      configFile: false,
      root: project,
      logLevel: 'warn',
      plugins: [fromPackage(join(project, 'main.js')), inPageRunner],
      build: {
        target: 'es2022',
        emptyOutDir: false,
        rolldownOptions: {
          input: Object.fromEntries(names.map((name) => [name, join(import.meta.dirname, 'pages', `${name}.ts`)])),
          output: { format, entryFileNames: 'assets/[name].js', chunkFileNames: 'assets/[name]-[hash].js' },
        },
      },
    });
  await make(pages, 'es');
  for (const name of workers) await make([name], 'iife');
  return project;
}

/** Nothing of the library comes from its sources: the pages are to run what is published. */
const fromPackage = (importer: string): Plugin => ({
  name: 'from-package',
  enforce: 'pre',
  async resolveId(id, from) {
    if (!id.startsWith('.') || !from) return null;
    const path = join(dirname(from), id).slice(root.length + 1);
    const entry = Object.entries(entries).find(([file]) => [file, file.replace(/(\/index)?\.ts$/, '')].includes(path));
    if (entry) return this.resolve(entry[1], importer);
    if (/^(src|backends)\//.test(path)) throw new Error(`a page imports ${path}, which the package does not offer`);
    return null;
  },
});

/** The contract suite is written for vitest; in a page it meets the few words of it that it uses. */
const inPageRunner: Plugin = {
  name: 'in-page-runner',
  enforce: 'pre',
  resolveId: (id) => (id === 'vitest' ? join(import.meta.dirname, 'pages/runner.ts') : null),
};

export interface Site {
  /** Where the pages are. */
  readonly origin: string;
  /** Another origin with the same pages. */
  readonly other: string;
  /** How often a page of this address was shown: loaded, or brought back from the back/forward cache. */
  shown(url: string): number;
  /** What pages told, by the id they gave. */
  reports(id: string): Record<string, unknown>[];
  close(): void;
}

/** Pages below /strict/ may run their own scripts and nothing else; those below /sandbox/ have no origin, and so no storage. */
const policies = {
  strict: "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:",
  sandbox: 'sandbox allow-scripts',
};

const tellShown = `<script>
  addEventListener('pageshow', () => navigator.sendBeacon('/shown?' + encodeURIComponent(location.href)));
</script>`;

export async function serve(project: string): Promise<Site> {
  const shown = new Map<string, number>();
  const told = new Map<string, Record<string, unknown>[]>();
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (pathname === '/shown') {
      const url = decodeURIComponent(search.slice(1));
      shown.set(url, (shown.get(url) ?? 0) + 1);
      return response.end();
    }
    if (pathname === '/report') {
      const id = decodeURIComponent(search.slice(1));
      let body = '';
      for await (const part of request) body += part;
      told.set(id, [...(told.get(id) ?? []), JSON.parse(body)]);
      return response.end();
    }
    if (pathname.startsWith('/assets/') || pathname === '/worker.js') {
      const file = pathname === '/worker.js' ? '/assets/worker.js' : pathname;
      response.setHeader('content-type', 'text/javascript');
      response.setHeader('access-control-allow-origin', '*'); // for a page in a sandbox
      return response.end(await readFile(join(project, 'dist', file)));
    }
    const [, policy, page] = /^\/(?:(\w+)\/)?(\w+)$/.exec(pathname) ?? [];
    if (policy) response.setHeader('content-security-policy', policies[policy as keyof typeof policies]);
    response.setHeader('content-type', 'text/html; charset=utf-8');
    const script = page && pages.includes(page) ? `<script type="module" src="/assets/${page}.js"></script>` : '';
    const icon = '<link rel="icon" href="data:,">';
    return response.end(`<!doctype html><title>${page ?? ''}</title>${icon}${script}${policy ? '' : tellShown}`);
  };
  const listen = () =>
    new Promise<{ origin: string; close(): void }>((resolve) => {
      const server = createServer((request, response) => {
        answer(request, response).catch(() => response.writeHead(404).end());
      });
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as { port: number };
        const close = () => {
          server.close();
          server.closeAllConnections();
        };
        resolve({ origin: `http://127.0.0.1:${port}`, close });
      });
    });
  const [one, two] = [await listen(), await listen()];
  return {
    origin: one.origin,
    other: two.origin,
    shown: (url) => shown.get(url) ?? 0,
    reports: (id) => told.get(id) ?? [],
    close() {
      one.close();
      two.close();
    },
  };
}

export const removeSite = (project: string): Promise<void> => rm(project, { recursive: true, force: true });
