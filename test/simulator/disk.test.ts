// The simulated disk bites: whatever a real one may lose, tear or lie about is lost, torn and lied about for some seed, and
// what was synced is there for every seed. A simulator that is too kind proves nothing.
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../../src/backend';
import { SimClock } from './clock';
import { SimDisk } from './disk';

const text = (value: string): Bytes => new TextEncoder().encode(value) as Bytes;
const string = (bytes: Bytes | undefined): string | undefined => bytes && new TextDecoder().decode(bytes);
const seeds = Array.from({ length: 300 }, (_, seed) => seed);

async function write(disk: SimDisk, path: string, content: string, flag: 'wx' | 'r+' = 'wx'): Promise<number> {
  const file = await disk.open(path, flag);
  await disk.write(file, text(content), 0, content.length);
  return file;
}

/** What is found at `path` after a crash, over many seeds. */
async function outcomes(
  path: string,
  program: (disk: SimDisk, clock: SimClock) => Promise<unknown>,
): Promise<Set<string | undefined>> {
  const found = new Set<string | undefined>();
  for (const seed of seeds) {
    const clock = new SimClock();
    const disk = SimDisk.blank(seed, clock);
    await program(disk, clock);
    found.add(string(disk.crash().files().get(path)));
  }
  return found;
}

describe('what was synced stays', () => {
  it('keeps a file whose bytes and name were synced, whatever came later', async () => {
    const found = await outcomes('/a', async (disk) => {
      const file = await write(disk, '/a', 'one');
      await disk.fdatasync(file);
      await disk.syncFolder('/');
      await write(disk, '/b', 'two');
    });
    expect(found).toEqual(new Set(['one']));
  });

  it('keeps a rename once its folder is synced', async () => {
    const found = await outcomes('/b', async (disk) => {
      const file = await write(disk, '/a', 'one');
      await disk.fsync(file);
      await disk.rename('/a', '/b');
      await disk.syncFolder('/');
    });
    expect(found).toEqual(new Set(['one']));
  });

  it('keeps everything when a process is killed and the system is not', async () => {
    for (const seed of seeds) {
      const disk = SimDisk.blank(seed);
      await write(disk, '/a', 'one');
      disk.kill();
      expect(string(disk.process().files().get('/a'))).toBe('one');
    }
  });
});

