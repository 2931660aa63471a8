// Starts the writer, listens to what it says, kills it, and says what it had said. Knows nothing of venues: what is true is for others to find out.
// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Testimony
 * @property {number} before flights that it found when it opened
 * @property {number} written the last flight that it wrote
 * @property {number} durable the last one that it was told is durable
 * @property {(n: number) => number} ageOf how many ms before the kill it wrote a flight
 */

const writer = fileURLToPath(new URL('writer.mjs', import.meta.url));
const now = () => Number(process.hrtime.bigint()) / 1e6;

/**
 * @param {string} store
 * @param {number} forMs from its first record to the kill
 * @param {(written: number, durable: number) => void} progress
 * @returns {Promise<Testimony>} @throws when the writer ended by anything but our SIGKILL
 */
export async function watchAndKill(store, forMs, progress) {
  const child = spawn(process.execPath, [writer, store], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  const ended = once(child, 'close');
  const endWithUs = () => child.kill('SIGKILL');
  process.once('exit', endWithUs);

  const said = { opened: 0, written: 0, durable: 0 };
  /** When each flight was written. @type {Map<number, number>} */
  const times = new Map();
  let killedAt = 0;
  let rest = '';
  child.stdio[3]?.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = /** @type {string} */ (lines.pop());
    for (const line of lines) {
      const [what, n, time] = /** @type {['opened' | 'written' | 'durable', string, string]} */ (line.split(' '));
      said[what] = Number(n);
      if (what !== 'written') continue;
      if (times.size === 0) setTimeout(kill, forMs);
      times.set(Number(n), Number(time) / 1e6);
    }
    progress(said.written, said.durable);
  });
  function kill() {
    killedAt = now();
    child.kill('SIGKILL');
  }

  const [code, signal] = await ended;
  process.off('exit', endWithUs);
  if (signal !== 'SIGKILL' || killedAt === 0)
    throw new Error(`the writer ended by itself: ${signal ?? `exit code ${code}`}`);
  return {
    before: said.opened,
    written: Math.max(said.written, said.opened),
    durable: Math.max(said.durable, said.opened),
    ageOf: (n) => Math.max(0, killedAt - /** @type {number} */ (times.get(n))),
  };
}
