// A drive in real engines, under isomorphic-git: a history of 200 commits, which git itself reads when it is written into a real folder; in two tabs.
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { askGit, serveGit } from '../services/drives-git-program';
import { commitsInAll } from '../services/drives-git-work';
import type { DrivesPage, Exported } from './pages/drives';
import { eventually, inEach, pageIn, type Stage } from './stage';

const packageOf = join(import.meta.dirname, '../../node_modules/isomorphic-git');
/** isomorphic-git as its builds for pages. */
const client = ['index.umd.min.js', 'http/web/index.umd.js'].map((name) => join(packageOf, name));

const open = async ({ browser, site }: Stage, store: string) => {
  const tab = await browser.newTab(`${site.origin}/drives`);
  const page = pageIn<DrivesPage>(tab);
  await page.open(store);
  // An expression, as all engines take it.
  for (const path of client) await tab.evaluate(`(0, eval)(${JSON.stringify(await readFile(path, 'utf8'))}) && 0`);
  return { tab, page };
};

async function write(files: readonly Exported[], folder: string): Promise<void> {
  for (const { path, mode, base64, target } of files) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    if (target !== undefined) await symlink(target, file);
    else await writeFile(file, Buffer.from(base64!, 'base64'), { mode: mode & 0o777 });
  }
}

inEach('a drive in a page', (stage) => {
  it('carries isomorphic-git: 200 commits, branch, merge, checkout, log, status; git itself reads and serves them', async () => {
    const { tab, page } = await open(stage, 'git');
    const history = await page.history();
    expect(history.messages).toHaveLength(commitsInAll);
    await tab.close();

    const { tab: next, page: again } = await open(stage, 'git');
    expect(await again.log()).toEqual(history.messages);
    expect(await again.status()).toBe(0);
    const folder = await mkdtemp(join(tmpdir(), 'tidemark-git-'));
    let server: Awaited<ReturnType<typeof serveGit>> | undefined;
    try {
      await write(await again.files(), folder);
      const git = (...args: string[]) => askGit('-C', folder, ...args);
      expect(await git('fsck', '--full', '--strict')).not.toMatch(/missing|broken|error/);
      const log = (await git('log', '--format=%s', 'main')).trim().split('\n');
      expect(log.sort()).toEqual([...history.messages].sort());
      expect((await git('rev-parse', 'main')).trim()).toBe(history.head);
      expect(await git('status', '--porcelain')).toBe('');

      await askGit('clone', '--quiet', '--bare', folder, join(folder, 'served/repo.git'));
      server = await serveGit(join(folder, 'served'));
      const { tab: third, page: cloned } = await open(stage, 'clone');
      await cloned.clone(`${server.origin}/repo.git`);
      expect(await cloned.log()).toEqual(history.messages);
      expect(await cloned.status()).toBe(0);
      await third.close();
    } finally {
      server?.close();
      await rm(folder, { recursive: true, force: true });
    }
    await next.close();
  });

  it('shows each tab what the other writes, small and large, and where it was moved', async () => {
    const [one, other] = [await open(stage, 'tabs'), await open(stage, 'tabs')];
    await one.page.writeFile('/small', 's');
    await one.page.writeFile('/large', 'x'.repeat(300_000));
    await eventually(() => other.page.list(), ['large', 'small']);
    expect(await other.page.readFile('/large')).toBe('x'.repeat(300_000));
    await other.page.rename('/large', '/moved');
    await eventually(() => one.page.list(), ['moved', 'small']);
    expect(await one.page.readFile('/moved')).toBe('x'.repeat(300_000));
    await one.page.rm('/moved');
    await eventually(() => other.page.code('/moved'), 'ENOENT');
    for (const { tab } of [one, other]) await tab.close();
  });
});
