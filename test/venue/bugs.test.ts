// Bugs that were found by attacking the face, one test each. They stay as regression tests.
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import type { Bytes } from '../../src/backend';
import { openVenue } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { diskError, gate, openIn, otherSeed, seed, settle, useFolder } from './helpers';

const path = useFolder();

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

describe('forks', () => {
  it('goes into one commit, however much else is unsaved', async () => {
    const { venue, backend, store } = await openIn();
    for (let i = 0; i < 15; i++) venue.region('big').set(`k${i}`, 'x'.repeat(1024 * 1024));
    const fork = venue.fork();
    for (const name of ['a', 'b', 'c']) fork.region(name).set('k', 'y'.repeat(600_000));
    fork.sync();
    // Whatever commits there are, a crash after any of them leaves the fork whole or not at all.
    await venue.flush();
    const withPart = backend.appends.filter(({ line }) =>
      ['a', 'b', 'c'].some((name) => line.includes(`["${name}",1,`)),
    );
    expect(withPart).toHaveLength(1);
    expect(store.commits().length).toBeGreaterThan(0);
  });

  it('whose join throws is not joined in part', async () => {
    const { venue } = await openIn();
    const bad = venue.region<number>('b', {
      join: (a, b) => {
        if (b === 13) throw new Error('unlucky');
        return Math.max(a, b);
      },
    });
    bad.set('k', 1);
    const fork = venue.fork();
    fork.region('a').set('k', 1);
    fork.region('b').set('k', 13);
    expect(() => fork.sync()).toThrow('unlucky');
    expect(venue.region('a').get('k')).toBeUndefined();
  });

  it.each(['max', 'union'] as const)('writes over what was deleted before a restart, with join %s', async (join) => {
    const first = await openIn();
    const before = first.venue.region<number>('r', { join });
    before.set('k', 5);
    before.delete('k');
    before.set('k', 3);
    before.set('gone', 1);
    before.delete('gone');
    await first.venue.checkpoint();
    await first.venue.close();
    const { venue } = await openIn({ store: first.store, clock: first.clock });
    const region = venue.region<number>('r', { join });
    const fork = venue.fork();
    fork.region('r').set('k', 9);
    fork.region('r').set('gone', 2);
    fork.sync();
    expect(region.get('k')).toBe(9);
    expect(region.get('gone')).toBe(2);
  });
});

describe('joins other than lww, deleted and set again', () => {
  it('keep what a commit held when it is encoded later', async () => {
    const first = await openIn();
    const region = first.venue.region<number>('r', { join: 'max' });
    region.set('k', 10);
    const big = first.venue.region('big');
    for (let i = 0; i < 17; i++) big.set(`k${i}`, 'x'.repeat(1024 * 1024)); // more than goes into one commit
    region.delete('k');
    region.set('k', 1);
    await first.venue.close();
    const { venue } = await openIn({ store: first.store, clock: first.clock });
    expect(venue.region<number>('r', { join: 'max' }).get('k')).toBe(1);
  });

  it('keep what was durable when a checkpoint is made meanwhile', async () => {
    const first = await openIn();
    const region = first.venue.region<number>('r', { join: 'max' });
    region.set('k', 10);
    await first.venue.flush();
    first.backend.instead.checkpoint = (pass) => {
      region.delete('k');
      region.set('k', 1);
      return pass();
    };
    await first.venue.checkpoint();
    await first.venue.close();
    const { venue } = await openIn({ store: first.store, clock: first.clock });
    expect(venue.region<number>('r', { join: 'max' }).get('k')).toBe(1);
  });

  it('are joined by a function after a restart as they were before', async () => {
    const join = (a: number, b: number) => Math.max(a, b);
    const clock = new SimClock();
    const a = await openIn({ clock });
    const { store } = a;
    const b = await openIn({ clock, store });
    const [inA, inB] = [a.venue.region<number>('r', { join }), b.venue.region<number>('r', { join })];
    inA.set('k', 100);
    inA.delete('k');
    inA.set('k', 1);
    await a.venue.flush();
    await settle();
    inA.set('k', 5);
    await clock.advance(1, () => false);
    inB.set('k', 3);
    await Promise.all([a.venue.flush(), b.venue.flush()]);
    await settle();
    expect([inA.get('k'), inB.get('k')]).toEqual([5, 5]);
    const c = await openIn({ clock, store });
    expect(c.venue.region<number>('r', { join }).get('k')).toBe(5);
  });

  it('are joined by a function with what a checkpoint has', async () => {
    const join = (a: number, b: number) => Math.max(a, b);
    const clock = new SimClock();
    const a = await openIn({ clock });
    const { store } = a;
    const b = await openIn({ clock, store });
    b.backend.unheard = [];
    a.venue.region<number>('r', { join }).set('k', 10);
    await a.venue.checkpoint();
    await clock.advance(10);
    b.venue.region<number>('r', { join }).set('k', 3);
    await b.venue.flush();
    const c = await openIn({ clock, store });
    expect(c.venue.region<number>('r', { join }).get('k')).toBe(10);
  });

  it('refuse what a join function makes that cannot be stored', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r', { join: () => undefined as never });
    region.set('k', 1);
    expect(() => region.set('k', 2)).toThrow();
    expect(region.get('k')).toBe(1);
  });
});

