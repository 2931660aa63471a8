// When things become durable: 100 ms after the first write, in one signed commit; nothing at all when idle; tried again until it works.
import { describe, expect, it } from 'vitest';
import { diskError, gate, openIn, settle } from './helpers';

describe('a sweep', () => {
  it('comes 100 ms after the first write, not after the last', async () => {
    const { venue, clock, backend } = await openIn();
    const region = venue.region('r');
    region.set('a', 1);
    expect(clock.pending()).toBe(1);
    for (let i = 0; i < 9; i++) {
      await clock.advance(11);
      region.set('a', i);
    }
    expect(backend.appends).toHaveLength(0);
    await clock.advance(1);
    expect(backend.appends).toHaveLength(1);
    expect(venue.root.region('r').get('a')).toBe(8);
  });

  it.each([0, 1, 30, 5000])('comes after sweepMs: %i', async (sweepMs) => {
    const { venue, clock, backend } = await openIn({}, { sweepMs });
    venue.region('r').set('a', 1);
    if (sweepMs > 0) await clock.advance(sweepMs - 1);
    expect(backend.appends).toHaveLength(0);
    await clock.advance(1);
    expect(backend.appends).toHaveLength(1);
  });

  it('coalesces by key, newest wins: one commit, one entry a key', async () => {
    const { venue, clock, backend } = await openIn();
    for (let i = 0; i < 1000; i++) venue.region('r').set(`k${i % 3}`, i);
    venue.region('s').set('x', 1);
    venue.region('s').delete('x');
    await clock.advance(100);
    expect(backend.appends).toHaveLength(1);
    const [, body] = JSON.parse(backend.appends[0]!.line);
    expect(body).toEqual([
      [
        'r',
        1,
        'lww',
        [
          ['k0', expect.any(Number), 999],
          ['k1', expect.any(Number), 997],
          ['k2', expect.any(Number), 998],
        ],
      ],
      ['s', 1, 'lww', [['x', expect.any(Number)]]],
    ]);
  });

  it('is relaxed; one that somebody waits for is strict', async () => {
    const { venue, clock, backend } = await openIn();
    venue.region('r').set('a', 1);
    await clock.advance(100);
    venue.region('r').set('a', 2);
    await venue.flush();
    expect(backend.appends.map(({ durability }) => durability)).toEqual(['relaxed', 'strict']);
  });

  it('writes chains: each commit follows the one before', async () => {
    const { venue, clock, backend } = await openIn();
    for (let i = 0; i < 4; i++) {
      venue.region('r').set('a', i);
      await clock.advance(100);
    }
    const payloads = backend.appends.map(({ line }) =>
      JSON.parse(Buffer.from(JSON.parse(line)[0].split('.')[1], 'base64url').toString()),
    );
    expect(payloads.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(payloads.map(({ prev }) => prev)).toEqual([null, ...backend.appends.slice(0, 3).map(({ at }) => at.hash)]);
    expect(new Set(payloads.map(({ writer }) => writer)).size).toBe(1);
  });

  it('takes no timer and does nothing while nothing is written', async () => {
    const { venue, clock, backend } = await openIn();
    venue.region('r').subscribe(() => {});
    const calls = backend.calls.length;
    await clock.advance(3_600_000);
    expect([clock.fired, clock.pending(), backend.calls.length - calls]).toEqual([0, 0, 0]);
    venue.region('r').set('a', 1);
    await clock.advance(100);
    const fired = clock.fired;
    for (const look of [
      () => venue.health(),
      () => [...venue.region('r')],
      () => venue.region('r').get('a'),
      () => venue.root.region('r').get('a'),
      () => venue.region('r').delete('b'),
    ])
      look();
    await clock.advance(3_600_000);
    expect([clock.fired - fired, clock.pending(), backend.appends.length]).toEqual([0, 0, 1]);
  });

  it('what is written while one is on its way comes with the next', async () => {
    const { venue, clock, backend } = await openIn();
    const first = gate();
    backend.instead.append = async (pass) => {
      backend.instead = {};
      await first.opened;
      return pass();
    };
    const region = venue.region('r');
    region.set('a', 1);
    await clock.advance(100);
    region.set('a', 2);
    region.set('b', 2);
    await clock.advance(1000);
    expect(backend.appends).toHaveLength(1);
    first.open();
    await clock.advance(100);
    expect([venue.root.region('r').get('a'), venue.root.region('r').get('b')]).toEqual([2, 2]);
    expect(venue.unsaved.get()).toBe(false);
    expect(backend.appends).toHaveLength(2);
    expect(JSON.parse(backend.appends[0]!.line)[1]).toEqual([['r', 1, 'lww', [['a', expect.any(Number), 1]]]]);
  });
});

describe('a sweep that fails', () => {
  it('keeps everything and tries again: pauses double up to 5 s, and start anew once it worked', async () => {
    const { venue, clock, backend, logs } = await openIn();
    const region = venue.region('r');
    const pauses: (number | undefined)[] = [];
    venue.on('failure', ({ retryInMs }) => pauses.push(retryInMs));
    const fail = async () => {
      throw diskError('ENOSPC');
    };
    backend.instead.append = fail;
    region.set('a', 1);
    await clock.advance(100);
    expect(region.get('a')).toBe(1);
    for (let i = 0; i < 8; i++) await clock.advance(pauses.at(-1)!);
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    expect(logs.warnings).toHaveLength(9);
    expect(logs.warnings[0]).toContain('ENOSPC');
    backend.instead = {};
    await clock.advance(5000);
    expect([venue.root.region('r').get('a'), venue.unsaved.get(), clock.pending()]).toEqual([1, false, 0]);
    backend.instead.append = fail;
    region.set('a', 2);
    await clock.advance(100);
    expect(pauses.at(-1)).toBe(100);
  });

  it('tries at exactly the times it says', async () => {
    const { venue, clock, backend } = await openIn();
    const at: number[] = [];
    backend.instead.append = async () => {
      at.push(clock.elapsed());
      throw diskError('EIO');
    };
    venue.region('r').set('a', 1);
    await clock.advance(4000);
    expect(at).toEqual([100, 200, 400, 800, 1600, 3200]);
  });

  it('appends the very same bytes again, and what was written meanwhile after them', async () => {
    const { venue, clock, backend } = await openIn();
    const region = venue.region('r');
    let failures = 3;
    backend.instead.append = async (pass) => {
      if (failures-- > 0) throw diskError('EIO');
      return pass();
    };
    region.set('a', 1);
    await clock.advance(100);
    region.set('a', 2);
    region.set('b', 2);
    await clock.advance(10_000);
    const lines = backend.appends.map(({ line }) => line);
    expect(lines).toHaveLength(5);
    expect(new Set(lines.slice(0, 4)).size).toBe(1);
    expect(new Set(backend.appends.slice(0, 4).map(({ at }) => JSON.stringify(at))).size).toBe(1);
    expect(JSON.parse(lines[4]!)[1]).toEqual([
      [
        'r',
        1,
        'lww',
        [
          ['a', expect.any(Number), 2],
          ['b', expect.any(Number), 2],
        ],
      ],
    ]);
    expect(backend.appends[4]!.at.index).toBe(1);
  });

  it('that had reached the store all the same does no harm', async () => {
    const { venue, clock, backend, store } = await openIn();
    let failures = 2;
    backend.instead.append = async (pass) => {
      await pass();
      if (failures-- > 0) throw diskError('EIO');
    };
    venue.region('r').set('a', 1);
    await clock.advance(1000);
    expect(venue.unsaved.get()).toBe(false);
    const { venue: again } = await openIn({ store, clock });
    expect([...again.region('r')]).toEqual([['a', 1]]);
    expect(again.health()).toMatchObject({ status: 'ok', recovery: { commits: 1, holes: [], damage: [] } });
  });

  it('is tried at once when somebody flushes, and the flush is served', async () => {
    const { venue, clock, backend } = await openIn();
    backend.instead.append = async () => {
      throw diskError('EIO');
    };
    venue.region('r').set('a', 1);
    await clock.advance(3300);
    backend.instead = {};
    const before = clock.elapsed();
    await venue.flush();
    expect([clock.elapsed() - before, venue.root.region('r').get('a')]).toEqual([0, 1]);
    await clock.advance(60_000);
    expect(clock.pending()).toBe(0);
  });

  it('does not pile up: writes while it fails are one commit once it works', async () => {
    const { venue, clock, backend } = await openIn();
    let works = false;
    backend.instead.append = async (pass) => {
      if (!works) throw diskError('EIO');
      return pass();
    };
    for (let i = 0; i < 500; i++) {
      venue.region('r').set(`k${i % 50}`, i);
      await clock.advance(20);
    }
    // 50, and what the commit that fails had taken by then.
    expect(venue.health().unsaved.entries).toBeLessThan(50 + 10);
    works = true;
    await clock.advance(5000);
    expect(venue.unsaved.get()).toBe(false);
    expect(backend.appends.at(-1)!.at.index).toBe(1);
    expect([...venue.root.region('r')]).toHaveLength(50);
  });

  it('may throw before it returns a promise', async () => {
    const { venue, clock, backend } = await openIn();
    const append = backend.append;
    backend.append = () => {
      backend.append = append;
      throw diskError('EBADF');
    };
    venue.region('r').set('a', 1);
    await clock.advance(1000);
    await settle();
    expect([venue.root.region('r').get('a'), venue.health().failures]).toEqual([1, 1]);
  });
});
