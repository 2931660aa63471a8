// Bugs that were found by attacking the face, one test each; they stay as regression tests. Values, sweeping, closing, time.
import v8 from 'node:v8';
import vm from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { memoryBackend, memoryStore } from '../../backends/memory';
import { openVenue } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { diskError, gate, openIn, seed, settle, unruly } from './helpers';

describe('values', () => {
  it('null is a value for scan and iteration as it is for get', async () => {
    const { venue } = await openIn();
    const region = venue.region<null | number>('r');
    region.set('a', null);
    region.set('b', 1);
    expect(region.size).toBe(2);
    expect([...region]).toEqual([
      ['a', null],
      ['b', 1],
    ]);
    await venue.flush();
    expect([...venue.root.region('r')]).toEqual([
      ['a', null],
      ['b', 1],
    ]);
  });

  it('freezing goes all the way down, also below what is frozen already', async () => {
    const { venue } = await openIn({}, { freeze: true });
    const region = venue.region<{ inner: { n: number } }>('r');
    region.set('a', Object.freeze({ inner: { n: 1 } }));
    expect(Object.isFrozen(region.get('a')!.inner)).toBe(true);
  });

  it('freezing reaches objects within a Map and a Set', async () => {
    const { venue } = await openIn({}, { freeze: true });
    const region = venue.region<{ map: Map<string, { n: number }>; set: Set<{ n: number }> }>('r');
    region.set('a', { map: new Map([['x', { n: 1 }]]), set: new Set([{ n: 1 }]) });
    const { map, set } = region.get('a')!;
    expect(Object.isFrozen(map.get('x'))).toBe(true);
    expect([...set].every(Object.isFrozen)).toBe(true);
  });

  it('an accessor is refused at set(), since it would be asked again at the sweep', async () => {
    const { venue } = await openIn();
    const value = {
      get n() {
        return 1;
      },
    };
    expect(() => venue.region('r').set('a', { deep: [value] })).toThrow(/key 'a'.*deep\[0\]\.n is a getter/);
  });

  it('a value that was changed in place after set() costs its own entry, not the sweep', async () => {
    const { venue, store, clock } = await openIn({}, { freeze: false });
    const failures = vi.fn();
    venue.on('failure', failures);
    const value: Record<string, unknown> = {};
    venue.region('r').set('a', value);
    venue.region('r').set('b', 2);
    value.self = value;
    await venue.flush();
    expect(failures).toHaveBeenCalledWith(expect.objectContaining({ code: 'bad_value', retryInMs: undefined }));
    expect(venue.health().status).toBe('ok');
    const again = await openIn({ store, clock });
    expect([...again.venue.region('r')]).toEqual([['b', 2]]);
  });

  it('an instance of a class that extends Array is a class instance', async () => {
    class Row extends Array<number> {}
    const { venue } = await openIn();
    expect(() => venue.region('r').set('a', Row.of(1, 2))).toThrow(TypeError);
  });

  it('an array with a toJSON of its own cannot smuggle in another value', async () => {
    const { venue, store, clock } = await openIn();
    const value = Object.assign([1, 2], { toJSON: () => 'other' });
    try {
      venue.region('r').set('a', value);
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
      return;
    }
    await venue.flush();
    const again = await openIn({ store, clock });
    expect(again.venue.region('r').get('a')).toEqual([1, 2]);
  });
});

describe('flush and sweep', () => {
  it('a program that writes all the time does not starve a flush', async () => {
    const { venue, backend } = await openIn();
    const region = venue.region('r');
    let n = 0;
    backend.instead.append = async (pass) => {
      await settle(1);
      region.set('busy', ++n);
      return pass();
    };
    region.set('a', 1);
    let done = false;
    const flushed = venue.flush().then(() => {
      done = true;
    });
    for (let i = 0; i < 200 && !done; i++) await settle(1);
    expect(done).toBe(true);
    expect(n).toBeLessThan(5);
    await flushed;
  });

  it('a program that writes all the time gets a commit per sweep, not one after the other', async () => {
    const { venue, backend, clock } = await openIn();
    const region = venue.region('r');
    backend.instead.append = async (pass) => {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 5));
      return pass();
    };
    for (let ms = 0; ms < 1000; ms++) {
      region.set('busy', ms);
      await clock.advance(1);
    }
    expect(backend.appends.length).toBeLessThan(25);
  });

  it('sweepMs 0 backs off too', async () => {
    const { venue, backend, clock } = await openIn({}, { sweepMs: 0 });
    backend.instead.append = async () => {
      throw diskError('EIO');
    };
    let failures = 0;
    venue.on('failure', () => failures++);
    venue.region('r').set('a', 1);
    await clock.advance(10_000, () => failures > 500);
    expect(failures).toBeLessThan(100);
  });

  it('flush after a relaxed sweep is strict all the same', async () => {
    const { venue, backend, clock } = await openIn();
    venue.region('r').set('a', 1);
    await clock.advance(150);
    expect(backend.appends.at(-1)).toMatchObject({ durability: 'relaxed' });
    await venue.flush();
    expect(backend.appends.at(-1)).toMatchObject({ durability: 'strict' });
  });

  it('a logger that throws does not stop the writing', async () => {
    const broken = () => {
      throw new Error('the logger is broken');
    };
    const { venue, backend, clock } = await openIn({}, { logger: { info: broken, warn: broken, error: broken } });
    const region = venue.region('r');
    region.subscribe(() => {
      throw new Error('the listener is broken');
    });
    let fail = true;
    backend.instead.append = async (pass) => {
      if (fail) throw diskError('EIO');
      return pass();
    };
    region.set('a', 1);
    await clock.advance(1000);
    fail = false;
    await clock.advance(10_000);
    expect(venue.root.region('r').get('a')).toBe(1);
    const heard = vi.fn();
    region.subscribe(heard);
    region.set('b', 2);
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it('a listener that flushes on failure leaves no timer behind', async () => {
    const { venue, backend, clock } = await openIn();
    let failures = 3;
    backend.instead.append = async (pass) => {
      if (failures-- > 0) throw diskError('EIO');
      return pass();
    };
    venue.on('failure', () => void venue.flush());
    venue.region('r').set('a', 1);
    await clock.advance(100);
    await settle();
    expect(venue.unsaved.get()).toBe(false);
    expect(clock.pending()).toBe(0);
  });

  it.each([Number.POSITIVE_INFINITY, 2 ** 31, 1e12])(
    'a time-out of %d ms is no time-out of 1 ms',
    async (timeoutMs) => {
      const backend = unruly(memoryBackend(memoryStore()));
      const put = gate();
      backend.instead.append = async (pass) => {
        await put.opened;
        return pass();
      };
      const venue = await openVenue({ store: backend, seed, signals: false });
      venue.region('r').set('a', 1);
      setTimeout(() => put.open(), 30);
      await venue.flush({ timeoutMs });
      await venue.close();
    },
  );

  it('a value changed in place after it was durable does not stop checkpoints for ever', async () => {
    const { venue } = await openIn({}, { freeze: false, logger: { info() {}, warn() {}, error() {} } });
    const value: { n: number; self?: unknown } = { n: 1 };
    venue.region('r').set('a', value);
    venue.region('r').set('b', 1);
    await venue.flush();
    value.self = value;
    await venue.checkpoint();
    venue.region('r').set('b', 2);
    await venue.checkpoint();
  });
});

