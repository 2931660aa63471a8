// Regions that are never stored, and entries that do not stay for ever.
import { describe, expect, it } from 'vitest';
import { SimClock } from '../simulator/clock';
import { type Opened, openIn, settle } from './helpers';

const again = ({ store, clock }: Opened) => openIn({ store, clock, exclusive: true });

describe('a transient region', () => {
  it('is never stored and asks for no sweep', async () => {
    const first = await openIn({ exclusive: true });
    const { venue, clock, backend } = first;
    const region = venue.region<number>('presence', { transient: true });
    region.set('a', 1);
    region.update('a', (n) => n! + 1);
    region.set('b', 1);
    region.delete('b');
    expect([[...region], region.size, venue.unsaved.get(), venue.health().unsaved.entries, clock.pending()]).toEqual([
      [['a', 2]],
      1,
      false,
      0,
      0,
    ]);
    expect([venue.root.region('presence').get('a'), [...venue.root.region('presence')]]).toEqual([undefined, []]);
    await venue.flush();
    venue.region('stored').set('x', 1);
    await venue.checkpoint();
    expect([...region]).toEqual([['a', 2]]);
    expect(backend.appends).toHaveLength(1);
    expect(backend.appends[0]!.line).not.toContain('presence');
    await venue.close();
    const next = await again(first);
    expect(next.venue.regions).toEqual(['stored']);
    expect([...next.venue.region('presence', { transient: true })]).toEqual([]);
  });

  it('tells subscribers, validates and expires as any other', async () => {
    const { venue, clock } = await openIn();
    const region = venue.region<number>('t', { transient: true, ttl: 1000, join: 'max' });
    const heard: unknown[] = [];
    region.subscribe((changes) => heard.push(...changes.map(({ key, value }) => [key, value])));
    region.set('a', 5);
    region.set('a', 3);
    expect(region.get('a')).toBe(5);
    expect(() => region.set('b', (() => 1) as never)).toThrow(TypeError);
    await clock.advance(1500);
    expect([region.get('a'), heard.at(-1)]).toEqual([undefined, ['a', undefined]]);
    expect(venue.unsaved.get()).toBe(false);
  });

  it('takes part in a fork, of which the rest is stored', async () => {
    const { venue, backend } = await openIn();
    const region = venue.region('t', { transient: true });
    const fork = venue.fork();
    fork.region('t').set('a', 1);
    fork.sync();
    expect([region.get('a'), venue.unsaved.get()]).toEqual([1, false]);
    fork.region('t').set('a', 2);
    fork.region('s').set('b', 2);
    fork.sync();
    await venue.flush();
    expect(region.get('a')).toBe(2);
    expect(backend.appends.map(({ line }) => JSON.parse(line)[1].map(([name]: [string]) => name))).toEqual([['s']]);
  });

  it('cannot be made of one that has stored entries', async () => {
    const first = await openIn({ exclusive: true });
    first.venue.region('r').set('a', 1);
    await first.venue.close();
    const { venue } = await again(first);
    expect(() => venue.region('r', { transient: true })).toThrow(expect.objectContaining({ code: 'bad_option' }));
    expect(venue.region('r').get('a')).toBe(1);
  });
});

