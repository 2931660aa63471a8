// version and migrate: old entries are brought up once and atomically; what a newer program has written is kept for it, untouched.
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import type { RegionOptions } from '../../src/node';
import { diskError, openIn, settle } from './helpers';

interface Named {
  name: string;
}
const toNamed = (value: unknown) => ({ name: `${value}` });
const v2: RegionOptions<Named> = { version: 2, migrate: toNamed };

/** A store in which region "r" has these entries of version 1: in a checkpoint, in the log, or half in each. */
async function storeOf(entries: Record<string, unknown>, where: 'checkpoint' | 'log' | 'both' = 'both') {
  const { venue, store, clock } = await openIn({ exclusive: true });
  const keys = Object.keys(entries);
  const half = where === 'both' ? Math.ceil(keys.length / 2) : where === 'checkpoint' ? keys.length : 0;
  for (const key of keys.slice(0, half)) venue.region('r').set(key, entries[key]);
  if (half > 0) await venue.checkpoint();
  for (const key of keys.slice(half)) venue.region('r').set(key, entries[key]);
  await venue.close();
  return () => openIn({ store, clock, exclusive: true });
}

const commitsOf = (lines: readonly { line: string }[]) =>
  lines.map(({ line }) => JSON.parse(line)[1] as [string, number, string, unknown[]][]);

describe.each(['checkpoint', 'log', 'both'] as const)('migrate, with old entries in the %s', (where) => {
  it('brings every old entry up, in memory at once and in one commit', async () => {
    const reopen = await storeOf({ a: 'A', b: 'B', c: 'C' }, where);
    const { venue, backend } = await reopen();
    const region = venue.region('r', v2);
    expect([...region]).toEqual(['A', 'B', 'C'].map((name) => [name.toLowerCase(), { name }]));
    expect(region.size).toBe(3);
    await venue.flush();
    const commits = commitsOf(backend.appends);
    expect(commits).toHaveLength(1);
    expect(commits[0]).toEqual([['r', 2, 'lww', expect.any(Array)]]);
    expect(commits[0]![0]![3].sort()).toMatchObject([
      ['a', expect.any(Number), { name: 'A' }],
      ['b', expect.any(Number), { name: 'B' }],
      ['c', expect.any(Number), { name: 'C' }],
    ]);
    expect(venue.root.region('r').get('b')).toEqual({ name: 'B' });
    await venue.close();
  });

  it('is asked once for each entry, with the version that it comes from, and never again', async () => {
    const reopen = await storeOf({ a: 'A', b: 'B', c: 'C' }, where);
    const migrate = vi.fn(toNamed);
    for (let i = 0; i < 3; i++) {
      const { venue } = await reopen();
      const region = venue.region('r', { version: 2, migrate });
      expect(region.get('c')).toEqual({ name: 'C' });
      if (i === 1) await venue.checkpoint();
      await venue.close();
    }
    expect(migrate.mock.calls.sort()).toEqual([
      ['A', 1],
      ['B', 1],
      ['C', 1],
    ]);
  });

  it('leaves the old entries when it is not durable before a crash, and does it again', async () => {
    const reopen = await storeOf({ a: 'A', b: 'B' }, where);
    const first = await reopen();
    first.backend.instead.append = async () => {
      throw diskError('ENOSPC');
    };
    first.venue.region('r', v2);
    await first.clock.advance(500);
    expect(first.venue.health()).toMatchObject({ status: 'failing', unsaved: { entries: 2 } });
    first.kill();
    const old = await reopen();
    expect([...old.venue.region('r')]).toEqual([
      ['a', 'A'],
      ['b', 'B'],
    ]);
    old.kill();
    const { venue } = await reopen();
    expect(venue.region('r', v2).get('a')).toEqual({ name: 'A' });
    await venue.close();
  });

  it('that throws for one entry costs that entry: kept, hidden and reported; the rest is brought up', async () => {
    const reopen = await storeOf({ a: 'A', b: 'B', c: 'C' }, where);
    const picky = (value: unknown) => {
      if (value === 'B') throw new Error('no B please');
      return toNamed(value);
    };
    const first = await reopen();
    const region = first.venue.region('r', { version: 2, migrate: picky });
    expect([...region].map(([key]) => key)).toEqual(['a', 'c']);
    expect([region.size, region.get('b')]).toEqual([2, undefined]);
    expect(first.venue.health()).toMatchObject({
      status: 'degraded',
      recovery: { quarantined: [{ region: 'r', key: 'b', why: expect.stringContaining('no B please') }] },
    });
    await first.venue.checkpoint();
    await first.venue.checkpoint();
    await first.venue.close();
    const second = await reopen();
    const mended = second.venue.region('r', v2);
    expect(mended.get('b')).toEqual({ name: 'B' });
    expect(second.venue.health()).toMatchObject({ status: 'ok' });
    await second.venue.close();
  });
});

