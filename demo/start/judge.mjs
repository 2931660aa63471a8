// Holds what is found in a store after a kill to what the writer said before it. Pure: knows no store and no process.
// @ts-check
import { flightOf, keyOf } from './records.mjs';

/**
 * @typedef {object} Verdict
 * @property {number} written flights written in this life
 * @property {number} durable those that were reported durable before the kill
 * @property {number} found those that are there
 * @property {number} lost those that are not
 * @property {number} lostMs how long before the kill the oldest of those was written
 * @property {string[]} faults what ought not to be; empty if Tidemark keeps its word
 */

/**
 * @param {import('./witness.mjs').Testimony} testimony
 * @param {Iterable<[key: string, flight: unknown]>} flights what is in the store, in key order
 * @returns {Verdict}
 */
export function judge({ before, written, durable, ageOf }, flights) {
  /** @type {string[]} */
  const faults = [];
  let last = 0;
  for (const [key, flight] of flights) {
    last++;
    if (key !== keyOf(last)) {
      faults.push(`flight ${last} is missing, ${key} is there`);
      break;
    }
    if (JSON.stringify(flight) !== JSON.stringify(flightOf(last))) faults.push(`flight ${last} has another value`);
  }
  if (last < durable) faults.push(`flights ${last + 1} to ${durable} were reported durable and are missing`);
  if (last > written) faults.push(`flights ${written + 1} to ${last} were never written`);
  return {
    written: written - before,
    durable: durable - before,
    found: last - before,
    lost: Math.max(0, written - last),
    lostMs: last < written ? ageOf(last + 1) : 0,
    faults,
  };
}
