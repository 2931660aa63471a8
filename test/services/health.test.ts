// Health over HTTP: what is answered to whom, in every state of a venue and to requests that nobody in their right mind sends; and who may talk to whom.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { openVenue as openInBrowser } from '../../src/browser';
import {
  apiVersion,
  type Capabilities,
  type HealthRequest,
  type HealthView,
  type HttpError,
  healthHandler,
  libraryVersion,
  NegotiationError,
  negotiate,
} from '../../src/services/health';
import { plainText } from '../../src/services/health/redacted';
import type { Venue } from '../../src/venue';
import { diskError, openIn, rememberingLogger } from '../venue/helpers';

const origin = 'http://127.0.0.1';
const even = { '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => evenOnly(value) } };
const evenOnly = (value: unknown) =>
  (value as number) % 2 === 0 ? { value: value as number } : { issues: [{ message: `${value} is odd` }] };

async function ask(venue: Venue, path: string, init: RequestInit = {}) {
  const response = await healthHandler(venue)(new Request(origin + path, init));
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}
const askJson = async <T>(venue: Venue, path: string) => {
  const { status, headers, text } = await ask(venue, path);
  expect(headers.get('content-type')).toBe('application/json');
  return { status, body: JSON.parse(text) as T & HttpError };
};
/** Of a venue in memory, which has no journal. */
const featuresOf = (venue: Venue) => {
  const able = Object.entries(venue.health().capabilities).filter(([, can]) => can);
  return ['checkpoint', 'flush', 'fork', ...able.map(([name]) => name)].sort();
};
const askHealth = (venue: Venue) => askJson<HealthView>(venue, '/api/v1/health');

describe('GET /api/v1/health', () => {
  it('is 200 with what health() says, for a venue that is well', async () => {
    const { venue } = await openIn();
    venue.region('r').set('a', 1);
    await venue.flush();
    const { status, body } = await askHealth(venue);
    const { root, did, writer } = venue.health();
    expect([status, body]).toEqual([
      200,
      {
        apiVersion: 1,
        versions: { tidemark: manifest.version, format: 1 },
        features: featuresOf(venue),
        status: 'ok',
        reasons: [],
        target: 'unruly',
        venue: venue.health().venue,
        did,
        writer,
        unsaved: { entries: 0, oldestMs: 0, regions: [] },
        root,
        sweeps: 1,
        failures: 0,
        checkpoints: 0,
        lock: 'shared',
        journal: { available: false, bytes: 0, unfit: 0 },
        recovery: {
          checkpoint: 0,
          fellBack: false,
          entries: 0,
          commits: 0,
          tornBytes: 0,
          damage: [],
          holes: [],
          quarantined: [],
          evicted: false,
          rolledBack: false,
          notes: [],
          tookMs: 0,
        },
      },
    ]);
  });

  it('is 200 for one that is degraded, and says how many entries are not shown, but not which', async () => {
    const { venue } = await openIn();
    for (const n of [1, 2, 3]) venue.region('numbers').set(`secret-${n}`, n);
    venue.region('numbers', { validate: even });
    const { status, body } = await askHealth(venue);
    expect([status, body.status, body.reasons]).toEqual([200, 'degraded', ['2 entries are kept but not shown']]);
    expect(body.recovery.quarantined).toEqual([{ region: 'numbers', entries: 2 }]);
    expect(JSON.stringify(body)).not.toMatch(/secret|odd/);
  });

  it('is 200 for one in memory because the browser has no storage, and says so without what the browser said', async () => {
    const logger = rememberingLogger();
    const venue = await openInBrowser({ store: 'none here', fallback: 'memory', logger });
    expect(venue.health().reasons.join()).toMatch(/nothing is kept: .*none here/);
    const { status, body } = await askHealth(venue);
    expect([status, body.status, body.reasons]).toEqual([200, 'degraded', ['in memory, nothing is kept']]);
    await venue.close();
  });

  it('tells of damage and holes the first 100, and how many there are', async () => {
    const { venue } = await openIn();
    const health = venue.health();
    const damage = Array.from({ length: 500 }, (_, n) => ({
      where: `log.${n}`,
      what: 'a line does not verify',
      bytes: 1,
    }));
    const holes = damage.map((_, n) => ({ writer: 'a', from: n, to: n }));
    const reasons = damage.map(({ where, what }) => `${where}: ${what}`);
    vi.spyOn(venue, 'health').mockReturnValue({
      ...health,
      status: 'degraded',
      reasons,
      recovery: { ...health.recovery, damage, holes },
    });
    const { body } = await askHealth(venue);
    expect([body.recovery.damage.length, body.recovery.holes.length, body.reasons]).toEqual([
      100,
      100,
      ['500 places are damaged, see recovery.damage'],
    ]);
    expect(body.recovery.damage[7]).toEqual(damage[7]);
  });

  it('is 503 while writing fails, with the code and without the message, and 200 once it works', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.append = async () => {
      throw diskError('ENOSPC');
    };
    venue.region('r').set('a', 1);
    await clock.advance(350);
    const { status, body } = await askHealth(venue);
    expect([status, body]).toMatchObject([
      503,
      {
        error: { code: 'failing', message: 'sweep failed' },
        status: 'failing',
        lastFailure: { reason: 'sweep', code: 'ENOSPC', unsaved: 1, retryInMs: 200 },
        unsaved: { entries: 1, oldestMs: 350, regions: ['r'] },
      },
    ]);
    expect(JSON.stringify(body)).not.toContain('disk says no');
    backend.instead = {};
    await clock.advance(1000);
    expect(await askHealth(venue)).toMatchObject({ status: 200, body: { status: 'ok', failures: 2 } });
  });

  it('is 503 for one that is closed', async () => {
    const { venue, clock } = await openIn();
    venue.region('r').set('a', 1);
    const handler = healthHandler(venue);
    await clock.runUntil(venue.close());
    const response = await handler(new Request(`${origin}/api/v1/health`));
    expect([response.status, await response.json()]).toMatchObject([
      503,
      { error: { code: 'closed', message: 'the venue is closed' }, status: 'closed', sweeps: 1 },
    ]);
    expect((await ask(venue, '/metrics')).text).toContain('tidemark_status{status="closed"} 1');
    expect((await ask(venue, '/api/v1/capabilities')).status).toBe(200);
  });

  it('goes by the version of the API', async () => {
    const { venue } = await openIn();
    expect((await ask(venue, `/api/v${apiVersion}/health`)).status).toBe(200);
    expect((await ask(venue, `/api/v${apiVersion + 1}/health`)).status).toBe(404);
  });

  it('asks nothing of the store, which may hang', async () => {
    const { venue, backend } = await openIn();
    backend.instead.usage = () => new Promise(() => {});
    const handler = healthHandler(venue);
    for (const path of ['/api/v1/health', '/api/v1/capabilities', '/metrics', '/metrics']) {
      expect((await handler(new Request(origin + path))).status).toBe(200);
    }
    expect(backend.calls.filter((call) => call === 'usage')).toHaveLength(1);
  });
});