describe('versions', () => {
  it('go up by several steps, told by the version that each entry has', async () => {
    const reopen = await storeOf({ a: 'one' });
    const second = await reopen();
    const r2 = second.venue.region('r', v2);
    r2.set('b', { name: 'two' });
    await second.venue.close();
    const third = await reopen();
    const from: number[] = [];
    const r4 = third.venue.region<unknown>('r', {
      version: 4,
      migrate: (value, version) => {
        from.push(version);
        return { full: (value as Named).name };
      },
    });
    expect([r4.get('a'), r4.get('b'), from]).toEqual([{ full: 'one' }, { full: 'two' }, [2, 2]]);
    await third.venue.close();
    const one = await storeOf({ a: 'one' });
    const { venue } = await one();
    const migrate = vi.fn(() => 'four');
    venue.region('r', { version: 4, migrate });
    expect(migrate.mock.calls).toEqual([['one', 1]]);
    await venue.close();
  });

  it('need a migrate where there is something to migrate, and none where there is not', async () => {
    const reopen = await storeOf({ a: 'A' });
    const { venue } = await reopen();
    expect(() => venue.region('r', { version: 2 })).toThrow(
      expect.objectContaining({ code: 'bad_option', message: expect.stringMatching(/'r'.*migrate/) }),
    );
    venue.region('new', { version: 7 }).set('a', 1);
    venue.region('r', v2);
    expect(venue.region('r').get('a')).toEqual({ name: 'A' });
    await venue.close();
    const again = await reopen();
    expect(again.venue.region('new', { version: 7 }).get('a')).toBe(1);
    await again.venue.close();
  });

  it('what is migrated is validated too', async () => {
    const reopen = await storeOf({ a: 'A', b: '' });
    const { venue } = await reopen();
    const region = venue.region('r', { ...v2, validate: z.object({ name: z.string().min(1) }) });
    expect([...region]).toEqual([['a', { name: 'A' }]]);
    expect(venue.health().recovery.quarantined).toMatchObject([{ key: 'b' }]);
    await venue.close();
  });

  it('deletions need no migration and stay', async () => {
    const { venue, store, clock } = await openIn();
    venue.region('r').set('gone', 'G');
    venue.region('r').delete('gone');
    venue.region('r').set('a', 'A');
    await venue.close();
    const migrate = vi.fn(toNamed);
    const second = await openIn({ store, clock });
    expect([...second.venue.region('r', { version: 2, migrate })]).toEqual([['a', { name: 'A' }]]);
    expect(migrate).toHaveBeenCalledTimes(1);
  });
});

describe('entries of a newer version than the program', () => {
  /** A store with "old" of version 1 and "new" of version 2, written by a newer program. */
  async function mixed() {
    const reopen = await storeOf({ old: 'O' });
    const newer = await reopen();
    // It keeps the old one from being migrated, so that both versions stand in the store.
    const picky = () => {
      throw new Error('not this one');
    };
    newer.venue.region<Named>('r', { version: 2, migrate: picky }).set('new', { name: 'N' });
    await newer.venue.checkpoint();
    await newer.venue.close();
    return reopen;
  }

  it('are not shown, are reported, and are refused to be written, deleted or forked over', async () => {
    const reopen = await mixed();
    const { venue } = await reopen();
    const region = venue.region<unknown>('r', { version: 1 });
    expect([...region]).toEqual([['old', 'O']]);
    expect([region.get('new'), region.has('new'), region.size, region.delete('new')]).toEqual([
      undefined,
      false,
      1,
      false,
    ]);
    expect(venue.health()).toMatchObject({
      status: 'degraded',
      recovery: { quarantined: [{ region: 'r', key: 'new', why: expect.stringMatching(/version 2/) }] },
    });
    const refused = expect.objectContaining({ code: 'newer_entry', message: expect.stringMatching(/'r'.*'new'/) });
    expect(() => region.set('new', 'mine')).toThrow(refused);
    expect(() => region.update('new', () => 'mine')).toThrow(refused);
    const fork = venue.fork();
    fork.region('r').set('other', 1);
    expect(() => {
      fork.region('r').set('new', 'mine');
      fork.sync();
    }).toThrow(refused);
    expect(region.get('other')).toBeUndefined();
    expect(region.purgeOlderThan(-1)).toBe(1);
    await venue.close();
  });

  it('are not lost by what the old program does: writes, checkpoints, closing', async () => {
    const reopen = await mixed();
    for (let i = 0; i < 3; i++) {
      const { venue } = await reopen();
      const region = venue.region<unknown>('r', { version: 1 });
      region.set(`mine${i}`, i);
      await venue.checkpoint();
      region.delete('old');
      await venue.checkpoint();
      await venue.close();
    }
    const { venue } = await reopen();
    const region = venue.region('r', v2);
    expect(Object.fromEntries(region)).toEqual({
      new: { name: 'N' },
      mine0: { name: '0' },
      mine1: { name: '1' },
      mine2: { name: '2' },
    });
    expect(venue.health()).toMatchObject({ status: 'ok' });
    await venue.close();
  });

  it('that come from another writer are not shown either, and come back from it', async () => {
    const a = await openIn();
    const b = await openIn({ store: a.store, clock: a.clock });
    const [newer, older] = [a.venue.region<unknown>('r', { version: 2 }), b.venue.region<unknown>('r', { version: 1 })];
    newer.set('k', { name: 'N' });
    await a.venue.flush();
    await settle();
    expect(older.get('k')).toBeUndefined();
    expect(() => older.set('k', 'mine')).toThrow(expect.objectContaining({ code: 'newer_entry' }));
    older.set('mine', 1);
    await b.venue.checkpoint();
    await b.venue.close();
    await a.venue.close();
    const c = await openIn({ store: a.store, clock: a.clock });
    expect(
      Object.fromEntries(c.venue.region<unknown>('r', { version: 2, migrate: (value) => ({ was: value }) })),
    ).toEqual({ k: { name: 'N' }, mine: { was: 1 } });
  });

  it('are reported no more once the region is declared with their version', async () => {
    const reopen = await mixed();
    const { venue } = await reopen();
    expect(venue.region('r').get('new')).toBeUndefined();
    expect(venue.health().recovery.quarantined).toHaveLength(1);
    expect(venue.region<Named>('r', v2).get('new')).toEqual({ name: 'N' });
    expect(venue.health()).toMatchObject({ status: 'ok', recovery: { quarantined: [] } });
    await venue.close();
  });
});
