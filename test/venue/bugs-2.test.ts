// Bugs that were found by attacking the face, one test each; the second round. They stay as regression tests.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import { memoryBackend, memoryStore } from '../../backends/memory';
import { openVenue } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { diskError, gate, openIn, seed, settle, unruly, useFolder } from './helpers';

const path = useFolder();

describe('found in the second round', () => {
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

  it('a listener that flushes on failure leaves no timer behind', async () => {
    const { venue, backend, clock } = await openIn();
    let failures = 3;
    backend.instead.append = async (pass) => {
      if (failures-- > 0) throw diskError('EIO');
      return pass();
    };
    venue.on('failure', () => void venue.flush());
    venue.region('r').set('a', 1);
    await clock.advance(100);
    await settle();
    expect(venue.unsaved.get()).toBe(false);
    expect(clock.pending()).toBe(0);
  });

  it.each([Number.POSITIVE_INFINITY, 2 ** 31, 1e12])(
    'a time-out of %d ms is no time-out of 1 ms',
    async (timeoutMs) => {
      const backend = unruly(memoryBackend(memoryStore()));
      const put = gate();
      backend.instead.append = async (pass) => {
        await put.opened;
        return pass();
      };
      const venue = await openVenue({ store: backend, seed, signals: false });
      venue.region('r').set('a', 1);
      setTimeout(() => put.open(), 30);
      await venue.flush({ timeoutMs });
      await venue.close();
    },
  );

  it('a value changed in place after it was durable does not stop checkpoints for ever', async () => {
    const { venue } = await openIn({}, { freeze: false, logger: { info() {}, warn() {}, error() {} } });
    const value: { n: number; self?: unknown } = { n: 1 };
    venue.region('r').set('a', value);
    venue.region('r').set('b', 1);
    await venue.flush();
    value.self = value;
    await venue.checkpoint();
    venue.region('r').set('b', 2);
    await venue.checkpoint();
  });

  it('an entry refreshed just before it expires is not taken away by the expiry at another writer', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    const [inA, inB] = [a.venue.region('r', { ttl: 1000 }), b.venue.region('r', { ttl: 1000 })];
    inA.set('k', 1);
    await a.venue.flush();
    await settle();
    await clock.advance(950);
    inB.set('k', 'fresh');
    await clock.advance(60);
    expect(inA.get('k')).toBeUndefined();
    await clock.advance(200);
    await settle();
    expect([inA.get('k'), inB.get('k')]).toEqual(['fresh', 'fresh']);
  });

  it('a region with ttl does not grow with every write of the same key', async () => {
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc') as () => void;
    const { venue } = await openIn({}, {});
    const region = venue.region('r', { ttl: 1e9 });
    for (let i = 0; i < 1000; i++) region.set('k', i);
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 300_000; i++) region.set('k', i);
    gc();
    expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(5);
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
