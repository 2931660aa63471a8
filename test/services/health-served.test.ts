// The handler behind servers of others: node:http with an adapter of three lines, Hono, Hono's own server for Node. Real sockets, and requests as no
// client sends them.
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apiVersion, healthHandler, negotiate } from '../../src/services/health';
import type { Venue } from '../../src/venue';
import { openIn } from '../venue/helpers';

/** As it stands in docs/services/health.md. */
function plainServer(venue: Venue): Server {
  const handler = healthHandler(venue);
  return createServer(async (request, response) => {
    const answer = await handler(request);
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  });
}

const honoApp = (venue: Venue) => {
  const handler = healthHandler(venue);
  const app = new Hono();
  app.get('/', (context) => context.text('the program'));
  app.all('/api/*', ({ req }) => handler(req.raw));
  app.all('/metrics', ({ req }) => handler(req.raw));
  app.mount('/below', handler);
  return app;
};

const honoServer = (venue: Venue): Promise<Server> =>
  new Promise((resolve) => {
    const server = serve({ fetch: honoApp(venue).fetch, port: 0, hostname: '127.0.0.1' }, () =>
      resolve(server as Server),
    );
  });
const listening = (server: Server): Promise<Server> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server));
  });

const servers: [name: string, start: (venue: Venue) => Promise<Server>][] = [
  ['node:http', (venue) => listening(plainServer(venue))],
  ['Hono on Node', honoServer],
];

describe.each(servers)('behind %s', (_, start) => {
  let server: Server;
  let origin: string;
  let opened: Awaited<ReturnType<typeof openIn>>;
  beforeEach(async () => {
    opened = await openIn();
    server = await start(opened.venue);
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  /** The status line, or nothing if it was cut off. */
  const raw = (request: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(Number(new URL(origin).port), '127.0.0.1', () => socket.write(request));
      let heard = '';
      socket.on('data', (data) => {
        heard += data;
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(heard));
    });
  const status = async (line: string) =>
    Number((await raw(`${line}\r\nHost: x\r\nConnection: close\r\n\r\n`)).split(' ')[1]);

  it('answers over a socket what the handler says', async () => {
    const health = await fetch(`${origin}/api/v1/health`);
    expect([health.status, health.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(negotiate({ apiVersion }, (await health.json()) as { status: string }).status).toBe('ok');
    const metrics = await fetch(`${origin}/metrics`);
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toContain('\ntidemark_status{status="ok"} 1\n');
    const capabilities = await fetch(`${origin}/api/v1/capabilities`);
    expect([capabilities.status, capabilities.headers.get('cache-control')]).toEqual([200, 'no-store']);
    await opened.clock.runUntil(opened.venue.close());
    expect((await fetch(`${origin}/api/v1/health`)).status).toBe(503);
  });

  it('answers HEAD without a body and other methods with 405', async () => {
    const head = await fetch(`${origin}/api/v1/health`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([200, 'application/json', '']);
    const post = await fetch(`${origin}/api/v1/health`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('is still there after requests that no client sends', async () => {
    const seen: Record<string, number> = {};
    for (const line of [
      'GET /api/v1/../../etc/passwd HTTP/1.1',
      'GET /api/v1/%2e%2e%2fhealth HTTP/1.1',
      'GET //evil.example/metrics HTTP/1.1',
      'GET /metrics%00 HTTP/1.1',
      'GET /api/v1/health%zz HTTP/1.1',
      'TRACE /metrics HTTP/1.1',
      'OPTIONS * HTTP/1.1',
      'PROPFIND /api/v1/health HTTP/1.1',
      'NONSENSE /metrics HTTP/1.1',
      `GET /${'a'.repeat(100_000)} HTTP/1.1`,
    ])
      seen[line.slice(0, 40)] = await status(line);
    // Some are the server's own to refuse; none is served, and none is a fault.
    for (const [line, code] of Object.entries(seen)) expect([400, 404, 405, 414, 431, 501], line).toContain(code);
    expect((await fetch(`${origin}/api/v1/health`)).status).toBe(200);
  });

  it('answers a request in absolute form, as through a proxy, as the path that it names', async () => {
    expect(await status('GET http://proxied.example/metrics HTTP/1.1')).toBe(200);
    expect(await status('GET http://proxied.example/etc/passwd HTTP/1.1')).toBe(404);
  });
});

describe('mounted in Hono', () => {
  it('is asked for paths below its own', async () => {
    const { venue } = await openIn();
    const app = honoApp(venue);
    expect((await app.request('/below/api/v1/health')).status).toBe(200);
    expect((await app.request('/below/metrics', { method: 'HEAD' })).status).toBe(200);
    expect((await app.request('/below/nothing')).status).toBe(404);
    expect(await (await app.request('/')).text()).toBe('the program');
  });
});
