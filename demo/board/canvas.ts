// What the three pictures share: a canvas as sharp as the screen, the colours of the style sheet, frames only while something moves.

export interface Picture {
  readonly context: CanvasRenderingContext2D;
  /** In CSS pixels. */
  readonly width: number;
  readonly height: number;
}

const colourNames = [
  'ink',
  'faint',
  'paper',
  'sea',
  'alarm',
  'land',
  'grain',
  'wet',
  'shallow',
  'middle',
  'deep',
  'contour',
  'foam',
  'dot-chalk',
  'dot-sand',
  'dot-kelp',
  'dot-shell',
  'dot-mussel',
] as const;
export type Palette = Record<(typeof colourNames)[number], string>;

let palette: Palette | undefined;
const repaints: (() => void)[] = [];

/** The colours of style/colours.css, which registers them, so that they come resolved for light or dark. */
export function colours(): Palette {
  const style = getComputedStyle(document.documentElement);
  palette ??= Object.fromEntries(colourNames.map((name) => [name, style.getPropertyValue(`--${name}`)])) as Palette;
  return palette;
}

/** The colours are others now. */
export function recolour(): void {
  palette = undefined;
  for (const repaint of repaints) repaint();
}

/** Prefers less movement; asked for every frame, since it can be switched. */
export const isStill = (): boolean => stillness.matches;
const stillness = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * @param draw draws a frame; returns in how many ms it wants to draw the next: 0 for as soon as can be, undefined if nothing moves.
 * @returns to be called when there is something new to draw
 */
export function picture(
  canvas: HTMLCanvasElement,
  draw: (picture: Picture, now: number) => number | undefined,
): () => void {
  const context = canvas.getContext('2d')!;
  let frame = 0;
  let timer = 0;
  let [width, height] = [0, 0];

  function paint(now: number): void {
    frame = 0;
    if (width === 0) return;
    const nextInMs = draw({ context, width, height }, now);
    if (nextInMs === 0) frame ||= requestAnimationFrame(paint);
    else if (nextInMs !== undefined) timer = window.setTimeout(wake, nextInMs);
  }
  function wake(): void {
    clearTimeout(timer);
    frame ||= requestAnimationFrame(paint);
  }

  new ResizeObserver(() => {
    const scale = Math.min(devicePixelRatio, 3);
    [width, height] = [canvas.clientWidth, canvas.clientHeight];
    Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    context.setTransform(scale, 0, 0, scale, 0, 0);
    // In this turn, before it is shown: a canvas that was resized is empty.
    if (frame) cancelAnimationFrame(frame);
    paint(performance.now());
  }).observe(canvas);
  repaints.push(wake);
  return wake;
}
