// `npm start`: shows on real records what Tidemark promises. A writer streams flights into a store and is killed three times; each time the
// store is opened again and held to what the writer had said. Ends with exit code 0 only if everything that was reported durable was there.
// Usage: main.mjs [--seconds N]: about how long it takes; 15 by default.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openVenue } from 'tidemark';
import { judge } from './judge.mjs';
import { coloured, count, milliseconds, print, printPassing, table } from './text.mjs';
import { watchAndKill } from './witness.mjs';

const kills = 3;
const store = join('demo-data', 'venue.etch');
const cli = fileURLToPath(new URL('cli.js', import.meta.resolve('tidemark')));

/** Opens the store, hands it to `look`, and closes it. @template T @param {(venue: import('../../src/node').Venue) => T} look */
async function openAndLook(look) {
  const began = performance.now();
  const venue = await openVenue({ store });
  const openMs = performance.now() - began;
  try {
    const { status, reasons, recovery } = venue.health();
    return { did: venue.did, openMs, status, reasons, recovery, seen: look(venue) };
  } finally {
    await venue.close();
  }
}

/** What `tidemark verify` says. @returns {Promise<{ ok: boolean, commits: number, said: string }>} */
function verify() {
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, 'verify', store, '--json'], (error, stdout, stderr) => {
      const ok = error === null;
      resolve({ ok, commits: ok ? JSON.parse(stdout).checked.commits : 0, said: stdout + stderr });
    });
  });
}

/** @param {number} life @param {number} forMs @param {string} did */
async function liveAndDie(life, forMs, did) {
  const testimony = await watchAndKill(store, forMs, (written, durable) =>
    printPassing(`Kill ${life}  writing: flight ${count(written)}, durable up to ${count(durable)}`),
  );
  const opened = await openAndLook((venue) => judge(testimony, venue.region('flights')));
  const verified = await verify();
  const { seen: verdict, recovery } = opened;
  const faults = [...verdict.faults];
  if (opened.did !== did) faults.push(`the identity is ${opened.did} now`);
  if (opened.status !== 'ok') faults.push(...opened.reasons);
  if (!verified.ok) faults.push(`tidemark verify: ${verified.said}`);

  const { written, durable, lost, lostMs } = verdict;
  printPassing('');
  print(`Kill ${life}  wrote ${count(written)} flights, ${count(durable)} reported durable when SIGKILL came`);
  const lock = recovery.notes.some((note) => note.startsWith('took over'))
    ? ', the dead program’s lock taken over'
    : '';
  const cut = recovery.tornBytes > 0 ? `, ${count(recovery.tornBytes)} torn bytes cut off` : '';
  print(`        opened again in ${milliseconds(opened.openMs)}${lock}${cut}`);
  print(
    lost === 0
      ? '        nothing was lost'
      : `        lost ${count(lost)}, the oldest of them written ${milliseconds(lostMs)} before the kill`,
  );
  print(
    `        verified ${count(verified.commits)} commits: ${verified.ok ? 'every signature and digest is good' : 'DAMAGED'}`,
  );
  for (const fault of faults) print(coloured('red', `        WRONG: ${fault}`));
  print();
  return { ...verdict, openMs: opened.openMs, verified: verified.ok, faults };
}

async function main() {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '15' } } });
  const lifeMs = (Number(values.seconds) * 1000) / kills;
  if (!(lifeMs > 0)) throw new Error('--seconds takes a number');
  await mkdir('demo-data', { recursive: true });
  const { did, seen: before } = await openAndLook((venue) => venue.region('flights').size);

  print(coloured('bold', 'Tidemark keeps state in memory and makes every change durable within 100 ms.'));
  print('To see it hold: a program streams flight records into a store, and is killed');
  print(`${kills} times in mid-stream by SIGKILL, which no program can catch or put off. Each`);
  print('time the store is opened again and compared with what the program had written.');
  print();
  print(`Store     ${store}: ${before > 0 ? `goes on from ${count(before)} flights of earlier runs` : 'new'}`);
  print(`Identity  ${did}`);
  print('Records   flights in the USA in 2001, from the npm package vega-datasets');
  print();

  const lives = [];
  for (let life = 1; life <= kills; life++) {
    // A third of a life is left for starting, opening and checking; the moment of the kill is anybody's guess.
    lives.push(await liveAndDie(life, lifeMs * (0.5 + 0.25 * Math.random()), did));
  }
  const after = await openAndLook((venue) => venue.region('flights').size);

  const heading = ['kill', 'written', 'durable', 'found', 'lost', 'oldest lost', 'opened in', 'verified'];
  const rows = lives.map(({ written, durable, found, lost, lostMs, openMs, verified }, i) => [
    ...[i + 1, written, durable, found, lost].map(count),
    lost === 0 ? '-' : milliseconds(lostMs),
    milliseconds(openMs),
    verified ? 'yes' : 'NO',
  ]);
  print(table([heading, ...rows]));
  print();
  print('  durable: reported so before the kill. found: there after it. lost: written too');
  print('  late for a sweep; a program that cannot bear that awaits venue.flush().');
  print();
  const kept = lives.every(({ faults }) => faults.length === 0) && after.did === did;
  print(
    kept
      ? coloured('green', 'Everything that was reported durable was there, with the right values.')
      : coloured('red', 'Tidemark did not keep its word: see WRONG above.'),
  );
  print(`Identity unchanged: ${after.did}`);
  print(`The store has ${count(after.seen)} flights now, ${count(after.seen - before)} of them from this run.`);
  print('Run it again, and it goes on from there.');
  return kept ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  print(coloured('red', `The demonstration could not go on: ${error instanceof Error ? error.message : error}`));
  process.exitCode = 1;
}
