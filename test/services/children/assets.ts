// A program that puts, deletes and reads assets until it is killed, several at once, as bytes and as streams. Keeps a trace of what it was told.
import { openVenue } from '../../../src/node';
import { openAssets } from '../../../src/services/assets';
import { openTrace } from '../../crash/trace';
import { Random } from '../../simulator/random';
import { pattern, streamOf } from '../assets-bytes';

export interface AssetsChildOptions {
  store: string;
  trace: string;
  seed: number;
}

const { store, trace: path, seed } = JSON.parse(process.argv[2]!) as AssetsChildOptions;
const trace = openTrace(path);
const random = new Random(seed);
const venue = await openVenue({ store });
const assets = openAssets(venue);

/** From 1 KB to 5 MB, mostly small; some are put again in other lives. */
const content = () => {
  const size = random.pick([1024, 10_000, 100_000, 1_000_000, 5_000_000]);
  return pattern(size, random.below(20));
};
const sources = (bytes: Uint8Array<ArrayBuffer>) =>
  random.pick([() => bytes, () => streamOf(bytes, 50_000), () => new Blob([bytes])])();

async function worker(nth: number): Promise<never> {
  const mine: string[] = [];
  for (let n = 0; ; n++) {
    const bytes = content();
    const { hash } = await assets.put(sources(bytes), { nth, n });
    trace('put', hash);
    mine.push(hash);
    if (nth === 0 && n % 5 === 4) await venue.checkpoint();
    // Only one of them deletes, so that it is known which was the last word.
    if (nth > 0 || !random.chance(0.6)) continue;
    const gone = random.pick(mine);
    trace('deleting', gone);
    await assets.delete(gone);
    trace('deleted', gone);
  }
}
process.send!('working');
await Promise.all([worker(0), worker(1), worker(2)]);
