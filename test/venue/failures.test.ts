// A backend that fails in any of its methods, once or for a while: nothing is lost, somebody is told, and it goes on.
import { describe, expect, it, vi } from 'vitest';
import { memoryBackend, memoryStore } from '../../backends/memory';
import type { Backend } from '../../src/node';
import { openVenue } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { diskError, openIn, otherSeed, seed, settle, unruly } from './helpers';

const fail = async () => {
  throw diskError('EIO');
};

describe('a backend that fails in open', () => {
  it('is closed again, and its error is what openVenue rejects with', async () => {
    const store = memoryStore();
    const backend = unruly(memoryBackend(store));
    backend.instead.open = fail;
    await expect(openVenue({ store: backend, seed, signals: false })).rejects.toMatchObject({ code: 'EIO' });
    expect(backend.calls).toEqual(['open', 'close']);
  });

  it('leaves no listener behind, neither with the process nor with the store', async () => {
    const store = memoryStore();
    const counts = () => ['SIGTERM', 'SIGINT', 'exit'].map((event) => process.listenerCount(event));
    const before = counts();
    let listening = 0;
    const inner = memoryBackend(store);
    const backend: Backend = {
      ...inner,
      open: fail,
      onAppend: () => {
        listening++;
        return () => listening--;
      },
    };
    await expect(openVenue({ store: backend, seed })).rejects.toThrow('EIO');
    expect([counts(), listening]).toEqual([before, 0]);
  });

  it('and in close too: the first error is the one that is told', async () => {
    const backend = unruly(memoryBackend(memoryStore()));
    backend.instead = { open: fail, close: async () => Promise.reject(new Error('and this')) };
    await expect(openVenue({ store: backend, seed, signals: false })).rejects.toMatchObject({ code: 'EIO' });
  });
});

describe('a backend that fails in checkpoint', () => {
  it('rejects the call, tells, keeps everything, and the next one works', async () => {
    const { venue, backend, store, clock, logs } = await openIn();
    const failure = vi.fn();
    venue.on('failure', failure);
    const region = venue.region<number>('r');
    for (let i = 0; i < 50; i++) region.set(`k${i}`, i);
    backend.instead.checkpoint = fail;
    await expect(venue.checkpoint()).rejects.toMatchObject({ code: 'EIO' });
    expect(failure.mock.calls).toEqual([
      [expect.objectContaining({ reason: 'checkpoint', code: 'EIO', unsaved: 0, retryInMs: undefined })],
    ]);
    expect(logs.warnings).toHaveLength(1);
    backend.instead = {};
    region.delete('k0');
    region.set('k1', -1);
    const expected = [...region];
    await venue.checkpoint();
    expect([...region]).toEqual(expected);
    await venue.close();
    const again = await openIn({ store, clock });
    expect([...again.venue.region('r')]).toEqual(expected);
    expect(again.venue.health().recovery).toMatchObject({ checkpoint: 1, commits: 0 });
  });

  it.each([0, 1, 2, 3, 5, 8])(
    'after piece %i, with writes meanwhile: the state is what it would have been',
    async (after) => {
      const { venue, backend, store, clock } = await openIn({ exclusive: true });
      const region = venue.region<string>('r');
      for (let i = 0; i < 900; i++) region.set(`k${i}`, `${i} ${'x'.repeat(200)}`);
      await venue.checkpoint();
      for (let i = 0; i < 900; i += 7) region.set(`k${i}`, 'changed');
      region.delete('k5');
      let piece = 0;
      backend.betweenPieces = () => {
        region.set(`k${piece * 100}`, 'meanwhile');
        region.delete(`k${piece * 100 + 1}`);
        if (piece++ === after) throw diskError('ENOSPC');
      };
      await expect(venue.checkpoint()).rejects.toThrow('ENOSPC');
      backend.betweenPieces = undefined;
      const expected = [...region];
      expect(expected.length).toBe(region.size);
      await venue.checkpoint();
      expect([...region]).toEqual(expected);
      expect([...venue.root.region('r')]).toEqual(expected);
      await venue.close();
      expect([...(await openIn({ store, clock, exclusive: true })).venue.region('r')]).toEqual(expected);
    },
  );
});