describe('schema versions', () => {
  it('an entry of a newer version is not shown to a program that is a version behind', async () => {
    const first = await openIn();
    first.venue.region('r').set('a', 'old');
    await first.venue.close();
    const second = await openIn({ store: first.store, clock: first.clock });
    second.venue.region('r', { version: 2, migrate: (value) => ({ title: value }) }).set('b', { title: 'new' });
    await second.venue.close();
    const third = await openIn({ store: first.store, clock: first.clock });
    const region = third.venue.region('r', { version: 1 });
    expect(region.get('b')).toBeUndefined();
    expect(() => region.set('b', 'mine')).toThrow(expect.objectContaining({ code: 'newer_entry' }));
    expect(third.venue.health().recovery.quarantined).toEqual(
      expect.arrayContaining([expect.objectContaining({ region: 'r', key: 'b' })]),
    );
  });

  it('a program that declares no version has version 1', async () => {
    const first = await openIn();
    first.venue.region('r', { version: 2, migrate: (value) => value }).set('b', { title: 'new' });
    await first.venue.close();
    const second = await openIn({ store: first.store, clock: first.clock });
    expect(second.venue.region('r').get('b')).toBeUndefined();
  });

  it('a migrate that returns what cannot be stored costs one entry', async () => {
    const first = await openIn();
    const before = first.venue.region('r');
    for (const key of ['a', 'b', 'c']) before.set(key, key);
    await first.venue.close();
    const { venue } = await openIn({ store: first.store, clock: first.clock });
    const migrate = (value: unknown) => (value === 'b' ? undefined : `${value}2`);
    const region = venue.region<unknown>('r', { version: 2, migrate });
    expect([...region]).toEqual([
      ['a', 'a2'],
      ['c', 'c2'],
    ]);
    expect(venue.health().recovery.quarantined).toMatchObject([{ region: 'r', key: 'b' }]);
  });

  it('a migrated value takes the place of the old one, whatever the join', async () => {
    const first = await openIn();
    first.venue.region<number>('r', { join: 'max' }).set('cents', 100);
    await first.venue.close();
    const { venue } = await openIn({ store: first.store, clock: first.clock });
    const region = venue.region<number>('r', { join: 'max', version: 2, migrate: (value) => (value as number) / 10 });
    expect(region.get('cents')).toBe(10);
  });

  it('a transforming validator sees a migrated value once', async () => {
    const first = await openIn();
    first.venue.region('r').set('a', 'x');
    await first.venue.close();
    const { venue } = await openIn({ store: first.store, clock: first.clock });
    const validate = z.string().transform((text) => `${text}!`);
    expect(venue.region<string>('r', { version: 2, migrate: (value) => value as string, validate }).get('a')).toBe(
      'x!',
    );
  });

  it('an entry of an older version that comes from another writer is migrated', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    const inB = b.venue.region<unknown>('r', { version: 2, migrate: (value) => ({ title: value }) });
    a.venue.region('r').set('k', 'old');
    await a.venue.flush();
    await settle();
    expect(inB.get('k')).toEqual({ title: 'old' });
  });

  it('an asynchronous validator that rejects is refused and its promise looked after', async () => {
    const { venue } = await openIn();
    const validate = {
      '~standard': { version: 1, vendor: 'test', validate: () => Promise.reject(new Error('later')) },
    } as const;
    const region = venue.region('r', { validate });
    expect(() => region.set('a', 1)).toThrow(expect.objectContaining({ code: 'bad_option' }));
    await settle(); // an unhandled rejection fails the run
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
});

describe('several writers on one store', () => {
  it('a commit that was not heard of is not covered by a checkpoint', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const { store } = a;
    const b = await openIn({ clock, store });
    const missed: Bytes[] = [];
    b.backend.unheard = missed;
    a.venue.region('r').set('missed', 1);
    await a.venue.flush();
    await settle();
    b.backend.unheard = undefined;
    a.venue.region('r').set('heard', 1);
    await a.venue.flush();
    await settle();
    expect(missed).toHaveLength(1);
    await b.venue.checkpoint();
    const c = await openIn({ clock, store });
    expect([...c.venue.region('r')].map(([key]) => key)).toEqual(['heard', 'missed']);
  });

  it('commits heard of in the wrong order are all joined', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    const late: Bytes[] = [];
    b.backend.unheard = late;
    for (const key of ['x', 'y']) {
      a.venue.region('r').set(key, 1);
      await a.venue.flush();
    }
    await settle();
    for (const commit of late.reverse()) b.backend.hear(commit);
    expect([...b.venue.region('r')].map(([key]) => key)).toEqual(['x', 'y']);
  });

  it('root does not go back to what an older commit of another writer says', async () => {
    const clock = new SimClock();
    const first = await openIn({ clock });
    const { store } = first;
    const slow = await openIn({ clock, store });
    slow.backend.unheard = [];
    slow.venue.region('r').set('k', 'older');
    await clock.advance(10);
    first.venue.region('r').set('k', 'checkpoint');
    await first.venue.checkpoint();
    await first.venue.close();
    const second = await openIn({ clock, store });
    second.backend.instead.append = () => new Promise(() => {});
    second.venue.region('r').set('k', 'unsaved');
    await slow.venue.flush();
    await settle();
    expect(second.venue.root.region('r').get('k')).toBe('checkpoint');
  });
});

