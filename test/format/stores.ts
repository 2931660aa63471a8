// Stores for the tests of the format: made and opened through the library's public face, and compared with what the outside reader finds.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { type OpenOptions, openVenue, type Venue } from '../../src/node';
import { type OutsideView, readStore } from './reader';

export const seed = new Uint8Array(32).fill(7);
const silent = { info() {}, warn() {}, error() {} };

/** A fresh folder for each test, in which stores are. */
export let home: string;
const opened: Venue[] = [];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'format-'));
});
afterEach(async () => {
  for (const venue of opened.splice(0)) await venue.close();
  await rm(home, { recursive: true });
});

/** Where a store is; the one that most tests use if not named. */
export const storeOf = (name = 'venue') => join(home, `${name}.etch`);

export async function open(options: OpenOptions = {}): Promise<Venue> {
  const venue = await openVenue({ store: storeOf(), seed, signals: false, logger: silent, ...options });
  opened.push(venue);
  return venue;
}

/** Opens a store that somebody else has written. */
export async function openMade(store: string, files: Record<string, string>): Promise<Venue> {
  await (await open({ store })).close(); // makes the folder
  for (const [name, content] of Object.entries(files)) await writeFile(join(store, name), content);
  return open({ store });
}

export const stateOf = (venue: Venue) => new Map(venue.regions.map((name) => [name, new Map(venue.region(name))]));

/** Without regions that hold nothing, since bytes need not tell of them. */
export const filled = (regions: OutsideView['regions']) =>
  new Map([...regions].filter(([, values]) => values.size > 0));

/** The store as the outside reader finds it, once it has been found whole and to be what the venue shows. */
export async function agrees(venue: Venue, store = storeOf()): Promise<OutsideView> {
  const view = await readStore(store);
  expect(view.problems).toEqual([]);
  expect(view.signers).toEqual(new Set([venue.did]));
  expect(filled(view.regions)).toStrictEqual(filled(stateOf(venue)));
  return view;
}