describe('a backend that fails in quarantine', () => {
  it('is told of; the rest loads', async () => {
    const first = await openIn();
    first.venue.region('r').set('bad', 'x');
    first.venue.region('r').set('good', 1);
    await first.venue.close();
    const { venue, backend } = await openIn({ store: first.store, clock: first.clock });
    const failure = vi.fn();
    venue.on('failure', failure);
    backend.instead.quarantine = fail;
    const validate = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => (value === 1 ? { value } : { issues: [{ message: 'not 1' }] }),
      },
    } as const;
    expect([...venue.region('r', { validate })]).toEqual([['good', 1]]);
    await settle();
    expect(failure.mock.calls).toEqual([[expect.objectContaining({ reason: 'quarantine', code: 'EIO' })]]);
    expect(venue.health().status).toBe('degraded');
    venue.region('r').set('good', 1);
    await venue.flush();
    expect(venue.unsaved.get()).toBe(false);
  });
});

describe('a backend that fails in usage', () => {
  it('rejects that call alone', async () => {
    const { venue, backend } = await openIn();
    backend.instead.usage = fail;
    await expect(venue.usage()).rejects.toMatchObject({ code: 'EIO' });
    expect(venue.health()).toMatchObject({ status: 'ok', usage: undefined });
  });
});

describe('what other writers send', () => {
  it.each<[string, (line: string) => string]>([
    ['is cut', (line) => `${line.slice(0, line.length / 2)}\n`],
    ['has a changed value', (line) => line.replace('"theirs"', '"forged"')],
    ['has a changed signature', (line) => line.replace(/.(?=",\[)/, (c) => (c === 'A' ? 'B' : 'A'))],
    ['is no line at all', () => 'hello\n'],
    ['is empty', () => ''],
    ['is a newline', () => '\n'],
  ])('is not joined when it %s; it is told of and kept', async (_, damage) => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    b.backend.unheard = [];
    const failure = vi.fn();
    b.venue.on('failure', failure);
    a.venue.region('r').set('k', 'theirs');
    await a.venue.flush();
    await settle();
    const line = new TextDecoder().decode(b.backend.unheard[0]);
    expect(() => b.backend.hear(new TextEncoder().encode(damage(line)) as never)).not.toThrow();
    await settle();
    expect(b.venue.region('r').get('k')).toBeUndefined();
    expect(failure.mock.calls).toEqual([[expect.objectContaining({ reason: 'remote', code: 'damaged' })]]);
    b.backend.hear(b.backend.unheard[0]!);
    await settle();
    expect(b.venue.region('r').get('k')).toBe('theirs');
  });

  it('is not joined when it is signed by a key that is not trusted', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const stranger = await openIn({ clock }, { seed: otherSeed });
    stranger.venue.region('r').set('k', 'forged');
    await stranger.venue.flush();
    const failure = vi.fn();
    a.venue.on('failure', failure);
    a.backend.hear(stranger.store.commits()[0]!);
    expect(a.venue.region('r').get('k')).toBeUndefined();
    expect(failure).toHaveBeenCalledTimes(1);
  });

  it('is not joined when it is of another venue of the same key', async () => {
    const clock = new SimClock();
    const [a, other] = [await openIn({ clock }), await openIn({ clock })];
    other.venue.region('r').set('k', 'other');
    await other.venue.flush();
    a.backend.hear(other.store.commits()[0]!);
    expect(a.venue.region('r').get('k')).toBeUndefined();
  });

  it('is joined once, however often it comes', async () => {
    const clock = new SimClock();
    const a = await openIn({ clock });
    const b = await openIn({ clock, store: a.store });
    const joined = vi.fn();
    b.venue.on('joined', joined);
    a.venue.region('r').set('k', 1);
    await a.venue.flush();
    await settle();
    for (const line of a.store.commits()) b.backend.hear(line);
    expect(joined).toHaveBeenCalledTimes(1);
  });
});

describe('the same failures', () => {
  it('of one venue do not touch another', async () => {
    const [one, two] = [await openIn(), await openIn()];
    one.backend.instead.append = fail;
    for (const { venue } of [one, two]) venue.region('r').set('a', 1);
    await one.clock.advance(200);
    await two.clock.advance(200);
    expect([one.venue.health().status, two.venue.health().status]).toEqual(['failing', 'ok']);
  });
});
