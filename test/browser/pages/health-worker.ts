// A service worker with a venue of its own that answers what its pages ask below /tidemark: what the handler says. Does what it is told by message.
import { openVenue } from '../../../src/browser';
import { healthHandler } from '../../../src/services/health';

interface Scope {
  addEventListener(
    type: 'install' | 'activate',
    listener: (event: { waitUntil(work: Promise<unknown>): void }) => void,
  ): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
  addEventListener(
    type: 'fetch',
    listener: (event: { request: Request; respondWith(response: Promise<Response>): void }) => void,
  ): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
}

const scope = globalThis as unknown as Scope;
const opened = openVenue({ store: 'health' }).then((venue) => ({
  venue,
  handler: healthHandler(venue, { basePath: '/tidemark' }),
}));

scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()));
scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener('fetch', (event) => {
  if (!new URL(event.request.url).pathname.startsWith('/tidemark/')) return;
  event.respondWith(opened.then(({ handler }) => handler(event.request)));
});
scope.addEventListener('message', ({ data, ports: [port] }) => {
  const work = async () => {
    const { venue } = await opened;
    if (data === 'close') return venue.close();
    venue.region('planted').set('planted-key', 'planted-value');
    return venue.flush();
  };
  work().then(
    () => port!.postMessage('done'),
    (error) => port!.postMessage(String(error)),
  );
});
