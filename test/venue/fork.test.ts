// A fork is seen only through itself until it is joined whole, into one commit, or dropped.
import { describe, expect, it } from 'vitest';
import { openIn } from './helpers';

const pairs = (walk: Iterable<[string, unknown]>) => [...walk].map(([key, value]) => `${key}=${value}`).join(' ');

describe('a fork', () => {
  it('is seen by nobody else before sync', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r');
    region.set('a', 1);
    region.set('b', 1);
    const [one, two] = [venue.fork(), venue.fork()];
    one.region('r').set('a', 2);
    one.region('r').delete('b');
    one.region('r').set('c', 2);
    for (const other of [region, two.region('r')]) expect(pairs(other)).toBe('a=1 b=1');
    expect(pairs(one.region('r'))).toBe('a=2 c=2');
    expect([one.region('r').get('b'), one.region('r').has('b'), one.region('r').has('c')]).toEqual([
      undefined,
      false,
      true,
    ]);
    await venue.flush();
    expect(pairs(venue.root.region('r'))).toBe('a=1 b=1');
    one.sync();
    expect(pairs(region)).toBe('a=2 c=2');
    expect(pairs(two.region('r'))).toBe('a=2 c=2');
  });

  it('sees its own writes over what the venue has now', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r');
    const fork = venue.fork();
    const mine = fork.region<number>('r');
    mine.set('b', 10);
    region.set('a', 1);
    region.set('b', 1);
    region.set('c', 1);
    expect(pairs(mine)).toBe('a=1 b=10 c=1');
    expect(mine.update('c', (n) => n! + 1)).toBe(2);
    expect(mine.delete('a')).toBe(true);
    expect(mine.delete('a')).toBe(false);
    expect(mine.delete('nothing')).toBe(false);
    expect(pairs(mine.scan({ reverse: true }))).toBe('c=2 b=10');
    expect(pairs(mine.scan({ from: 'b', to: 'c' }))).toBe('b=10');
    expect(pairs(mine.scan({ prefix: 'c', limit: 1 }))).toBe('c=2');
    expect(pairs(mine.scan({ limit: 0 }))).toBe('');
    expect(pairs(region)).toBe('a=1 b=1 c=1');
  });

  it('is in one commit, over all its regions, and nothing of it in another', async () => {
    const { venue, backend } = await openIn();
    const fork = venue.fork();
    for (const name of ['x', 'y', 'z']) for (let i = 0; i < 10; i++) fork.region(name).set(`k${i}`, i);
    await venue.flush();
    expect(backend.appends).toHaveLength(0);
    fork.sync();
    await venue.flush();
    expect(backend.appends).toHaveLength(1);
    const [, body] = JSON.parse(backend.appends[0]!.line);
    const parts = body.map(
      ([region, , , entries]: [string, number, string, unknown[]]) => `${region} ${entries.length}`,
    );
    expect(parts.sort()).toEqual(['x 10', 'y 10', 'z 10']);
  });

  it('is not there after a crash before its commit, and whole after one behind it', async () => {
    const first = await openIn();
    const write = (fork: ReturnType<typeof first.venue.fork>) => {
      fork.region('x').set('a', 1);
      fork.region('y').set('b', 1);
      fork.sync();
    };
    write(first.venue.fork());
    first.kill();
    const second = await openIn({ store: first.store, clock: first.clock });
    expect(second.venue.regions).toEqual([]);
    write(second.venue.fork());
    await second.venue.flush();
    second.kill();
    const third = await openIn({ store: first.store, clock: first.clock });
    expect([third.venue.region('x').get('a'), third.venue.region('y').get('b')]).toEqual([1, 1]);
  });

  it('that is dropped leaves nothing', async () => {
    const { venue, backend } = await openIn();
    const fork = venue.fork();
    fork.region('r').set('a', 1);
    fork.drop();
    fork.sync();
    expect([pairs(fork.region('r')), pairs(venue.region('r')), venue.unsaved.get()]).toEqual(['', '', false]);
    await venue.flush();
    expect(backend.appends).toHaveLength(0);
  });

  it('can be used again after sync and after drop', async () => {
    const { venue } = await openIn();
    const fork = venue.fork();
    fork.region('r').set('a', 1);
    fork.sync();
    fork.region('r').set('b', 2);
    expect(pairs(venue.region('r'))).toBe('a=1');
    fork.drop();
    fork.region('r').set('c', 3);
    fork.sync();
    fork.sync();
    expect(pairs(venue.region('r'))).toBe('a=1 c=3');
  });

  it('loses to what was written later, key by key, and wins over what was written before', async () => {
    const { venue, clock, store } = await openIn();
    const region = venue.region<string>('r');
    region.set('a', 'before');
    const fork = venue.fork();
    for (const key of ['a', 'b', 'c', 'd']) fork.region('r').set(key, 'fork');
    fork.region('r').set('kept', 'fork');
    fork.region('r').delete('kept');
    await clock.advance(5);
    region.set('b', 'later');
    region.set('c', 'later');
    region.delete('c');
    fork.region('r').set('d', 'fork again');
    fork.sync();
    const joined = 'a=fork b=later d=fork again';
    expect(pairs(region)).toBe(joined);
    await venue.close();
    expect(pairs((await openIn({ store, clock })).venue.region('r'))).toBe(joined);
  });

  it('deletes what was written before it deleted, and not what came later', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r');
    for (const key of ['a', 'b']) region.set(key, 1);
    const fork = venue.fork();
    for (const key of ['a', 'b']) fork.region('r').delete(key);
    region.set('b', 2);
    fork.sync();
    expect(pairs(region)).toBe('b=2');
  });

  it('remembers what was deleted meanwhile, even over a checkpoint that forgets deletions', async () => {
    const { venue, clock, store } = await openIn({ exclusive: true });
    const region = venue.region<number>('r');
    region.set('a', 1);
    const fork = venue.fork();
    fork.region('r').set('a', 2);
    await clock.advance(5);
    region.delete('a');
    await venue.checkpoint();
    await venue.checkpoint();
    fork.sync();
    expect(pairs(region)).toBe('');
    await venue.close();
    expect(pairs((await openIn({ store, clock })).venue.region('r'))).toBe('');
  });

  it('takes up to 32 MiB, refuses more, and keeps what it took', async () => {
    const { venue, backend } = await openIn();
    const fork = venue.fork();
    const value = 'x'.repeat(1024 * 1024 - 100);
    for (let i = 0; i < 31; i++) fork.region('r').set(`k${i}`, value);
    expect(() => fork.region('s').set('k', value + value)).toThrow(expect.objectContaining({ code: 'too_large' }));
    fork.region('r').set('k0', 'small again');
    fork.region('s').set('k', value);
    fork.sync();
    await venue.flush();
    expect(backend.appends).toHaveLength(1);
    expect([venue.root.region('r').get('k0'), (venue.root.region('s').get('k') as string).length]).toEqual([
      'small again',
      value.length,
    ]);
  });

  it('refuses what a region refuses, at set', async () => {
    const { venue } = await openIn();
    const fork = venue.fork();
    expect(() => fork.region('r').set('a', () => 1)).toThrow(TypeError);
    expect(() => fork.region('')).toThrow(expect.objectContaining({ code: 'bad_key' }));
    fork.region('r').set('b', 1);
    fork.sync();
    expect(pairs(venue.region('r'))).toBe('b=1');
  });

  it('is refused once the venue is closed', async () => {
    const { venue } = await openIn();
    const fork = venue.fork();
    fork.region('r').set('a', 1);
    await venue.close();
    const closed = expect.objectContaining({ code: 'closed' });
    expect(() => fork.sync()).toThrow(closed);
    expect(() => fork.region('r').set('a', 2)).toThrow(closed);
    expect(() => venue.fork()).toThrow(closed);
    expect(fork.region('r').get('a')).toBe(1);
  });
});
