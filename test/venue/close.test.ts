// Closing, in DESIGN.md's order: refuse writes, wait for the sweep in flight, a last flush, release. Bounded, idempotent, and honest.
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { diskError, gate, openIn, rememberingLogger, settle, useFolder } from './helpers';

const path = useFolder();
const never = () => new Promise<never>(() => {});

describe('close', () => {
  it('makes everything durable and says so', async () => {
    const { venue, store, clock } = await openIn();
    venue.region('r').set('a', 1);
    venue.region('s').set('b', 1);
    const report = await venue.close();
    expect(report).toEqual({
      durable: true,
      unsaved: { entries: 0, regions: [] },
      root: expect.objectContaining({ index: 0 }),
    });
    expect(report.root).toEqual(venue.health().root);
    const again = await openIn({ store, clock });
    expect([again.venue.region('r').get('a'), again.venue.region('s').get('b')]).toEqual([1, 1]);
  });

  it('goes in order: closing, the last commit strictly, the backend, closed', async () => {
    const { venue, backend } = await openIn();
    const order: string[] = [];
    venue.on('closing', () => {
      order.push('closing');
      venue.region('r').set('in time', 1); // the last chance
    });
    venue.on('sweep', () => order.push('sweep'));
    venue.on('closed', ({ durable }) => order.push(`closed ${durable}`));
    backend.instead.append = (pass, { durability }) => {
      order.push(`append ${durability}`);
      return pass();
    };
    backend.instead.close = (pass) => {
      order.push('close backend');
      return pass();
    };
    await venue.close();
    expect(order).toEqual(['closing', 'append strict', 'sweep', 'close backend', 'closed true']);
  });

  it('is idempotent: one closing, one report', async () => {
    const { venue, backend } = await openIn();
    venue.region('r').set('a', 1);
    const [one, two] = await Promise.all([venue.close(), venue.close()]);
    const three = await venue.close();
    expect(two).toBe(one);
    expect(three).toBe(one);
    expect(backend.calls.filter((name) => name === 'close')).toHaveLength(1);
  });

  it('refuses writes from then on, each with `closed`, and goes on to be read', async () => {
    const { venue } = await openIn();
    const region = venue.region<number>('r');
    region.set('a', 1);
    const fork = venue.fork();
    const closing = venue.close();
    const refused = expect.objectContaining({ name: 'TidemarkError', code: 'closed' });
    const writes = [
      () => region.set('b', 1),
      () => region.delete('a'),
      () => region.update('a', () => 2),
      () => region.purgeOlderThan(0),
      () => fork.sync(),
      () => venue.fork(),
    ];
    for (const write of writes) expect(write).toThrow(refused);
    await closing;
    for (const write of writes) expect(write).toThrow(refused);
    await expect(venue.flush()).rejects.toMatchObject({ code: 'closed' });
    await expect(venue.checkpoint()).rejects.toMatchObject({ code: 'closed' });
    expect([region.get('a'), region.size, [...region], venue.root.region('r').get('a')]).toEqual([1, 1, [['a', 1]], 1]);
    expect(venue.health()).toMatchObject({ status: 'closed', unsaved: { entries: 0 } });
  });

  it('leaves no timer', async () => {
    const { venue, clock } = await openIn();
    venue.region('r').set('a', 1);
    await venue.close();
    expect(clock.pending()).toBe(0);
  });

  it('closes with `await using`', async () => {
    let outer: Awaited<ReturnType<typeof openVenue>>;
    {
      await using venue = await openVenue({ store: path('venue.etch'), signals: false });
      venue.region('r').set('a', 1);
      outer = venue;
    }
    expect(outer.health()).toMatchObject({ status: 'closed', unsaved: { entries: 0 } });
    expect(await readdir(path('venue.etch'))).not.toContain('LOCK');
  });

  it('waits for the sweep in flight rather than racing it', async () => {
    const { venue, backend, clock } = await openIn();
    const put = gate();
    let running = 0;
    backend.instead.append = async (pass) => {
      expect(++running).toBe(1);
      await put.opened;
      running--;
      return pass();
    };
    venue.region('r').set('a', 1);
    await clock.advance(100);
    venue.region('r').set('b', 1);
    const closing = venue.close();
    await clock.advance(1500);
    put.open();
    expect(await clock.runUntil(closing)).toMatchObject({ durable: true });
    expect([...venue.root.region('r')].map(([key]) => key)).toEqual(['a', 'b']);
  });

  it('waits for a checkpoint in the making', async () => {
    const { venue, backend, store, clock } = await openIn();
    for (let i = 0; i < 10; i++) venue.region('r').set(`k${i}`, i);
    const piece = gate();
    backend.betweenPieces = () => piece.opened;
    const made = venue.checkpoint();
    await settle();
    const closing = venue.close();
    await settle();
    piece.open();
    await clock.runUntil(Promise.all([made, closing]));
    const again = await openIn({ store, clock });
    expect(again.venue.health()).toMatchObject({ status: 'ok', recovery: { checkpoint: 1 } });
    expect(again.venue.region('r').size).toBe(10);
  });
});

