// WebKit without its driver, for what the driver cannot do: its sessions store nothing on disk and end when a renderer
// dies. The pages themselves ask what to do: #remote= names a script that they run. That they are hidden they can only
// be told.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type Engine, patienceMs, type Tab } from './engine';
import { kill, rendererOf, start, startScreen } from './processes';

export const miniBrowserEngine = (version: string, paths: string[]): Engine => ({
  name: 'webkit',
  version,
  keepsProfile: true,
  async launch() {
    const browser = new MiniBrowser(paths, await mkdtemp(join(tmpdir(), 'tidemark-webkit-')));
    await browser.start();
    return browser;
  },
});

interface Order {
  readonly id: number;
  readonly expression: string;
  answered(answer: { value?: unknown; error?: string }): void;
}

/** What one page is to do next, and what it is doing. */
class Orders {
  private readonly waiting: Order[] = [];
  private readonly given = new Map<number, Order>();
  private asked: ((order: Order) => void) | undefined;

  give(order: Order): void {
    this.waiting.push(order);
    this.serve();
  }

  next(asked: (order: Order) => void): void {
    this.asked = asked;
    this.serve();
  }

  answered(id: number, answer: { value?: unknown; error?: string }): void {
    this.given.get(id)?.answered(answer);
    this.given.delete(id);
  }

  private serve(): void {
    const order = this.asked && this.waiting.shift();
    if (!order) return;
    this.given.set(order.id, order);
    this.asked!(order);
    this.asked = undefined;
  }
}

class MiniBrowser implements Browser {
  private pid = 0;
  private screen = 0;
  private server: Server | undefined;
  private readonly tabs: Orders[] = [];
  private orders = 0;

  constructor(
    private readonly paths: string[],
    private readonly profile: string,
  ) {}

  async start(): Promise<void> {
    const [, program = '', xvfb = ''] = this.paths;
    const screen = await startScreen(xvfb);
    this.screen = screen.pid;
    await this.listen();
    this.tabs.length = 0;
    const env = {
      ...process.env,
      DISPLAY: screen.display,
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
      XDG_DATA_HOME: join(this.profile, 'data'),
      XDG_CACHE_HOME: join(this.profile, 'cache'),
    };
    this.tabs.push(new Orders());
    const args = ['--javascript-can-open-windows-automatically=true', `${this.address}/home`];
    const child = await start(program, args, { env });
    this.pid = child.pid!;
    await this.evaluate(0, 'document.title');
  }

  private get address(): string {
    return `http://127.0.0.1:${(this.server!.address() as { port: number }).port}`;
  }

  private async listen(): Promise<void> {
    if (this.server) return;
    this.server = createServer(async (request, response) => {
      response.setHeader('access-control-allow-origin', '*');
      const [, what, tab, id] = (request.url ?? '').split('/');
      if (what === 'home') {
        response.setHeader('content-type', 'text/html');
        response.end('<!doctype html><title>home</title><script src="/script/0"></script>');
      } else if (what === 'script') {
        response.end(`(${obey})('${this.address}/orders/${tab}')`);
      } else if (request.method === 'POST') {
        let body = '';
        for await (const part of request) body += part;
        this.tabs[Number(tab)]?.answered(Number(id), JSON.parse(body));
        response.end();
      } else this.tabs[Number(tab)]?.next(({ id, expression }) => response.end(JSON.stringify({ id, expression })));
    });
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async evaluate<T>(tab: number, expression: string): Promise<T> {
    const answer = await new Promise<{ value?: unknown; error?: string }>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${expression.slice(0, 200)}`)), patienceMs);
      const answered: Order['answered'] = (given) => {
        clearTimeout(timer);
        resolve(given);
      };
      this.tabs[tab]!.give({ id: ++this.orders, expression, answered });
    });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value as T;
  }

  async newTab(url: string): Promise<Tab> {
    const tab = this.tabs.push(new Orders()) - 1;
    const address = `${url}#remote=${this.address}/script/${tab}`;
    await this.evaluate(0, `void open(${JSON.stringify(address)}, '_blank', 'noopener')`);
    const evaluate = <T>(expression: string) => this.evaluate<T>(tab, expression);
    await evaluate('document.title');
    const turn = (state: string) =>
      evaluate<void>(
        `void (Object.defineProperty(document, 'visibilityState', { configurable: true, value: '${state}' }),
          document.dispatchEvent(new Event('visibilitychange')))`,
      );
    return {
      evaluate,
      hide: () => turn('hidden'),
      show: () => turn('visible'),
      // A page that closes itself answers nothing.
      close: async () => this.tabs[tab]!.give({ id: ++this.orders, expression: 'close()', answered: () => {} }),
      crasher: async () => {
        const pid = await rendererOf(this.pid, /WebKitWebProcess/, evaluate);
        return async () => void process.kill(pid, 'SIGKILL');
      },
    };
  }

  async kill(): Promise<void> {
    await kill(this.pid);
    await kill(this.screen);
  }

  async close(): Promise<void> {
    await this.kill();
    this.server?.close();
    this.server?.closeAllConnections();
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What a page runs that is told what to do: it asks for an order, does it, and answers, for ever. */
const obey = async (orders: string): Promise<never> => {
  for (;;) {
    const { id, expression } = await (await fetch(orders)).json();
    let answer: { value?: unknown; error?: string };
    try {
      answer = { value: await new Function(`return (${expression})`)() };
    } catch (error) {
      answer = { error: String(error) };
    }
    await fetch(`${orders}/${id}`, { method: 'POST', body: JSON.stringify(answer) });
  }
};