describe('GET /api/v1/capabilities', () => {
  const capabilities = async (venue: Venue) => (await askJson<Capabilities>(venue, '/api/v1/capabilities')).body;

  it('says which versions these are, who else may have the store, and what this opening can', async () => {
    const { venue } = await openIn();
    expect(await capabilities(venue)).toEqual({
      apiVersion: 1,
      versions: { tidemark: manifest.version, format: 1 },
      store: 'shared',
      features: featuresOf(venue),
    });
    expect(await capabilities((await openIn({ exclusive: true })).venue)).toMatchObject({ store: 'exclusive' });
  });

  it('names only what can be done', async () => {
    const { venue } = await openIn();
    const health = venue.health();
    const journal = { ...health.journal, available: true };
    vi.spyOn(venue, 'health').mockReturnValue({ ...health, journal, capabilities: { appendNow: true, remote: false } });
    expect((await capabilities(venue)).features).toEqual(['appendNow', 'checkpoint', 'flush', 'fork', 'journal']);
  });

  it('has names that are documented', async () => {
    const { venue } = await openIn();
    const page = await readFile(join(import.meta.dirname, '../../docs/services/health.md'), 'utf8');
    const documented = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
    const { capabilities } = venue.health();
    for (const name of ['checkpoint', 'flush', 'fork', 'journal', ...Object.keys(capabilities)])
      expect(documented).toContain(name);
  });
});

