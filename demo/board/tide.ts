// The tide, drawn as a nautical chart draws a shore: land, what the last tide wetted, water in three depths, and the marks. Knows how to
// draw it; how high the water stands is water.ts's.
import { colours, isStill, type Picture, picture } from './canvas';
import { count } from './dom';
import { levelOf, type Mark, Water } from './water';

/** The scale at the right edge. */
const gauge = [1, 10, 100, 1000, 10_000];
const gaugeWidth = 50;
const labelFont = "italic 13px 'Newsreader', 'Iowan Old Style', Georgia, serif";
const gaugeFont = "11px 'Hanken Grotesk', system-ui, sans-serif";
/** Of the height: the sea's level with nothing unsaved, and with all that the scale has. */
const [low, high] = [0.16, 0.68];
const rippleMs = 1800;

/** A commit of another tab, where it came in. */
interface Ripple {
  readonly x: number;
  readonly at: number;
  readonly label: string;
}

export interface Tide {
  /** So many entries became durable, or failed to. */
  reach(entries: number, label: string, failed?: boolean): void;
  joined(label: string): void;
  /** The number of unsaved entries is another one. */
  wake(): void;
}

/** @param unsaved how many entries are not durable now */
export function drawTide(canvas: HTMLCanvasElement, unsaved: () => number): Tide {
  const water = new Water();
  let ripples: Ripple[] = [];
  let before = 0;

  const wake = picture(canvas, (picture, now) => {
    const moves = water.flow(now, Math.min(now - before, 64), unsaved(), isStill());
    before = now;
    ripples = ripples.filter(({ at }) => now - at < rippleMs);
    drawChart(picture, water, ripples, now);
    if (moves || ripples.length > 0) return isStill() ? 250 : 0;
    return water.marks.length > 0 ? 120 : undefined;
  });
  const restart = () => {
    before ||= performance.now();
    wake();
  };
  return {
    reach(entries, label, failed = false) {
      water.reach(entries, label, failed);
      restart();
    },
    joined(label) {
      water.stir();
      ripples.push({
        x: 0.12 + 0.68 * ((ripples.length * 0.37 + (performance.now() % 997) / 997) % 1),
        at: performance.now(),
        label,
      });
      restart();
    },
    wake: restart,
  };
}

/** The shape of the coast, and on it the waves; in pixels from the mean line. */
const edge = (x: number, phase: number, swell: number): number =>
  7 * Math.sin(x / 97 + 0.6) +
  4 * Math.sin(x / 41 + 2.1) +
  swell * (5 * Math.sin(x / 53 - phase * 3.1) + 2.5 * Math.sin(x / 23 + phase * 4.7));

function trace(context: CanvasRenderingContext2D, width: number, y: number, phase: number, swell: number): void {
  for (let x = 0; x <= width + 6; x += 6) {
    const at = y - edge(x, phase, swell);
    if (x === 0) context.moveTo(x, at);
    else context.lineTo(x, at);
  }
}

function drawChart(
  { context, width: full, height }: Picture,
  water: Water,
  ripples: readonly Ripple[],
  now: number,
): void {
  const width = full - gaugeWidth;
  const colour = colours();
  const yOf = (level: number): number => height * (1 - low - (high - low) * level);
  const surface = yOf(water.level);
  const swell = 0.15 + water.swell;

  context.globalAlpha = 1;
  context.fillStyle = colour.land;
  context.fillRect(0, 0, full, height);
  stipple(context, width, height, colour.grain);

  context.save();
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();

  /** Fills from a line down to the bottom. */
  const fill = (y: number, phase: number, amount: number, style: string, alpha: number): void => {
    context.beginPath();
    trace(context, width, y, phase, amount);
    context.lineTo(width + 6, height);
    context.lineTo(0, height);
    context.closePath();
    context.globalAlpha = alpha;
    context.fillStyle = style;
    context.fill();
  };
  const line = (y: number, phase: number, amount: number, style: string, alpha: number, thick: number): void => {
    context.beginPath();
    trace(context, width, y, phase, amount);
    context.globalAlpha = alpha;
    context.lineWidth = thick;
    context.strokeStyle = style;
    context.stroke();
  };

  // What was wetted dries; each mark is drawn over what lies below it.
  const marks = [...water.marks].sort((a, b) => b.level - a.level);
  for (const mark of marks)
    if (!mark.failed) fill(yOf(mark.level), mark.phase, 0.5, colour.wet, 0.75 * water.strength(mark, now));
  for (const mark of marks) {
    context.setLineDash(mark.failed ? [7, 5] : [1.5, 4]);
    context.lineCap = mark.failed ? 'butt' : 'round';
    const style = mark.failed ? colour.alarm : colour.sea;
    line(yOf(mark.level), mark.phase, 0.5, style, water.strength(mark, now), mark.failed ? 1.5 : 2);
  }
  context.setLineDash([]);

  const depth = height - surface;
  fill(surface, water.phase, swell, colour.shallow, 1);
  fill(surface + depth * 0.3, water.phase * 0.8 + 1.3, swell * 0.8, colour.middle, 1);
  fill(surface + depth * 0.62, water.phase * 0.6 + 2.9, swell * 0.6, colour.deep, 1);
  line(surface + depth * 0.3, water.phase * 0.8 + 1.3, swell * 0.8, colour.contour, 0.5, 1);
  line(surface + depth * 0.62, water.phase * 0.6 + 2.9, swell * 0.6, colour.contour, 0.5, 1);
  line(surface + 5, water.phase + 0.25, swell, colour.foam, 0.15 + 0.4 * Math.min(1, water.swell), 1.5);
  line(surface, water.phase, swell, colour.foam, 0.95, 2.5);
  line(surface - 1.5, water.phase, swell, colour.contour, 0.8, 1);

  for (const ripple of ripples)
    drawRipple(context, ripple, now, width, Math.min(surface + 26, height - 14), colour.foam);
  context.restore();

  drawLabels(context, marks, ripples, water, now, { width, surface, height, yOf });
  drawGauge(context, full, height, yOf, surface);
}

