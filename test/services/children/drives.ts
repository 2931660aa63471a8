// A program that works on a drive until it is killed: makes a folder, file by file, gives it its name when it is whole, and removes the one before; and
// moves a folder of many files to and fro. Keeps a trace of what it was told is durable.
import { openVenue } from '../../../src/node';
import { openDrive } from '../../../src/services/drives';
import { openTrace } from '../../crash/trace';
import { contentOf, type DrivesOptions, filesEach, filesMany } from './drives-plan';

const { store, trace: path } = JSON.parse(process.argv[2]!) as DrivesOptions;
const trace = openTrace(path);
const venue = await openVenue({ store, sweepMs: 2 });
const drive = openDrive(venue, 'd');
process.send!('opened');
const names = await drive.readdir('/');
let last = Math.max(0, ...names.map((name) => Number(/^made\.(\d+)$/.exec(name)?.[1] ?? 0)));
if (!names.some((name) => name.startsWith('many'))) {
  await drive.mkdir('/new');
  for (let i = 0; i < filesMany; i++) await drive.writeFile(`/new/${i}`, contentOf(0, i % 2 ? 2 : i));
  await drive.rename('/new', '/many');
  await venue.flush();
}
process.send!('working');
for (;;) {
  const generation = last + 1;
  await drive.rm('/unfinished', { recursive: true, force: true });
  await drive.mkdir('/unfinished/in', { recursive: true });
  for (let i = 0; i < filesEach; i++) {
    await drive.writeFile(`/unfinished/in/${i}`, contentOf(generation, i));
    // Where it is not by this name it is by the other.
    if (i % 3 === 1) await drive.rename('/many', '/many.moved').catch(() => drive.rename('/many.moved', '/many'));
  }
  await drive.rename('/unfinished', `/made.${generation}`);
  await drive.rm(`/made.${last}`, { recursive: true, force: true });
  // Now and then in a checkpoint, which collects the blobs of what was removed.
  await (generation % 5 === 0 ? venue.checkpoint() : venue.flush());
  last = generation;
  trace('durable', generation);
}
