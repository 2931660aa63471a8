// Health over HTTP: what is answered in every state of a venue, and what is left out of it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { openVenue as openInBrowser } from '../../src/browser';
import { apiVersion, type Capabilities, healthHandler, libraryVersion } from '../../src/services/health';
import { plainText } from '../../src/services/health/redacted';
import type { Venue } from '../../src/venue';
import { diskError, openIn, rememberingLogger } from '../venue/helpers';
import { ask, askHealth, askJson, origin } from './health-asked';

const even = { '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => evenOnly(value) } };
const evenOnly = (value: unknown) =>
  (value as number) % 2 === 0 ? { value: value as number } : { issues: [{ message: `${value} is odd` }] };

/** Of a venue in memory, which has no journal. */
const featuresOf = (venue: Venue) => {
  const able = Object.entries(venue.health().capabilities).filter(([, can]) => can);
  return ['checkpoint', 'flush', 'fork', ...able.map(([name]) => name)].sort();
};

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
    vi.spyOn(venue, 'health').mockReturnValue({
      ...health,
      journal,
      capabilities: { appendNow: true, remote: false, blobs: false },
    });
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

describe('the version', () => {
  it("is the package's", () => {
    expect(libraryVersion).toBe(manifest.version);
  });
});
