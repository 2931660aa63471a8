// A program with 100 concurrent writers, each of which waits for its own flush before it goes on. Keeps a trace of what was flushed.
import { openVenue } from '../../../src/node';
import { movies } from '../steps';
import { openTrace } from '../trace';

export interface ManyWritersOptions {
  store: string;
  trace: string;
  life: number;
}

export interface Written {
  life: number;
  writer: number;
  n: number;
  movie: object;
}

const { store, trace: path, life } = JSON.parse(process.argv[2]!) as ManyWritersOptions;
const trace = openTrace(path);
const venue = await openVenue({ store });
const region = venue.region<Written>('writers');

async function write(writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    const key = `${writer}/${n % 3}`; // each has three keys: it writes over what it wrote before
    trace('set', [key, n]);
    region.set(key, { life, writer, n, movie: movies[(writer * 31 + n) % movies.length]! });
    await venue.flush();
    trace('flushed', [key, n]);
  }
}

process.send!('writing');
await Promise.all(Array.from({ length: 100 }, (_, writer) => write(writer)));
