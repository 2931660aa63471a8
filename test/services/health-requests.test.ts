// Requests of all kinds to the health handler: other methods, paths below another one, and what nobody in their right mind sends. Nothing is thrown and
// nothing is echoed.
import { describe, expect, it, vi } from 'vitest';
import { type HealthRequest, type HttpError, healthHandler } from '../../src/services/health';
import { openIn } from '../venue/helpers';
import { ask, origin } from './health-asked';

describe('other methods', () => {
  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'GETT'])(
    '%s is refused with 405, and told which are allowed',
    async (method) => {
      const { venue } = await openIn();
      for (const path of ['/api/v1/health', '/api/v1/capabilities', '/metrics']) {
        const { status, headers, text } = await ask(venue, path, { method });
        expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD']);
        expect(JSON.parse(text)).toEqual({
          error: { code: 'method_not_allowed', message: expect.any(String), details: { allow: ['GET', 'HEAD'] } },
        });
      }
    },
  );
});

describe('a base path', () => {
  it.each(['/tidemark', '/tidemark/'])('of %s stands before all of them', async (basePath) => {
    const { venue } = await openIn();
    const handler = healthHandler(venue, { basePath });
    const statusOf = async (path: string) => (await handler(new Request(origin + path))).status;
    for (const path of ['/api/v1/health', '/api/v1/capabilities', '/metrics'])
      expect([await statusOf(`/tidemark${path}`), await statusOf(path)]).toEqual([200, 404]);
  });
});

describe('hostile requests', () => {
  it.each([
    ['/', 404],
    ['/api/v1/health/', 404],
    ['/api/v1/HEALTH', 404],
    ['/api/v1/health%00', 404],
    ['/api/v1/%68ealth', 404],
    ['/metrics/../../etc/passwd', 404],
    ['/%2e%2e/metrics', 200], // what a URL resolves itself is the path that it then has
    ['/..%2fmetrics', 404],
    ['/api%2fv1%2fhealth', 404],
    ['/metrics%2f..', 404],
    ['//evil.example/metrics', 404],
    ['/metrics?path=/etc/passwd', 200],
    ['/metrics?#/nothing', 200],
    ['/__proto__', 404],
    ['/constructor', 404],
    ['/toString', 404],
    [`/${'a'.repeat(1_000_000)}`, 404],
    [`/metrics?${'a'.repeat(1_000_000)}`, 200],
    ['/<script>alert(1)</script>', 404],
  ] as const)('%#: a path is answered as it is written', async (path, wanted) => {
    const { venue } = await openIn();
    const { status, text } = await ask(venue, path);
    expect(status).toBe(wanted);
    if (status !== 200) {
      expect(JSON.parse(text)).toEqual({ error: { code: 'not_found', message: expect.stringContaining('/metrics') } });
      expect(text).not.toMatch(/passwd|script|evil|aaaa/);
    }
  });

  // What only an adapter of somebody's own hands over: a first line as it came.
  it.each([
    ['/metrics', 200],
    ['http://proxied.example/metrics', 200],
    ['HTTP://proxied.example:80/metrics?x', 200],
    ['http://proxied.example', 404],
    ['proxied.example:443', 404],
    ['*', 404],
    ['', 404],
    ['//proxied.example/metrics', 404],
    ['/./metrics', 404],
    ['/x/../metrics', 404],
    ['\\metrics', 404],
    ['http://%', 404],
    [`${'a'.repeat(1_000_000)}://`, 404],
    [`http://${'/'.repeat(1_000_000)}`, 404],
    [undefined, 404],
    [{}, 404],
  ] as const)('%#: what is no url is answered, too', async (url, wanted) => {
    const { venue } = await openIn();
    const response = await healthHandler(venue)({ method: 'GET', url } as HealthRequest);
    expect(response.status).toBe(wanted);
  });

  it.each([undefined, null, 1, 'http://127.0.0.1/metrics'])('%s instead of a request throws nothing', async (odd) => {
    const { venue } = await openIn();
    const response = await healthHandler(venue)(odd as unknown as HealthRequest);
    expect(response.status).toBeGreaterThanOrEqual(404);
    expect(((await response.json()) as HttpError).error.message).toEqual(expect.any(String));
  });

  it('a fault of ours is a 500 that says nothing of it', async () => {
    const { venue } = await openIn();
    const handler = healthHandler(venue);
    vi.spyOn(venue, 'health').mockImplementation(() => {
      throw new Error('secret');
    });
    for (const path of ['/api/v1/health', '/api/v1/capabilities', '/metrics']) {
      const response = await handler(new Request(origin + path));
      expect([response.status, response.headers.get('cache-control')]).toEqual([500, 'no-store']);
      expect(await response.json()).toEqual({
        error: { code: 'unexpected', message: 'the request could not be answered' },
      });
    }
  });
});
