// What the tests type: text that can be made again elsewhere, so that a page that comes later can tell what is missing.

export interface Typing {
  /** Tells this typing from others. */
  readonly seed: number;
  /** Characters in all. */
  readonly size: number;
}

/** Half of it is one long note, the rest notes of about 1 KB. */
export function notesOf({ seed, size }: Typing): [key: string, text: string][] {
  const long = size > 1000 ? size >> 1 : 0;
  const lengths = long > 0 ? [long] : [];
  for (let rest = size - long; rest > 0; rest -= 1000) lengths.push(Math.min(rest, 1000));
  return lengths.map((length, index) => [`${seed}-${index}`, text(seed * 1000 + index, length)]);
}

const letters = 'abcdefghijklmnopqrstuvwxyzåß€"\\\n 0123456789';

function text(seed: number, length: number): string {
  let state = seed;
  let made = '';
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    made += letters[(state >>> 16) % letters.length];
  }
  return made;
}

/** How many of the notes typed are there as they were typed. */
export function countFound(typed: Typing, read: (key: string) => unknown): { typed: number; found: number } {
  const notes = notesOf(typed);
  return { typed: notes.length, found: notes.filter(([key, text]) => read(key) === text).length };
}

/** How a page leaves by itself, in the turn in which it is asked. Whatever else is left to the driver. */
export type Way = 'navigate' | 'reload' | 'back' | 'stay';

export function leave(way: Way, url: string): void {
  if (way === 'navigate') location.href = url;
  else if (way === 'reload') location.reload();
  else if (way === 'back') history.back();
}

/** The page is gone for good when it is left: no back/forward cache keeps it, or lets it finish. */
export const goForGood = (): void => addEventListener('unload', () => undefined);

/** Tells the test what happens here, also while the page goes. */
export const report = (id: string, what: object): void => {
  navigator.sendBeacon(`/report?${encodeURIComponent(id)}`, JSON.stringify(what));
};
