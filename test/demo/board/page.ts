// The demo page as its tests use it: built, served, in Chromium, under watch. Whatever a page says on its console, requests in vain or
// shifts without being asked to is remembered, and a test that ends with any of it has failed.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { preview } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { buildPage } from '../../../scripts/demo.mjs';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];

const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: '/usr/bin/chromium', args: [...flags, ...quiet] });

/** The static site, on a free port. */
async function serveBuilt(): Promise<{ url: string; close(): Promise<void> }> {
  const outDir = await mkdtemp(join(tmpdir(), 'tidemark-board-'));
  await buildPage(outDir);
  const server = await preview({ configFile: false, build: { outDir }, preview: { host: '127.0.0.1', port: 0 } });
  return {
    url: server.resolvedUrls!.local[0]!,
    async close() {
      await server.close();
      await rm(outDir, { recursive: true });
    },
  };
}

declare global {
  interface Window {
    shifts: string[];
  }
}

/** One user's browser, with a store of its own. */
export interface Visit {
  readonly context: BrowserContext;
  /** What should not have happened, so far. */
  readonly complaints: string[];
  /** Another tab, opened and ready. */
  open(url: string): Promise<Page>;
  /** What has shifted without the user's doing, in all tabs that are there. */
  shifts(): Promise<string[]>;
}

async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const complaints: string[] = [];
  await context.addInitScript(() => {
    window.shifts = [];
    // As the browser's own hadRecentInput, and while something is dragged, too.
    const inputs: number[] = [];
    for (const input of ['pointermove', 'pointerup', 'keydown'])
      addEventListener(input, (event) => inputs.push(event.timeStamp), { capture: true, passive: true });
    type Shift = PerformanceEntry & { value: number; hadRecentInput: boolean; sources: { node: Node | null }[] };
    const observer = new PerformanceObserver((list) => {
      for (const { value, startTime, hadRecentInput, sources } of list.getEntries() as Shift[]) {
        if (hadRecentInput || inputs.some((at) => at <= startTime && startTime - at < 500)) continue;
        const what = sources.map(({ node }) => (node instanceof Element ? node.outerHTML.slice(0, 80) : 'gone'));
        window.shifts.push(`${value}: ${what.join('; ')}`);
      }
    });
    observer.observe({ type: 'layout-shift', buffered: true });
  });
  context.on('page', (page) => {
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(error.stack ?? error.message));
    page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
    page.on('response', (response) => {
      if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`);
    });
  });
  return {
    context,
    complaints,
    async open(url) {
      const page = await context.newPage();
      await page.goto(url);
      await ready(page);
      return page;
    },
    async shifts() {
      return (await Promise.all(context.pages().map((page) => page.evaluate(() => window.shifts)))).flat();
    },
  };
}

export const ready = (page: Page): Promise<unknown> => page.waitForSelector('#add:enabled');

/** The texts on the board, in their order. */
export const texts = (page: Page): Promise<string[]> => page.locator('.note .text').allTextContents();

export async function add(page: Page, text: string): Promise<void> {
  await page.click('#add');
  await page.keyboard.type(text);
  await page.keyboard.press('Escape');
}

/** All that the page has written is durable. */
export const saved = (page: Page): Promise<unknown> => page.waitForSelector('body[data-state=saved]');

export const poll = (read: () => unknown) => expect.poll(read, { timeout: 20_000 });

export const examples = [
  'Low water at 11:40. Walk out to the mussel banks, and be back before two',
  'Type here and close the tab at once: it will be here',
  'Ask Ines for the old chart of the estuary',
  'Oars, bailer, rope; the small anchor, not the big one',
  'Open a second tab beside this one and move a note',
];

/** What a test of the page begins with. `page` may be set to another tab of the same user. */
export interface Setup {
  readonly url: string;
  user: Visit;
  page: Page;
  message(): Promise<string | null>;
  pile(of?: Page): Promise<string | null>;
  layExamples(): Promise<void>;
}

/** For every test a user with an empty store and one tab; after it, nothing of what should not have happened has happened. */
export function usePage(options: BrowserContextOptions = {}): Setup {
  let browser: Browser;
  let site: Awaited<ReturnType<typeof serveBuilt>>;
  const setup = {
    message: () => setup.page.textContent('#message'),
    pile: (of = setup.page) => of.textContent('#pile-count'),
    async layExamples() {
      await setup.page.click('#examples');
      await poll(() => texts(setup.page)).toEqual(examples);
      await saved(setup.page);
    },
  } as Setup;
  beforeAll(async () => {
    [browser, site] = await Promise.all([launch(), serveBuilt()]);
    Object.assign(setup, { url: site.url });
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });
  beforeEach(async () => {
    setup.user = await visit(browser, options);
    setup.page = await setup.user.open(site.url);
  });
  afterEach(async () => {
    expect(setup.user.complaints).toEqual([]);
    expect(await setup.user.shifts()).toEqual([]);
    await setup.user.context.close();
  });
  return setup;
}
