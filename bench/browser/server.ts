// Serves the bench's page on 127.0.0.1, makes records for it and takes its answers. Knows no workload.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { makeKey, makeNote } from '../data';
import type { Sample } from '../workload';

export interface Answer {
  readonly sample?: Sample;
  readonly error?: string;
}

export interface PageServer {
  readonly origin: string;
  close(): void;
}

/** A page that these headers isolate has a clock of 5 us instead of 100. */
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
const html = '<!doctype html><meta charset="utf-8"><title>bench</title><script type="module" src="/page.js"></script>';

export async function servePage(
  scripts: ReadonlyMap<string, string>,
  answered: (job: number, answer: Answer) => void,
): Promise<PageServer> {
  const send = (response: ServerResponse, type: string, body: string): void => {
    response.writeHead(200, { ...headers, 'Content-Type': type }).end(body);
  };
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://bench');
    const number = (name: string): number => Number(url.searchParams.get(name));
    const script = scripts.get(url.pathname.slice(1));
    if (script !== undefined) send(response, 'text/javascript', script);
    else if (url.pathname === '/entries') {
      const entries = Array.from({ length: number('count') }, (_, i) => [
        makeKey(number('from') + i),
        makeNote(number('from') + i, number('round')),
      ]);
      send(response, 'application/json', JSON.stringify(entries));
    } else if (url.pathname === '/answer') {
      answered(Number(url.search.slice(1)), JSON.parse(await text(request)) as Answer);
      response.writeHead(204).end();
    } else send(response, 'text/html', html);
  }
  const server = createServer((request, response) => {
    serve(request, response).catch((error) => response.writeHead(500).end(`${error}`));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
