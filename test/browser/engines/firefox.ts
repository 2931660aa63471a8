// Firefox, by puppeteer-core over WebDriver BiDi.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type Page, type Browser as Puppet } from 'puppeteer-core';
import { type Browser, becomes, type Engine, type Tab } from './engine';
import { kill, rendererOf, watch } from './processes';

const preferences = {
  // As Firefox comes; Puppeteer would put all sites into one process and keep no page in the back/forward cache.
  'fission.webContentIsolationStrategy': 1,
  'fission.bfcacheInParent': true,
  // A user who is asked by navigator.storage.persist() says yes.
  'dom.storageManager.prompt.testing': true,
  'dom.storageManager.prompt.testing.allow': true,
};

export const firefoxEngine = (version: string, [program = '']: string[]): Engine => ({
  name: 'firefox',
  version,
  keepsProfile: true,
  async launch() {
    const browser = new Firefox(program, await mkdtemp(join(tmpdir(), 'tidemark-firefox-')));
    await browser.start();
    return browser;
  },
});

class Firefox implements Browser {
  private pid = 0;
  private puppet: Puppet | undefined;

  constructor(
    private readonly program: string,
    private readonly profile: string,
  ) {}

  async start(): Promise<void> {
    this.puppet = await puppeteer.launch({
      browser: 'firefox',
      executablePath: this.program,
      headless: true,
      userDataDir: this.profile,
      extraPrefsFirefox: preferences,
      protocolTimeout: 240_000,
      timeout: 60_000,
    });
    this.pid = watch(this.puppet.process()!);
  }

  async newTab(url: string): Promise<Tab> {
    const page = await this.puppet!.newPage();
    await page.goto(url);
    const tab = new FirefoxTab(page, this.puppet!, this.pid);
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

class FirefoxTab implements Tab {
  constructor(
    private readonly page: Page,
    private readonly puppet: Puppet,
    private readonly browser: number,
  ) {}

  evaluate<T>(expression: string): Promise<T> {
    return this.page.evaluate(expression) as Promise<T>;
  }

  async hide(): Promise<void> {
    const pages = await this.puppet.pages();
    const other = pages.find((page) => page.url() === 'about:blank');
    await (other ?? (await this.puppet.newPage())).bringToFront();
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
    const pid = await rendererOf(this.browser, / -isForBrowser /, (expression) => this.evaluate(expression));
    return async () => void process.kill(pid, 'SIGKILL');
  }
}
