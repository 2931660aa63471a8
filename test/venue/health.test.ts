// What a venue says of itself: health(), the unsaved flag and the logger.
import { describe, expect, it, vi } from 'vitest';
import { openVenue } from '../../src/node';
import { diskError, gate, openIn, rememberingLogger, seed, settle } from './helpers';

describe('health', () => {
  it('of a new venue', async () => {
    const { venue } = await openIn();
    const health = venue.health();
    expect(health).toEqual({
      status: 'ok',
      reasons: [],
      target: 'unruly',
      venue: expect.stringMatching(/^[0-9a-f]{32}$/),
      did: venue.did,
      writer: expect.stringMatching(/^[0-9a-f]{16}$/),
      unsaved: { entries: 0, oldestMs: 0, regions: [] },
      root: undefined,
      sweeps: 0,
      failures: 0,
      checkpoints: 0,
      lastFailure: undefined,
      lock: 'shared',
      usage: undefined,
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
      versions: { format: 1 },
      capabilities: { appendNow: false, remote: true, blobs: true },
    });
  });

  it('is plain data: it can be serialised', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.append = async () => {
      throw diskError('EIO');
    };
    venue.region('r').set('a', 1);
    await clock.advance(150);
    const health = venue.health();
    expect(JSON.parse(JSON.stringify(health))).toEqual(JSON.parse(JSON.stringify(structuredClone(health))));
    expect(JSON.stringify(health)).toContain('EIO');
  });

  it('counts what is unsaved, in which regions, and how old the oldest is', async () => {
    const { venue, clock } = await openIn({}, { sweepMs: 1000 });
    venue.region('r').set('a', 1);
    await clock.advance(30);
    venue.region('r').set('a', 2);
    venue.region('r').set('b', 2);
    venue.region('s').delete('nothing');
    venue.region('t').set('c', 2);
    const { entries, oldestMs, regions } = venue.health().unsaved;
    expect([entries, oldestMs, [...regions].sort()]).toEqual([3, 30, ['r', 't']]);
    await clock.advance(970);
    expect(venue.health()).toMatchObject({ unsaved: { entries: 0, oldestMs: 0, regions: [] }, sweeps: 1 });
  });

  it('names the last durable commit as root', async () => {
    const { venue, backend } = await openIn();
    venue.region('r').set('a', 1);
    await venue.flush();
    const { writer, root } = venue.health();
    expect(root).toMatchObject({ writer, index: 0, hash: backend.appends[0]!.at.hash, time: expect.any(Number) });
    venue.region('r').set('a', 2);
    expect(venue.health().root).toEqual(root);
    await venue.flush();
    expect(venue.health().root).toMatchObject({ index: 1, hash: backend.appends[1]!.at.hash });
  });

  it('is failing while writing fails, says why, and is ok again once it works', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.append = async () => {
      throw diskError('ENOSPC');
    };
    venue.region('r').set('a', 1);
    await clock.advance(350);
    expect(venue.health()).toMatchObject({
      status: 'failing',
      reasons: [expect.stringContaining('ENOSPC')],
      failures: 2,
      sweeps: 0,
      lastFailure: {
        reason: 'sweep',
        code: 'ENOSPC',
        message: expect.stringContaining('ENOSPC'),
        unsaved: 1,
        retryInMs: 200,
      },
      unsaved: { entries: 1, oldestMs: 350, regions: ['r'] },
    });
    backend.instead = {};
    await clock.advance(1000);
    expect(venue.health()).toMatchObject({
      status: 'ok',
      reasons: [],
      failures: 2,
      sweeps: 1,
      lastFailure: { code: 'ENOSPC' },
    });
  });

  it('says who else may have the store, and what the backend can', async () => {
    const { venue } = await openIn({ exclusive: true });
    expect(venue.health().lock).toBe('exclusive');
  });

  it('knows the usage once it was asked for', async () => {
    const { venue } = await openIn();
    venue.region('r').set('a', 'x'.repeat(1000));
    await venue.flush();
    const usage = await venue.usage();
    expect(usage.bytes).toBeGreaterThan(1000);
    expect(venue.health().usage).toEqual(usage);
  });

  it('tells of each opening what was found', async () => {
    const first = await openIn();
    first.venue.region('r').set('a', 1);
    await first.venue.checkpoint();
    first.venue.region('r').set('b', 1);
    first.venue.region('r').set('c', 1);
    await first.venue.flush();
    await first.venue.close();
    for (let i = 0; i < 2; i++) {
      const { venue } = await openIn({ store: first.store, clock: first.clock });
      expect(venue.health().recovery).toMatchObject({
        checkpoint: 1,
        fellBack: false,
        entries: 3,
        commits: 1,
        tornBytes: 0,
        damage: [],
        holes: [],
        quarantined: [],
      });
      await venue.close();
    }
  });
});

