// A program that sets, rotates, deletes and rekeys secrets until it is killed. Keeps a trace of what it began and of what it was told is durable.
import { openVenue } from '../../../src/node';
import { openSecrets } from '../../../src/services/secrets';
import { openTrace } from '../../crash/trace';
import { Random } from '../../simulator/random';

export interface SecretsOptions {
  store: string;
  trace: string;
  /** Seeds that may be the present key: the last one that was durable, and those that may have become so. */
  seeds: string[];
  life: number;
}

const { store, trace: path, seeds, life } = JSON.parse(process.argv[2]!) as SecretsOptions;
const trace = openTrace(path);
const random = new Random(life);
const venue = await openVenue({ store });
const opened = await Promise.allSettled(seeds.map((seed) => openSecrets(venue, { seed })));
const found = opened.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
if (found.length !== 1) throw new Error(`${found.length} of ${seeds.length} keys open the store`);
const secrets = found[0]!;
process.send!('opened');

const names = Array.from({ length: 12 }, (_, n) => `secret ${n}`);
let count = 0;

async function work(): Promise<never> {
  for (;;) {
    const name = random.pick(names);
    const value = `S3CRET ${life}.${++count} ${'x'.repeat(random.below(3000))}`;
    const what = random.pick(['set', 'set', 'rotate', 'delete', 'rekey', 'rekey'] as const);
    if (what === 'rotate' && !secrets.has(name)) continue;
    if (what === 'rekey') {
      const seed = Buffer.from(random.bytes(32)).toString('hex');
      trace('rekeying', seed);
      await secrets.rekey(seed);
      trace('rekeyed', seed);
    } else {
      trace('begun', [count, name, what === 'delete' ? null : value]);
      if (what === 'set') await secrets.set(name, value);
      else if (what === 'rotate') await secrets.rotate(name, value);
      else await secrets.delete(name);
      trace('ended', count);
    }
  }
}
// One after the other, so that it is known what must be there.
await work();
