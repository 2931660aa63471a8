// A drive in a page, on which isomorphic-git makes a history; and what it is like in another tab and after a reload.
import { Buffer } from 'buffer/';
import type git from 'isomorphic-git';
import type { HttpClient } from 'isomorphic-git';
import { openVenue, type Venue } from '../../../src/browser';
import { type Drive, openDrive } from '../../../src/services/drives';
import { type History, makeHistory } from '../../services/drives-git-work';

// isomorphic-git leaves it to whoever uses it in a page. Its build for pages is put into the page by the test, for its modules take Node's for granted.
Object.assign(globalThis, { Buffer });
const loaded = () => globalThis as unknown as { git: typeof git; GitHttp: HttpClient };
const client = () => loaded().git;

let venue: Venue | undefined;
let drive: Drive | undefined;
const dir = '/repo';

/** A file of the repository, as it can be handed out of the page. */
export interface Exported {
  readonly path: string;
  readonly mode: number;
  readonly base64?: string;
  readonly target?: string;
}

const page = {
  async open(store: string): Promise<void> {
    venue = await openVenue({ store });
    drive = openDrive(venue, 'project');
  },
  async history(): Promise<History> {
    const history = await makeHistory(client(), drive!, dir);
    await venue!.flush();
    return history;
  },
  clone: (url: string) => client().clone({ fs: drive!, http: loaded().GitHttp, dir, url }),
  async log(): Promise<string[]> {
    return (await client().log({ fs: drive!, dir })).map(({ commit }) => commit.message.trim());
  },
  async status(): Promise<number> {
    const rows = await client().statusMatrix({ fs: drive!, dir });
    return rows.filter(([, head, work, stage]) => !(head === 1 && work === 1 && stage === 1)).length;
  },
  async files(): Promise<Exported[]> {
    const files: Exported[] = [];
    for (const name of await drive!.readdir(dir, { recursive: true })) {
      const stats = await drive!.lstat(`${dir}/${name}`);
      if (stats.isSymbolicLink())
        files.push({ path: name, mode: stats.mode, target: await drive!.readlink(`${dir}/${name}`) });
      else if (stats.isFile())
        files.push({
          path: name,
          mode: stats.mode,
          base64: Buffer.from(await drive!.readFile(`${dir}/${name}`)).toString('base64'),
        });
    }
    return files;
  },
  writeFile: (path: string, text: string) => drive!.writeFile(path, text),
  readFile: (path: string) => drive!.readFile(path, 'utf8'),
  rename: (from: string, to: string) => drive!.rename(from, to),
  rm: (path: string) => drive!.rm(path, { recursive: true }),
  list: () => drive!.readdir('/', { recursive: true }),
  code: (path: string) =>
    drive!.readFile(path).then(
      () => 'ok',
      (error: { code?: string }) => error.code,
    ),
  flush: () => venue!.flush(),
};

export type DrivesPage = typeof page;
Object.assign(globalThis, { tidemarkTest: page });
