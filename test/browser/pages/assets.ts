// Assets in a page, as the tests drive them from outside: put as bytes, streams and Blobs, read back, verified.
import { openVenue, type Venue } from '../../../src/browser';
import { type Assets, openAssets } from '../../../src/services/assets';

let venue: Venue | undefined;
let assets: Assets | undefined;

/** Bytes that are others for every seed; quick, for there are 20 MB of them. */
function pattern(size: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = (at * 31 + (at >> 8) * seed + seed) & 255;
  return bytes;
}
const sources = {
  bytes: (bytes: Uint8Array<ArrayBuffer>) => bytes,
  stream: (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes]).stream(),
  blob: (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes]),
};

const page = {
  async open(store: string): Promise<void> {
    venue = await openVenue({ store });
    assets = openAssets(venue);
  },
  put: (as: keyof typeof sources, size: number, seed: number) => assets!.put(sources[as](pattern(size, seed)), { as }),
  /** @returns how many bytes are as they were put, read whole and as a stream */
  async same(hash: string, size: number, seed: number): Promise<[number, number]> {
    const wanted = pattern(size, seed);
    const alike = (found: Uint8Array, from: number) => found.every((byte, at) => byte === wanted[from + at]);
    const whole = (await assets!.get(hash))!;
    let at = 0;
    for await (const piece of (await assets!.getStream(hash))!) {
      if (!alike(piece, at)) return [-1, at];
      at += piece.length;
    }
    return [alike(whole, 0) ? whole.length : -1, at];
  },
  async verify(): Promise<string[]> {
    const states: string[] = [];
    for await (const { state } of assets!.verify()) states.push(state);
    return states;
  },
  list: () => assets!.list().assets,
  remove: (hash: string) => assets!.delete(hash),
  async code(hash: string): Promise<string | undefined> {
    try {
      await assets!.get(hash);
      return undefined;
    } catch (error) {
      return (error as { code?: string }).code;
    }
  },
  close: () => venue!.close(),
};

export type AssetsPage = typeof page;
Object.assign(globalThis, { tidemarkTest: page });

// A browser without a driver tells its pages by a script what to do (engines/minibrowser.ts).
const remote = /^#remote=(.+)$/.exec(location.hash)?.[1];
if (remote) document.head.append(Object.assign(document.createElement('script'), { src: remote }));
