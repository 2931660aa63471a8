// Where a venue keeps its state: "temp", "memory", a path or a backend, and what goes with each.
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { memoryBackend, memoryStore } from '../../backends/memory';
import { LockedError, type OpenOptions, openVenue } from '../../src/node';
import { rememberingLogger, seed, useFolder } from './helpers';

const path = useFolder();
const openHere = (options: OpenOptions) => openVenue({ signals: false, logger: rememberingLogger(), ...options });
/** The folder that a venue says it is in. */
const folderOf = (target: string) => target.replace(/^fs:/, '');

describe('a path', () => {
  it('is a folder that is made, with all its parents', async () => {
    const venue = await openHere({ store: path('not', 'yet', 'there', 'venue.etch') });
    venue.region('r').set('a', 1);
    await venue.close();
    expect((await readdir(path('not', 'yet', 'there'))).sort()).toEqual(['venue.etch', 'venue.key']);
  });

  it('keeps everything from one opening to the next', async () => {
    const store = path('venue.etch');
    for (let n = 0; n < 4; n++) {
      const venue = await openHere({ store });
      const region = venue.region<number>('r');
      expect([...region]).toEqual(Array.from({ length: n }, (_, i) => [`k${i}`, i]));
      region.set(`k${n}`, n);
      if (n % 2) await venue.checkpoint();
      expect(await venue.close()).toMatchObject({ durable: true });
    }
  });

  it('may be relative', async () => {
    const venue = await openHere({ store: relative('.', path('venue.etch')) });
    venue.region('r').set('a', 1);
    await venue.close();
    const again = await openHere({ store: path('venue.etch') });
    expect(again.region('r').get('a')).toBe(1);
    await again.close();
  });

  it('may have any name, and its key has the same', async () => {
    for (const name of ['state', 'my data', 'b.etch']) {
      const venue = await openHere({ store: path(name) });
      await venue.close();
    }
    expect((await readdir(path('.'))).sort()).toEqual([
      'b.etch',
      'b.key',
      'my data',
      'my data.key',
      'state',
      'state.key',
    ]);
  });

  it('that is already open is refused, and free again after close', async () => {
    const store = path('venue.etch');
    const venue = await openHere({ store });
    await expect(openHere({ store })).rejects.toThrow(LockedError);
    await expect(openHere({ store })).rejects.toMatchObject({ code: 'locked', owner: { pid: process.pid } });
    await venue.close();
    await (await openHere({ store })).close();
  });

  it('that was opened and never written leaves an empty venue', async () => {
    const store = path('venue.etch');
    const venue = await openHere({ store });
    expect(await venue.close()).toEqual({ durable: true, unsaved: { entries: 0, regions: [] }, root: undefined });
    const again = await openHere({ store });
    expect(again.regions).toEqual([]);
    expect(again.health()).toMatchObject({ status: 'ok', recovery: { entries: 0, commits: 0, checkpoint: 0 } });
    await again.close();
  });

  it('that cannot be one is a clear error', async () => {
    await writeFile(path('file'), 'no folder');
    await expect(openHere({ store: path('file', 'venue.etch'), seed })).rejects.toMatchObject({
      message: expect.stringContaining(path('file')),
    });
    await mkdir(path('venue.key'));
    await expect(openHere({ store: path('venue.etch') })).rejects.toMatchObject({ code: 'bad_key_file' });
  });
});

describe('"temp"', () => {
  it('is the default: a fresh folder that is gone after close', async () => {
    const [one, two] = [await openHere({}), await openHere({ store: 'temp' })];
    const folders = [one, two].map((venue) => folderOf(venue.health().target));
    expect(folders[0]).not.toBe(folders[1]);
    one.region('r').set('a', 1);
    await one.flush();
    expect(folders.map((folder) => existsSync(folder))).toEqual([true, true]);
    await Promise.all([one.close(), two.close()]);
    expect(folders.map((folder) => existsSync(dirname(folder)))).toEqual([false, false]);
  });
});

