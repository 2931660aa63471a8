// Snapshots as real files: what stands at the path, whose it is, where links lead, what is kept and what is removed.
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Disk } from '../../backends/fs/disk';
import { nodeDisk } from '../../backends/fs/node-disk';
import { nodePaths } from '../../backends/fs/node-paths';
import { nodeProcesses } from '../../backends/fs/processes';
import { snapshotFiles } from '../../backends/fs/snapshots';
import {
  createSnapshotWriter,
  readSnapshot,
  type SnapshotWriter,
  type SnapshotWriterOptions,
} from '../../src/snapshots-node';
import { gate } from '../venue/helpers';

const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
const cwd = process.cwd();

let folder: string;
let target: string;
const writers: SnapshotWriter[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-snapshots-'));
  target = join(folder, 'state.json');
});
afterEach(async () => {
  process.chdir(cwd);
  for (const writer of writers.splice(0)) await writer.close({ timeoutMs: 0 });
  // A writer that could not write may be in the middle of its last try, and put a file here while this goes on.
  await rm(folder, { recursive: true, force: true, maxRetries: 20 });
});

/** Writes `text` as it is when it is asked. */
function open(options: Partial<SnapshotWriterOptions> = {}): {
  writer: SnapshotWriter;
  set(text: string): Promise<void>;
} {
  let text = '';
  const writer = createSnapshotWriter({ target, snapshot: (key) => text + key, logger, signals: false, ...options });
  writers.push(writer);
  return {
    writer,
    set(next) {
      text = next;
      return writer.save(`set ${next}`);
    },
  };
}
const bytesOf = (text: string) => new TextEncoder().encode(text);
const textAt = (path: string) => readFile(path, 'utf8');
const modeOf = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8);

describe('a snapshot file', () => {
  it('has the bytes or the text, whatever was there before, in a folder that is made', async () => {
    const bytes = Buffer.from([0, 255, 128, 10]);
    const deep = join(folder, 'a/b c/ü/state.bin');
    const { set } = open({ target: deep, snapshot: () => bytes });
    await set('');
    expect(await readFile(deep)).toEqual(bytes);
    const text = open();
    for (const next of ['{"a": "grüße 🌊"}', '', 'x'.repeat(300_000), 'short']) {
      await text.set(next);
      expect(await textAt(target)).toBe(next);
    }
    expect(await readdir(folder)).toEqual(['a', 'state.json']);
    expect(Buffer.from((await readSnapshot(target))!).toString()).toBe('short');
    expect(await readSnapshot(join(folder, 'none'))).toBeUndefined();
    await expect(readSnapshot(folder)).rejects.toMatchObject({ code: 'io' });
  });

  it('may be named by a URL, and stays where it was when the process goes elsewhere', async () => {
    const { set } = open({ target: pathToFileURL(target) });
    await set('by url');
    process.chdir(folder);
    const relative = open({ target: 'relative.json' });
    process.chdir(cwd);
    await relative.set('relative');
    expect([await textAt(target), await textAt(join(folder, 'relative.json'))]).toEqual(['by url', 'relative']);
  });

  it('is one for each key, where target says so', async () => {
    const { writer } = open({ target: (key) => join(folder, 'keys', `${key}.txt`) });
    await Promise.all(Array.from({ length: 1200 }, (_, n) => writer.save('all', `${n}`)));
    expect(await readdir(join(folder, 'keys'))).toHaveLength(1200);
    expect(await textAt(join(folder, 'keys/777.txt'))).toBe('777');
    const single = open();
    expect(() => single.writer.request({ reason: 'r', key: 'k' })).toThrow(
      expect.objectContaining({ code: 'bad_option' }),
    );
    for (const wrong of ['', 7, undefined] as never[])
      expect(() => open({ target: wrong })).toThrow(expect.objectContaining({ code: 'bad_option' }));
  });

  it('may have the longest of names', async () => {
    const long = join(folder, 'ü'.repeat(127));
    await open({ target: long }).set('long');
    expect(await textAt(long)).toBe('long');
  });

  it('comes back with its folder, should somebody remove that', async () => {
    target = join(folder, 'sub/state.json');
    const { set } = open();
    await set('one');
    await rm(join(folder, 'sub'), { recursive: true });
    await set('two');
    expect(await textAt(target)).toBe('two');
  });

  it('keeps its permissions and its owner; a new one has those that it was made with', async () => {
    const umask = process.umask(0o027);
    try {
      const { set } = open({ mode: 0o664 });
      await set('new');
      expect(await modeOf(target)).toBe('640');
      for (const mode of [0o666, 0o600, 0o444]) {
        await chmod(target, mode);
        await set(`${mode}`);
        expect([await textAt(target), await modeOf(target)]).toEqual([`${mode}`, mode.toString(8)]);
      }
      if (process.getuid!() === 0) {
        await chown(target, 1234, 5678);
        await chmod(target, 0o4755); // not to run as somebody else
        await set('owner');
        expect(await stat(target)).toMatchObject({ uid: 1234, gid: 5678 });
        expect(await modeOf(target)).toBe('755');
      }
    } finally {
      process.umask(umask);
    }
  });

  it('is where symbolic links lead, and they stay', async () => {
    await mkdir(join(folder, 'real/deep'), { recursive: true });
    await symlink('real/deep', join(folder, 'linked'));
    // ../ is of where the link really is: real/, not the folder above `linked`.
    await symlink('../file.json', join(folder, 'real/deep/link.json'));
    await symlink('linked/link.json', target);
    await symlink('not/there/yet.json', join(folder, 'dangling'));
    for (const text of ['one', 'two']) {
      await open().set(text);
      await open({ target: join(folder, 'dangling') }).set(text);
      expect(await textAt(join(folder, 'real/file.json'))).toBe(text);
      expect(await textAt(join(folder, 'not/there/yet.json'))).toBe(text);
    }
    expect(await readlink(target)).toBe('linked/link.json');
    expect((await lstat(join(folder, 'dangling'))).isSymbolicLink()).toBe(true);
    await symlink('circle', join(folder, 'circle'));
    await expect(open({ target: join(folder, 'circle') }).set('x')).rejects.toMatchObject({ code: 'io' });
  });

  it('is not put in the place of a folder or a device', async () => {
    await expect(open({ target: folder }).set('x')).rejects.toThrow('is no file');
    await expect(open({ target: '/dev/null' }).set('x')).rejects.toThrow('is no file');
    expect((await stat('/dev/null')).isFile()).toBe(false);
  });
});

