// Joins as a program sees them: what writers of one store have written at the same time becomes the same everywhere, in whatever order it comes.
import { describe, expect, it } from 'vitest';
import type { Join, RegionOptions } from '../../src/node';
import { checkJoin } from '../../src/testing';
import { SimClock } from '../simulator/clock';
import { openIn, settle } from './helpers';

const sum = (a: Record<string, number>, b: Record<string, number>) => {
  const joined = { ...a };
  for (const [who, n] of Object.entries(b)) joined[who] = Math.max(n, joined[who] ?? 0);
  return Object.fromEntries(Object.entries(joined).sort());
};

/** Two writers of one store, each of which hears of what the other has made durable. */
async function two<T>(options: RegionOptions<T>) {
  const clock = new SimClock();
  const a = await openIn({ clock });
  const b = await openIn({ clock, store: a.store });
  const exchange = async () => {
    await Promise.all([a.venue.flush(), b.venue.flush()]);
    await settle();
  };
  const third = async () => (await openIn({ clock, store: a.store })).venue.region<T>('r', options);
  return { clock, inA: a.venue.region<T>('r', options), inB: b.venue.region<T>('r', options), exchange, third };
}

describe('in one venue', () => {
  it.each<[string, Join<never>, unknown[], unknown]>([
    ['lww', 'lww', [3, 9, 5], 5],
    ['max', 'max', [3, 9, 5], 9],
    ['min', 'min', [3, 9, 5], 3],
    ['union', 'union', [['b'], ['a'], ['b']], ['a', 'b']],
    ['a function', sum as unknown as Join<never>, [{ a: 1 }, { b: 2 }, { a: 0 }], { a: 1, b: 2 }],
  ])('%s: set joins with what is there', async (_, join, values, joined) => {
    const { venue, store, clock } = await openIn();
    const region = venue.region<unknown>('r', { join: join as Join<unknown> });
    for (const value of values) region.set('k', value);
    expect(region.get('k')).toEqual(joined);
    await venue.flush();
    expect(venue.root.region('r').get('k')).toEqual(joined);
    await venue.checkpoint();
    await venue.close();
    const again = await openIn({ store, clock });
    expect(again.venue.region<unknown>('r', { join: join as Join<unknown> }).get('k')).toEqual(joined);
  });

  it('update returns what it became', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r', { join: 'max' });
    region.set('k', 10);
    expect(region.update('k', (n) => n! - 5)).toBe(10);
  });

  it('a deletion starts the key afresh, also over restarts and checkpoints', async () => {
    for (const between of ['nothing', 'flush', 'checkpoint', 'reopen', 'checkpoint and reopen']) {
      let opened = await openIn({ exclusive: true });
      const pause = async () => {
        if (between === 'flush') await opened.venue.flush();
        if (between.startsWith('checkpoint')) await opened.venue.checkpoint();
        if (!between.endsWith('reopen')) return;
        await opened.venue.close();
        opened = await openIn({ store: opened.store, clock: opened.clock, exclusive: true });
      };
      const region = () => opened.venue.region<number>('r', { join: 'max' });
      region().set('k', 10);
      await pause();
      expect(region().delete('k')).toBe(true);
      expect(region().get('k')).toBeUndefined();
      await pause();
      region().set('k', 1);
      expect([between, region().get('k')]).toEqual([between, 1]);
      await pause();
      region().set('k', 5);
      region().set('k', 3);
      await pause();
      expect([between, region().get('k'), region().size]).toEqual([between, 5, 1]);
      await opened.venue.close();
    }
  });

  it('a fork joins by the same rule', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r', { join: 'max' });
    region.set('high', 10);
    region.set('low', 1);
    const fork = venue.fork();
    fork.region('r').set('high', 5);
    fork.region('r').set('low', 5);
    fork.region('r').set('new', 5);
    fork.sync();
    expect(Object.fromEntries(region)).toEqual({ high: 10, low: 5, new: 5 });
  });

  it('what was joined stays, whatever the region is declared as later', async () => {
    const { venue, store, clock } = await openIn();
    const region = venue.region<number>('r', { join: 'max' });
    region.set('k', 10);
    await venue.flush();
    region.set('k', 3);
    await venue.close();
    const again = await openIn({ store, clock });
    expect(again.venue.root.region('r').get('k')).toBe(10);
    expect(again.venue.region<number>('r', { join: 'min' }).get('k')).toBe(10);
    again.venue.region<number>('r').set('k', 4);
    expect(again.venue.region('r').get('k')).toBe(4);
  });
});

