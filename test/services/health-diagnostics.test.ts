// The packet for somebody far away: that it says what helps, and that nothing of the program's own is in it. Known texts are planted everywhere and
// looked for in all that leaves.
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVenue, type Venue } from '../../src/node';
import { diagnostics, healthHandler, recordEvents } from '../../src/services/health';
import { SimClock } from '../simulator/clock';
import { diskError, openIn, rememberingLogger, seed, useFolder } from '../venue/helpers';
import { newOrigin, openTab } from '../venue/pages';

/** Everything that leaves a program about a venue. */
async function everything(venue: Venue): Promise<string> {
  const handler = healthHandler(venue);
  const texts = [JSON.stringify(diagnostics(venue))];
  for (const path of ['/api/v1/health', '/api/v1/capabilities', '/metrics', '/planted-path?planted-query'])
    texts.push(await (await handler(new Request(`http://127.0.0.1${path}`))).text());
  return texts.join('\n');
}

describe('a packet', () => {
  it('has versions, platform, health, capabilities, recovery, regions, events and errors', async () => {
    const { venue, backend, clock } = await openIn();
    recordEvents(venue);
    venue.region('notes').set('a', 1);
    await venue.flush();
    backend.instead.append = async () => {
      throw diskError('ENOSPC');
    };
    venue.region('more').set('b', 1);
    await clock.advance(100);
    const at = expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/);
    const { did, writer } = venue;
    const { health, ...packet } = diagnostics(venue, { platform: { app: 'board 1.2' } });
    expect(packet).toEqual({
      madeAt: at,
      versions: { tidemark: '0.1.0', format: 1 },
      platform: {
        runtime: `node ${process.versions.node}`,
        os: process.platform,
        arch: process.arch,
        app: 'board 1.2',
      },
      capabilities: {
        apiVersion: 1,
        versions: { tidemark: '0.1.0', format: 1 },
        store: 'shared',
        features: expect.arrayContaining(['flush']),
      },
      recovery: expect.objectContaining({ damage: [], holes: [], quarantined: [] }),
      regions: ['more', 'notes'],
      recordedSince: at,
      events: [
        {
          at,
          event: 'sweep',
          writer,
          index: 0,
          entries: 1,
          bytes: expect.any(Number),
          tookMs: 0,
          time: expect.any(Number),
        },
        { at, event: 'flush', tookMs: 0 },
        { at, event: 'failure', reason: 'sweep', code: 'ENOSPC', newerPending: false, unsaved: 1, retryInMs: 100 },
      ],
      errors: [
        { at, event: 'failure', reason: 'sweep', code: 'ENOSPC', newerPending: false, unsaved: 1, retryInMs: 100 },
      ],
    });
    expect(health).toMatchObject({
      status: 'failing',
      reasons: ['sweep failed'],
      did,
      writer,
      unsaved: { entries: 1, regions: ['more'] },
      lastFailure: { code: 'ENOSPC' },
    });
  });

  it('is plain JSON', async () => {
    const { venue } = await openIn();
    const packet = diagnostics(venue, { platform: { nothing: undefined, at: new Date(0) } });
    expect(JSON.parse(JSON.stringify(packet))).toEqual(packet);
    expect(() => diagnostics(venue, { platform: { odd: 1n } })).toThrow(TypeError);
  });

  it('keeps the last 100 events, and of failures the last 100 of their own', async () => {
    const { venue, backend, clock } = await openIn();
    recordEvents(venue);
    backend.instead.append = async () => {
      throw diskError('EIO');
    };
    venue.region('r').set('a', 1);
    await clock.advance(100);
    backend.instead = {};
    await clock.advance(1000);
    for (let n = 0; n < 150; n++) {
      venue.region('r').set('a', n);
      await clock.advance(100);
    }
    const { events, errors } = diagnostics(venue);
    expect([events.length, errors.length]).toEqual([100, 1]);
    expect(events.every(({ event }) => event === 'sweep')).toBe(true);
    expect([events[0]!.index, events.at(-1)!.index]).toEqual([51, 150]);
    backend.instead.append = async () => {
      throw diskError('EROFS');
    };
    venue.region('r').set('a', 1);
    await clock.advance(1000_000);
    const later = diagnostics(venue);
    expect([later.errors.length, new Set(later.errors.map(({ code }) => code))]).toEqual([100, new Set(['EROFS'])]);
  });

  it('remembers from when it is first asked to, once, whoever asks', async () => {
    const { venue } = await openIn();
    venue.region('r').set('a', 1);
    await venue.flush();
    expect(diagnostics(venue).events).toEqual([]);
    recordEvents(venue);
    healthHandler(venue);
    venue.region('r').set('a', 2);
    await venue.flush();
    expect(diagnostics(venue).events.map(({ event }) => event)).toEqual(['sweep', 'flush']);
  });

  it('is there for a venue that is closed, with how it ended, and for one whose store hangs', async () => {
    const { venue, backend, clock } = await openIn();
    recordEvents(venue);
    backend.instead = { append: () => new Promise(() => {}), usage: () => new Promise(() => {}) };
    venue.region('r').set('a', 1);
    expect(diagnostics(venue).health.status).toBe('ok');
    await clock.runUntil(venue.close());
    const { health, events } = diagnostics(venue);
    expect([health.status, health.unsaved.entries]).toEqual(['closed', 1]);
    expect(events.map(({ event }) => event)).toEqual(['closing', 'closed']);
    expect(events.at(-1)).toMatchObject({ durable: false });
  });

  it('does not declare a region: its program may still want to, with a version and a migration', async () => {
    const { venue, store, clock } = await openIn();
    venue.region('r', { version: 2 }).set('a', 1);
    await clock.runUntil(venue.close());
    const next = await openIn({ store, clock });
    diagnostics(next.venue);
    expect(next.venue.region('r', { version: 2 }).get('a')).toBe(1);
    expect(next.venue.health().status).toBe('ok');
  });

  it('hears of what other tabs did, of leaving and of returning', async () => {
    const origin = newOrigin();
    const [one, two] = [await openTab(origin), await openTab(origin)];
    recordEvents(one.venue);
    two.venue.region('r').set('planted-key', 1);
    await origin.clock.runUntil(two.venue.flush());
    await origin.clock.advance(1);
    one.going.leave();
    one.going.resume();
    await origin.clock.advance(1);
    const { events } = diagnostics(one.venue);
    expect(events.find(({ event }) => event === 'joined')).toMatchObject({ writer: two.venue.writer, entries: 1 });
    expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['joined', 'leaving', 'returned']));
    expect(JSON.stringify(events)).not.toContain('planted');
  });
});

