// Real clients of a drive in Node: isomorphic-git, whose work git itself reads afterwards, and rollup.
import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import git from 'isomorphic-git';
import http from 'isomorphic-git/http/node';
import { rollup } from 'rollup';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openVenue, type Venue } from '../../src/node';
import { type Drive, openDrive } from '../../src/services/drives';
import { askGit, serveGit } from './drives-git-program';
import { commitsInAll, makeHistory } from './drives-git-work';
import { expectTree } from './drives-world';

let folder: string;
let venue: Venue;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-git-'));
  venue = await openVenue({ store: join(folder, 'venue.etch'), signals: false });
});
afterEach(async () => {
  await venue.close();
  await rm(folder, { recursive: true, force: true });
});

/** Writes a folder of a drive into a real one. */
async function exportFolder(drive: Drive, from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await drive.readdir(from, { withFileTypes: true })) {
    const [source, target] = [`${from}/${entry.name}`, join(to, entry.name)];
    if (entry.isDirectory()) await exportFolder(drive, source, target);
    else if (entry.isSymbolicLink()) await symlink(await drive.readlink(source), target);
    else await writeFile(target, await drive.readFile(source), { mode: (await drive.stat(source)).mode & 0o777 });
  }
}

describe('isomorphic-git on a drive', () => {
  it('makes a history that git itself reads, also after the store was opened anew', async () => {
    const history = await makeHistory(git, openDrive(venue, 'project'), '/work/repo');
    expect(history.messages).toHaveLength(commitsInAll);
    await venue.close();

    venue = await openVenue({ store: join(folder, 'venue.etch'), signals: false });
    const drive = openDrive(venue, 'project');
    const log = await git.log({ fs: drive, dir: '/work/repo' });
    expect(log.map(({ commit }) => commit.message.trim())).toEqual(history.messages);

    const repo = join(folder, 'repo');
    await exportFolder(drive, '/work/repo', repo);
    const here = (...args: string[]) => askGit('-C', repo, ...args);
    expect(await here('fsck', '--full', '--strict')).not.toMatch(/missing|broken|error/);
    expect((await here('log', '--format=%s', 'main')).trim().split('\n').sort()).toEqual([...history.messages].sort());
    expect((await here('rev-parse', 'main', 'v1')).trim().split('\n')).toEqual([history.head, history.head]);
    expect(await here('status', '--porcelain')).toBe('');
    expect((await here('ls-files')).trim().split('\n')).toEqual(Object.keys(history.files));
    for (const [path, text] of Object.entries(history.files)) {
      expect(await here('show', `main:${path}`)).toBe(text);
      if (!(await lstat(join(repo, path))).isSymbolicLink())
        expect(await readFile(join(repo, path), 'utf8')).toBe(text);
    }
    expect((await here('ls-tree', 'main', 'run.sh', 'link')).replace(/ blob \w+/g, '')).toBe(
      '120000\tlink\n100755\trun.sh\n',
    );
  });
});

describe('a repository that git serves', () => {
  it('is cloned into a drive, changed there, and pushed back', async () => {
    const drive = openDrive(venue, 'project');
    const [first, bare] = [join(folder, 'first'), join(folder, 'served/repo.git')];
    await mkdir(join(first, 'src/deep'), { recursive: true });
    await askGit('init', '--quiet', '--initial-branch=main', first);
    for (let i = 0; i < 60; i++) await writeFile(join(first, `src/deep/${i}.txt`), `${i}\n`.repeat(i * 50));
    await writeFile(join(first, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    await symlink('src/deep/1.txt', join(first, 'link'));
    const as = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org'];
    await askGit('-C', first, 'add', '.');
    await askGit('-C', first, ...as, 'commit', '--quiet', '--message', 'first');
    await askGit('clone', '--quiet', '--bare', first, bare);
    await askGit('-C', bare, 'config', 'http.receivepack', 'true');
    const server = await serveGit(join(folder, 'served'));
    try {
      const at = { fs: drive, dir: '/clone' };
      await git.clone({ ...at, http, url: `${server.origin}/repo.git` });
      expect(await drive.readFile('/clone/src/deep/59.txt', 'utf8')).toBe('59\n'.repeat(59 * 50));
      expect(await drive.readlink('/clone/link')).toBe('src/deep/1.txt');
      expect((await drive.stat('/clone/run.sh')).mode).toBe(0o100755);
      await drive.rename('/clone', '/moved'); // what is in it is told by paths within it
      const moved = { ...at, dir: '/moved' };
      await drive.writeFile('/moved/src/new.txt', 'new');
      await git.add({ ...moved, filepath: 'src/new.txt' });
      const oid = await git.commit({ ...moved, message: 'second', author: { name: 'Ann', email: 'ann@example.org' } });
      expect((await git.push({ ...moved, http })).ok).toBe(true);
      expect((await askGit('-C', bare, 'rev-parse', 'main')).trim()).toBe(oid);
      expect(await askGit('-C', bare, 'show', 'main:src/new.txt')).toBe('new');
      expect(await askGit('-C', bare, 'fsck', '--full', '--strict')).not.toMatch(/missing|broken|error/);
      await expectTree(drive, venue, 'project');
    } finally {
      server.close();
    }
  });
});

describe('rollup on a drive', () => {
  it('bundles what is in it, follows links, and writes into it', async () => {
    const drive = openDrive(venue, 'project');
    await drive.mkdir('/app/lib', { recursive: true });
    await drive.writeFile('/app/main.js', `import { greet } from './lib/link.js';\nexport default greet('world');\n`);
    await drive.writeFile(
      '/app/lib/greet.js',
      `export const greet = (name) => \`hello \${name}\`;\nexport const unused = 1;\n`,
    );
    await drive.symlink('greet.js', '/app/lib/link.js');
    const bundle = await rollup({ input: '/app/main.js', fs: drive });
    expect(bundle.watchFiles).toContain('/app/lib/greet.js');
    await bundle.write({ dir: '/app/dist', format: 'es', sourcemap: true });
    await bundle.close();
    expect(await drive.readdir('/app/dist')).toEqual(['main.js', 'main.js.map']);
    const code = await drive.readFile('/app/dist/main.js', 'utf8');
    expect(code).not.toContain('unused');
    const { default: said } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
    expect(said).toBe('hello world');
    await expect(rollup({ input: '/app/none.js', fs: drive })).rejects.toThrow('/app/none.js');
  });
});
