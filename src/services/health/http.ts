// Health over HTTP, as a fetch handler: Request -> Response. Knows paths and statuses; what it tells is made elsewhere. Never rejects, and echoes
// nothing of a request.
import type { Venue } from '../../venue';
import { prometheusText } from './metrics';
import { respond } from './platform';
import { recorderOf } from './recorder';
import { capabilitiesOf, viewOf } from './redacted';
import { apiVersion } from './version';

/** What every error is, as JSON. Beside it, a 503 of `/health` has all of the health. */
export interface HttpError {
  error: {
    code: 'not_found' | 'method_not_allowed' | 'failing' | 'closed' | 'unexpected';
    message: string;
    details?: unknown;
  };
}

export interface HealthHandlerOptions {
  /** What the paths begin with, e.g. `/tidemark`, where it is not mounted at the root. Default ''. */
  basePath?: string;
}

/** A Request; or the IncomingMessage of node:http, whose `url` is what stood in the first line. */
export interface HealthRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

type Answer = [status: number, body: object | string, headers?: Record<string, string>];

const prometheusType = 'text/plain; version=0.0.4; charset=utf-8';

const refuse = (
  status: number,
  code: HttpError['error']['code'],
  message: string,
  headers: Record<string, string> = {},
  details?: unknown,
): Answer => [status, { error: { code, message, ...(details !== undefined && { details }) } }, headers];

/**
 * A fetch handler that serves `GET /api/v1/health` (200, also when degraded; 503 when failing or closed), `/api/v1/capabilities` and `/metrics` (for
 * Prometheus), for Node, Deno, Bun, workers, Hono and service workers. It asks nobody who they are: put your own authentication before it.
 */
export function healthHandler(
  venue: Venue,
  { basePath = '' }: HealthHandlerOptions = {},
): (request: HealthRequest) => Promise<Response> {
  const seen = recorderOf(venue);
  seen.measure(); // so that the first scrape has it
  const root = basePath.replace(/\/+$/, '');
  const base = `${root}/api/v${apiVersion}`;
  const routes: Record<string, () => Answer> = {
    [`${base}/health`]() {
      const view = viewOf(venue.health());
      const { status, reasons } = view;
      if (status !== 'failing' && status !== 'closed') return [200, view];
      const message = reasons.join('; ') || 'the venue is closed';
      return [503, { error: { code: status, message }, ...view }];
    },
    [`${base}/capabilities`]: () => [200, capabilitiesOf(venue.health())],
    [`${root}/metrics`]() {
      seen.measure();
      return [200, prometheusText(venue)];
    },
  };
  const paths = Object.keys(routes);

  const answer = ({ method, url = '' }: HealthRequest): Answer => {
    const path = pathOf(url);
    const route = paths.includes(path) && routes[path];
    if (!route) return refuse(404, 'not_found', `nothing is here; there is ${paths.join(', ')}`);
    if (method !== 'GET' && method !== 'HEAD') {
      const message = 'this is only read: GET or HEAD';
      return refuse(405, 'method_not_allowed', message, { allow: 'GET, HEAD' }, { allow: ['GET', 'HEAD'] });
    }
    return route();
  };

  return async (request) => {
    let isHead = false;
    let [status, body, headers] = refuse(500, 'unexpected', 'the request could not be answered');
    try {
      isHead = request.method === 'HEAD';
      [status, body, headers] = answer(request);
    } catch {
      // it stays a 500, which says nothing of why
    }
    const [type, text] = typeof body === 'string' ? [prometheusType, body] : ['application/json', JSON.stringify(body)];
    return respond(status, type, isHead ? null : text, headers);
  };
}

/** Of an absolute URL, or of what stands in a request's first line. As it is written: nothing is decoded and no dots are resolved. */
const pathOf = (url: string): string => /^(?:[a-z][a-z\d+.-]*:\/\/[^/?#]*)?([^?#]*)/i.exec(url)![1]!;
