// Health served by a service worker: a page asks over fetch, no server has the answer. WebKitGTK's automated sessions have no service workers.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Capabilities, HealthView, HttpError } from '../../src/services/health';
import type { Tab } from './engines';
import { engines, eventually, inEach } from './stage';

/** A classic script: Firefox has no modules in service workers. */
async function buildWorker(): Promise<string> {
  const build = await rolldown({
    input: join(import.meta.dirname, 'pages/health-worker.ts'),
    platform: 'browser',
    transform: { target: 'es2022', define: { 'process.env.NODE_ENV': '"production"' } },
  });
  const { output } = await build.generate({ format: 'iife' });
  await build.close();
  return output[0].code;
}

let server: Server;
let origin: string;
beforeAll(async () => {
  const worker = await buildWorker();
  server = createServer(({ url }, response) => {
    if (url === '/') return response.setHeader('content-type', 'text/html').end('<!doctype html><title>health</title>');
    if (url === '/worker.js') return response.setHeader('content-type', 'text/javascript').end(worker);
    return response.writeHead(418).end('from the network');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

interface Answer {
  status: number;
  headers: Record<string, string>;
  text: string;
}

const ask = (tab: Tab, path: string, method = 'GET'): Promise<Answer> =>
  tab.evaluate(
    `fetch(${JSON.stringify(path)}, { method: '${method}' }).then(async (r) => ({ status: r.status, headers: Object.fromEntries(r.headers), text: await r.text() }))`,
  );
const askJson = async <T>(tab: Tab, path: string) => {
  const { status, text } = await ask(tab, path);
  return { status, body: JSON.parse(text) as T & HttpError };
};
const tell = (tab: Tab, what: string): Promise<string> =>
  tab.evaluate(`new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => resolve(data);
    navigator.serviceWorker.controller.postMessage('${what}', [port2]);
  })`);

inEach(
  'health from a service worker',
  (stage) => {
    it('is what the handler says: well, then closed; and nothing of what is in the venue', async () => {
      const tab = await stage.browser.newTab(`${origin}/`);
      expect((await ask(tab, '/tidemark/metrics')).status).toBe(418);
      await tab.evaluate(`navigator.serviceWorker.register('/worker.js').then(() => true)`);
      await eventually(() => tab.evaluate('navigator.serviceWorker.controller !== null'), true);
      expect((await ask(tab, '/elsewhere')).text).toBe('from the network');

      expect(await tell(tab, 'write')).toBe('done');
      const health = await askJson<HealthView>(tab, '/tidemark/api/v1/health');
      expect(health).toMatchObject({
        status: 200,
        body: {
          apiVersion: 1,
          status: 'ok',
          target: 'indexeddb:health',
          lock: 'shared',
          sweeps: 1,
          unsaved: { entries: 0 },
        },
      });
      const { body } = await askJson<Capabilities>(tab, '/tidemark/api/v1/capabilities');
      expect(body).toMatchObject({ store: 'shared', features: expect.arrayContaining(['flush', 'remote']) });
      const metrics = await ask(tab, '/tidemark/metrics');
      expect(metrics.headers).toMatchObject({
        'content-type': 'text/plain; version=0.0.4; charset=utf-8',
        'cache-control': 'no-store',
      });
      expect(metrics.text).toContain('\ntidemark_sweeps_total 1\n');
      expect(await ask(tab, '/tidemark/metrics', 'HEAD')).toMatchObject({ status: 200, text: '' });
      expect(await ask(tab, '/tidemark/metrics', 'PUT')).toMatchObject({
        status: 405,
        headers: { allow: 'GET, HEAD' },
      });
      expect((await askJson(tab, '/tidemark/..%2fmetrics')).body.error.code).toBe('not_found');
      for (const text of [JSON.stringify(health), metrics.text]) expect(text).not.toMatch(/planted-(key|value)/);

      expect(await tell(tab, 'close')).toBe('done');
      expect(await askJson<HealthView>(tab, '/tidemark/api/v1/health')).toMatchObject({
        status: 503,
        body: { error: { code: 'closed' }, status: 'closed' },
      });
      await tab.close();
    });
  },
  engines.filter(({ name }) => name !== 'webkit'),
);
