// The command as a user runs it: a child process, its exit code and what it printed. And stores to run it on.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll } from 'vitest';
import { bundle } from '../../../scripts/ts.mjs';
import { type OpenOptions, openVenue, type Venue } from '../../../src/node';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

let program: string;
/** For this file's stores; removed at its end. */
export let folder: string;

beforeAll(async () => {
  program = await bundle(join(import.meta.dirname, '../../../src/cli/main.ts'));
  folder = await mkdtemp(join(tmpdir(), 'tidemark-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

export const tidemark = (...args: string[]): Promise<Ran> => run(process.execPath, program, ...args);

/** Where no file may have more bytes than so many times 512. */
export const tidemarkWithin = (blocks: number, ...args: string[]): Promise<Ran> =>
  run('sh', '-c', `ulimit -f ${blocks}; exec "$0" "$@"`, process.execPath, program, ...args);

function run(command: string, ...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: folder, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      resolve({ code: error ? ((error.code as number | undefined) ?? -1) : 0, stdout, stderr });
    });
  });
}

/** With --json. @throws when stdout is not one JSON document. */
// biome-ignore lint/suspicious/noExplicitAny: the tests say what is in it
export async function tidemarkJson(...args: string[]): Promise<{ code: number; json: any; stderr: string }> {
  const { code, stdout, stderr } = await tidemark(...args, '--json');
  return { code, json: JSON.parse(stdout), stderr };
}

/** The stable code of an error, on stderr, in the one line that it must be. */
export const codeOf = ({ stderr }: Ran): string | undefined =>
  /^tidemark: (\w+): .+$/.exec(stderr.split('\n')[0]!)?.[1];

let stores = 0;
export const freshPath = (): string => join(folder, `${++stores}`, 'venue.etch');

/** Opens, lets `fill` write, closes. */
export async function fill(store: string, work: (venue: Venue) => unknown, options: OpenOptions = {}): Promise<string> {
  const logger = { info: () => {}, warn: () => {}, error: () => {} };
  const venue = await openVenue({ store, signals: false, logger, ...options });
  try {
    await work(venue);
  } finally {
    await venue.close();
  }
  return store;
}

/** A store with a checkpoint, commits before and after it, three regions, a deletion. */
export const sampleStore = (store = freshPath()): Promise<string> =>
  fill(store, async (venue) => {
    const notes = venue.region('notes');
    for (let i = 0; i < 300; i++) notes.set(`n${i}`, { title: `Note ${i}` });
    await venue.flush();
    notes.set('n1', { title: 'changed before the checkpoint' });
    await venue.checkpoint();
    notes.set('n2', { title: 'changed after the checkpoint' });
    notes.delete('n3');
    venue.region('odd').set('map', new Map([['a', new Set([1n])]]));
    await venue.flush();
    venue.region('high', { join: 'max' }).set('score', 7);
  });

/** Everything in a folder: names, times of change, bytes. */
export async function snapshot(path: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(path, { recursive: true })).sort()) {
    const { mtimeNs, size } = await stat(join(path, name), { bigint: true });
    const isFile = (await stat(join(path, name))).isFile();
    const hash = isFile
      ? createHash('sha256')
          .update(await readFile(join(path, name)))
          .digest('hex')
      : 'folder';
    files[name] = `${mtimeNs} ${size} ${hash}`;
  }
  return files;
}

/** All that a store's program would see. */
export async function contentOf(
  store: string,
  options: OpenOptions = {},
): Promise<Record<string, Record<string, unknown>>> {
  const content: Record<string, Record<string, unknown>> = {};
  await fill(
    store,
    (venue) => {
      for (const name of venue.regions) content[name] = Object.fromEntries(venue.region(name).scan());
    },
    options,
  );
  return content;
}

export interface Live {
  pid: number;
  /** The last line that it printed. */
  last(): string;
  /** Resolves when a line fits. */
  until(fits: (line: string) => boolean): Promise<void>;
  kill(): Promise<void>;
}

/** A process that has a store open: helpers/writer.ts. */
export async function liveWriter(store: string, mode: 'busy' | 'idle'): Promise<Live> {
  const writer = await bundle(join(import.meta.dirname, 'writer.ts'));
  const child = spawn(process.execPath, [writer, store, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()));
  let last = '';
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    last = line;
    for (const look of waiting) look();
  });
  const live: Live = {
    pid: child.pid!,
    last: () => last,
    until: (fits) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!fits(last)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        void exited.then(() => reject(new Error('the writer has ended')));
      }),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
  await live.until((line) => line !== '');
  return live;
}