describe('a backup', () => {
  it('is the file that was there before, and only when asked', async () => {
    await open().set('zero');
    const { set } = open({ backup: true });
    await set('one');
    expect([await textAt(target), await textAt(`${target}.bak`)]).toEqual(['one', 'zero']);
    await chmod(target, 0o600);
    await set('two');
    expect([await textAt(target), await textAt(`${target}.bak`), await modeOf(`${target}.bak`)]).toEqual([
      'two',
      'one',
      '600',
    ]);
    await open().set('three');
    expect(await textAt(`${target}.bak`)).toBe('one');
    expect((await readdir(folder)).sort()).toEqual(['state.json', 'state.json.bak']);
  });

  it('is not replaced by an empty file', async () => {
    const { set } = open({ backup: true });
    await set('one');
    await set('two');
    await writeFile(target, ''); // as a program leaves it that is killed in fs.writeFile
    await set('three');
    expect([await textAt(target), await textAt(`${target}.bak`)]).toEqual(['three', 'one']);
  });
});

describe('a file that is written as the process goes', () => {
  const openFiles = (disk: Disk, backup = false) =>
    snapshotFiles({ disk, paths: nodePaths, processes: nodeProcesses, nonce: 'ab', backup, mode: 0o640 });

  it('is not overtaken by what was under way', async () => {
    const { opened, open: goOn } = gate();
    const reached = gate();
    const files = openFiles({
      ...nodeDisk,
      async rename(from, to) {
        reached.open();
        await opened;
        return nodeDisk.rename(from, to);
      },
    });
    const older = files.write(target, bytesOf('older')).catch((error: unknown) => error);
    await reached.opened;
    files.writeNow(target, bytesOf('newer'));
    goOn();
    expect(await older).toMatchObject({ code: 'io', cause: { code: 'ENOENT' } });
    expect([await textAt(target), await readdir(folder)]).toEqual(['newer', ['state.json']]);
  });

  it('is made as others are: folders, links, permissions', async () => {
    const files = openFiles(nodeDisk);
    const umask = process.umask(0o022);
    target = join(folder, 'new/state.json');
    files.writeNow(target, bytesOf('one'));
    expect([await textAt(target), await modeOf(target)]).toEqual(['one', '640']);
    await chmod(target, 0o666);
    const link = join(folder, 'link.json');
    await symlink('new/state.json', link);
    files.writeNow(link, bytesOf('two'));
    process.umask(umask);
    expect([await textAt(target), await modeOf(target), await readlink(link)]).toEqual([
      'two',
      '666',
      'new/state.json',
    ]);
    expect(() => files.writeNow(folder, bytesOf('x'))).toThrow('is no file');
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['link.json', 'new', 'new/state.json']);
  });
});

describe('what a crash has left', () => {
  it('is removed: files of processes that are gone, and no others', async () => {
    const { pid, start } = await nodeProcesses.self();
    const hex = Buffer.from(start).toString('hex');
    const of = (pid: number, start: string) => `any.json.${pid}-${start}-abcdef-7.tidemark-tmp`;
    // Nobody's pid; our pid in an earlier life, as in containers; and the parent's, which lives but began at another time.
    const gone = [of(2 ** 22 + 1, hex), of(pid, Buffer.from('1').toString('hex')), of(process.ppid, '31')];
    const parent = (await readFile(`/proc/${process.ppid}/stat`, 'latin1')).split(') ').at(-1)!.split(' ')[19]!;
    const live = [of(pid, hex), of(process.ppid, Buffer.from(parent).toString('hex')), of(process.ppid, '')];
    const others = ['state.json.123.tmp', '.state.json.tmp', 'state.json.tidemark-tmp', 'x.12-zz-ab-1.tidemark-tmp'];
    for (const name of [...gone, ...live, ...others]) await writeFile(join(folder, name), 'left');
    await open().set('new');
    expect((await readdir(folder)).sort()).toEqual([...live, ...others, 'state.json'].sort());
  });
});
