// What every change must pass: .ci/run starts it. Each step shows its output only when it fails; all of them are run, and
// what failed before the tests is counted with them in the last line, "N passed, N failed".
// @ts-check
import { spawn } from 'node:child_process';
import { root } from './packages.mjs';
import { runTests } from './test.mjs';

/** @type {[name: string, command: string, ...args: string[]][]} */
const steps = [
  ['types', 'node', 'scripts/run.mjs', 'types'],
  ['lint', 'node', 'scripts/run.mjs', 'lint'],
  ['build', 'node', 'scripts/run.mjs', 'build'],
];

let passed = 0;
let failed = 0;
if (await step('install', 'npm', 'ci', '--no-audit', '--no-fund')) {
  for (const [name, command, ...args] of steps) if (!(await step(name, command, ...args))) failed += 1;
  const tests = await runTests();
  passed = tests.passed;
  failed += tests.failed;
} else failed = 1;

console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** @param {string} name @param {string} command @param {string[]} args @returns {Promise<boolean>} */
function step(name, command, ...args) {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('error', (error) => (output += error.message));
    child.on('close', (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
      if (code !== 0) console.log(output.trimEnd());
      resolve(code === 0);
    });
  });
}