function drawRipple(
  context: CanvasRenderingContext2D,
  { x, at }: Ripple,
  now: number,
  width: number,
  y: number,
  style: string,
) {
  const age = (now - at) / rippleMs;
  context.strokeStyle = style;
  context.lineWidth = 1.5;
  for (const lag of [0, 0.18, 0.36]) {
    const grown = age - lag;
    if (grown <= 0) continue;
    context.globalAlpha = Math.max(0, 1 - age) * 0.9;
    context.beginPath();
    context.ellipse(x * width, y, 8 + grown * 90, 2.5 + grown * 26, 0, 0, 2 * Math.PI);
    context.stroke();
  }
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly surface: number;
  yOf(level: number): number;
}

/** What each mark was, at the right end of its line, where there is room for it. */
function drawLabels(
  context: CanvasRenderingContext2D,
  marks: readonly Mark[],
  ripples: readonly Ripple[],
  water: Water,
  now: number,
  { width, surface, yOf }: Frame,
): void {
  const colour = colours();
  context.font = labelFont;
  context.textBaseline = 'alphabetic';
  context.textAlign = 'right';
  const taken: number[] = [];
  for (const mark of [...marks].sort((a, b) => b.at - a.at)) {
    const y = yOf(mark.level) - edge(width - 60, mark.phase, 0.5) - 8;
    // Under water it could not be read.
    if (y > surface - 18 - 7 * water.swell || taken.some((other) => Math.abs(other - y) < 17)) continue;
    taken.push(y);
    context.globalAlpha = Math.min(1, 2 * water.strength(mark, now));
    context.fillStyle = mark.failed ? colour.alarm : colour.ink;
    context.fillText(mark.label, width - 12, y);
  }
  context.textAlign = 'center';
  context.fillStyle = colour.ink;
  // Of several at once the newest: they would be written over each other.
  const newest = ripples.at(-1);
  if (newest) {
    context.globalAlpha = Math.max(0, 1 - (now - newest.at) / rippleMs);
    context.fillText(newest.label, newest.x * width, surface - 18);
  }
  context.globalAlpha = 1;
}

/** A tide staff: the fields between the numbers are black and white in turn, and the water's height is marked on it. */
function drawGauge(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  yOf: (level: number) => number,
  surface: number,
): void {
  const colour = colours();
  const left = width - gaugeWidth;
  context.globalAlpha = 1;
  context.fillStyle = colour.paper;
  context.fillRect(left, 0, gaugeWidth, height);
  const ticks = [0, ...gauge].map((entries) => yOf(levelOf(entries)));
  context.fillStyle = colour.faint;
  ticks.forEach((y, i) => {
    const top = ticks[i + 1] ?? yOf(1);
    if (i % 2 === 0) context.fillRect(left, top, 5, y - top);
  });
  context.fillRect(left, yOf(1), 0.75, height);
  context.fillRect(left + 5, yOf(1), 0.75, ticks[0]! - yOf(1));
  context.fillStyle = colour.sea;
  context.fillRect(left, surface, 5, height - surface);
  context.beginPath();
  context.moveTo(left + 6, surface);
  context.lineTo(left + 12, surface - 4);
  context.lineTo(left + 12, surface + 4);
  context.fill();

  context.font = gaugeFont;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.fillStyle = colour.ink;
  [0, ...gauge].forEach((entries, i) => {
    context.fillText(entries < 10_000 ? count(entries) : '10k', width - 7, ticks[i]!);
  });
}

/** Sand, as charts print it: dots, the same ones every time. */
function stipple(context: CanvasRenderingContext2D, width: number, height: number, style: string): void {
  context.fillStyle = style;
  let random = 7;
  for (let i = 0; i < (width * height) / 260; i++) {
    random = (random * 16807) % 2147483647;
    const x = (random / 2147483647) * width;
    random = (random * 16807) % 2147483647;
    const y = (random / 2147483647) * height;
    context.fillRect(x, y, 1.2, 1.2);
  }
}