describe('what was not synced is lost for some seeds and kept for others', () => {
  it('loses a file whose name was not synced, though its bytes were', async () => {
    const found = await outcomes('/a', async (disk) => disk.fsync(await write(disk, '/a', 'one')));
    expect(found).toEqual(new Set([undefined, 'one']));
  });

  it('tears an unsynced write at any byte, and leaves zeros where a part is missing', async () => {
    const found = await outcomes('/a', async (disk) => {
      await disk.syncFolder('/'); // too early
      await write(disk, '/a', 'one');
      await disk.syncFolder('/');
    });
    for (const part of ['', 'o', 'on', 'one', '\0ne', '\0\0e', '\0\0\0']) expect(found).toContain(part);
    expect(found).not.toContain(undefined);
  });

  it('keeps a later write and loses an earlier one', async () => {
    const found = await outcomes('/a', async (disk) => {
      const file = await write(disk, '/a', 'one');
      await disk.write(file, text('two'), 0, 3);
      await disk.syncFolder('/');
    });
    for (const part of ['', 'one', 'onetwo', '\0\0\0two']) expect(found).toContain(part);
  });

  it('leaves old bytes where an overwrite is lost', async () => {
    const found = await outcomes('/a', async (disk) => {
      const file = await write(disk, '/a', 'old');
      await disk.fsync(file);
      await disk.syncFolder('/');
      await write(disk, '/a', 'new', 'r+');
    });
    for (const part of ['old', 'new', 'nld', 'olw']) expect(found).toContain(part);
  });

  it('loses a truncation', async () => {
    const found = await outcomes('/a', async (disk) => {
      const file = await write(disk, '/a', 'one');
      await disk.fsync(file);
      await disk.syncFolder('/');
      await disk.truncate(file, 1);
    });
    expect(found).toEqual(new Set(['one', 'o']));
  });

  it('undoes a rename without a folder sync, whole: the target is old or new, never neither', async () => {
    const found = new Set<string>();
    for (const seed of seeds) {
      const disk = SimDisk.blank(seed);
      await disk.fsync(await write(disk, '/a', 'old'));
      await disk.fsync(await write(disk, '/b', 'new'));
      await disk.syncFolder('/');
      await disk.rename('/b', '/a');
      const files = disk.crash().files();
      found.add(`${string(files.get('/a'))} ${string(files.get('/b'))}`);
    }
    expect(found).toEqual(new Set(['old new', 'new undefined']));
  });

  it('does not put a new file where an old one was moved away from, and the move undone', async () => {
    for (const seed of seeds) {
      const disk = SimDisk.blank(seed);
      await disk.fsync(await write(disk, '/a', 'old'));
      await disk.syncFolder('/');
      await disk.rename('/a', '/b');
      await write(disk, '/a', 'new');
      const files = disk.crash().files();
      expect(string(files.get(files.has('/b') ? '/b' : '/a'))).toBe('old');
    }
  });

  it('renames a file whose bytes were not synced to one that is empty', async () => {
    const found = await outcomes('/a', async (disk) => {
      await write(disk, '/b', 'new');
      await disk.rename('/b', '/a');
      await disk.syncFolder('/');
    });
    expect(found).toContain('');
    expect(found).toContain('\0\0\0');
  });

  it('loses a synced file in a folder whose own name was not synced', async () => {
    const found = await outcomes('/x/y/a', async (disk) => {
      expect(await disk.mkdir('/x/y')).toBe('/x');
      expect(await disk.mkdir('/x/y')).toBeUndefined();
      await disk.fsync(await write(disk, '/x/y/a', 'one'));
      await disk.syncFolder('/x/y');
      await disk.syncFolder('/x');
    });
    expect(found).toEqual(new Set([undefined, 'one']));
  });

  it('keeps a move between folders at its new name once that folder is synced, and never loses both names', async () => {
    for (const synced of ['/x', '/']) {
      const found = new Set<string>();
      for (const seed of seeds) {
        const disk = SimDisk.blank(seed);
        await disk.mkdir('/x');
        await disk.fsync(await write(disk, '/a', 'one'));
        await disk.syncFolder('/');
        await disk.rename('/a', '/x/a');
        await disk.syncFolder(synced);
        found.add([...disk.crash().files().keys()].sort().join(' '));
      }
      expect(found).toEqual(new Set(synced === '/x' ? ['/x/a', '/a /x/a'] : ['/a', '/x/a']));
    }
  });

  it('brings back what was removed without a folder sync', async () => {
    const found = await outcomes('/a', async (disk) => {
      await disk.fsync(await write(disk, '/a', 'one'));
      await disk.syncFolder('/');
      await disk.unlink('/a');
    });
    expect(found).toEqual(new Set([undefined, 'one']));
  });

  it('does not count a write that was made while a sync was under way', async () => {
    const found = await outcomes('/a', async (disk, clock) => {
      const file = await disk.open('/a', 'wx');
      await disk.syncFolder('/');
      disk.slowness(1, 10);
      const sync = disk.fdatasync(file);
      disk.slowness(0, 0);
      await disk.write(file, text('one'), 0, 3);
      await clock.runUntil(sync);
    });
    expect(found).toContain('');
  });
});