describe('close when the backend', () => {
  it('hangs in append: bounded at 2 s for what is in flight and 5 s for the rest; what is unsaved is named', async () => {
    const { venue, backend, clock, logs } = await openIn();
    backend.instead.append = never;
    venue.region('notes').set('a', 1);
    venue.region('notes').set('b', 1);
    await clock.advance(100);
    venue.region('drafts').set('c', 1);
    const began = clock.elapsed();
    const report = await clock.runUntil(venue.close());
    expect(clock.elapsed() - began).toBeLessThanOrEqual(2000 + 5000 + 2000);
    expect(clock.elapsed() - began).toBeGreaterThanOrEqual(5000);
    expect(report).toMatchObject({ durable: false, unsaved: { entries: 3 }, root: undefined });
    expect([...report.unsaved.regions].sort()).toEqual(['drafts', 'notes']);
    expect(logs.errors).toEqual([expect.stringMatching(/3 entries unsaved.*(notes, drafts|drafts, notes)/)]);
    expect(venue.health()).toMatchObject({ status: 'closed', unsaved: { entries: 3 } });
    await clock.advance(60_000);
    expect(clock.pending()).toBe(0);
  });

  it('fails in append: tries for 5 s, names the reason, and tries no more after that', async () => {
    const { venue, backend, clock, logs } = await openIn();
    backend.instead.append = async () => {
      throw diskError('ENOSPC');
    };
    venue.region('r').set('a', 1);
    const report = await clock.runUntil(venue.close());
    expect(report).toMatchObject({ durable: false, unsaved: { entries: 1, regions: ['r'] } });
    expect(logs.errors[0]).toContain('ENOSPC');
    expect(backend.appends.length).toBeGreaterThan(3);
    const tries = backend.appends.length;
    await clock.advance(60_000);
    expect([backend.appends.length, clock.pending()]).toEqual([tries, 0]);
  });

  it('recovers within the bound: everything is saved', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.append = async (pass) => {
      if (clock.elapsed() < 3000) throw diskError('EAGAIN');
      return pass();
    };
    venue.region('r').set('a', 1);
    expect(await clock.runUntil(venue.close())).toMatchObject({ durable: true, unsaved: { entries: 0 } });
  });

  it('takes 6.5 s for the sweep in flight: 2 s for that one and 5 s for the rest are enough', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.append = async (pass) => {
      backend.instead = {};
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 6500));
      return pass();
    };
    venue.region('r').set('a', 1);
    await clock.advance(100);
    venue.region('r').set('b', 1);
    expect(await clock.runUntil(venue.close())).toMatchObject({ durable: true, unsaved: { entries: 0 } });
  });

  it('hangs in close: bounded, and the report is right', async () => {
    const { venue, backend, clock } = await openIn();
    backend.instead.close = never;
    venue.region('r').set('a', 1);
    const began = clock.elapsed();
    expect(await clock.runUntil(venue.close())).toMatchObject({ durable: true });
    expect(clock.elapsed() - began).toBeLessThanOrEqual(2000);
  });

  it('hangs in a checkpoint: bounded', async () => {
    const { venue, backend, clock } = await openIn();
    venue.region('r').set('a', 1);
    backend.instead.checkpoint = never;
    venue.checkpoint().catch(() => {});
    await settle();
    const began = clock.elapsed();
    expect(await clock.runUntil(venue.close())).toMatchObject({ durable: true });
    expect(clock.elapsed() - began).toBeLessThanOrEqual(5000);
  });

  it.each(['rejects', 'throws'])('%s in close: close() does not', async (how) => {
    const { venue, backend, clock } = await openIn();
    const fail = () => {
      throw diskError('EIO');
    };
    if (how === 'throws') backend.close = fail;
    else backend.instead.close = async () => fail();
    venue.region('r').set('a', 1);
    expect(await clock.runUntil(venue.close())).toMatchObject({ durable: true });
  });

  it('has listeners that throw: close() goes its way', async () => {
    const { venue } = await openIn();
    for (const name of ['closing', 'closed', 'sweep'] as const) {
      venue.on(name, () => {
        throw new Error('listener');
      });
    }
    venue.region('r').set('a', 1);
    expect(await venue.close()).toMatchObject({ durable: true });
  });
});

describe('a venue that was closed', () => {
  it('can be opened again at once, and has everything', async () => {
    for (let i = 0; i < 3; i++) {
      const venue = await openVenue({ store: path('venue.etch'), signals: false, logger: rememberingLogger() });
      expect(venue.region('r').size).toBe(i);
      venue.region('r').set(`k${i}`, i);
      await venue.close();
    }
  });
});
