// Which sessions have a header of a given value, in order of time: entries of a region that is kept in memory only, so that lookups are walks in
// key order. Knows nothing of states.
import type { Region, Venue } from '../../venue';
import type { SessionHeaders } from './record';

export type HeaderValue = string | number | boolean;

/** A key has room for so many characters of a value, each escaped; what is the same up to there is told apart by who looks. */
const charactersMax = 100;

export class Lookup {
  private readonly region: Region<string>;

  constructor(
    venue: Venue,
    private readonly names: ReadonlySet<string>,
    private readonly isThere: (id: string) => boolean,
  ) {
    this.region = venue.region<string>('tidemark.sessions.lookup', { transient: true });
  }

  has(name: string): boolean {
    return this.names.has(name);
  }

  add(id: string, headers: SessionHeaders): void {
    for (const name of this.names) {
      const prefix = prefixOf(name, headers[name]);
      if (prefix !== undefined) this.region.set(prefix + id, id);
    }
  }

  /** Ids from `from` to before `to`. */
  *ids(name: string, value: HeaderValue, from = '', to?: string, reverse = false): Generator<string> {
    const prefix = prefixOf(name, value)!;
    const range = { prefix, from: prefix + from, to: to === undefined ? to : prefix + to, reverse };
    for (const [key, id] of this.region.scan(range))
      if (this.isThere(id)) yield id;
      else this.region.delete(key);
  }
}

function prefixOf(name: string, value: unknown): string | undefined {
  if (!['string', 'number', 'boolean'].includes(typeof value)) return undefined;
  return `${name}\0${JSON.stringify(String(value).slice(0, charactersMax))}\0`;
}
