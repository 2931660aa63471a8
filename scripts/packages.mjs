// Sees to it that the npm packages a task needs are there. Runs before anything is installed, so it imports nothing but
// Node's own modules.
// @ts-check
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder, without a slash at the end. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');

/**
 * Runs a program in the repository's folder.
 * @param {string} command @param {string[]} args @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>} its exit code; 1 when a signal ended it or it could not be started.
 */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', shell: false, ...options });
    child.on('error', (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      resolve(1);
    });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/**
 * Installs what the folder's package-lock.json names, if something of it is missing or has another version.
 * @param {string} [folder]
 */
export async function ensurePackages(folder = root) {
  if (isInstalled(folder)) return;
  if ((await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, shell: process.platform === 'win32' })) !== 0)
    throw new Error(`npm ci failed in ${folder}`);
}

/**
 * Compares what npm says it installed with the lock file: a checkout changes times, and `npm install` writes the two
 * files in either order, so their ages tell nothing.
 * @param {string} folder
 */
export function isInstalled(folder) {
  try {
    const wanted = packagesIn(join(folder, 'package-lock.json'));
    const found = packagesIn(join(folder, 'node_modules/.package-lock.json'));
    return Object.entries(wanted).every(
      ([path, { version, optional }]) => path === '' || optional || found[path]?.version === version,
    );
  } catch {
    return false;
  }
}

/** @param {string} file @returns {Record<string, { version?: string, optional?: boolean }>} */
const packagesIn = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;
