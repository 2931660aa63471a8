// Stamps never go back, whatever the wall clock says.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StampClock, stampAt, stampEpochMs, stampsPerMs, timeOf } from '../../src/lattice/clock';

const wall = fc.oneof(
  fc.integer({ min: stampEpochMs - 5, max: stampEpochMs + 5 }),
  fc.double({ min: stampEpochMs, max: stampEpochMs + 2, noNaN: true }),
  fc.constantFrom(
    0,
    -1e15,
    8.64e15,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Date.UTC(2026, 10, 21),
  ),
);

describe('stamps', () => {
  it('grow with every write under any wall clock', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(wall, fc.record({ observe: fc.integer({ min: 0, max: 2 ** 45 }) }))), (steps) => {
        let now = 0;
        const clock = new StampClock(() => now);
        let last = clock.latest;
        for (const step of steps) {
          if (typeof step === 'object') clock.observe(step.observe);
          else now = step;
          if (typeof step === 'object') last = Math.max(last, step.observe);
          const stamp = clock.next();
          expect(stamp).toBeGreaterThan(last);
          expect(Number.isSafeInteger(stamp)).toBe(true);
          expect(clock.latest).toBe(stamp);
          last = stamp;
        }
      }),
      { numRuns: 500 },
    );
  });

  it('go on after a restart where they were, even if the wall clock is behind', () => {
    const before = new StampClock(() => Date.UTC(2030, 0));
    const last = before.next();
    const after = new StampClock(() => Date.UTC(2025, 0));
    after.observe(last);
    expect(after.next()).toBe(last + 1);
  });

  it('say the time of a write', () => {
    const now = Date.UTC(2026, 10, 21, 12);
    const clock = new StampClock(() => now);
    for (let i = 0; i < stampsPerMs; i++) expect(timeOf(clock.next())).toBe(now);
    expect(timeOf(clock.next())).toBe(now + 1);
    expect(timeOf(stampAt(now))).toBe(now);
    expect(stampAt(now + 0.9)).toBe(stampAt(now));
  });
});
