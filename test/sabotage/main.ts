// `npm run sabotage [-- part of a name]`: breaks the library in a copy, once for each sabotage of the list, and shows which test goes red. Ends
// with 1 if a sabotage survives its tests, or if the tests are red without it.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sabotages } from './list';
import type { Sabotage, Tests } from './sabotage';

const root = fileURLToPath(new URL('../..', import.meta.url));
const parts = ['src', 'backends', 'test', 'scripts', 'package.json', 'tsconfig.json', 'vite.config.ts'];

/** vitest's own limit ends a test that waits for ever, this one a test that never gives vitest its turn. */
const timeoutMs = 180_000;

interface Outcome {
  /** Names of the tests that failed. */
  readonly failed: readonly string[];
  readonly passed: number;
  /** What is wrong with the run itself. */
  readonly broken?: string;
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** @returns an outcome, whatever vitest does. */
async function runTests(folder: string, { files, named }: Tests): Promise<Outcome> {
  const report = join(folder, 'report.json');
  rmSync(report, { force: true });
  const vitest = join(folder, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', ...files, '--bail=1', '--reporter=json', `--outputFile=${report}`];
  const child = spawn(process.execPath, [...args, ...(named ? ['-t', named] : [])], { cwd: folder, stdio: 'ignore' });
  const tooLong = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(tooLong);
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
    const unloaded = testResults.find(({ assertionResults, message }) => assertionResults.length === 0 && message);
    return {
      failed: tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
      passed: tests.filter(({ status }) => status === 'passed').length,
      ...(unloaded && { broken: unloaded.message }),
    };
  } catch (error) {
    return { failed: [], passed: 0, broken: `no report: ${(error as Error).message}` };
  }
}

/** Breaks it, does the work, mends it. */
async function broken<T>(folder: string, { file, find, replace }: Sabotage, work: () => Promise<T>): Promise<T> {
  const path = join(folder, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(find).length !== 2) throw new Error(`${file} does not have this exactly once: ${find}`);
  try {
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
    return await work();
  } finally {
    writeFileSync(path, source);
  }
}

function verdict({ failed, broken }: Outcome): { caught: boolean; text: string } {
  if (failed[0] !== undefined) return { caught: true, text: `caught by ${failed[0]}` };
  return { caught: false, text: broken ? `NOT RUN: ${broken}` : 'SURVIVED' };
}

/** The packages, and not what is cached beside them: programs that are built from broken source must not meet others. */
function linkPackages(folder: string): void {
  mkdirSync(join(folder, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (/^\.(?!bin$)/.test(name)) continue;
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
}

async function main(wanted: string): Promise<number> {
  const chosen = sabotages.filter(({ name }) => name.includes(wanted));
  if (chosen.length === 0) throw new Error(`no sabotage has "${wanted}" in its name`);
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-sabotage-'));
  try {
    for (const part of parts) cpSync(join(root, part), join(folder, part), { recursive: true });
    linkPackages(folder);

    let bad = 0;
    const green = new Map<string, Tests>(chosen.map(({ tests }) => [JSON.stringify(tests), tests]));
    console.log(`${green.size} groups of tests, which must be green to begin with`);
    for (const tests of green.values()) {
      const outcome = await runTests(folder, tests);
      if (outcome.passed > 0 && outcome.failed.length === 0 && !outcome.broken) continue;
      bad++;
      const why = outcome.failed[0] ?? outcome.broken ?? 'no test has this name';
      console.log(`RED WITHOUT SABOTAGE  ${tests.files.join(' ')} ${tests.named ?? ''}: ${why}`);
    }

    const width = Math.max(...chosen.map(({ name }) => name.length));
    for (const sabotage of chosen) {
      const began = performance.now();
      const { caught, text } = verdict(await broken(folder, sabotage, () => runTests(folder, sabotage.tests)));
      if (!caught) bad++;
      const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);
      console.log(`${sabotage.name.padEnd(width)}  ${seconds} s  ${text}`);
    }
    console.log(
      bad === 0 ? `all ${chosen.length} caught` : `${bad} of ${chosen.length + green.size} not as they must be`,
    );
    return bad === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.argv.slice(2).join(' '));
