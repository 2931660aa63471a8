// Stamps: hybrid logical time. Pure but for the one number that a clock remembers; wall time is handed in.

/** 2024-01-01T00:00:00Z in ms since 1970: stamps count from here, which keeps them exact in a double until 2093. */
export const stampEpochMs = 1_704_067_200_000;
/** Stamps in one millisecond: so many writes in one millisecond before a stamp runs ahead of the wall clock. */
export const stampsPerMs = 4096;

/** The stamp at which a millisecond begins. */
export const stampAt = (ms: number): number => (Math.floor(ms) - stampEpochMs) * stampsPerMs;
/** Milliseconds since 1970 of a stamp. */
export const timeOf = (stamp: number): number => Math.floor(stamp / stampsPerMs) + stampEpochMs;

/** Hands out stamps that never go back: not when the wall clock does, and not after a restart, once it has observed the newest stored one. */
export class StampClock {
  private last = 0;
  constructor(private readonly now: () => number) {}

  next(): number {
    const wall = (this.now() - stampEpochMs) * stampsPerMs;
    // A wall clock past 2093 (or NaN) cannot be counted exactly; the counter goes on from where it was.
    this.last = wall > this.last && wall < Number.MAX_SAFE_INTEGER ? Math.floor(wall) : this.last + 1;
    return this.last;
  }

  /** Later stamps will be greater than this one. */
  observe(stamp: number): void {
    if (stamp > this.last) this.last = stamp;
  }

  /** The newest stamp handed out or observed. */
  get latest(): number {
    return this.last;
  }
}
