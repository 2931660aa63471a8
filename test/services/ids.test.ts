// Ids: sorted as text they are in order of time, and no two are the same.
import { describe, expect, it } from 'vitest';
import { idFrom, newId, timeOfId } from '../../src/services/ids';
import type { Venue } from '../../src/venue';

/** What newId() looks at of a venue. */
function writer(id: string, now = Date.UTC(2025, 0, 1)) {
  const time = { now };
  return { time, venue: { writer: id, clock: { now: () => time.now } } as unknown as Venue };
}

const sorted = (ids: readonly string[]) => [...ids].sort();

describe('ids sort by the time at which they were made', () => {
  it('within a millisecond, over milliseconds, and when the clock goes back', () => {
    const { time, venue } = writer('0123456789abcdef');
    const ids: string[] = [];
    for (const step of [0, 0, 1, 0.4, 0.4, 1000, -5000, 0, 2, 60_000]) {
      time.now += step;
      ids.push(newId(venue), newId(venue));
    }
    expect(sorted(ids)).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[0-9a-z]{13}01234567$/);
  });

  it('also when more are made while the clock is behind than the counter can count', () => {
    const { time, venue } = writer('0123456789abcdef');
    const first = newId(venue);
    time.now -= 3_600_000;
    let last = first;
    for (let n = 0; n < 36 ** 4 + 2; n++) {
      const id = newId(venue);
      if (!(id > last && id.length === first.length)) throw new Error(`${id} after ${last}`);
      last = id;
    }
    expect(timeOfId(last)).toBe(timeOfId(first) + 1);
  });

  it('and those of two writers never meet', () => {
    const [one, two] = [writer('aaaaaaaa11'), writer('bbbbbbbb11')];
    const ids = Array.from({ length: 100 }, () => [newId(one.venue), newId(two.venue)]).flat();
    expect(new Set(ids).size).toBe(200);
    two.time.now++;
    expect(newId(two.venue) > newId(one.venue)).toBe(true);
  });
});

describe('an id tells its time', () => {
  it('in milliseconds', () => {
    const { time, venue } = writer('0123456789abcdef', 1_736_000_000_123.7);
    expect(timeOfId(newId(venue))).toBe(1_736_000_000_123);
    time.now += 5;
    expect(timeOfId(newId(venue))).toBe(1_736_000_000_128);
  });

  it('and idFrom(ms) stands before all that are made from then on, after all made before', () => {
    const { time, venue } = writer('0123456789abcdef');
    const before = newId(venue);
    time.now += 1;
    const at = time.now;
    const ids = [newId(venue), newId(venue)];
    time.now += 100;
    ids.push(newId(venue));
    expect(before < idFrom(at)).toBe(true);
    for (const id of ids) expect(id >= idFrom(at)).toBe(true);
    expect(idFrom(-1)).toBe('000000000');
  });
});