describe('faults', () => {
  it('lies after a failed sync: the pages are clean, the next sync succeeds, the data is gone', async () => {
    const found = await outcomes('/a', async (disk) => {
      const file = await write(disk, '/a', 'one');
      await disk.syncFolder('/');
      disk.faults.failNext('fdatasync', 'EIO');
      await expect(disk.fdatasync(file)).rejects.toMatchObject({ code: 'EIO' });
      await disk.fdatasync(file);
    });
    expect(found).toContain('');
    expect(found).toContain('one');
  });

  it('fills up: a short write at the edge, ENOSPC after it, and goes on when space is freed', async () => {
    const disk = SimDisk.blank(1);
    disk.capacity = 5;
    const file = await write(disk, '/a', 'one');
    expect(await disk.write(file, text('two'), 0, 3)).toBe(2);
    await expect(disk.write(file, text('o'), 0, 1)).rejects.toMatchObject({ code: 'ENOSPC' });
    disk.capacity = 100;
    expect(await disk.write(file, text('o'), 0, 1)).toBe(1);
    expect(string(disk.files().get('/a'))).toBe('onetwo');
  });

  it('fails what is planned and nothing else', async () => {
    const disk = SimDisk.blank(1);
    disk.faults.failNext('open', 'EMFILE', 1);
    disk.faults.failNext('write', 'short');
    const file = await disk.open('/a', 'wx');
    await expect(disk.open('/b', 'wx')).rejects.toMatchObject({ code: 'EMFILE' });
    expect(await disk.write(file, text('one'), 0, 3)).toBeLessThan(3);
    disk.readOnly = true;
    await expect(disk.open('/b', 'wx')).rejects.toMatchObject({ code: 'EROFS' });
    await expect(disk.write(file, text('one'), 0, 3)).rejects.toMatchObject({ code: 'EROFS' });
  });

  it('lets slow calls overlap and happen out of order', async () => {
    const orders = new Set<string>();
    for (const seed of seeds.slice(0, 50)) {
      const clock = new SimClock();
      const disk = SimDisk.blank(seed, clock);
      disk.slowness(0.5, 100);
      const order: string[] = [];
      const done = ['a', 'b'].map(async (name) => {
        await disk.open(`/${name}`, 'wx');
        order.push(name);
      });
      await clock.runUntil(Promise.all(done));
      orders.add(order.join(''));
    }
    expect(orders).toEqual(new Set(['ab', 'ba']));
  });
});

describe('a crash', () => {
  const program = async (disk: SimDisk): Promise<string> => {
    const file = await write(disk, '/a', 'one');
    await disk.fdatasync(file);
    await disk.syncFolder('/');
    return 'done';
  };

  it('can be at every call, before it and after it, and nothing settles any more', async () => {
    const whole = SimDisk.blank(0);
    await program(whole);
    expect(whole.callCount).toBe(4);
    for (let at = 1; at <= whole.callCount; at++) {
      for (const phase of ['before', 'after'] as const) {
        const clock = new SimClock();
        const disk = SimDisk.blank(at, clock);
        disk.onCall = (call, now) => {
          if (call === at && now === phase) disk.crash();
        };
        let end = 'pending';
        void program(disk).then(
          () => {
            end = 'resolved';
          },
          () => {
            end = 'rejected';
          },
        );
        await clock.advance(1000);
        expect(end).toBe('pending');
        expect(disk.callCount).toBe(at);
        const kept = string(disk.process().files().get('/a'));
        if (at === 4 && phase === 'after') expect(kept).toBe('one');
      }
    }
  });

  it('is the same for the same seed', async () => {
    const run = async (seed: number) => {
      const disk = SimDisk.blank(seed);
      for (const name of ['a', 'b', 'c']) await write(disk, `/${name}`, `${name} has some bytes`);
      return [...disk.crash().files()].map(([path, bytes]) => `${path} ${string(bytes)}`);
    };
    for (const seed of seeds.slice(0, 20)) expect(await run(seed)).toEqual(await run(seed));
  });

  it('inside a synchronous write throws, and leaves a part', async () => {
    const disk = SimDisk.blank(3);
    disk.onCall = (call, phase) => {
      if (call === 2 && phase === 'after') disk.kill();
    };
    expect(() => disk.writeFileNow('/a', text('one'))).toThrow(/dead/);
    expect(string(disk.process().files().get('/a'))).toBe('one');
    expect(disk.durableView().size).toBe(0);
  });
});

describe('rot', () => {
  it('flips a durable bit, for readers too', async () => {
    const disk = SimDisk.blank(1);
    await disk.fsync(await write(disk, '/a', 'one'));
    await disk.syncFolder('/');
    disk.flip('/a', 0, 1);
    expect(string(disk.files().get('/a'))).toBe('nne');
    expect(string(disk.crash().files().get('/a'))).toBe('nne');
  });
});
