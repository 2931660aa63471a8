// The contract of a backend (test/backend-contract.ts), in real engines: the suite runs in a page, each of its tests is
// told here under its own name.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, expect, inject, it } from 'vitest';
import type { ContractPage } from './pages/contract';
import type { Result } from './pages/runner';
import { inEach, pageIn } from './stage';

// The very bundle that the page runs says here which tests there are.
await import(pathToFileURL(join(inject('site'), 'dist/assets/contract.js')).href);
const names = (globalThis as unknown as { tidemarkTest: ContractPage }).tidemarkTest.names();

inEach('the contract', (stage) => {
  let results: Result[];

  beforeAll(async () => {
    const tab = await stage.browser.newTab(`${stage.site.origin}/contract`);
    results = await pageIn<ContractPage>(tab).run();
  });

  it('is run whole', () => {
    expect(names.length).toBeGreaterThan(30);
    expect(results.map(({ name }) => name)).toEqual(names);
  });

  it.each(names)('%s', (name) => {
    expect(results.find((result) => result.name === name)).toEqual({ name });
  });
});