describe('ttl', () => {
  it('deletes what was last written longer ago, with no timer of its own', async () => {
    const { venue, clock } = await openIn();
    const region = venue.region<number>('r', { ttl: 1000 });
    region.set('a', 1);
    await clock.advance(600);
    region.set('b', 1);
    await venue.flush();
    expect(clock.pending()).toBe(0);
    await clock.advance(300);
    expect([...region].map(([key]) => key)).toEqual(['a', 'b']);
    await clock.advance(200);
    expect([region.get('a'), region.has('a'), region.size, [...region], [...region.scan({ reverse: true })]]).toEqual([
      undefined,
      false,
      1,
      [['b', 1]],
      [['b', 1]],
    ]);
    await clock.advance(600);
    expect(region.size).toBe(0);
    expect(region.delete('b')).toBe(false);
  });

  it('counts from the last write of an entry', async () => {
    const { venue, clock } = await openIn();
    const region = venue.region<number>('r', { ttl: 1000 });
    for (let i = 0; i < 5; i++) {
      region.set('a', i);
      await clock.advance(900);
      expect(region.get('a')).toBe(i);
    }
    await clock.advance(200);
    expect(region.get('a')).toBeUndefined();
    region.set('a', 9);
    expect(region.get('a')).toBe(9);
  });

  it('leaves tombstones: what expired is gone after a restart too, whoever reads it', async () => {
    const first = await openIn({ exclusive: true });
    first.venue.region('r', { ttl: 1000 }).set('a', 1);
    await first.venue.flush();
    await first.clock.advance(1500);
    expect(first.venue.region('r').size).toBe(0);
    await first.venue.flush();
    expect(first.backend.appends).toHaveLength(2);
    await first.venue.close();
    const next = await again(first);
    expect(next.venue.region('r').get('a')).toBeUndefined();
  });

  it('holds for what was stored before it was declared, in log and checkpoint, and counts time that passed while closed', async () => {
    const first = await openIn({ exclusive: true });
    const region = first.venue.region('r');
    region.set('a', 1);
    await first.venue.checkpoint();
    region.set('b', 1);
    await first.venue.close();
    await first.clock.advance(800);
    const second = await again(first);
    const declared = second.venue.region('r', { ttl: 1000 });
    declared.set('c', 1);
    expect(declared.size).toBe(3);
    await second.venue.close();
    await first.clock.advance(300);
    const third = await again(first);
    expect([...third.venue.region('r', { ttl: 1000 })]).toEqual([['c', 1]]);
    await third.venue.close();
    const fourth = await again(first);
    expect([...fourth.venue.region('r')]).toEqual([['c', 1]]);
  });

  it('reaches entries that a fork wrote earlier and joined later', async () => {
    const { venue, clock } = await openIn();
    const region = venue.region('r', { ttl: 1000 });
    const fork = venue.fork();
    fork.region('r').set('early', 1);
    await clock.advance(500);
    region.set('late', 1);
    fork.sync();
    await clock.advance(600);
    expect([...region]).toEqual([['late', 1]]);
  });

  it('an entry written again by another writer lives on', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    const [inA, inB] = [a.venue.region('r', { ttl: 1000 }), b.venue.region('r', { ttl: 1000 })];
    inA.set('k', 1);
    await a.venue.flush();
    await settle();
    await clock.advance(800);
    inB.set('k', 2);
    await b.venue.flush();
    await settle();
    await clock.advance(500);
    expect([inA.get('k'), inB.get('k')]).toEqual([2, 2]);
    await clock.advance(600);
    expect([inA.get('k'), inB.get('k')]).toEqual([undefined, undefined]);
  });
});

describe('purgeOlderThan', () => {
  it('deletes what was last written longer ago, says how many, and leaves tombstones', async () => {
    const first = await openIn({ exclusive: true });
    const region = first.venue.region<number>('r');
    region.set('checkpointed', 1);
    await first.venue.checkpoint();
    region.set('logged', 1);
    await first.venue.close();
    await first.clock.advance(1000);
    const second = await again(first);
    const r = second.venue.region<number>('r');
    r.set('fresh', 1);
    expect(r.purgeOlderThan(5000)).toBe(0);
    expect(r.purgeOlderThan(500)).toBe(2);
    expect([...r]).toEqual([['fresh', 1]]);
    expect(r.purgeOlderThan(500)).toBe(0);
    await second.venue.close();
    const third = await again(first);
    expect([...third.venue.region('r')]).toEqual([['fresh', 1]]);
    expect(third.venue.region('r').purgeOlderThan(Number.POSITIVE_INFINITY)).toBe(0);
    await first.clock.advance(1);
    expect(third.venue.region('r').purgeOlderThan(0)).toBe(1);
  });

  it('is a write: it is refused after close and heard by subscribers', async () => {
    const { venue, clock } = await openIn();
    const region = venue.region('r');
    region.set('a', 1);
    const heard: unknown[] = [];
    region.subscribe((changes) => heard.push(...changes));
    await clock.advance(10);
    region.purgeOlderThan(5);
    expect(heard).toEqual([{ key: 'a', value: undefined, origin: 'local' }]);
    await venue.close();
    expect(() => region.purgeOlderThan(0)).toThrow(expect.objectContaining({ code: 'closed' }));
  });
});
