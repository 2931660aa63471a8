// Sessions over HTTP, as a fetch handler: Request -> Response. It runs wherever such handlers run; server.ts puts it behind node:http. It knows the
// ledger of sessions and nothing of how it is stored. Put your own authentication before it.
import type { ListOptions, SessionEvent, SessionHeaders, Sessions } from 'tidemark/sessions';

const bodyBytesMax = 1024 * 1024;

const statuses: Record<string, number> = {
  bad_json: 400,
  bad_option: 400,
  bad_value: 400,
  no_route: 404,
  not_found: 404,
  session_not_live: 409,
  illegal_transition: 409,
  conflict: 409,
  lease_lost: 409,
  too_large: 413,
  closed: 503,
};

/** What a client is told of an error: a code that stays the same, and a message. */
class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function sessionGateway(sessions: Sessions): (request: Request) => Promise<Response> {
  const session = (id: string) => {
    const found = sessions.get(id);
    if (!found) throw new Refusal('not_found', `there is no session ${id}`);
    return found;
  };

  /** What is answered with 201 or 200 is durable. */
  const answer = async (request: Request): Promise<Response> => {
    const { pathname, searchParams } = new URL(request.url);
    const [, root, id = '', action = '', ...rest] = pathname.split('/');
    const route = `${request.method} ${['', root, id && ':id', action, ...rest].join('/').replace(/\/+$/, '')}`;
    switch (route) {
      case 'POST /sessions':
        return json(201, await sessions.start((await bodyOf(request)) as SessionHeaders));
      case 'GET /sessions':
        return json(200, sessions.list(listOptions(searchParams)));
      case 'GET /sessions/:id':
        return json(200, session(id));
      case 'DELETE /sessions/:id':
        await sessions.delete(id);
        return new Response(null, { status: 204 });
      case 'POST /sessions/:id/events': {
        const event = await bodyOf(request);
        if (typeof event.type !== 'string') throw new Refusal('bad_value', 'an event has a `type`');
        return json(201, await sessions.append(id, event as unknown as SessionEvent, { durable: true }));
      }
      case 'GET /sessions/:id/replay':
        return json(200, sessions.replay(id, numbers(searchParams, ['afterSeq', 'limit'])));
      case 'POST /sessions/:id/input':
        await sessions.send(id, (await bodyOf(request)).input);
        return json(202, session(id));
      case 'POST /sessions/:id/complete':
        await sessions.complete(id, (await bodyOf(request)).output);
        return json(200, session(id));
      case 'POST /sessions/:id/kill':
        await sessions.kill(id, (await bodyOf(request)).reason);
        return json(200, session(id));
      case 'POST /sessions/:id/relaunch':
        return json(201, await sessions.relaunch(id, await bodyOf(request)));
      default:
        throw new Refusal('no_route', `there is no ${request.method} ${pathname}`);
    }
  };

  return async (request) => {
    try {
      return await answer(request);
    } catch (error) {
      const { code = '', message } = error as { code?: string; message: string };
      const status = statuses[code];
      if (status) return json(status, { error: { code, message } });
      console.error(error);
      return json(500, { error: { code: 'internal', message: 'something went wrong; it is in the log' } });
    }
  };
}

const json = (status: number, body: object): Response => Response.json(body, { status });

/** The body's object; an empty body is an empty object. */
async function bodyOf(request: Request): Promise<Record<string, unknown>> {
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new Refusal('too_large', `a body has at most ${bodyBytesMax} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  let body: unknown;
  try {
    body = JSON.parse(text || '{}');
  } catch {
    throw new Refusal('bad_json', 'the body is not JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Refusal('bad_json', 'the body is not an object');
  return body as Record<string, unknown>;
}

/** Those parameters that are given, as numbers; whether they are good ones the ledger says. */
function numbers<K extends string>(given: URLSearchParams, names: readonly K[]): { [name in K]?: number } {
  const found = names.filter((name) => given.get(name)).map((name) => [name, Number(given.get(name))]);
  return Object.fromEntries(found) as { [name in K]?: number };
}

/** `project`, `state`, `cursor`, `limit`, `since`, `reverse`; what else is given is a header to look for. */
function listOptions(given: URLSearchParams): ListOptions {
  const { project, state, cursor, reverse, limit, since, ...where } = Object.fromEntries(given);
  return {
    ...(project && { project }),
    ...(state && { state: state as NonNullable<ListOptions['state']> }),
    ...(cursor && { cursor }),
    ...numbers(given, ['limit', 'since']),
    reverse: reverse === 'true',
    where,
  };
}
