// What the tests of isomorphic-git on a drive have it do, in Node and in a page alike: a history of 200 commits with branches and a merge.
import type git from 'isomorphic-git';
import type { Drive } from '../../src/services/drives';

/** What git itself is asked about afterwards. */
export interface History {
  readonly head: string;
  /** Of `main`, the newest first. */
  readonly messages: string[];
  readonly files: Record<string, string>;
}

const commitsOnMain = 150;
const commitsOnBranch = 49;

/** Large enough that it is in a blob. */
const large = (n: number): string => Array.from({ length: 4000 }, (_, line) => `line ${line} of ${n}`).join('\n');

/** @throws when git on a drive does not answer as it should */
export async function makeHistory(client: typeof git, fs: Drive, dir: string): Promise<History> {
  const at = { fs, dir };
  let timestamp = 1_700_000_000;
  const author = () => ({ name: 'Ann', email: 'ann@example.org', timestamp: timestamp++, timezoneOffset: 0 });
  const demand = (what: string, isSo: boolean) => {
    if (!isSo) throw new Error(`git on a drive: ${what}`);
  };
  const commit = async (message: string, files: Record<string, string>) => {
    for (const [path, text] of Object.entries(files)) {
      await fs.mkdir(`${dir}/${path}`.replace(/\/[^/]*$/, ''), { recursive: true });
      await fs.writeFile(`${dir}/${path}`, text);
      await client.add({ ...at, filepath: path });
    }
    return client.commit({ ...at, message, author: author() });
  };
  await fs.mkdir(dir, { recursive: true });
  await client.init({ ...at, defaultBranch: 'main' });
  await fs.writeFile(`${dir}/run.sh`, '#!/bin/sh\n', { mode: 0o755 });
  await fs.symlink('src/1.txt', `${dir}/link`);
  await client.add({ ...at, filepath: 'run.sh' });
  await client.add({ ...at, filepath: 'link' });
  for (let n = 1; n <= commitsOnMain; n++) {
    await commit(`main ${n}`, { [`src/${n % 20}.txt`]: `${n}`, ...(n % 50 === 0 && { 'data/large.txt': large(n) }) });
    if (n === commitsOnMain / 2) await client.branch({ ...at, ref: 'branch' });
  }
  await client.checkout({ ...at, ref: 'branch' });
  demand('a checkout shows the branch', (await fs.readFile(`${dir}/src/15.txt`, 'utf8')) === '75');
  demand('a checkout restores large files', (await fs.readFile(`${dir}/data/large.txt`, 'utf8')) === large(50));
  for (let n = 1; n <= commitsOnBranch; n++) await commit(`branch ${n}`, { [`lib/deep/${n % 10}.txt`]: `b${n}` });
  demand('the branch is known', `${await client.listBranches(at)}` === 'branch,main');
  await client.checkout({ ...at, ref: 'main' });
  demand(
    'a checkout removes what is not there',
    (await client.statusMatrix({ ...at, filepaths: ['lib'] })).length === 0,
  );
  await client.merge({ ...at, ours: 'main', theirs: 'branch', author: author() });
  await client.checkout({ ...at, ref: 'main' });
  await client.tag({ ...at, ref: 'v1' });

  const changed = async () =>
    (await client.statusMatrix(at)).filter(([, head, work, stage]) => !(head === 1 && work === 1 && stage === 1));
  demand('all is committed', (await changed()).length === 0);
  // As long as before, within the same millisecond: told by the time of change alone.
  await fs.writeFile(`${dir}/src/1.txt`, 'xxx');
  await fs.unlink(`${dir}/src/2.txt`);
  await fs.writeFile(`${dir}/src/new.txt`, '');
  demand(
    'status tells what was changed, removed and made',
    JSON.stringify(await changed()) ===
      JSON.stringify([
        ['src/1.txt', 1, 2, 1],
        ['src/2.txt', 1, 0, 1],
        ['src/new.txt', 0, 2, 0],
      ]),
  );
  demand('status of one file', (await client.status({ ...at, filepath: 'src/1.txt' })) === '*modified');
  await fs.unlink(`${dir}/src/new.txt`);
  await client.checkout({ ...at, ref: 'main', force: true });
  demand('a checkout restores', (await changed()).length === 0);

  const log = await client.log({ ...at, ref: 'main' });
  const files: Record<string, string> = {};
  for (const path of await client.listFiles(at))
    files[path] = (await fs.lstat(`${dir}/${path}`)).isSymbolicLink()
      ? await fs.readlink(`${dir}/${path}`)
      : await fs.readFile(`${dir}/${path}`, 'utf8');
  return { head: log[0]!.oid, messages: log.map(({ commit }) => commit.message.trim()), files };
}

export const commitsInAll = commitsOnMain + commitsOnBranch + 1;
