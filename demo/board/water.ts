// How high the water stands, and which marks it left. Pure: time and the number of unsaved entries come in, nothing is drawn here.

/** A line that the water reached. */
export interface Mark {
  readonly level: number;
  readonly label: string;
  readonly failed: boolean;
  /** Of the waves as they were then, so that the mark has the shape of the water's edge. */
  readonly phase: number;
  at: number;
}

/** Where the scale ends; what is more stands there, too. */
export const entriesMax = 20_000;
const markMs = 9000;
const marksMax = 8;

/** From 0 for none to 1. The logarithm makes one note visible and a thousand not a flood; the factor sets 0 and 1 as far apart as 1 and 10. */
export const levelOf = (entries: number): number => Math.min(1, Math.log1p(9 * entries) / Math.log1p(9 * entriesMax));

export class Water {
  /** What is shown, which follows the truth with a little inertia. */
  level = 0;
  /** How much the water moves, 0 to 1. */
  swell = 0;
  phase = 0;
  marks: Mark[] = [];
  /** Sweeps whose mark the water has still to reach. */
  private crests: { level: number; label: string; failed: boolean }[] = [];

  /** So many entries became durable, or failed to: the water rises to their mark, and falls from there. */
  reach(entries: number, label: string, failed: boolean): void {
    this.crests.push({ level: levelOf(entries), label, failed });
    this.swell = 1;
  }

  /** Something else moves it, e.g. a commit that came from another tab. */
  stir(): void {
    this.swell = Math.max(this.swell, 0.6);
  }

  /** Goes on to `now`, `passedMs` after the last time. @returns whether it moves */
  flow(now: number, passedMs: number, unsaved: number, still: boolean): boolean {
    const truth = levelOf(unsaved);
    const goal = Math.max(truth, ...this.crests.map(({ level }) => level));
    const rises = goal > this.level;
    // Up at once, as writing is; back as the sea goes, so that a sweep of a few ms can be seen.
    const inertiaMs = rises ? 45 : 620;
    if (still) this.level = truth;
    else this.level += (goal - this.level) * -Math.expm1(-passedMs / inertiaMs);
    if (Math.abs(goal - this.level) < 0.0015) this.level = goal;
    for (const crest of this.crests.filter(({ level }) => still || this.level > level - 0.012)) this.leave(crest, now);
    this.crests = this.crests.filter(({ level }) => !still && this.level <= level - 0.012);

    if (rises) this.swell = 1;
    this.swell = this.swell < 0.01 || still ? 0 : this.swell * Math.exp(-passedMs / 1300);
    this.phase += (passedMs / 1000) * this.swell;
    this.marks = this.marks.filter(({ at }) => now - at < markMs);
    return this.swell > 0 || this.level !== truth || this.crests.length > 0;
  }

  /** From 1 as it is left to 0 when it has dried. */
  strength({ at }: Mark, now: number): number {
    const left = 1 - (now - at) / markMs;
    return left * left;
  }

  private leave({ level, label, failed }: { level: number; label: string; failed: boolean }, at: number): void {
    // Sweep after sweep of a few entries wets one line again instead of drawing ten.
    this.marks = this.marks.filter((mark) => mark.failed !== failed || Math.abs(mark.level - level) > 0.02);
    this.marks.push({ level, label, failed, phase: this.phase, at });
    if (this.marks.length > marksMax) this.marks.shift();
  }
}
