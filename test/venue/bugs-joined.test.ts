// Bugs that were found by attacking the face, one test each: forks, joins, several writers of one store.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../../src/backend';
import { openVenue } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { openIn, seed, settle, useFolder } from './helpers';

const path = useFolder();

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

  it('what was written after a forgotten deletion survives a damaged checkpoint', async () => {
    const open = () =>
      openVenue({ store: path('venue.etch'), seed, signals: false, logger: { info() {}, warn() {}, error() {} } });
    const venue = await open();
    const region = venue.region<number>('r', { join: 'max' });
    region.set('k', 10);
    await venue.checkpoint();
    region.delete('k');
    await venue.flush();
    await venue.checkpoint();
    region.set('k', 1);
    await venue.close();
    const newest = (await readdir(path('venue.etch')))
      .filter((name) => name.startsWith('checkpoint.'))
      .sort()
      .at(-1)!;
    const file = path('venue.etch', newest);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.slice(0, -20));
    const again = await open();
    expect(again.health().recovery.fellBack).toBe(true);
    expect(again.region<number>('r', { join: 'max' }).get('k')).toBe(1);
    await again.close();
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

  it('root has what another writer has made durable while an own, older write is on its way', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    a.backend.instead.append = () => new Promise(() => {});
    a.venue.region('r').set('k', 'on its way');
    await clock.advance(1);
    void a.venue.flush();
    await settle();
    b.venue.region('r').set('k', 'durable');
    await b.venue.flush();
    await settle();
    expect(a.venue.region('r').get('k')).toBe('durable');
    expect(a.venue.root.region('r').get('k')).toBe('durable');
  });
});