describe('the unsaved flag', () => {
  it('is up from the first write until all is durable', async () => {
    const { venue, backend, clock } = await openIn();
    const changes: boolean[] = [];
    const off = venue.unsaved.subscribe((unsaved) => {
      expect(venue.unsaved.get()).toBe(unsaved);
      changes.push(unsaved);
    });
    expect(venue.unsaved.get()).toBe(false);
    const put = gate();
    backend.instead.append = async (pass) => {
      await put.opened;
      return pass();
    };
    venue.region('r').set('a', 1);
    venue.region('r').set('b', 1);
    expect([venue.unsaved.get(), changes]).toEqual([true, [true]]);
    await clock.advance(500);
    expect(venue.unsaved.get()).toBe(true);
    put.open();
    await settle();
    expect([venue.unsaved.get(), changes]).toEqual([false, [true, false]]);
    off();
    venue.region('r').set('a', 2);
    expect(changes).toEqual([true, false]);
  });

  it('stays up while something newer is not', async () => {
    const { venue, backend } = await openIn();
    const put = gate();
    backend.instead.append = async (pass) => {
      backend.instead.append = () => new Promise(() => {});
      await put.opened;
      return pass();
    };
    const changes: boolean[] = [];
    venue.unsaved.subscribe((unsaved) => changes.push(unsaved));
    venue.region('r').set('a', 1);
    void venue.flush();
    await settle();
    venue.region('r').set('b', 1);
    put.open();
    await settle();
    expect([venue.unsaved.get(), changes]).toEqual([true, [true]]);
  });
});

describe('the logger', () => {
  it('is the console by default, and only for warnings and errors', async () => {
    const spies = (['log', 'info', 'debug', 'warn', 'error'] as const).map((name) =>
      vi.spyOn(console, name).mockImplementation(() => {}),
    );
    try {
      const { clock, backend } = await openIn();
      const venue = await openVenue({ store: backend, seed, signals: false, clock: clock.process() });
      backend.instead.append = async () => {
        throw diskError('EIO');
      };
      venue.region('r').subscribe(() => {
        throw new Error('listener');
      });
      venue.region('r').set('a', 1);
      await clock.advance(100);
      backend.instead = {};
      await clock.advance(1000);
      await venue.close();
      expect(spies.map(({ mock }) => mock.calls.length)).toEqual([0, 0, 0, 1, 1]);
      expect(`${spies[3]!.mock.calls[0]}`).toMatch(/tidemark.*EIO/);
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });

  it('can be replaced, and hears more', async () => {
    const logs = rememberingLogger();
    const { venue, backend, clock } = await openIn({}, { logger: logs });
    backend.instead.append = async () => {
      throw diskError('EIO');
    };
    venue.region('r').set('a', 1);
    await clock.advance(100);
    backend.instead = {};
    await clock.advance(1000);
    expect([logs.warnings.length, logs.infos.length, logs.errors.length]).toEqual([1, 1, 0]);
  });
});
