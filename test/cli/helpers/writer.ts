// A program that has a store open, as a child process of a test. `busy`: writes, flushes and makes checkpoints as fast as it can, and prints
// the number of each write once it is durable. `idle`: writes once and keeps the store open. Ends when it is killed.
import { openVenue } from '../../../src/node';

const [store = '', mode] = process.argv.slice(2);
const venue = await openVenue({ store });
const records = venue.region('records');
const say = (n: number) => process.stdout.write(`${n}\n`);

records.set('k0', { n: 0 });
await venue.flush();
say(0);
if (mode === 'idle') setInterval(() => {}, 1 << 30);
else {
  for (let n = 1; ; n++) {
    records.set(`k${n}`, { n, text: 'x'.repeat(n % 500) });
    if (n % 3 === 0) records.delete(`k${n - 3}`);
    await venue.flush();
    say(n);
    if (n % 40 === 0) await venue.checkpoint();
  }
}
