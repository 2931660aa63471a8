// Sees to it that the browsers that tests and benchmarks drive are there: finds them, and installs what is missing from
// Debian's packages. Knows nothing of what is done with them. Imports nothing but Node's own modules.
// @ts-check
import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** @typedef {'chromium' | 'firefox' | 'webkit'} EngineName */
/** @typedef {{ version: string, paths: string[] }} Found What it is, and the programs, in the order of `programs`. */

/** @type {EngineName[]} */
export const engineNames = ['chromium', 'firefox', 'webkit'];

const lib = '/usr/lib';
/** MiniBrowser stands in the folder of the machine's architecture. */
const miniBrowser = () =>
  (existsSync(lib) ? readdirSync(lib) : [])
    .map((folder) => join(lib, folder, 'webkit2gtk-4.1/MiniBrowser'))
    .find((path) => existsSync(path)) ?? join(lib, 'webkit2gtk-4.1/MiniBrowser');

/** @type {Record<EngineName, { packages: string[], programs: () => string[], version: (programs: string[]) => Promise<string> }>} */
const known = {
  chromium: {
    packages: ['chromium'],
    programs: () => ['/usr/bin/chromium'],
    version: ([program = '']) => said(program, '--version'),
  },
  firefox: {
    packages: ['firefox-esr'],
    programs: () => ['/usr/bin/firefox-esr'],
    version: ([program = '']) => said(program, '--version'),
  },
  webkit: {
    packages: ['webkit2gtk-driver', 'xvfb'],
    programs: () => ['/usr/bin/WebKitWebDriver', miniBrowser(), '/usr/bin/Xvfb'],
    // None of its programs tells its version without a display.
    version: async () => (await said('dpkg-query', '--show', 'webkit2gtk-driver')).replace(/^\S+\s+/, 'WebKitGTK '),
  },
};

/**
 * Finds the engines, and installs those that are missing if this is Debian and we are root.
 * @param {EngineName[]} [names]
 * @returns {Promise<Partial<Record<EngineName, Found>>>} without those that cannot be had
 * @throws in CI (CI=true), when one cannot be had
 */
export async function ensureEngines(names = engineNames) {
  const isMissing = (/** @type {EngineName} */ name) => !known[name].programs().every((path) => existsSync(path));
  const packages = names.filter(isMissing).flatMap((name) => known[name].packages);
  let why = '';
  if (packages.length > 0) {
    why = process.getuid?.() === 0 ? await install(packages) : 'they are installed by apt-get, which takes root';
  }
  /** @type {Partial<Record<EngineName, Found>>} */
  const found = {};
  for (const name of names) {
    const paths = known[name].programs();
    if (!isMissing(name)) found[name] = { version: await known[name].version(paths), paths };
  }
  console.log(
    `engines: ${
      Object.values(found)
        .map(({ version }) => version)
        .join(', ') || 'none'
    }`,
  );
  const missing = names.filter((name) => !found[name]);
  if (missing.length > 0) {
    const said = `engines: nothing is tested in ${missing.join(', ')}: ${why || 'its programs are not where they should be'}`;
    if (process.env.CI) throw new Error(said);
    console.log(said);
  }
  return found;
}

/** @param {string[]} packages @returns {Promise<string>} why it failed; nothing if it did not */
async function install(packages) {
  console.log(`engines: apt-get installs ${packages.join(', ')}`);
  const apt = 'apt-get -qq -o DPkg::Lock::Timeout=600';
  // apt waits for nobody who is updating the lists: flock is for two test runs at once.
  const script = `flock -w 900 9 && ${apt} update && ${apt} install -y --no-install-recommends ${packages.join(' ')}`;
  const shell = spawn('sh', ['-c', `(${script}) 9>${join(tmpdir(), 'tidemark-apt.lock')}`], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  shell.stderr.on('data', (data) => (errors += data));
  const code = await new Promise((resolve) => {
    shell.on('error', ({ message }) => resolve(message));
    shell.on('close', resolve);
  });
  return code === 0 ? '' : `apt-get failed (${code}): ${errors.trim().split('\n').slice(-3).join(' / ')}`;
}

/** The first line that a program says. @param {string} program @param {string[]} args */
async function said(program, ...args) {
  const { stdout } = await promisify(execFile)(program, args);
  return (stdout.split('\n')[0] ?? '').replace(/ built on .*/, '').trim();
}