describe('"memory"', () => {
  it('keeps nothing and writes nothing', async () => {
    const venue = await openHere({ store: 'memory' });
    venue.region('r').set('a', 1);
    await venue.flush();
    expect(venue.root.region('r').get('a')).toBe(1);
    await venue.checkpoint();
    await venue.close();
    const again = await openHere({ store: 'memory' });
    expect(again.regions).toEqual([]);
    expect(again.did).not.toBe(venue.did);
    await again.close();
  });
});

describe('a backend', () => {
  it('is used as it is', async () => {
    const store = memoryStore();
    const venue = await openHere({ store: memoryBackend(store), seed });
    venue.region('r').set('a', 1);
    await venue.close();
    expect(store.commits()).toHaveLength(1);
    const again = await openHere({ store: memoryBackend(store), seed });
    expect(again.region('r').get('a')).toBe(1);
    await again.close();
  });
});

describe('several venues in one process', () => {
  it('are independent', async () => {
    const venues = await Promise.all([
      openHere({ store: path('a.etch') }),
      openHere({ store: path('b.etch') }),
      openHere({ store: 'memory' }),
      openHere({}),
    ]);
    expect(new Set(venues.map(({ did }) => did)).size).toBe(4);
    for (const [n, venue] of venues.entries()) venue.region('same').set('key', n);
    expect(venues.map((venue) => venue.region('same').get('key'))).toEqual([0, 1, 2, 3]);
    await venues[0]!.close();
    for (const venue of venues.slice(1)) {
      venue.region('same').set('more', true);
      await venue.flush();
      expect(venue.health()).toMatchObject({ status: 'ok', unsaved: { entries: 0 } });
      await venue.close();
    }
  });

  it('leave no listeners of the process behind', async () => {
    const events = ['SIGTERM', 'SIGINT', 'SIGHUP', 'beforeExit', 'exit'];
    const count = () => events.map((event) => process.listenerCount(event));
    const before = count();
    const venues = await Promise.all([1, 2, 3].map(() => openVenue({ store: 'memory' })));
    expect(count()).toEqual(before.map((n) => n + 1));
    await Promise.all(venues.map((venue) => venue.close()));
    expect(count()).toEqual(before);
  });
});

describe('bad options', () => {
  it.each([
    ['store', { store: '' }],
    ['store', { store: 5 }],
    ['store', { store: null }],
    ['seed', { seed: 'ab' }],
    ['seed', { seed: `${'zz'.repeat(32)}` }],
    ['seed', { seed: new Uint8Array(31) }],
    ['sweepMs', { store: 'memory', sweepMs: -1 }],
    ['sweepMs', { store: 'memory', sweepMs: Number.NaN }],
    ['sweepMs', { store: 'memory', sweepMs: Number.POSITIVE_INFINITY }],
  ])('%s is refused: %j', async (name, options) => {
    const opening = openHere(options as OpenOptions);
    await expect(opening).rejects.toMatchObject({ code: 'bad_option', message: expect.stringContaining(name) });
  });

  it.each(['', 'x'.repeat(65), '\ud800', 5, undefined])('a region cannot be named %j', async (name) => {
    const venue = await openHere({ store: 'memory' });
    expect(() => venue.region(name as string)).toThrow(expect.objectContaining({ code: 'bad_key' }));
    await venue.close();
  });

  it('region names of 1 and of 64 characters are good, whatever they are', async () => {
    const names = ['r', 'x'.repeat(64), '__proto__', 'constructor', '../up', ' ', '\u{1F600}', '"\n'];
    const store = path('venue.etch');
    const venue = await openHere({ store });
    for (const name of names) venue.region(name).set('k', name);
    await venue.checkpoint();
    await venue.close();
    const again = await openHere({ store });
    expect([...again.regions].sort()).toEqual([...names].sort());
    for (const name of names) expect(again.region(name).get('k')).toBe(name);
    await again.close();
  });
});
