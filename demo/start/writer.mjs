// The program that is killed. It uses Tidemark as any program would: opens a venue, sets entries, and never waits for anything. Usage:
// node writer.mjs <store>, with a pipe as file descriptor 3, on which it says what it writes and what it is told is durable.
import { writeSync } from 'node:fs';
import { openVenue } from 'tidemark';
import { flightOf, keyOf } from './records.mjs';

/** In the pipe before anything else happens: a kill does not take it back. @param {string} what @param {number} n */
const say = (what, n) => writeSync(3, `${what} ${n} ${process.hrtime.bigint()}\n`);

const venue = await openVenue({ store: process.argv[2] });
const flights = venue.region('flights');

let written = flights.size;
let durable = written;
say('opened', written);

venue.on('sweep', ({ entries }) => {
  durable += entries;
  say('durable', durable);
});

setInterval(() => {
  written++;
  say('written', written);
  flights.set(keyOf(written), flightOf(written));
}, 1);