describe('closing', () => {
  it('a flush that waits is settled when the venue is closed without it', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.append = () => new Promise(() => {});
    venue.region('r').set('a', 1);
    const flushed = venue.flush().then(
      () => 'durable',
      (error) => error,
    );
    expect(await clock.runUntil(venue.close())).toMatchObject({ durable: false, unsaved: { entries: 1 } });
    expect(await Promise.race([flushed, settle().then(() => 'still waiting')])).toMatchObject({
      code: expect.any(String),
    });
  });

  it('a checkpoint that waits is settled when the venue is closed without it', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.append = () => new Promise(() => {});
    venue.region('r').set('a', 1);
    const made = venue.checkpoint().then(
      () => 'made',
      (error) => error,
    );
    await clock.runUntil(venue.close());
    expect(await Promise.race([made, settle().then(() => 'still waiting')])).toMatchObject({
      code: expect.any(String),
    });
  });

  it('nothing is appended to a backend that was closed, even if an append comes back late', async () => {
    const { venue, backend, clock } = await openIn();
    const late = gate();
    backend.instead.append = async (pass) => {
      await late.opened;
      return pass();
    };
    venue.region('r').set('a', 1);
    await clock.advance(150);
    venue.region('r').set('b', 2);
    await clock.runUntil(venue.close());
    const before = backend.appends.length;
    late.open();
    await settle();
    await clock.advance(60_000);
    expect(backend.appends.length).toBe(before);
  });
});

describe('time', () => {
  it('a later write wins over an earlier one under a clock with fractions of milliseconds', async () => {
    const clock = new SimClock();
    const first = await openIn(
      { clock },
      { clock: Object.assign(Object.create(clock), { now: () => Date.UTC(2025, 0, 1) + 0.3 }) },
    );
    const region = first.venue.region('r');
    region.set('k', 'z first');
    await first.venue.flush();
    region.set('k', 'a second');
    await first.venue.close();
    const { venue } = await openIn({ store: first.store, clock });
    expect(venue.region('r').get('k')).toBe('a second');
  });

  it('an entry that came from another writer outlives its ttl no more than one of our own', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    const [inA, inB] = [a.venue.region('r', { ttl: 1000 }), b.venue.region('r', { ttl: 1000 })];
    inA.set('k', 1);
    await a.venue.flush();
    await settle();
    expect(inB.get('k')).toBe(1);
    a.kill();
    await clock.advance(2000);
    expect(inB.get('k')).toBeUndefined();
  });

  it('an entry refreshed just before it expires is not taken away by the expiry at another writer', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    const [inA, inB] = [a.venue.region('r', { ttl: 1000 }), b.venue.region('r', { ttl: 1000 })];
    inA.set('k', 1);
    await a.venue.flush();
    await settle();
    await clock.advance(950);
    inB.set('k', 'fresh');
    await clock.advance(60);
    expect(inA.get('k')).toBeUndefined();
    await clock.advance(200);
    await settle();
    expect([inA.get('k'), inB.get('k')]).toEqual(['fresh', 'fresh']);
  });

  it('a region with ttl does not grow with every write of the same key', async () => {
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc') as () => void;
    const { venue } = await openIn({}, {});
    const region = venue.region('r', { ttl: 1e9 });
    for (let i = 0; i < 1000; i++) region.set('k', i);
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 300_000; i++) region.set('k', i);
    gc();
    expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(5);
  });
});

describe('small things', () => {
  it('looking at a region that is not there does not make it', async () => {
    const { venue } = await openIn();
    venue.root.region('looked at').get('a');
    venue.fork().region('forked').get('a');
    expect(venue.regions).toEqual([]);
  });

  it('a store that is no store is a bad option', async () => {
    await expect(openVenue({ store: new URL('file:///tmp/x') as never, signals: false })).rejects.toMatchObject({
      code: 'bad_option',
    });
    await expect(openVenue({ store: {} as never, seed, signals: false })).rejects.toMatchObject({ code: 'bad_option' });
  });
});
