// Drives in one tab: contents, what node:fs is not compared for, input that attackers would choose, and moves of large folders.
import { stat as statOf } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Drive, openDrive } from '../../src/services/drives';
import { newOrigin, type Origin, openTab, type Tab } from '../venue/pages';
import { big, codeOf, expectTree, listing, pathsStored } from './drives-world';

let origin: Origin;
let tab: Tab;
let drive: Drive;
beforeEach(async () => {
  origin = newOrigin();
  tab = await openTab(origin);
  drive = openDrive(tab.venue, 'd');
});

const keys = () => [...tab.venue.region('tidemark.drives.d')].map(([key]) => key);

describe('contents of files', () => {
  it.each([0, 1, 32 * 1024, 32 * 1024 + 1, 3_000_000])('of %d bytes are read as they were written', async (size) => {
    const bytes = Uint8Array.from({ length: size }, (_, i) => i * 7);
    await drive.writeFile('/f', bytes);
    const found = await drive.readFile('/f');
    expect(found).toBeInstanceOf(Uint8Array);
    expect(Buffer.compare(found, bytes)).toBe(0);
    expect((await drive.stat('/f')).size).toBe(size);
    const [stored] = [...tab.venue.region<{ data?: Uint8Array; blob?: string }>('tidemark.drives.d')];
    expect(stored![1].blob === undefined).toBe(size <= 32 * 1024);
  });

  it('belong to nobody else: neither what was given nor what was read changes them', async () => {
    for (const size of [10, 2_000_000]) {
      const given = new Uint8Array(size).fill(1);
      let isWritten = false;
      const written = drive.writeFile('/f', given).then(() => {
        isWritten = true;
      });
      for (let i = 2; !isWritten; i++) {
        given.fill(i);
        await undefined;
      }
      await written;
      const read = await drive.readFile('/f');
      // What is changed while it is written may be written either way, but is never taken for rot.
      expect(read.length).toBe(size);
      const before = read.slice();
      read.fill(3);
      expect(Buffer.compare(await drive.readFile('/f'), before)).toBe(0);
    }
  });

  it('are text as Node has it: a BOM is kept, and what is no UTF-8 is U+FFFD', async () => {
    await drive.writeFile('/f', Buffer.from('\ufeffé\xff', 'latin1'));
    expect(await drive.readFile('/f', 'utf8')).toBe(Buffer.from('\ufeffé\xff', 'latin1').toString('utf8'));
    await drive.writeFile('/f', '\ufeffa\ud800');
    expect(await drive.readFile('/f', { encoding: 'utf-8' })).toBe('\ufeffa\ufffd');
  });

  it('come from typed arrays and streams, too', async () => {
    await drive.writeFile('/f', new Uint16Array([0x4241, 0x4443]).subarray(1));
    expect(await drive.readFile('/f', 'utf8')).toBe('CD');
    async function* stream() {
      yield 'a';
      yield Buffer.from('b');
    }
    await drive.writeFile('/f', stream());
    await drive.appendFile('/f', stream());
    await drive.appendFile('/g', stream(), { flag: 'ax' });
    expect(await drive.readFile('/g', 'utf8')).toBe('ab');
    expect(await drive.readFile('/f', 'utf8')).toBe('abab');
    async function* breaks() {
      yield 'new';
      throw new Error('broke');
    }
    await expect(drive.writeFile('/f', breaks())).rejects.toThrow('broke');
    expect(await drive.readFile('/f', 'utf8')).toBe('abab');
    expect(await codeOf(drive.writeFile('/f', 7 as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await codeOf(drive.writeFile('/f', null as never))).toBe('ERR_INVALID_ARG_TYPE');
  });

  it.each([10, 40_000])('are all there when many append at once, %d bytes each', async (size) => {
    const other = openDrive(tab.venue, 'd');
    const work = Array.from({ length: 20 }, (_, i) =>
      [drive, other][i % 2]!.appendFile('/f', big(String.fromCharCode(97 + i), size)),
    );
    await Promise.all(work);
    const text = await drive.readFile('/f', 'utf8');
    expect(text.length).toBe(20 * size);
    expect([...new Set(text)].sort().join('')).toBe('abcdefghijklmnopqrst');
  });

  it('are written whole or not at all when their folder goes meanwhile', async () => {
    await drive.mkdir('/a');
    const written = codeOf(drive.writeFile('/a/f', big('x')));
    await drive.rm('/a', { recursive: true });
    expect(await written).toBe('ENOENT');
    expect(keys()).toEqual([]);
  });

  it('with `wx` have one maker', async () => {
    const made = await Promise.all(['x', 'y'].map((c) => codeOf(drive.writeFile('/f', big(c), { flag: 'wx' }))));
    expect(made.sort()).toEqual(['EEXIST', 'ok']);
  });

  it('are copied without a second blob, and stay when the first one goes', async () => {
    await drive.writeFile('/f', big('x'), { mode: 0o755 });
    await drive.copyFile('/f', '/g');
    await drive.rm('/f');
    await origin.clock.runUntil(tab.venue.flush());
    await origin.clock.runUntil(tab.venue.checkpoint());
    await origin.clock.runUntil(tab.venue.checkpoint());
    expect(await drive.readFile('/g', 'utf8')).toBe(big('x'));
    expect((await drive.stat('/g')).mode).toBe(0o100755);
    await drive.mkdir('/a');
    expect(await codeOf(drive.copyFile('/a', '/g'))).toBe('EISDIR');
    expect(await codeOf(drive.copyFile('/a', '/h'))).toBe('EISDIR');
    expect(await drive.readdir('/')).toEqual(['a', 'g']);
  });

  it('that are gone from the store are an error that says so', async () => {
    await drive.writeFile('/f', big('x'));
    const [[, { blob }]] = [...tab.venue.region<{ blob: string }>('tidemark.drives.d')] as [[string, { blob: string }]];
    await tab.backend.blobs!.delete(blob, (await tab.backend.blobs!.list(Number.POSITIVE_INFINITY)).get(blob)!);
    await expect(drive.readFile('/f')).rejects.toMatchObject({ code: 'EIO', errno: -5, syscall: 'open', path: '/f' });
  });
});

describe('what is told of a file', () => {
  it('is what node:fs tells', async () => {
    await drive.writeFile('/f', 'hello');
    const stats = await drive.stat('/f');
    const real = await statOf(import.meta.filename);
    const known = Object.keys(real).concat('atime', 'mtime', 'ctime', 'birthtime');
    for (const key of new Set(known))
      expect(typeof stats[key as keyof typeof stats], key).toBe(typeof real[key as never]);
    expect(stats.mtime.getTime()).toBe(Math.floor(stats.mtimeMs));
    expect([stats.isFile(), stats.isSocket(), stats.isFIFO(), stats.isBlockDevice()]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    await drive.symlink('é', '/l');
    expect((await drive.lstat('/l')).size).toBe(2);
  });

  it('changes with each change, also within one millisecond', async () => {
    const times = new Set<number>();
    for (let i = 0; i < 100; i++) {
      await drive.writeFile('/f', 'same');
      times.add((await drive.stat('/f')).mtimeMs);
    }
    expect(times.size).toBe(100);
    const two = await Promise.all([drive.stat('/f'), drive.writeFile('/g', '').then(() => drive.stat('/g'))]);
    expect(two[0].ino).not.toBe(two[1].ino);
  });

  it('of a folder says when it last got a name', async () => {
    await drive.mkdir('/a');
    const { mtimeMs } = await drive.stat('/a');
    await drive.writeFile('/a/f', '');
    const then = (await drive.stat('/a')).mtimeMs;
    expect(then).toBeGreaterThan(mtimeMs);
    await drive.writeFile('/a/f', 'again');
    expect((await drive.stat('/a')).mtimeMs).toBe(then);
  });
});

describe('a listing', () => {
  it('of a folder and all that is in its folders', async () => {
    await drive.mkdir('/a/b', { recursive: true });
    await drive.writeFile('/a/b/f', '');
    await drive.symlink('..', '/a/b/l');
    await drive.writeFile('/a/b-', '');
    await drive.mkdir('/ab');
    expect(await drive.readdir('/a', { recursive: true })).toEqual(['b', 'b-', 'b/f', 'b/l']);
    expect((await drive.readdir('/', { recursive: true })).sort()).toEqual([
      'a',
      'a/b',
      'a/b-',
      'a/b/f',
      'a/b/l',
      'ab',
    ]);
    const entries = await drive.readdir('/a/', { recursive: true, withFileTypes: true });
    expect(entries.map(({ parentPath, name }) => [parentPath, name])).toEqual([
      ['/a/', 'b'],
      ['/a/', 'b-'],
      ['/a/b', 'f'],
      ['/a/b', 'l'],
    ]);
    expect(entries.map((entry) => entry.isSymbolicLink())).toEqual([false, false, false, true]);
    expect(await drive.readdir('/a/b/l/b/../../ab')).toEqual([]);
  });

  it('has temporary folders of different names', async () => {
    const made = [await drive.mkdtemp('/t-'), await drive.mkdtemp('/t-')];
    expect(await drive.readdir('/')).toEqual(made.map((path) => path.slice(1)));
    expect(made[0]).not.toBe(made[1]);
  });
});

describe('each drive', () => {
  it('is in its own region, and knows nothing of others', async () => {
    const other = openDrive(tab.venue, 'e');
    await drive.writeFile('/f', 'one');
    await other.mkdir('/f');
    expect(await listing(drive)).toEqual({ '/f': 'one' });
    expect(await listing(other)).toEqual({ '/f': '/' });
    expect(tab.venue.regions).toEqual(['tidemark.drives.d', 'tidemark.drives.e']);
    expect(drive.promises).toBe(drive);
    expect(Object.getOwnPropertyDescriptor(drive, 'promises')?.enumerable).toBe(true);
    expect(() => openDrive(tab.venue, 'n'.repeat(49))).toThrow(/1 to 64|region name/);
  });
});

describe('input that an attacker would choose', () => {
  it('does not lead out of the drive', async () => {
    await drive.mkdir('/a');
    await drive.writeFile('/f', 'root');
    for (const path of ['/../../f', '../f', '/a/../../../../f', 'f', '/a/./..//../f', '//f'])
      expect(await drive.readFile(path, 'utf8'), path).toBe('root');
    await drive.symlink('../../../../f', '/a/out');
    await drive.symlink('/../a', '/a/in');
    expect(await drive.readFile('/a/out', 'utf8')).toBe('root');
    expect(await drive.realpath('/a/in/in/out')).toBe('/f');
    expect(await codeOf(drive.rename('/a', '/a/in/x'))).toBe('EINVAL');
    expect(await codeOf(drive.readFile('/../etc/passwd'))).toBe('ENOENT');
  });

  it('of 10,000 folders in each other is a name that is too long, and nothing is made', async () => {
    const deep = '/a'.repeat(10_000);
    for (const work of [
      drive.mkdir(deep, { recursive: true }),
      drive.mkdir(deep),
      drive.writeFile(deep, ''),
      drive.readFile(deep),
      drive.rm(deep, { recursive: true }),
      drive.symlink(deep, '/l'),
      drive.rename(deep, '/x'),
      drive.rename('/x', deep),
      drive.stat('/..'.repeat(10_000)),
      drive.readdir('/'.repeat(10_000)),
    ])
      expect(await codeOf(work)).toBe('ENAMETOOLONG');
    expect(keys()).toEqual([]);
  });

  it('makes folders as deep as names fit, which can be listed and removed', async () => {
    const deepest = '/a'.repeat(512);
    await drive.mkdir(deepest, { recursive: true });
    expect(await codeOf(drive.mkdir(`${deepest}/a`))).toBe('ENAMETOOLONG');
    expect(await codeOf(drive.writeFile(`${deepest}/a`, ''))).toBe('ENAMETOOLONG');
    // Here it would be too long.
    expect(await codeOf(drive.rename('/a', '/bb'))).toBe('ENAMETOOLONG');
    expect(await drive.readdir('/', { recursive: true })).toHaveLength(512);
    await drive.rename('/a/a', '/b');
    expect(await drive.readdir('/b', { recursive: true })).toHaveLength(510);
    await drive.rm('/b', { recursive: true });
    expect(await drive.readdir('/', { recursive: true })).toEqual(['a']);
  });

  it('of links that lead round in circles, or far, is one error', async () => {
    for (let i = 0; i < 1000; i++) await drive.symlink(`/l${i + 1}`, `/l${i}`);
    await drive.symlink('/l0', '/l1000');
    await drive.symlink('loop/loop', '/loop');
    await drive.symlink(`${'./'.repeat(2000)}loop2`, '/loop2');
    await drive.symlink('l/'.repeat(2000), '/l');
    for (const path of ['/l0', '/l0/x', '/loop', '/loop2', '/l', '/l/l'])
      for (const work of [drive.stat(path), drive.readFile(path), drive.writeFile(path, ''), drive.realpath(path)])
        expect(await codeOf(work), path).toMatch(/ELOOP/);
    // As far as Linux goes.
    expect(await codeOf(drive.stat('/l962'))).toBe('ELOOP');
    await drive.unlink('/l1000');
    await drive.writeFile('/l1000', 'end');
    expect(await drive.readFile('/l960', 'utf8')).toBe('end');
    expect(await codeOf(drive.readFile('/l959'))).toBe('ELOOP');
  });

  it('in names is kept as it is, or refused', async () => {
    for (const name of [
      'é',
      'e\u0301',
      '\u202e',
      '𝄞',
      ' ',
      '\\',
      'CON',
      '__proto__',
      'constructor',
      '...',
      '\n',
      '\uffff',
      '$',
    ]) {
      await drive.writeFile(`/${name}`, name);
      expect(await drive.readFile(`/${name}`, 'utf8')).toBe(name);
    }
    expect((await drive.readdir('/')).length).toBe(13);
    await drive.writeFile('/\ud800', 'half');
    expect(await drive.readFile('/\ufffd', 'utf8')).toBe('half');
    expect(await codeOf(drive.writeFile(`/${'é'.repeat(128)}`, ''))).toBe('ENAMETOOLONG');
    expect(await codeOf(drive.mkdir(`/${'x'.repeat(1024)}`))).toBe('ENAMETOOLONG');
    await drive.writeFile(`/${'é'.repeat(127)}`, '');
    for (const path of ['/a\0b', '\0', '/\0/x']) {
      expect(await codeOf(drive.writeFile(path, ''))).toBe('ERR_INVALID_ARG_VALUE');
      expect(await codeOf(drive.symlink(path, '/x'))).toBe('ERR_INVALID_ARG_VALUE');
      expect(await codeOf(drive.rename('/é', path))).toBe('ERR_INVALID_ARG_VALUE');
    }
    for (const path of [undefined, null, 7, {}, ['/a']])
      expect(await codeOf(drive.stat(path as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await codeOf(drive.readFile('/é', 'latin1' as never))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await codeOf(drive.mkdir('/m', { mode: '9' }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await codeOf(drive.utimes('/é', 1, 'soon'))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await codeOf(drive.chmod('/', 0o700))).toBe('EPERM');
    for (const work of [drive.rm('/', { recursive: true }), drive.rmdir('/'), drive.rename('/', '/x')])
      expect(await codeOf(work)).toBe('EBUSY');
  });
});

describe('a move', () => {
  it('of more than one commit holds is still seen all at once', async () => {
    const page = big('x', 32_000);
    for (let i = 0; i < 600; i++) await drive.mkdir(`/from/${i}`, { recursive: true });
    for (let i = 0; i < 600; i++) await drive.writeFile(`/from/${i}/f`, page);
    await drive.mkdir('/to');
    const before = (await drive.readdir('/from', { recursive: true })).length;
    await drive.rename('/from', '/to');
    expect(await drive.readdir('/')).toEqual(['to']);
    expect((await drive.readdir('/to', { recursive: true })).length).toBe(before);
    expect(keys().length).toBe(before + 1);
    expect(await drive.readFile('/to/599/f', 'utf8')).toBe(page);
    await origin.clock.runUntil(tab.venue.flush());
    tab.kill();
    const again = await openTab(origin);
    expect((await openDrive(again.venue, 'd').readdir('/to', { recursive: true })).length).toBe(before);
  });

  it.each([false, true])(
    'is seen all at once by who listens in the same tab; over an empty folder: %s',
    async (isThere) => {
      await drive.mkdir('/from/in', { recursive: true });
      await drive.writeFile('/from/in/f', 'f');
      if (isThere) await drive.mkdir('/to');
      const moments = new Set<string>();
      const stop = tab.venue.region('tidemark.drives.d').subscribe(() => {
        moments.add(pathsStored(tab.venue, 'd').join(' '));
      });
      await drive.rename('/from', '/to');
      stop();
      expect([...moments]).toEqual(['/to /to/in /to/in/f']);
    },
  );

  it('that is refused changes nothing, and holds nothing up', async () => {
    await drive.mkdir('/a/b', { recursive: true });
    const before = keys();
    const { set } = tab.venue.region('r');
    expect(set).toBeTypeOf('function');
    await origin.clock.runUntil(tab.venue.close());
    await expect(drive.rename('/a', '/c')).rejects.toMatchObject({ code: 'closed' });
    expect(keys()).toEqual(before);
  });
});

describe('an entry whose folder was deleted elsewhere', () => {
  it('is not shown, not moved along, and does not come back with the folder', async () => {
    const region = tab.venue.region<object>('tidemark.drives.d');
    await drive.mkdir('/a/b', { recursive: true });
    region.set('/a/gone\0old', { mode: 0o100644, mtime: 0, data: new Uint8Array(1) });
    region.set('/a/gone/deep\0old', { mode: 0o100644, mtime: 0, data: new Uint8Array(1) });
    region.set('/x\0old', { mode: 0o040755, mtime: 0 });
    expect(await expectTree(drive, tab.venue, 'd')).toEqual({ '/a': '/', '/a/b': '/' });
    expect(await codeOf(drive.stat('/a/gone/old'))).toBe('ENOENT');
    expect(await codeOf(drive.rmdir('/a/gone'))).toBe('ENOENT');
    await drive.rename('/a', '/x');
    expect(keys().filter((key) => key.includes('gone'))).toEqual([]);
    expect(await expectTree(drive, tab.venue, 'd')).toEqual({ '/x': '/', '/x/b': '/' });
    region.set('/x/gone\0old', { mode: 0o100644, mtime: 0, data: new Uint8Array(1) });
    await drive.mkdir('/x/gone');
    expect(pathsStored(tab.venue, 'd')).toEqual(['/x', '/x/b', '/x/gone']);
    region.set('/x/file\0old', { mode: 0o100644, mtime: 0, data: new Uint8Array(1) });
    await drive.rm('/x', { recursive: true });
    expect(keys()).toEqual([]);
  });
});

describe('a drive in a store', () => {
  it('is there for whoever opens it next, with what is in blobs', async () => {
    await drive.mkdir('/a');
    await drive.writeFile('/a/small', 's', { mode: 0o600 });
    await drive.writeFile('/a/large', big('x'));
    await drive.symlink('a/small', '/l');
    const before = [await listing(drive), await drive.stat('/a/small'), await drive.stat('/a/large')];
    await origin.clock.runUntil(tab.venue.flush());
    tab.kill();
    const again = openDrive((await openTab(origin)).venue, 'd');
    expect([await listing(again), await again.stat('/a/small'), await again.stat('/a/large')]).toEqual(before);
  });
});
