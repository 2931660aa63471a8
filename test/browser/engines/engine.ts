// What tests drive, whichever browser it is: an engine gives browsers, a browser tabs, a tab evaluates. Knows no page and
// no library; each engine's own file knows its driver.

export type EngineName = 'chromium' | 'firefox' | 'webkit';

export interface Engine {
  readonly name: EngineName;
  readonly version: string;
  /** Whether a browser that is started again still has what its pages had stored. */
  readonly keepsProfile: boolean;
  launch(): Promise<Browser>;
}

export interface Browser {
  /** A new tab in front of the others, with the page loaded. */
  newTab(url: string): Promise<Tab>;
  /** Every process of it dies at this moment. */
  kill(): Promise<void>;
  /** Starts it again, on the same profile. */
  start(): Promise<void>;
  /** Ends it in the usual way and forgets its profile. */
  close(): Promise<void>;
}

export interface Tab {
  /** The value of an expression; of a promise, what it gives. */
  evaluate<T>(expression: string): Promise<T>;
  /** Puts it behind another one; resolves when the page is hidden. */
  hide(): Promise<void>;
  /** Puts it in front; resolves when the page is visible. */
  show(): Promise<void>;
  close(): Promise<void>;
  /** Looks for its renderer. @returns what kills it at once; others that live in the same process die with it */
  crasher(): Promise<() => Promise<void>>;
  /** Chromium only: a command of the DevTools protocol. */
  send?(method: string, params?: object): Promise<unknown>;
}

/** Generous: the machine may be busy. Only what is broken waits so long. */
export const patienceMs = 60_000;

/** Asks again until there is an answer that is not false, null or undefined. @throws with `what` when there is none */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  timeoutMs = patienceMs,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  let trouble: unknown;
  while (performance.now() < end) {
    try {
      const answer = await ask();
      if (answer !== false && answer !== null && answer !== undefined) return answer;
      trouble = undefined;
    } catch (error) {
      trouble = error; // a page that is on its way cannot be asked
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within ${timeoutMs / 1000} s: ${what}`, { cause: trouble });
}

/** Resolves when the page in front of us is visible or hidden. */
export const becomes = (tab: Tab, state: 'visible' | 'hidden'): Promise<boolean> =>
  until(`the page is ${state}`, async () => (await tab.evaluate('document.visibilityState')) === state);
