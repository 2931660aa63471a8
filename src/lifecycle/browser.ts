// When a page is about to go, or back: everything is written in the turn of the first event that says so, since there may be no other turn. No
// `unload` (it disables the back/forward cache), nothing awaited, nothing held. In a worker none of these events comes.

interface Page {
  writeNow(): void;
  leave(): void;
  resume(): void;
}

interface Surroundings {
  addEventListener(type: string, listener: (event: Event) => void): void;
  removeEventListener(type: string, listener: (event: Event) => void): void;
}

interface Window extends Surroundings {
  document?: Surroundings & { readonly visibilityState: string };
}

/**
 * Writes a venue when its page is hidden, frozen, left or closed, and catches up when it is back.
 * @returns a function that takes the venue back.
 */
export function writeWithPage(venue: Page, window: Window = globalThis as unknown as Window): () => void {
  const { document } = window;
  const leave = () => venue.leave();
  const turned = () => {
    if (document!.visibilityState === 'hidden') venue.writeNow();
    else venue.resume();
  };
  const listeners: [Surroundings | undefined, string, () => void][] = [
    [document, 'visibilitychange', turned],
    [document, 'freeze', leave],
    [document, 'resume', () => venue.resume()],
    // Some engines keep what was written in one of these and not what was written in another (FACTS.md).
    [document && window, 'beforeunload', () => venue.writeNow()],
    [document && window, 'pagehide', leave],
    [document && window, 'pageshow', () => venue.resume()],
  ];
  for (const [target, type, listener] of listeners) target?.addEventListener(type, listener);
  return () => {
    for (const [target, type, listener] of listeners) target?.removeEventListener(type, listener);
  };
}
