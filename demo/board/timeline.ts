// What happened in the last thirty seconds, a lane for each kind. Knows only what it is told.
import { colours, isStill, picture } from './canvas';

export const kinds = ['sweep', 'flush', 'failure', 'join'] as const;
export type Kind = (typeof kinds)[number];

interface Happening {
  readonly kind: Kind;
  readonly at: number;
  /** Entries, where there are any. */
  readonly size: number;
}

const spanMs = 30_000;
const rateMs = 3000;

export interface Timeline {
  add(kind: Kind, size?: number): void;
}

/** @param rate told the commits per second, over the last three, whenever it may have changed */
export function drawTimeline(canvas: HTMLCanvasElement, rate: (commits: number) => void): Timeline {
  let happenings: Happening[] = [];

  const wake = picture(canvas, ({ context, width, height }, now) => {
    happenings = happenings.filter(({ at }) => now - at < spanMs);
    rate(happenings.filter(({ kind, at }) => kind === 'sweep' && now - at < rateMs).length / (rateMs / 1000));
    const colour = colours();
    const lane = height / kinds.length;
    context.clearRect(0, 0, width, height);
    context.fillStyle = colour.faint;
    context.globalAlpha = 0.35;
    for (let i = 1; i <= kinds.length; i++) context.fillRect(0, Math.round(i * lane) - 1, width, 1);
    for (let s = 0; s <= spanMs; s += 5000) context.fillRect(Math.round((width - 1) * (1 - s / spanMs)), 0, 1, height);
    context.globalAlpha = 1;
    for (const { kind, at, size } of happenings) {
      const x = (width - 6) * (1 - (now - at) / spanMs);
      const middle = (kinds.indexOf(kind) + 0.5) * lane;
      context.fillStyle = context.strokeStyle = kind === 'failure' ? colour.alarm : colour.sea;
      shapes[kind](context, x, middle, lane, size);
    }
    if (happenings.length === 0) return undefined;
    return isStill() ? 1000 : 80;
  });

  return {
    add(kind, size = 1) {
      happenings.push({ kind, at: performance.now(), size });
      wake();
    },
  };
}

type Shape = (context: CanvasRenderingContext2D, x: number, y: number, lane: number, size: number) => void;

/** Told apart by shape as well as by lane and colour. */
const shapes: Record<Kind, Shape> = {
  sweep(context, x, y, lane, size) {
    const height = Math.min(lane - 4, 4 + 3.2 * Math.log1p(size));
    context.fillRect(x - 1.25, y + lane / 2 - 2 - height, 2.5, height);
  },
  flush(context, x, y) {
    context.beginPath();
    for (const [dx, dy] of [
      [0, -5],
      [5, 0],
      [0, 5],
      [-5, 0],
    ] as const)
      context.lineTo(x + dx, y + dy); // a diamond
    context.fill();
  },
  failure(context, x, y) {
    context.lineWidth = 2;
    context.beginPath();
    for (const slope of [1, -1]) {
      context.moveTo(x - 4, y - 4 * slope);
      context.lineTo(x + 4, y + 4 * slope);
    }
    context.stroke();
  },
  join(context, x, y) {
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, 4, 0, 2 * Math.PI);
    context.stroke();
  },
};
