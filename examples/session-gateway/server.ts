// The gateway behind node:http, with its sessions in a folder. Kill it in any way and start it again: what it has answered for is there.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { openVenue } from 'tidemark';
import { openSessions } from 'tidemark/sessions';
import { sessionGateway } from './gateway';

const { STORE = './data/venue.etch', PORT = '8080' } = process.env;

const venue = await openVenue({ store: STORE });
const handle = sessionGateway(openSessions(venue, { indexes: ['harness'] }));

const server = createServer(async (incoming, outgoing) => {
  const { method = 'GET', url = '/', headers } = incoming;
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const response = await handle(
    new Request(new URL(url, 'http://localhost'), {
      method,
      headers: Object.entries(headers).map(([name, value]) => [name, String(value)] as [string, string]),
      ...(hasBody && { body: Readable.toWeb(incoming) as unknown as BodyInit, duplex: 'half' }),
    }),
  );
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(await response.text());
});
server.listen(Number(PORT), '127.0.0.1', () => {
  const address = server.address() as { port: number };
  console.log(`listening on http://127.0.0.1:${address.port}`);
});
