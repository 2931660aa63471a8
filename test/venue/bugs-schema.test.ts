// Bugs that were found by attacking the face, one test each: versions, validation, whose store it is.
import { readdir, rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openVenue } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { openIn, otherSeed, settle, useFolder } from './helpers';

const path = useFolder();

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

  it('an entry that was hidden and is written again makes nothing degraded', async () => {
    const first = await openIn();
    first.venue.region('r').set('a', 'bad');
    await first.venue.close();
    const { venue } = await openIn({ store: first.store, clock: first.clock });
    const validate = {
      '~standard': {
        version: 1,
        vendor: 't',
        validate: (value: unknown) => (value === 1 ? { value } : { issues: [{ message: 'no' }] }),
      },
    } as const;
    const region = venue.region<unknown>('r', { validate });
    expect(venue.health().status).toBe('degraded');
    region.set('a', 1);
    await venue.flush();
    expect(venue.health().status).toBe('ok');
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
