// What the tests in browsers stand on: the engines that there are, each with a browser of its own and the served pages.
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, vi } from 'vitest';
import { type Browser, type Engine, enginesOf, type Tab, until } from './engines';
import { type Site, serve } from './site';

// Generous: only what is broken waits so long.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 300_000 });

export const engines = enginesOf(inject('engines'));

export interface Stage {
  readonly engine: Engine;
  readonly browser: Browser;
  readonly site: Site;
}

/** Registers tests once for each engine; with one browser for all of them, started before and ended after. The engines run side by
 * side, since they mostly wait; the tests of one do not. */
export function inEach(what: string, register: (stage: Stage) => void, only: readonly Engine[] = engines): void {
  for (const engine of only) {
    describe.concurrent(engine.version, () => {
      describe.sequential(what, () => {
        let browser: Browser;
        let site: Site;
        beforeAll(async () => {
          site = await serve(inject('site'));
          browser = await engine.launch();
        });
        afterAll(async () => {
          await browser?.close();
          site?.close();
        });
        register({
          engine,
          get browser() {
            return browser;
          },
          get site() {
            return site;
          },
        });
      });
    });
  }
}

type Remote<Page> = {
  [Name in keyof Page]: Page[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never;
};

/** No page takes so long for anything; one that hangs is to fail its own test and no other. */
const callMs = 180_000;

function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s: ${what}`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** What the page in a tab offers to tests (window.tidemarkTest), as soon as it does. */
export const pageIn = <Page>(tab: Tab): Remote<Page> =>
  new Proxy({} as Remote<Page>, {
    get(_, name) {
      if (name === 'then') return undefined; // it is no promise, though it may be returned by one
      return async (...args: unknown[]) => {
        await until('the page is there', () => tab.evaluate<boolean>('"tidemarkTest" in globalThis'));
        const call = `tidemarkTest.${String(name)}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`;
        return within(callMs, call.slice(0, 200), tab.evaluate(call));
      };
    },
  });

/** Asks until the answer is this one. (Tests that run side by side have no expect.poll.) */
export async function eventually(ask: () => Promise<unknown>, wanted: unknown): Promise<void> {
  let answer: unknown;
  const asked = until('', async () => {
    answer = await ask();
    return isDeepStrictEqual(answer, wanted);
  });
  await asked.catch(() => expect(answer).toEqual(wanted));
}

/**
 * Does what makes a tab move, and waits until the page is shown there. The page itself tells: WebKit's driver never answers when it is asked
 * about a page in the moment in which that is left; and one that is not loaded yet would give up its place in the history to the next.
 */
export async function moved(stage: Stage, url: string, move: () => Promise<unknown>): Promise<void> {
  const before = stage.site.shown(url);
  await move();
  await until(`${url} is shown`, () => stage.site.shown(url) > before);
}

/** Leaves the page in the tab for another one. */
export async function go(stage: Stage, tab: Tab, url: string): Promise<Tab> {
  await moved(stage, url, () => tab.evaluate(`void (location.href = ${JSON.stringify(url)})`));
  return tab;
}

export const passed = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const venueOf = ({ site }: Stage): string => `${site.origin}/venue`;
/** A page of another origin. */
export const blankOf = ({ site }: Stage): string => `${site.other}/blank`;
