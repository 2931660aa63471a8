// Assets: bytes kept outside memory under the hash of what is in them, and what is known of each. An entry says that there is one, and holds the
// hash as text: that keeps its bytes. Knows the venue's face only.
import { TidemarkError } from '../base/errors';
import type { Venue } from '../venue';
import { bytesOf, copyMeta, keyOf, keyPrefix } from './assets/given';
import type { Asset, AssetCheck, AssetMeta, Assets } from './assets/types';

export type * from './assets/types';

/** Half of the time for which bytes that nothing names are kept where others collect, too: a frozen page must not name what may be gone. */
const putMsMax = 12 * 3600 * 1000;
/** Entries that verify() looks up in one go. */
const pageSize = 100;

/** What is stored of an asset. Its meta has a region of its own, so that who puts without one takes away nobody else's. */
type Stored = Omit<Asset, 'meta'>;

/** The assets of a venue. May be opened as often as one likes: all see the same. */
export function openAssets(venue: Venue): Assets {
  const { blobs, clock } = venue;
  const others = venue.health().lock === 'shared';
  const names = { assets: 'tidemark.assets', metas: 'tidemark.assets.meta' };
  const assets = venue.region<Stored>(names.assets);
  const metas = venue.region<AssetMeta>(names.metas);

  const view = (stored: Stored): Asset => ({ ...stored, meta: metas.get(keyOf(stored.hash)) ?? {} });
  const has = (hash: string) => assets.has(keyOf(hash));
  const error = (code: 'conflict' | 'damaged' | 'not_found', hash: string, what: string) =>
    new TidemarkError(code, `asset ${hash}: ${what}`);

  /** Both in one commit. A deletion meets them in the other order: whichever is later wins, no meta is lost of an asset that stays. */
  const write = (stored: Stored, meta: AssetMeta | undefined): void => {
    const fork = venue.fork();
    const key = keyOf(stored.hash);
    const metas = fork.region<AssetMeta>(names.metas);
    fork.region<Stored>(names.assets).set(key, stored);
    if (meta) metas.set(key, meta);
    else if (!assets.has(key)) metas.delete(key);
    fork.sync();
  };
  const remove = (hash: string): void => {
    const fork = venue.fork();
    for (const name of [names.metas, names.assets]) fork.region(name).delete(keyOf(hash));
    fork.sync();
  };

  /** Whether an asset is there that has no bytes: who has deleted it may not have been heard of. */
  const isBare = async (hash: string): Promise<boolean> => {
    if ((await blobs.size(hash)) !== undefined) return false;
    await venue.catchUp();
    return has(hash) && (await blobs.size(hash)) === undefined;
  };
  /** @throws unless it was deleted */
  const missing = async (hash: string): Promise<undefined> => {
    if (await isBare(hash)) throw error('damaged', hash, 'its bytes are missing; put them again, or restore a backup');
  };
  async function* whole<T>(hash: string, pieces: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* pieces;
    } catch (cause) {
      throw has(hash) ? cause : error('not_found', hash, 'deleted while it was read');
    }
  }

  const list: Assets['list'] = ({ prefix = '', limit = Number.POSITIVE_INFINITY, cursor } = {}) => {
    if (!(limit >= 1)) throw new TidemarkError('bad_option', 'assets: `limit` must be a number from 1');
    const page: Asset[] = [];
    const from = cursor === undefined ? undefined : `${keyOf(cursor)}\0`;
    for (const [, stored] of assets.scan({ prefix: keyPrefix(prefix), from })) {
      if (page.length >= limit) return { assets: page, nextCursor: page.at(-1)!.hash };
      page.push(view(stored));
    }
    return { assets: page, nextCursor: undefined };
  };

  const read = async ({ hash, size }: Stored): Promise<AssetCheck> => {
    try {
      const pieces = (await blobs.stream(hash))?.[Symbol.asyncIterator]();
      if (!pieces) return { hash, size, state: 'missing' };
      while (!(await pieces.next()).done);
      return { hash, size, state: 'ok' };
    } catch (error) {
      if (!(error instanceof TidemarkError) || !['damaged', 'io'].includes(error.code)) throw error;
      return { hash, size, state: 'damaged', error };
    }
  };
  /** @returns undefined if there is none, or no longer */
  const check = async (hash: string): Promise<AssetCheck | undefined> => {
    const stored = assets.get(keyOf(hash));
    const checked = stored && (await read(stored));
    if (checked && checked.state !== 'ok') await venue.catchUp();
    return has(hash) ? checked : undefined;
  };
  async function* checkAll(): AsyncGenerator<AssetCheck, void> {
    let cursor: string | undefined;
    do {
      const page = list({ limit: pageSize, cursor });
      for (const { hash } of page.assets) {
        const checked = await check(hash);
        if (checked) yield checked;
      }
      cursor = page.nextCursor;
    } while (cursor);
  }
  const checkOne = async (hash: string): Promise<AssetCheck> => {
    const checked = await check(hash);
    if (!checked) throw error('not_found', hash, 'there is none');
    return checked;
  };

  return {
    list,
    has,
    info(hash) {
      const stored = assets.get(keyOf(hash));
      return stored && view(stored);
    },
    async put(source, given) {
      const meta = given === undefined ? undefined : copyMeta(given);
      const began = clock.now();
      let asset!: Asset;
      const { hash } = await blobs.put(bytesOf(source), ({ hash, size }) => {
        const at = clock.now();
        if (others && at - began > putMsMax)
          throw error('conflict', hash, 'to put it took more than 12 hours; put it again');
        write({ hash, size, at }, meta);
        asset = view({ hash, size, at });
      });
      await venue.flush();
      // Written by a page that was frozen before it was durable, for so long that others took the bytes for nobody's.
      if (others && (await isBare(hash))) {
        remove(hash);
        await venue.flush();
        throw error('conflict', hash, 'its bytes were collected before its name was durable; put it again');
      }
      return asset;
    },
    async get(hash) {
      return has(hash) ? ((await blobs.get(hash)) ?? missing(hash)) : undefined;
    },
    async getStream(hash) {
      if (!has(hash)) return undefined;
      const pieces = await blobs.stream(hash);
      return pieces ? whole(hash, pieces) : missing(hash);
    },
    async delete(hash) {
      const was = has(hash);
      if (was) remove(hash);
      await venue.flush();
      return was;
    },
    verify: ((hash?: string) => (hash === undefined ? checkAll() : checkOne(hash))) as Assets['verify'],
  };
}