describe('nothing of the program is in what leaves', () => {
  const refuse = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) => ({ issues: [{ message: `planted-message: ${JSON.stringify(value)}` }] }),
    },
  };

  it('no key, no value and no message, of a venue with everything wrong', async () => {
    const { venue, backend, clock } = await openIn();
    recordEvents(venue);
    const notes = venue.region('notes');
    for (let n = 0; n < 10; n++)
      notes.set(`planted-key ${n}`, { 'planted-field': `planted-value 'quoted' "twice": ${n}` });
    await venue.flush();
    venue.region('notes', { validate: refuse });
    for (const code of ['ENOSPC', 'planted code: with words', 'planted\ncode']) {
      backend.instead.append = async () => {
        throw Object.assign(new Error(`planted-message '/home/planted-user/x': ${code}`), { code });
      };
      venue.region('other').set('planted-key', 'planted-value');
      await clock.advance(10_000);
      const said = await everything(venue);
      expect(said).not.toContain('planted');
      expect(said).toContain('failing');
    }
    expect(() => venue.region('notes').set('planted-key', { 'planted-field': 1 })).toThrow('planted');
    await clock.runUntil(venue.close());
    expect(await everything(venue)).not.toContain('planted');
  });

  it('no path and no name of a user, but of what it was told about its platform the rest', async () => {
    const { venue } = await openIn();
    const { platform } = diagnostics(venue, {
      platform: {
        cwd: '/home/planted-user/app',
        mac: 'file:///Users/Planted User/app',
        windows: 'C:\\Users\\planted-user\\app',
        root: '/root/app',
        list: [{ apiKey: 'planted-secret', authorization: 'planted-secret' }],
        node: 'v20',
      },
    });
    expect(platform).toMatchObject({
      cwd: '~/app',
      mac: 'file://~/app',
      windows: '~\\app',
      root: '~/app',
      node: 'v20',
    });
    expect(JSON.stringify(platform)).not.toMatch(/planted/i);
  });

  describe('of a folder', () => {
    const path = useFolder();
    const logger = rememberingLogger();
    const open = (store: string) => openVenue({ store, seed, signals: false, logger, clock: new SimClock().process() });

    it('no folder, no line and no message, when opening finds damage', async () => {
      const home = path('home', 'planted-user');
      await mkdir(home, { recursive: true });
      const store = join(home, 'venue.etch');
      const first = await open(store);
      first.region('notes').set('planted-key', 'planted-value');
      await first.flush();
      first.region('notes').set('planted-key-2', 'planted-value');
      await first.close();
      const log = join(store, (await readdir(store)).find((name) => name.startsWith('log.'))!);
      const lines = (await readFile(log, 'utf8')).split('\n');
      await writeFile(log, [lines[0]!.replace('planted-value', 'planted-other'), ...lines.slice(1)].join('\n'));
      await appendFile(log, 'planted-torn');
      const venue = await open(store);
      recordEvents(venue);
      const { health, recovery } = diagnostics(venue);
      expect([health.status, health.target, health.reasons]).toEqual([
        'degraded',
        'fs:venue.etch',
        [`${recovery.damage.length} places are damaged, see recovery.damage`],
      ]);
      expect(recovery.damage[0]).toMatchObject({
        where: expect.stringMatching(/^log\.\d+\.\w+$/),
        what: expect.any(String),
      });
      expect(recovery.damage[0]!.what.length).toBeGreaterThan(10);
      expect(recovery.tornBytes).toBe('planted-torn'.length);
      const said = await everything(venue);
      expect(said).not.toContain('planted');
      expect(said).not.toContain(path());
      await venue.close();
    });
  });
});
