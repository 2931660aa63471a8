// What a venue tells as it happens: typed events, each with what is needed to act on it.
import { describe, expect, it, vi } from 'vitest';
import type { Venue, VenueEvents } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { diskError, openIn, settle } from './helpers';

/** Everything that a venue tells, in order. */
function listen(venue: Venue) {
  const told: [keyof VenueEvents, unknown][] = [];
  for (const name of [
    'sweep',
    'flush',
    'failure',
    'recovered',
    'checkpoint',
    'unsaved',
    'joined',
    'closing',
    'closed',
  ] as const) {
    venue.on(name, (event) => told.push([name, event]));
  }
  return told;
}

describe('events', () => {
  it('sweep: what became durable', async () => {
    const { venue, clock, backend } = await openIn();
    const told = listen(venue);
    backend.instead.append = async (pass) => {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 7));
      return pass();
    };
    venue.region('r').set('a', 1);
    venue.region('r').set('b', 1);
    await clock.advance(200);
    const bytes = backend.appends[0]!.line.length;
    const { root } = venue.health();
    expect(told).toEqual([
      ['unsaved', true],
      ['sweep', { ...root, entries: 2, bytes, tookMs: 7 }],
      ['unsaved', false],
    ]);
  });

  it('flush: one for each that was served, with its time', async () => {
    const { venue } = await openIn();
    const told = listen(venue);
    venue.region('r').set('a', 1);
    await Promise.all([venue.flush(), venue.flush()]);
    expect(told.map(([name]) => name)).toEqual(expect.arrayContaining(['sweep', 'flush', 'unsaved']));
    expect(told.find(([name]) => name === 'flush')![1]).toEqual({ tookMs: 0 });
  });

  it('failure: target, reason, error, code, whether newer is pending, unsaved, retryInMs; then recovered', async () => {
    const { venue, clock, backend } = await openIn();
    const told = listen(venue);
    const error = diskError('EROFS');
    let fail = true;
    backend.instead.append = async (pass) => {
      if (fail) throw error;
      return pass();
    };
    venue.region('r').set('a', 1);
    await clock.advance(100);
    venue.region('r').set('b', 1);
    await clock.advance(100);
    const flushed = venue.flush();
    await settle();
    fail = false;
    await clock.runUntil(flushed);
    const failures = told.filter(([name]) => name === 'failure').map(([, event]) => event);
    expect(failures).toEqual([
      { target: 'unruly', reason: 'sweep', error, code: 'EROFS', newerPending: false, unsaved: 1, retryInMs: 100 },
      { target: 'unruly', reason: 'sweep', error, code: 'EROFS', newerPending: true, unsaved: 2, retryInMs: 200 },
      { target: 'unruly', reason: 'flush', error, code: 'EROFS', newerPending: true, unsaved: 2, retryInMs: 400 },
    ]);
    expect((failures[0] as { error: Error }).error).toBe(error);
    expect(told.filter(([name]) => name === 'recovered')).toEqual([['recovered', { failures: 3 }]]);
  });

  it('failure: a code for what has none, and an Error for what is none', async () => {
    const { venue, clock, backend } = await openIn();
    const failure = vi.fn();
    venue.on('failure', failure);
    backend.instead.append = async () => {
      throw 'just a text';
    };
    venue.region('r').set('a', 1);
    await clock.advance(100);
    expect(failure.mock.calls[0]![0]).toMatchObject({ error: expect.any(Error), code: 'unknown' });
    expect(failure.mock.calls[0]![0].error.message).toContain('just a text');
  });

  it('checkpoint: what was made', async () => {
    const { venue } = await openIn();
    const told = listen(venue);
    for (let i = 0; i < 10; i++) venue.region('r').set(`k${i}`, i);
    await venue.checkpoint();
    venue.region('s').set('other', 1);
    await venue.checkpoint();
    expect(told.filter(([name]) => name === 'checkpoint').map(([, event]) => event)).toEqual([
      { generation: 1, bytes: expect.any(Number), chunks: 1, copied: 0, collected: 0, tookMs: 0 },
      { generation: 2, bytes: expect.any(Number), chunks: 2, copied: 1, collected: 0, tookMs: 0 },
    ]);
    expect(venue.health().checkpoints).toBe(2);
  });

  it('joined: what another writer has written', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    const told = listen(b.venue);
    b.venue.region('r').set('k2', 'mine');
    await b.venue.flush();
    told.length = 0;
    a.venue.region('r').set('k1', 1);
    a.venue.region('r').set('k3', 1);
    await a.venue.flush();
    await settle();
    expect(told).toEqual([['joined', { writer: a.venue.health().writer, index: 0, entries: 2, changed: 2 }]]);
  });

  it('closing and closed, with the report', async () => {
    const { venue } = await openIn();
    const told = listen(venue);
    const report = await venue.close();
    expect(told.filter(([name]) => name.startsWith('clos'))).toEqual([
      ['closing', undefined],
      ['closed', report],
    ]);
  });

  it('end when told to, each listener for itself, and one that throws harms nobody', async () => {
    const { venue, logs } = await openIn();
    const [heard, other] = [vi.fn(), vi.fn()];
    venue.on('sweep', () => {
      throw new Error('broken listener');
    });
    const off = venue.on('sweep', heard);
    venue.on('sweep', other);
    venue.region('r').set('a', 1);
    await venue.flush();
    off();
    off();
    venue.region('r').set('a', 2);
    await venue.flush();
    expect([heard.mock.calls.length, other.mock.calls.length]).toEqual([1, 2]);
    expect(logs.errors).toEqual([
      expect.stringContaining('broken listener'),
      expect.stringContaining('broken listener'),
    ]);
  });
});
