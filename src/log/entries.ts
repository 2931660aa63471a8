// Entries <-> JSON arrays, and the body of a commit. docs/FORMAT.md "Entries". Pure functions.
import { type Bytes, decodeUtf8, encodeUtf8 } from '../base/bytes';
import { TOMBSTONE } from '../lattice/joins';
import { fromTagged, toTagged } from './values';

/** An entry as it is stored. */
export interface StoredEntry {
  key: string;
  /** The value, or TOMBSTONE. */
  value: unknown;
  stamp: number;
  /** Whether the value needs tags to be JSON. */
  tagged: boolean;
  /** Schema version of the value. */
  version: number;
  /** See lattice/joins.ts. */
  epoch: number;
}

/** Entries of one region, under one schema version. */
export interface Group {
  region: string;
  version: number;
  /** Name of the join that the writer used. */
  join: string;
  /** Already encoded with encodeEntry, relative to the commit's time. */
  entries: unknown[];
}

/** [key, dt] for a tombstone, else [key, dt, value], and only where needed [..., tagged, version, epoch]. */
export function encodeEntry(entry: StoredEntry, base: number, version: number): unknown[] {
  const { key, value, stamp, tagged } = entry;
  if (value === TOMBSTONE) return [key, stamp - base];
  if (entry.epoch === 0 && entry.version === version) {
    return tagged ? [key, stamp - base, toTagged(value), 1] : [key, stamp - base, value];
  }
  const encoded = [key, stamp - base, tagged ? toTagged(value) : value, tagged ? 1 : 0, entry.version];
  if (entry.epoch !== 0) encoded.push(entry.epoch - base);
  return encoded;
}

/** @throws TypeError for what encodeEntry would not have made. */
export function decodeEntry(encoded: unknown, base: number, version: number): StoredEntry {
  if (!Array.isArray(encoded) || encoded.length < 2) throw new TypeError('not an entry');
  const [key, dt, value, tagged, ownVersion, dEpoch] = encoded;
  const stamp = base + dt;
  const epoch = dEpoch === undefined ? 0 : base + dEpoch;
  if (typeof key !== 'string' || !Number.isSafeInteger(stamp) || !Number.isSafeInteger(epoch))
    throw new TypeError('not an entry');
  if (encoded.length === 2) return { key, value: TOMBSTONE, stamp, tagged: false, version, epoch: stamp };
  return {
    key,
    value: tagged ? fromTagged(value) : value,
    stamp,
    tagged: !!tagged,
    version: ownVersion ?? version,
    epoch,
  };
}

export const encodeBody = (groups: readonly Group[]): Bytes =>
  encodeUtf8(JSON.stringify(groups.map(({ region, version, join, entries }) => [region, version, join, entries])));

/** @throws TypeError or SyntaxError for what encodeBody would not have made. */
export function decodeBody(body: Bytes): Group[] {
  const groups = JSON.parse(decodeUtf8(body));
  if (!Array.isArray(groups)) throw new TypeError('not a body');
  return groups.map((group) => {
    const [region, version, join, entries] = group;
    if (
      typeof region !== 'string' ||
      !Number.isSafeInteger(version) ||
      typeof join !== 'string' ||
      !Array.isArray(entries)
    ) {
      throw new TypeError('not a body');
    }
    return { region, version, join, entries };
  });
}
