// What the tests of drives share: everything that a drive shows, and whether that is a tree and the one that its entries say.
import { expect } from 'vitest';
import type { Drive } from '../../src/services/drives';
import type { Venue } from '../../src/venue';

/** By path: of a folder '/', of a link '-> target', of a file its content, or its size and first and last characters if it is long. */
export type Listing = Record<string, string>;

export async function listing(drive: Drive, at = ''): Promise<Listing> {
  const all: Listing = {};
  for (const entry of await drive.readdir(at || '/', { withFileTypes: true })) {
    const path = `${at}/${entry.name}`;
    if (entry.isDirectory()) Object.assign(all, { [path]: '/' }, await listing(drive, path));
    else if (entry.isSymbolicLink()) all[path] = `-> ${await drive.readlink(path)}`;
    else all[path] = short(await drive.readFile(path, 'utf8'));
  }
  return all;
}

export const short = (text: string): string =>
  text.length < 100 ? text : `${text.length} ${text.slice(0, 20)}...${text.slice(-20)}`;

/** Paths that the entries in a drive's region make visible, told by other means than the drive's. */
export function pathsStored(venue: Pick<Venue, 'region'>, name: string): string[] {
  const entries = new Map<string, number>();
  for (const [key, { mode }] of venue.region<{ mode: number }>(`tidemark.drives.${name}`))
    entries.set(key.replace('\0', '/'), mode >> 12);
  const isFolder = (path: string): boolean => path === '' || (entries.get(path) === 4 && isFolder(above(path)));
  return [...entries.keys()].filter((path) => isFolder(above(path))).sort();
}

const above = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/** What is shown is a tree: the one that its entries say, each path of which can be reached. @returns what is shown */
export async function expectTree(drive: Drive, venue: Pick<Venue, 'region'>, name: string): Promise<Listing> {
  const all = await listing(drive);
  const paths = Object.keys(all).sort();
  expect(paths).toEqual(pathsStored(venue, name));
  for (const path of paths) expect(above(path) === '' || all[above(path)] === '/', path).toBe(true);
  expect((await drive.readdir('/', { recursive: true })).map((path) => `/${path}`).sort()).toEqual(paths);
  return all;
}

export const big = (letter: string, bytes = 40_000): string => letter.repeat(bytes);

/** The code of the error that a call ends with. */
export const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? String(error),
  );
