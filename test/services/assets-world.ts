// Tabs with assets on one store, under virtual time: what their tests share. Puts things between a tab and its store, and looks at what a next one finds.
import { expect } from 'vitest';
import { memoryBackend } from '../../backends/memory';
import type { BlobStore } from '../../src/backend';
import { type Asset, type Assets, openAssets } from '../../src/services/assets';
import { gate, settle } from '../venue/helpers';
import { type Origin, openTab, type Tab } from '../venue/pages';
import { gather } from './assets-bytes';

export const hourMs = 3600 * 1000;

export interface Page {
  tab: Tab;
  assets: Assets;
}
export const open = async (origin: Origin): Promise<Page> => {
  const tab = await openTab(origin);
  return { tab, assets: openAssets(tab.venue) };
};
export const during = <T>({ clock }: Origin, work: Promise<T>) => clock.runUntil(work);

/** The store of all tabs, from below. */
export const blobsOf = ({ store }: Origin): BlobStore => memoryBackend(store).blobs!;
export const blobNames = async (origin: Origin) => [...(await blobsOf(origin).list(Number.POSITIVE_INFINITY)).keys()];

/** Puts something between a tab and the blobs of its store. */
export const tamper = ({ backend }: Tab, change: (blobs: BlobStore) => Partial<BlobStore>): void => {
  const blobs = backend.blobs!;
  Object.assign(backend, { blobs: { ...blobs, ...change(blobs) } });
};

/** Its commits wait from now on. @returns lets them go */
export const hold = ({ backend }: Tab): (() => void) => {
  const { opened, open: thaw } = gate();
  const { append } = backend;
  Object.assign(backend, {
    append: async (...call: Parameters<typeof append>) => {
      await opened;
      return append(...call);
    },
  });
  return thaw;
};

/** What the next one to open finds: every asset has its bytes, but for those that may be bare. @returns them by their text */
export async function found(
  origin: Origin,
  mayBeBare: (hash: string) => boolean = () => false,
): Promise<Map<string, Asset>> {
  const { tab, assets } = await open(origin);
  const all = new Map<string, Asset>();
  const checks = await gather(assets.verify());
  const bare = checks.filter(({ state }) => state !== 'ok');
  expect(bare.filter(({ hash, state }) => state !== 'missing' || !mayBeBare(hash))).toEqual([]);
  expect(checks.map(({ hash }) => hash)).toEqual(assets.list().assets.map(({ hash }) => hash));
  for (const asset of assets.list().assets)
    if (!bare.some(({ hash }) => hash === asset.hash))
      all.set(new TextDecoder().decode(await assets.get(asset.hash)), asset);
  tab.kill();
  return all;
}
/** Enough for everything that nothing names to be collected. */
export async function collect(origin: Origin, { tab }: Page): Promise<void> {
  await origin.clock.advance(25 * hourMs);
  for (let i = 0; i < 3; i++) {
    tab.venue.region('r').set('n', i);
    await during(origin, tab.venue.checkpoint());
    await settle();
  }
}
