// WebKitGTK's MiniBrowser on a virtual screen, by selenium-webdriver. Each tab is a window: the driver opens tabs behind
// the one that is there and cannot bring one to the front, but it can minimise a window.
import { createServer } from 'node:net';
import { Builder, Capabilities, type ThenableWebDriver } from 'selenium-webdriver';
import { type Browser, becomes, type Engine, type Tab, until } from './engine';
import { kill, start, startScreen } from './processes';

export const webkitEngine = (version: string, paths: string[]): Engine => ({
  name: 'webkit',
  version,
  keepsProfile: false, // what an automated session stores is in memory
  async launch() {
    const browser = new WebKit(paths);
    await browser.start();
    return browser;
  },
});

class WebKit implements Browser {
  private screen = 0;
  private pid = 0;
  private driver: ThenableWebDriver | undefined;
  /** The first window, never given to anybody: new ones are asked for from there. */
  private home = '';
  /** The driver has one current window: whoever wants another waits for the last to be done. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly paths: string[]) {}

  async start(): Promise<void> {
    const [driver = '', miniBrowser = '', xvfb = ''] = this.paths;
    const screen = await startScreen(xvfb);
    this.screen = screen.pid;
    const port = await freePort();
    const child = await start(driver, [`--port=${port}`], {
      env: { ...process.env, DISPLAY: screen.display, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' },
    });
    this.pid = child.pid!;
    const server = `http://127.0.0.1:${port}`;
    await until('WebKitWebDriver listens', async () => (await fetch(`${server}/status`)).ok);
    const capabilities = new Capabilities({
      browserName: 'MiniBrowser',
      'webkitgtk:browserOptions': { binary: miniBrowser, args: ['--automation'] },
    });
    this.driver = new Builder().usingServer(server).withCapabilities(capabilities).build();
    await this.driver;
    await this.driver.manage().setTimeouts({ script: 240_000, pageLoad: 60_000 });
    this.home = await this.driver.getWindowHandle();
  }

  /** Something done in one window. */
  async within<T>(window: string, work: (driver: ThenableWebDriver) => PromiseLike<T>): Promise<T> {
    const turn = this.last.then(async () => {
      await this.driver!.switchTo().window(window);
      return work(this.driver!);
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }

  async newTab(url: string): Promise<Tab> {
    const window = await this.within(this.home, async (driver) => {
      await driver.switchTo().newWindow('window');
      await driver.get(url);
      return driver.getWindowHandle();
    });
    const tab = new WebKitTab(this, window);
    await becomes(tab, 'visible');
    return tab;
  }

  async kill(): Promise<void> {
    await kill(this.pid);
    await kill(this.screen);
  }

  close(): Promise<void> {
    return this.kill();
  }
}

class WebKitTab implements Tab {
  constructor(
    private readonly browser: WebKit,
    private readonly window: string,
  ) {}

  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.browser.within(this.window, (driver) =>
      driver.executeAsyncScript<{ value: T } | { error: string }>(
        `const done = arguments[0];
         (async () => (${expression}))().then((value) => done({ value }), (error) => done({ error: String(error) }));`,
      ),
    );
    if ('error' in answer) throw new Error(answer.error);
    return answer.value;
  }

  async hide(): Promise<void> {
    await this.browser.within(this.window, (driver) => driver.manage().window().minimize());
    await becomes(this, 'hidden');
  }

  async show(): Promise<void> {
    await this.browser.within(this.window, (driver) => driver.manage().window().setRect({ width: 900, height: 700 }));
    await becomes(this, 'visible');
  }

  async close(): Promise<void> {
    await this.browser.within(this.window, (driver) => driver.close());
  }

  async crasher(): Promise<never> {
    throw new Error('the session ends when a renderer dies: take the browser without a driver (minibrowser.ts)');
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
