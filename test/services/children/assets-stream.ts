// A program that streams an asset in and out, and says how much memory that took at most beyond what it had. Needs --expose-gc.
import { openVenue } from '../../../src/node';
import { openAssets } from '../../../src/services/assets';
import { pattern } from '../assets-bytes';

export interface AssetsStreamOptions {
  store: string;
  bytes: number;
}

const { store, bytes } = JSON.parse(process.argv[2]!) as AssetsStreamOptions;
const venue = await openVenue({ store });
const assets = openAssets(venue);
const piece = pattern(64 * 1024);
globalThis.gc!();
const start = process.memoryUsage.rss();
let peak = 0;
const look = () => {
  peak = Math.max(peak, process.memoryUsage.rss() - start);
};
async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += piece.length) {
    new DataView(piece.buffer).setUint32(0, sent);
    yield piece.slice(); // as a network hands them out
    look();
  }
}
const { hash, size } = await assets.put(pieces());
let read = 0;
for await (const slab of (await assets.getStream(hash))!) {
  read += slab.length;
  look();
}
await venue.close();
process.send!(`${size} in, ${read} out, ${Math.round(peak / 1024 / 1024)} MB`);