describe('whose store it is', () => {
  it('a trusted key that is forgotten costs nothing', async () => {
    const clock = new SimClock();
    const first = await openIn({ clock });
    const { store } = first;
    first.venue.region('r').set('theirs', 1);
    await first.venue.checkpoint();
    await first.venue.close();
    const second = await openIn({ clock, store }, { seed: otherSeed, trusted: [first.venue.did] });
    second.venue.region('r').set('mine', 2);
    await second.venue.close();
    await openIn({ clock, store }, { seed: otherSeed }).then(
      ({ venue }) => venue.close(),
      (error) => expect(error).toMatchObject({ code: 'foreign_key' }),
    );
    const third = await openIn({ clock, store }, { seed: otherSeed, trusted: [first.venue.did] });
    expect([...third.venue.region('r')].map(([key]) => key)).toEqual(['mine', 'theirs']);
  });

  it('a store whose key file is gone gets no new one', async () => {
    const { rm, readdir } = await import('node:fs/promises');
    const venue = await openVenue({ store: path('venue.etch'), signals: false });
    venue.region('r').set('a', 1);
    await venue.close();
    await rm(path('venue.key'));
    await expect(openVenue({ store: path('venue.etch'), signals: false })).rejects.toMatchObject({
      code: 'foreign_key',
    });
    expect(await readdir(path('.'))).toEqual(['venue.etch']);
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
