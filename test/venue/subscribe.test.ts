// Who subscribes hears of every change, in the turn of the change and in order, whatever listeners do.
import { describe, expect, it, vi } from 'vitest';
import { SimClock } from '../simulator/clock';
import { openIn, settle } from './helpers';

describe('subscribe', () => {
  it('hears of each change of any key, at once, with the new value', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r');
    const heard: unknown[] = [];
    region.subscribe((changes) => heard.push(...changes));
    region.set('a', 1);
    expect(heard).toEqual([{ key: 'a', value: 1, origin: 'local' }]);
    region.update('a', (n) => n! + 1);
    region.delete('a');
    region.delete('a');
    venue.region('other').set('a', 1);
    expect(heard.slice(1)).toEqual([
      { key: 'a', value: 2, origin: 'local' },
      { key: 'a', value: undefined, origin: 'local' },
    ]);
    await venue.flush();
    expect(heard).toHaveLength(3);
  });

  it('can see what it hears of', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r');
    const seen: unknown[] = [];
    region.subscribe(([change]) => seen.push([region.get(change!.key), region.size, venue.unsaved.get()]));
    region.set('a', 1);
    region.delete('a');
    expect(seen).toEqual([
      [1, 1, true],
      [undefined, 0, true],
    ]);
  });

  it('to one key hears of that key alone', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r');
    const heard = vi.fn();
    region.subscribe('a', heard);
    region.set('b', 1);
    region.set('a', 2);
    region.set('aa', 3);
    expect(heard.mock.calls).toEqual([[[{ key: 'a', value: 2, origin: 'local' }]]]);
  });

  it('hears nothing of a write that was refused', async () => {
    const { venue } = await openIn();
    const heard = vi.fn();
    venue.region('r').subscribe(heard);
    expect(() => venue.region('r').set('a', () => 1)).toThrow();
    expect(() => venue.region('r').set('', 1)).toThrow();
    expect(heard).not.toHaveBeenCalled();
  });

  it('ends when its function is called, also twice, and only its own', async () => {
    const { venue } = await openIn();
    const region = venue.region('r');
    const heard = vi.fn();
    const [off, offKey] = [region.subscribe(heard), region.subscribe('a', heard)];
    const offAgain = region.subscribe(heard);
    region.set('a', 1);
    expect(heard).toHaveBeenCalledTimes(3);
    off();
    off();
    region.set('a', 2);
    expect(heard).toHaveBeenCalledTimes(5);
    offKey();
    offAgain();
    region.set('a', 3);
    expect(heard).toHaveBeenCalledTimes(5);
  });

  it('keeps the order when listeners write: every listener hears all changes, oldest first', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r');
    const heard: [string, string, unknown][] = [];
    region.subscribe((changes) => {
      for (const { key, value } of changes) {
        heard.push(['first', key, value]);
        if (key === 'a') region.set('b', (value as number) * 10);
        if (key === 'b' && value === 10) region.set('a', 2);
      }
    });
    region.subscribe((changes) =>
      heard.push(...changes.map(({ key, value }): [string, string, unknown] => ['second', key, value])),
    );
    region.set('a', 1);
    const order = [
      ['a', 1],
      ['b', 10],
      ['a', 2],
      ['b', 20],
    ];
    for (const who of ['first', 'second'])
      expect(heard.filter(([name]) => name === who).map(([, key, value]) => [key, value])).toEqual(order);
  });

  it('may end itself or another from within', async () => {
    const { venue } = await openIn();
    const region = venue.region('r');
    const other = vi.fn();
    let offOther = () => {};
    const once = vi.fn(() => {
      off();
      offOther();
    });
    const off = region.subscribe(once);
    offOther = region.subscribe(other);
    region.set('a', 1);
    region.set('a', 2);
    expect(once).toHaveBeenCalledTimes(1);
    expect(other.mock.calls.length).toBeLessThanOrEqual(1);
  });

  it('may begin from within, and hears what comes then', async () => {
    const { venue } = await openIn();
    const region = venue.region('r');
    const inner = vi.fn();
    const off = region.subscribe(() => {
      off();
      region.subscribe(inner);
    });
    region.set('a', 1);
    region.set('a', 2);
    expect(inner.mock.lastCall).toEqual([[{ key: 'a', value: 2, origin: 'local' }]]);
  });

  it('that throws harms neither the write nor the others, and is logged', async () => {
    const { venue, logs } = await openIn();
    const region = venue.region('r');
    const heard = vi.fn();
    region.subscribe(() => {
      throw new Error('listener is broken');
    });
    region.subscribe('a', () => {
      throw new Error('so is this one');
    });
    region.subscribe(heard);
    region.set('a', 1);
    expect(region.get('a')).toBe(1);
    expect(heard).toHaveBeenCalledTimes(1);
    expect(logs.errors).toEqual([
      expect.stringContaining('listener is broken'),
      expect.stringContaining('so is this one'),
    ]);
    await venue.flush();
    expect(venue.root.region('r').get('a')).toBe(1);
  });

  it('hears of a fork in one batch a region, once all of it is there', async () => {
    const { venue } = await openIn();
    const [r, s] = [venue.region<number>('r'), venue.region<number>('s')];
    r.set('gone', 0);
    const heard: unknown[] = [];
    r.subscribe((changes) => heard.push(['r', changes, s.get('x')]));
    s.subscribe((changes) => heard.push(['s', changes, r.get('b')]));
    const fork = venue.fork();
    fork.region('r').set('a', 1);
    fork.region('r').set('b', 2);
    fork.region('r').delete('gone');
    fork.region('s').set('x', 3);
    expect(heard).toEqual([]);
    fork.sync();
    expect(heard).toHaveLength(2);
    const changes = [
      { key: 'a', value: 1, origin: 'local' },
      { key: 'b', value: 2, origin: 'local' },
      { key: 'gone', value: undefined, origin: 'local' },
    ];
    expect(heard).toEqual([
      ['r', changes, 3],
      ['s', [{ key: 'x', value: 3, origin: 'local' }], 2],
    ]);
  });

  it('hears of what another writer has made durable, as remote and in one batch, and of nothing that lost', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    const heard: unknown[] = [];
    b.venue.region('r').subscribe((changes) => heard.push(changes));
    a.venue.region('r').set('x', 1);
    a.venue.region('r').set('lost', 'older');
    await clock.advance(2);
    b.venue.region('r').set('lost', 'newer');
    heard.length = 0;
    a.venue.region('r').delete('x');
    a.venue.region('r').set('x', 2);
    a.venue.region('r').set('y', 3);
    expect(heard).toEqual([]);
    await a.venue.flush();
    await settle();
    expect(heard).toEqual([
      [
        { key: 'x', value: 2, origin: 'remote' },
        { key: 'y', value: 3, origin: 'remote' },
      ],
    ]);
  });

  it('hears of what expires', async () => {
    const { venue, clock } = await openIn();
    const region = venue.region('r', { ttl: 1000 });
    const heard = vi.fn();
    region.set('a', 1);
    region.subscribe(heard);
    await clock.advance(1500);
    expect(region.get('a')).toBeUndefined();
    expect(heard.mock.calls).toEqual([[[{ key: 'a', value: undefined, origin: 'local' }]]]);
  });
});
