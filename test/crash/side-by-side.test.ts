// Several venues in one process: they share nothing but the process, and one store is never opened twice.
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LockedError, type OpenOptions, openVenue, type Venue } from '../../src/node';
import { mountSmallDisk } from './small-disk';

let folder: string;
const venues: Venue[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-side-'));
});
afterEach(async () => {
  await Promise.all(venues.splice(0).map((venue) => venue.close()));
  await rm(folder, { recursive: true, force: true });
});

async function open(store: string, options: OpenOptions = {}): Promise<Venue> {
  const venue = await openVenue({ store, signals: false, ...options });
  venues.push(venue);
  return venue;
}

describe('venues of one process are independent', () => {
  it('in what they hold, who they are, and when they close', async () => {
    const [a, b] = await Promise.all([open(join(folder, 'a.etch')), open(join(folder, 'b.etch'))]);
    expect(a.did).not.toBe(b.did);
    expect(a.health().venue).not.toBe(b.health().venue);
    a.region('notes').set('n1', 'of a');
    b.region('notes').set('n1', 'of b');
    await a.flush();
    expect([a.unsaved.get(), b.unsaved.get()]).toEqual([false, true]);
    await a.close();
    b.region('notes').set('n2', 'after a was closed');
    await b.flush();
    const again = await open(join(folder, 'a.etch'));
    expect(again.did).toBe(a.did);
    expect([...again.region('notes')]).toEqual([['n1', 'of a']]);
    expect([...b.region('notes')]).toEqual([
      ['n1', 'of b'],
      ['n2', 'after a was closed'],
    ]);
  });

  it('in trouble: one on a full disk does not hold up the other', async () => {
    const disk = await mountSmallDisk(1024 * 1024);
    try {
      const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
      const stuck = await open(join(disk.path, 'venue.etch'), { logger: quiet });
      const fine = await open(join(folder, 'venue.etch'));
      await disk.fill();
      stuck.region('notes').set('n1', 'no room');
      await expect.poll(() => stuck.health().status).toBe('failing');
      fine.region('notes').set('n1', 'room enough');
      await fine.flush();
      expect(fine.health()).toMatchObject({ status: 'ok', failures: 0, unsaved: { entries: 0 } });
      expect(stuck.health().status).toBe('failing');
      await disk.free();
      await stuck.close();
    } finally {
      await disk.remove();
    }
  });
});

describe('a store that this process has open', () => {
  it.each<[how: string, path: (store: string) => string | Promise<string>]>([
    ['by the same path', (store) => store],
    ['by a relative path', (store) => relative(process.cwd(), store)],
    [
      'by another name of its folder',
      async (store) => {
        await symlink(store, join(folder, 'link.etch'));
        await symlink(join(folder, 'venue.key'), join(folder, 'link.key'));
        return join(folder, 'link.etch');
      },
    ],
  ])('is refused %s, and the error names this process', async (_, path) => {
    const store = join(folder, 'venue.etch');
    const first = await open(store);
    const error = await open(await path(store)).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(LockedError);
    expect(error).toMatchObject({ code: 'locked', owner: { pid: process.pid } });
    expect((error as Error).message).toContain(`this process (pid ${process.pid})`);
    first.region('notes').set('n1', 'undisturbed');
    await first.flush();
    await first.close();
    expect((await open(store)).region('notes').get('n1')).toBe('undisturbed');
  });

  it('of two that open it in the same turn exactly one gets it', async () => {
    const store = join(folder, 'venue.etch');
    const opened = await Promise.allSettled(Array.from({ length: 8 }, () => open(store)));
    expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const each of opened) if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(LockedError);
  });
});
