// The few words of vitest that the contract suite uses, for a page: tests are registered by describe() and it() and run when
// they are asked for. What expect() can do is vitest's own.
import { JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect';
import * as chai from 'chai';

type Body = () => unknown;

interface Suite {
  readonly name: string;
  readonly before: Body[];
  readonly after: Body[];
}

interface Test {
  readonly name: string;
  readonly suites: readonly Suite[];
  readonly body: Body;
}

export interface Result {
  readonly name: string;
  /** Why it failed; nothing if it did not. */
  readonly error?: string;
}

const tests: Test[] = [];
let suites: readonly Suite[] = [];

export function describe(name: string, register: () => void): void {
  const outside = suites;
  suites = [...outside, { name, before: [], after: [] }];
  register();
  suites = outside;
}

export function it(name: string, body: Body): void {
  tests.push({ name: [...suites.map((suite) => suite.name), name].join(' > '), suites, body });
}

export const beforeEach = (hook: Body) => suites.at(-1)!.before.push(hook);
export const afterEach = (hook: Body) => suites.at(-1)!.after.unshift(hook);

export const testNames = (): string[] => tests.map(({ name }) => name);

export async function runTests(): Promise<Result[]> {
  const results: Result[] = [];
  for (const { name, suites, body } of tests) {
    const errors: string[] = [];
    const attempt = async (work: Body) => {
      try {
        await work();
      } catch (error) {
        errors.push(`${error}\n${(error as Error).stack}`); // not every stack begins with the message
      }
    };
    for (const { before } of suites) for (const hook of before) await attempt(hook);
    if (errors.length === 0) await attempt(body);
    for (const { after } of [...suites].reverse()) for (const hook of after) await attempt(hook);
    results.push({ name, ...(errors.length > 0 && { error: errors.join('\n') }) });
  }
  return results;
}

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);

/** Asserts again and again until it holds or time is up. */
function poll(read: () => unknown, { timeout, interval }: { timeout: number; interval: number }): unknown {
  const assert = async (name: string, args: unknown[]) => {
    const end = performance.now() + timeout;
    for (;;) {
      const value = await read();
      try {
        return (chai.expect(value) as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!(...args);
      } catch (error) {
        if (performance.now() > end) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
  };
  return new Proxy(
    {},
    {
      get:
        (_, name) =>
        (...args: unknown[]) =>
          assert(String(name), args),
    },
  );
}

export const expect = Object.assign(chai.expect, { poll });
