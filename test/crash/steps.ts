// What the children write, one numbered step after the other, and what a store that holds the first n steps must look like. The children take
// the steps; the tests check them. Real records: the 3,201 films of vega-datasets.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Venue } from '../../src/node';

const dataset = join(createRequire(import.meta.url).resolve('vega-datasets'), '../../data/movies.json');
export const movies = JSON.parse(readFileSync(dataset, 'utf8')) as object[];

/** Keys are used again after so many steps, so that old entries change too and a store stays small over hundreds of lives. */
const keysInUse = 1500;
const keyOf = (n: number): string => `film/${String(n % keysInUse).padStart(4, '0')}`;
const filmOf = (n: number, life: number): object => ({ n, life, movie: movies[n % movies.length] });
/** Every tenth step deletes what an earlier one wrote. */
const deletedBy = (n: number): string | undefined => (n % 10 === 9 ? keyOf(n - 5) : undefined);

interface Last {
  n: number;
  life: number;
}

/** Three writes in one turn, so they are durable together or not at all. @param life which child this is */
export function takeStep(venue: Venue, n: number, life: number): void {
  const films = venue.region<object>('films');
  films.set(keyOf(n), filmOf(n, life));
  const deleted = deletedBy(n);
  if (deleted) films.delete(deleted);
  venue.region<Last>('last').set('step', { n, life });
}

/** The last step that a venue has; 0 for none. */
export const lastStep = (venue: Pick<Venue, 'region'> | Venue['root']): number =>
  ('root' in venue ? (venue as Venue) : venue).region<Last>('last').get('step')?.n ?? 0;

/** The state after n steps, as texts. */
export class Expected {
  n = 0;
  readonly films = new Map<string, string>();
  private life = 0;

  take(n: number, life: number): void {
    if (n !== this.n + 1) throw new Error(`step ${n} after step ${this.n}`);
    this.films.set(keyOf(n), JSON.stringify(filmOf(n, life)));
    const deleted = deletedBy(n);
    if (deleted) this.films.delete(deleted);
    this.n = n;
    this.life = life;
  }

  /** @returns a sentence for each entry that is not as it should be. */
  differences(venue: Venue): string[] {
    const found = new Map([...venue.region('films')].map(([key, value]) => [key, JSON.stringify(value)]));
    const last = JSON.stringify(venue.region('last').get('step'));
    const wanted = this.n === 0 ? undefined : JSON.stringify({ n: this.n, life: this.life });
    return [
      ...[...this.films].flatMap(([key, text]) =>
        found.get(key) === text ? [] : [`${key} is ${found.get(key)}, not ${text}`],
      ),
      ...[...found.keys()].flatMap((key) => (this.films.has(key) ? [] : [`${key} is there`])),
      ...(last === wanted ? [] : [`the last step is ${last}, not ${wanted}`]),
      ...venue.regions.flatMap((name) => (['films', 'last'].includes(name) ? [] : [`a region ${name} is there`])),
    ];
  }
}
