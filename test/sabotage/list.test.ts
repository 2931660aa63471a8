// The list of sabotages is as good as the source it names: what is to be broken is there, once, and so are the tests that must go red.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sabotages } from './list';

const path = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

describe('every sabotage finds what it breaks, exactly once, and its tests', () => {
  it('of more than 25, under names of their own', () => {
    expect(new Set(sabotages.map(({ name }) => name)).size).toBe(sabotages.length);
    expect(sabotages.length).toBeGreaterThan(25);
  });

  for (const { name, file, find, replace, tests } of sabotages) {
    it(name, () => {
      expect(readFileSync(path(file), 'utf8').split(find).length - 1, `how often ${file} has ${find}`).toBe(1);
      expect(replace).not.toBe(find);
      for (const test of tests.files) expect(existsSync(path(test)), test).toBe(true);
    });
  }
});
