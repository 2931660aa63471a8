// The records that the demonstration streams: 20,000 real flights from the npm package vega-datasets, over and over. Knows nothing of venues.
// @ts-check
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const dataset = new URL('../data/flights-20k.json', import.meta.resolve('vega-datasets'));

/** @type {{ date: string, delay: number, distance: number, origin: string, destination: string }[]} */
const flights = JSON.parse(readFileSync(fileURLToPath(dataset), 'utf8'));

/** @param {number} n from 1 */
export const keyOf = (n) => String(n).padStart(9, '0');

/** @param {number} n from 1 */
export const flightOf = (n) => ({ n, ...flights[(n - 1) % flights.length] });