describe('of two writers of one store', () => {
  it('lww: the later write, everywhere', async () => {
    const { clock, inA, inB, exchange, third } = await two<string>({});
    inA.set('k', 'first');
    inB.set('other', 'b');
    await clock.advance(1);
    inB.set('k', 'second');
    await exchange();
    for (const region of [inA, inB, await third()])
      expect(Object.fromEntries(region)).toEqual({ k: 'second', other: 'b' });
  });

  it('lww: a deletion and a write, the later of them', async () => {
    const { clock, inA, inB, exchange, third } = await two<string>({});
    for (const key of ['x', 'y']) inA.set(key, 'there');
    await exchange();
    inA.delete('x');
    inB.set('y', 'written');
    await clock.advance(1);
    inB.set('x', 'written');
    inA.delete('y');
    await exchange();
    for (const region of [inA, inB, await third()]) expect(Object.fromEntries(region)).toEqual({ x: 'written' });
  });

  it.each<[string, RegionOptions<never>, unknown, unknown, unknown]>([
    ['max', { join: 'max' }, 3, 8, 8],
    ['min', { join: 'min' }, 3, 8, 3],
    ['union', { join: 'union' }, ['a'], ['b'], ['a', 'b']],
    ['a function', { join: sum as unknown as Join<never> }, { a: 2 }, { b: 3 }, { a: 2, b: 3 }],
  ])('%s: both, everywhere', async (_, options, one, other, joined) => {
    const { clock, inA, inB, exchange, third } = await two<unknown>(options as unknown as RegionOptions<unknown>);
    inA.set('k', one);
    await clock.advance(3);
    inB.set('k', other);
    await exchange();
    for (const region of [inA, inB, await third()]) expect(region.get('k')).toEqual(joined);
  });

  it('max: deleted by one and raised by the other: the deletion, until it is written again', async () => {
    const { inA, inB, exchange, third } = await two<number>({ join: 'max' });
    inA.set('k', 10);
    await exchange();
    inA.delete('k');
    inB.set('k', 20);
    await exchange();
    for (const region of [inA, inB, await third()]) expect(region.get('k')).toBeUndefined();
    inB.set('k', 1);
    await exchange();
    for (const region of [inA, inB, await third()]) expect(region.get('k')).toBe(1);
  });
});

describe('checkJoin', () => {
  it('finds nothing wrong with lawful joins', () => {
    expect(checkJoin(Math.max, [1, 5, -3])).toEqual([]);
    expect(checkJoin(sum, [{ a: 1 }, { b: 2 }, { a: 3, b: 1 }])).toEqual([]);
    expect(checkJoin((a: unknown) => a, [])).toEqual([]);
  });

  it.each<[string, (a: number, b: number) => number, string]>([
    ['the first', (a) => a, 'commutative'],
    ['the sum', (a, b) => a + b, 'idempotent'],
    ['the mean', (a, b) => (a + b) / 2, 'associative'],
    ['the difference', (a, b) => a - b, 'commutative'],
  ])('says which law %s breaks, and with what', (_, join, law) => {
    const broken = checkJoin(join, [1, 2, 5]);
    expect(broken).toEqual(expect.arrayContaining([expect.stringContaining(law)]));
    expect(broken.join()).toMatch(/\b[125]\b/);
  });

  it('looks at values of any kind', () => {
    const later = (a: Date, b: Date) => (a > b ? a : b);
    expect(checkJoin(later, [new Date(1), new Date(2)])).toEqual([]);
    const both = (a: Set<number>, b: Set<number>) => new Set([...a, ...b]);
    expect(checkJoin(both, [new Set([1]), new Set([2])]).join()).toContain('commutative'); // the order of members differs
  });
});
