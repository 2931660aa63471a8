// Runs the tests and counts them. Knows vitest's JSON report and nothing of what is tested.
// @ts-check
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run } from './packages.mjs';

/**
 * @param {string[]} args for vitest
 * @returns {Promise<{ passed: number, failed: number }>} `failed` is at least 1 when anything at all went wrong
 */
export async function runTests(args = []) {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'));
  const file = join(folder, 'report.json');
  try {
    const code = await run(process.execPath, [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
      ...args,
    ]);
    const { passed, failed } = count(await readFile(file, 'utf8').catch(() => ''), Boolean(process.env.CI));
    return { passed, failed: Math.max(failed, code === 0 ? 0 : 1) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} report vitest's JSON; anything else counts as one failure
 * @param {boolean} complete whether a test that was skipped is a failure, since something it needs was missing
 */
export function count(report, complete) {
  try {
    /** @type {{ testResults: { status: string, assertionResults: { status: string }[] }[] }} */
    const { testResults } = JSON.parse(report);
    const tests = testResults.flatMap((file) => file.assertionResults.map((test) => test.status));
    const passed = tests.filter((status) => status === 'passed').length;
    const failed = tests.filter((status) => status === 'failed').length;
    // A file that cannot be loaded, or whose hooks fail, may have no failed test to show for it.
    const broken = testResults.filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    ).length;
    return { passed, failed: failed + broken + (complete ? tests.length - passed - failed : 0) };
  } catch {
    return { passed: 0, failed: 1 };
  }
}
