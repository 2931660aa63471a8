// Chromium, by playwright-core over the DevTools protocol. We start it ourselves and tell Playwright to leave its pages as
// they are: its own launch turns off the back/forward cache and makes every tab believe that it is in front.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CDPSession, type BrowserContext as Context, chromium, type Page } from 'playwright-core';
import { type Browser, becomes, type Engine, type Tab, until } from './engine';
import { kill, start } from './processes';

const args = [
  '--headless=new',
  '--remote-debugging-port=0',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-session-crashed-bubble',
  'about:blank',
];

export const chromiumEngine = (version: string, [program = '']: string[]): Engine => ({
  name: 'chromium',
  version,
  keepsProfile: true,
  async launch() {
    const browser = new Chromium(program, await mkdtemp(join(tmpdir(), 'tidemark-chromium-')));
    await browser.start();
    return browser;
  },
});

class Chromium implements Browser {
  private pid = 0;
  private context: Context | undefined;

  constructor(
    private readonly program: string,
    private readonly profile: string,
  ) {}

  async start(): Promise<void> {
    const portFile = join(this.profile, 'DevToolsActivePort');
    await rm(portFile, { force: true });
    const child = await start(this.program, [`--user-data-dir=${this.profile}`, ...args]);
    this.pid = child.pid!;
    const [port, path] = await until('Chromium listens', async () => {
      if (child.exitCode !== null) throw new Error(`Chromium ended with ${child.exitCode}`);
      const lines = (await readFile(portFile, 'utf8')).split('\n');
      return lines.length > 1 && lines;
    });
    const browser = await chromium.connectOverCDP(`ws://127.0.0.1:${port}${path}`, { noDefaults: true });
    this.context = browser.contexts()[0]!;
  }

  async newTab(url: string): Promise<Tab> {
    const page = await this.context!.newPage();
    await page.goto(url);
    const tab = new ChromiumTab(page, await this.context!.newCDPSession(page), this.context!);
    await becomes(tab, 'visible');
    return tab;
  }

  async kill(): Promise<void> {
    await kill(this.pid);
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

class ChromiumTab implements Tab {
  constructor(
    private readonly page: Page,
    private readonly session: CDPSession,
    private readonly context: Context,
  ) {}

  /** Not Playwright's, which takes eval: a page may forbid that. */
  async evaluate<T>(expression: string): Promise<T> {
    const options = { awaitPromise: true, returnByValue: true, allowUnsafeEvalBlockedByCSP: false };
    const { result, exceptionDetails } = await this.session.send('Runtime.evaluate', { expression, ...options });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value as T;
  }

  async hide(): Promise<void> {
    const other = this.context.pages().find((page) => page.url() === 'about:blank');
    await (other ?? (await this.context.newPage())).bringToFront();
    await becomes(this, 'hidden');
  }

  async show(): Promise<void> {
    await this.page.bringToFront();
    await becomes(this, 'visible');
  }

  close(): Promise<void> {
    return this.page.close();
  }

  async crasher(): Promise<() => Promise<void>> {
    return async () => {
      const crashed = new Promise((resolve) => this.page.once('crash', resolve));
      this.session.send('Page.crash').catch(() => undefined); // never answered
      await crashed;
    };
  }

  send(method: string, params: object = {}): Promise<unknown> {
    return this.session.send(method as 'Page.enable', params as never);
  }
}
