// What the tests of metrics share: the text for Prometheus as a parser of others reads it, and a venue that has done a little of everything.
import { createRequire } from 'node:module';
import { healthHandler } from '../../src/services/health';
import type { Venue } from '../../src/venue';
import { diskError, type Opened, settle } from '../venue/helpers';

interface Family {
  name: string;
  help: string;
  type: 'GAUGE' | 'COUNTER' | 'HISTOGRAM';
  metrics: {
    value?: string;
    labels?: Record<string, string>;
    buckets?: Record<string, string>;
    count?: string;
    sum?: string;
  }[];
}

/** It comes without types. */
const parse = createRequire(import.meta.url)('parse-prometheus-text-format') as (text: string) => Family[];

export const scraper = (venue: Venue) => {
  const handler = healthHandler(venue);
  return async () => {
    const response = await handler(new Request('http://127.0.0.1/metrics'));
    const text = await response.text();
    const families = new Map(parse(text).map((family) => [family.name, family]));
    const value = (name: string) => {
      const found = families.get(name)?.metrics[0]?.value;
      return found === undefined ? undefined : Number(found);
    };
    return { response, text, families, value };
  };
};

/** Two sweeps, one of them after a failure; a flush, a checkpoint. */
export async function work({ venue, backend, clock }: Opened): Promise<void> {
  venue.region('r').set('a', 'x'.repeat(100));
  venue.region('r').set('b', 1);
  await venue.flush();
  await venue.checkpoint();
  backend.instead.append = async () => {
    throw diskError('EIO');
  };
  venue.region('r').set('c', 1);
  await clock.advance(100);
  backend.instead = {};
  await clock.advance(1000);
  await settle();
}