describe('a sentence of Tidemark', () => {
  it.each([
    [
      "the chunk of region 'a' from key 'it's \"b\"' (3 entries) does not have",
      "the chunk of region '...' (3 entries) does not have",
    ],
    [
      'its index is not as this version writes it: Unexpected token x in "secret"',
      'its index is not as this version writes it',
    ],
    ['in memory, nothing is kept: IndexedDB database cannot be opened', 'in memory, nothing is kept'],
    [
      'took over the lock of process 7 on anns-mac, held since 2026: it has ended without closing',
      'took over the lock of process 7',
    ],
    ['took over the lock of process 7 on anns-mac: it has ended without closing', 'took over the lock of process 7'],
    [
      'took over a LOCK that names nobody (unreadable, SHA-256 ab...)',
      'took over a LOCK that names nobody (unreadable, SHA-256 ab...)',
    ],
    [
      '/home/ann/venue.key is open to other users (mode 644); chmod 600 it',
      'venue.key is open to other users (mode 644); chmod 600 it',
    ],
    ['C:\\Users\\ann\\venue.key is open', 'venue.key is open'],
    ['signed by did:key:z6Mk, which is not trusted', 'signed by did:key:z6Mk, which is not trusted'],
    ['commits 2 to 6 are missing', 'commits 2 to 6 are missing'],
  ])('%s', (said, told) => {
    expect(plainText(said)).toBe(told);
  });
});

describe('every answer', () => {
  it('is not to be kept, nor taken for another type', async () => {
    const { venue } = await openIn();
    for (const path of ['/api/v1/health', '/api/v1/capabilities', '/metrics', '/nothing']) {
      const { headers } = await ask(venue, path);
      expect([headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual(['no-store', 'nosniff']);
    }
  });

  it.each(['/api/v1/health', '/api/v1/capabilities', '/metrics', '/nothing'])(
    'to HEAD %s is that to GET, without the body',
    async (path) => {
      const { venue } = await openIn();
      const [get, head] = [await ask(venue, path), await ask(venue, path, { method: 'HEAD' })];
      expect([head.status, [...head.headers], head.text]).toEqual([get.status, [...get.headers], '']);
    },
  );
});

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

describe('a base path', () => {
  it.each(['/tidemark', '/tidemark/'])('of %s stands before all of them', async (basePath) => {
    const { venue } = await openIn();
    const handler = healthHandler(venue, { basePath });
    const statusOf = async (path: string) => (await handler(new Request(origin + path))).status;
    for (const path of ['/api/v1/health', '/api/v1/capabilities', '/metrics'])
      expect([await statusOf(`/tidemark${path}`), await statusOf(path)]).toEqual([200, 404]);
  });
});

describe('negotiation', () => {
  const served = async () => {
    const { venue } = await openIn();
    return (await askHealth(venue)).body;
  };
  const refusal = (client: unknown, health: unknown): NegotiationError => {
    try {
      negotiate(client as { apiVersion: number }, health);
    } catch (error) {
      return error as NegotiationError;
    }
    throw new Error('it was not refused');
  };

  it('gives the health back if both speak the same version', async () => {
    const health = await served();
    expect(negotiate({ apiVersion }, health)).toBe(health);
  });

  it('goes on with a 503, which has the health too', async () => {
    const { venue, clock } = await openIn();
    await clock.runUntil(venue.close());
    expect(negotiate({ apiVersion }, (await askHealth(venue)).body).status).toBe('closed');
  });

  it('fails closed for an older client, and says to update it', async () => {
    const health = { ...(await served()), apiVersion: 2 };
    const error = refusal({ apiVersion: 1 }, health);
    expect(error).toBeInstanceOf(NegotiationError);
    expect([error.update, error.message]).toEqual([
      'client',
      'the client speaks apiVersion 1 and the server 2: update the client, which is the older one',
    ]);
  });

  it('fails closed for a newer client, and says to update the server', async () => {
    const error = refusal({ apiVersion: 2 }, await served());
    expect([error.update, error.message]).toEqual([
      'server',
      'the client speaks apiVersion 2 and the server 1: update the server, which is the older one',
    ]);
  });

  const odd = [undefined, null, 0, 1, '1', [], [1], {}, { apiVersion: '1' }, { apiVersion: 1.5 }, { apiVersion: [1] }];
  const odder = [{ apiVersion: Number.NaN }, { apiVersion: -1 }, { apiVersion: 0 }, { apiVersion: 2 ** 60 }, () => 1];
  it.each([...odd, ...odder, { error: { code: 'not_found' } }, '<html>'])(
    'fails closed when either side says %j',
    (said) => {
      const [server, client] = [refusal({ apiVersion: 1 }, said), refusal(said, { apiVersion: 1 })];
      expect([server.update, server.message]).toEqual([
        'server',
        expect.stringMatching(/^the server does not say .* update the server/),
      ]);
      expect([client.update, client.message]).toEqual([
        'client',
        expect.stringMatching(/^the client does not say .* update the client/),
      ]);
      expect(refusal(said, said)).toBeInstanceOf(NegotiationError);
    },
  );
});

describe('the version', () => {
  it("is the package's", () => {
    expect(libraryVersion).toBe(manifest.version);
  });
});
