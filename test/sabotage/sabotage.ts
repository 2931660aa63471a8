// What a sabotage is, and the tests that catch most of them. Data only.

/** Tests to be run: files, and a part of the names if not all of them. */
export interface Tests {
  readonly files: readonly string[];
  readonly named?: string;
}

export interface Sabotage {
  readonly name: string;
  readonly file: string;
  /** Source text that stands there exactly once. */
  readonly find: string;
  readonly replace: string;
  readonly tests: Tests;
}

export const inFile = (...files: string[]): Tests => ({ files });
export const named = (name: string, ...files: string[]): Tests => ({ files, named: name });
export const mutated = (name: string): Tests => named(name, 'test/recovery/mutations.test.ts');
export const worlds = inFile('test/sabotage/worlds.test.ts');
export const recovery = inFile('test/recovery/recovery.test.ts');
export const refusals = inFile('test/recovery/refusals.test.ts');
export const latest = inFile('test/recovery/latest.test.ts');
export const keyFile = inFile('test/recovery/key-file.test.ts');

export const one = (name: string, file: string, find: string, replace: string, tests: Tests): Sabotage => ({
  name,
  file,
  find,
  replace,
  tests,
});
