// flush: durable, strictly, everything written before the call; and time, which may jump without harm.
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { FlushTimeoutError } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { diskError, gate, openIn, settle } from './helpers';

const never = () => new Promise<never>(() => {});

describe('flush', () => {
  it('resolves when all that was written before the call is durable', async () => {
    const { venue, backend } = await openIn();
    const put = gate();
    backend.instead.append = async (pass) => {
      await put.opened;
      return pass();
    };
    venue.region('r').set('a', 1);
    const done = vi.fn();
    const flushed = venue.flush().then(done);
    await settle();
    expect(done).not.toHaveBeenCalled();
    put.open();
    await flushed;
    expect(venue.root.region('r').get('a')).toBe(1);
    expect(venue.unsaved.get()).toBe(false);
  });

  it("needs no time to pass, and takes the sweep's timer away", async () => {
    const { venue, clock } = await openIn();
    venue.region('r').set('a', 1);
    await venue.flush();
    expect([clock.elapsed(), clock.fired, clock.pending()]).toEqual([0, 0, 0]);
  });

  it('of a clean venue resolves and writes nothing', async () => {
    const { venue, backend } = await openIn();
    await venue.flush();
    venue.region('r').set('a', 1);
    await venue.flush();
    await venue.flush();
    await venue.flush({ timeoutMs: 1000 });
    expect(backend.appends).toHaveLength(1);
  });

  it('called many times at once is one commit', async () => {
    const { venue, backend } = await openIn();
    const writers = Array.from({ length: 100 }, async (_, i) => {
      venue.region('r').set(`k${i}`, i);
      await venue.flush();
      expect(venue.root.region('r').get(`k${i}`)).toBe(i);
    });
    await Promise.all(writers);
    expect(backend.appends).toHaveLength(1);
  });

  it('called while one is on its way is served by the next, which they share', async () => {
    const { venue, backend } = await openIn();
    const put = gate();
    backend.instead.append = async (pass) => {
      backend.instead = {};
      await put.opened;
      return pass();
    };
    const region = venue.region('r');
    region.set('a', 1);
    const first = venue.flush();
    await settle();
    region.set('b', 1);
    const second = venue.flush();
    region.set('c', 1);
    const third = venue.flush();
    put.open();
    await first;
    expect(venue.root.region('r').get('a')).toBe(1);
    await Promise.all([second, third]);
    expect([...venue.root.region('r')].map(([key]) => key)).toEqual(['a', 'b', 'c']);
    expect(backend.appends).toHaveLength(2);
  });

  it('waits for a sweep that is on its way with what it needs', async () => {
    const { venue, backend, clock } = await openIn();
    const put = gate();
    backend.instead.append = async (pass) => {
      await put.opened;
      return pass();
    };
    venue.region('r').set('a', 1);
    await clock.advance(150);
    const done = vi.fn();
    const flushed = venue.flush().then(done);
    await settle();
    expect(done).not.toHaveBeenCalled();
    put.open();
    await flushed;
    expect(venue.root.region('r').get('a')).toBe(1);
  });

  it('is for a fixed point: what is written after the call need not be durable', async () => {
    const { venue, backend, clock } = await openIn();
    const region = venue.region('r');
    let n = 0;
    backend.instead.append = async (pass) => {
      await settle(2);
      return pass();
    };
    region.set('a', 1);
    let done = false;
    const flushed = venue.flush().then(() => {
      done = true;
    });
    while (!done && n < 1000) {
      region.set('busy', ++n);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await flushed;
    expect(n).toBeLessThan(50);
    await clock.advance(1000);
    await settle();
    expect(venue.root.region('r').get('busy')).toBe(n);
  });

  it('goes on over failures until it is done', async () => {
    const { venue, backend, clock } = await openIn();
    let failures = 5;
    backend.instead.append = async (pass) => {
      if (failures-- > 0) throw diskError('EIO');
      return pass();
    };
    venue.region('r').set('a', 1);
    await clock.runUntil(venue.flush());
    expect(venue.root.region('r').get('a')).toBe(1);
  });
});

describe('flush with timeoutMs', () => {
  it('rejects with how much is unsaved, and loses nothing', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.append = never;
    for (let i = 0; i < 7; i++) venue.region('r').set(`k${i}`, i);
    const flushed = venue.flush({ timeoutMs: 250 });
    const caught = vi.fn();
    flushed.catch(caught);
    await clock.advance(249);
    expect(caught).not.toHaveBeenCalled();
    await clock.advance(1);
    await expect(flushed).rejects.toThrow(FlushTimeoutError);
    await expect(flushed).rejects.toMatchObject({
      code: 'flush_timeout',
      unsaved: 7,
      message: expect.stringMatching(/250 ms.*7/),
    });
    expect(venue.region('r').size).toBe(7);
  });

  it('says why, when a failure was why, and works once the disk does', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.append = async () => {
      throw diskError('ENOSPC');
    };
    venue.region('r').set('a', 1);
    const flushed = clock.runUntil(venue.flush({ timeoutMs: 1000 }));
    await expect(flushed).rejects.toMatchObject({ unsaved: 1, cause: { code: 'ENOSPC' } });
    backend.instead = {};
    await clock.advance(5000);
    expect([venue.root.region('r').get('a'), clock.pending()]).toEqual([1, 0]);
    await venue.flush({ timeoutMs: 1 });
  });

  it('leaves no timer behind when it was in time', async () => {
    const { venue, clock } = await openIn();
    venue.region('r').set('a', 1);
    await venue.flush({ timeoutMs: 60_000 });
    expect(clock.pending()).toBe(0);
  });

  it('of one does not end the waiting of another', async () => {
    const { venue, backend, clock } = await openIn();
    const put = gate();
    backend.instead.append = async (pass) => {
      await put.opened;
      return pass();
    };
    venue.region('r').set('a', 1);
    const patient = vi.fn();
    const [short, long] = [venue.flush({ timeoutMs: 10 }), venue.flush().then(patient)];
    const rejected = expect(short).rejects.toThrow(FlushTimeoutError);
    await clock.advance(20);
    await rejected;
    expect(patient).not.toHaveBeenCalled();
    put.open();
    await long;
  });

  it('of 0 gives what can be done in no time', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.append = never;
    venue.region('r').set('a', 1);
    await expect(clock.runUntil(venue.flush({ timeoutMs: 0 }))).rejects.toMatchObject({ unsaved: 1 });
  });
});

describe('a wall clock that jumps', () => {
  const year = 365 * 24 * 3_600_000;

  it('never makes a later write lose to an earlier one: back, forth, and over restarts', async () => {
    const jump = fc.constantFrom(0, 1, -1, -3_600_000, 3_600_000, -5 * year, 5 * year);
    const step = fc.record({ jump, act: fc.constantFrom('write', 'delete', 'flush', 'checkpoint', 'reopen', 'kill') });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const clock = new SimClock();
        let opened = await openIn({ clock, exclusive: true });
        const { store } = opened;
        let value: number | undefined;
        let n = 0;
        for (const { jump: ms, act } of steps) {
          clock.jump(ms);
          const region = opened.venue.region('r');
          if (act === 'write') {
            value = ++n;
            region.set('k', value);
          } else if (act === 'delete') {
            region.delete('k');
            value = undefined;
          } else if (act === 'flush') await opened.venue.flush();
          else if (act === 'checkpoint') await opened.venue.checkpoint();
          else {
            if (act === 'kill') {
              await opened.venue.flush();
              opened.kill();
            } else await opened.venue.close();
            opened = await openIn({ store, clock, exclusive: true });
          }
          expect(opened.venue.region('r').get('k')).toBe(value);
        }
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it('does not hold back or hurry a sweep', async () => {
    const { venue, clock, backend } = await openIn();
    venue.region('r').set('a', 1);
    clock.jump(-year);
    await clock.advance(99);
    clock.jump(2 * year);
    expect(backend.appends).toHaveLength(0);
    await clock.advance(1);
    expect(backend.appends).toHaveLength(1);
  });

  it.each([0, -1e12, 8.64e15, Number.NaN, Number.POSITIVE_INFINITY])('works with a clock that says %d', async (ms) => {
    const clock = new SimClock();
    const wrong = Object.assign(Object.create(clock), { now: () => ms });
    const first = await openIn({ clock }, { clock: wrong });
    const region = first.venue.region('r');
    region.set('a', 1);
    await first.venue.flush();
    region.set('a', 2);
    region.set('b', 2);
    region.delete('b');
    await first.venue.checkpoint();
    await first.venue.close();
    const { venue } = await openIn({ store: first.store, clock });
    expect([...venue.region('r')]).toEqual([['a', 2]]);
    venue.region('r').set('a', 3);
    await venue.close();
    const again = await openIn({ store: first.store, clock }, { clock: wrong });
    expect([...again.venue.region('r')]).toEqual([['a', 3]]);
  });
});
