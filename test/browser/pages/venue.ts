// A venue in a page, as the tests drive it from outside: opened, typed into, left and looked at.
import { type Health, type OpenOptions, openVenue, type Region, type Venue } from '../../../src/browser';
import { countFound, goForGood, leave, notesOf, report, type Typing, type Way } from './typed';

let venue: Venue | undefined;
let notes: Region<string>;

interface Leaving {
  readonly way: Way;
  /** Where to, if it navigates. */
  readonly url: string;
  /** Some of it is typed while the sweeps run, so that one is under way at the end. */
  readonly spree: boolean;
}

const page = {
  async open(options: OpenOptions & { store: string }, forGood = false): Promise<Health> {
    if (forGood) goForGood();
    const { store } = options;
    // Before the venue's own listeners, which leave nothing unsaved.
    const leaving = ({ type }: Event) => {
      if (type === 'pagehide' || document.visibilityState === 'hidden')
        report(store, { leaving: type, unsaved: venue?.health().unsaved.entries });
    };
    document.addEventListener('visibilitychange', leaving);
    addEventListener('pagehide', leaving);
    venue = await openVenue(options);
    notes = venue.region<string>('notes');
    venue.unsaved.subscribe((unsaved) => {
      if (!unsaved) report(store, { durable: notes.size });
    });
    return venue.health();
  },

  type(typed: Typing): void {
    for (const [key, text] of notesOf(typed)) notes.set(key, text);
  },

  /** The last word is typed in the turn in which the page leaves. Waits for that only if it does not leave by itself. */
  typeAndLeave(typed: Typing, { way, url, spree }: Leaving): Promise<void> | undefined {
    const work = async () => {
      const written = notesOf(typed);
      const steps = spree ? 40 : 1;
      for (let step = 0; step < steps; step++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        const from = Math.floor((step * written.length) / steps);
        const to = Math.floor(((step + 1) * written.length) / steps);
        for (const [key, text] of written.slice(from, to)) notes.set(key, text);
      }
      leave(way, url);
    };
    const done = work();
    return way === 'stay' ? done : undefined;
  },

  count: (typed: Typing) => countFound(typed, (key) => notes.get(key)),
  isOpen: () => venue !== undefined,
  flush: () => venue!.flush({ timeoutMs: 30_000 }),
  health: () => venue!.health(),
  close: () => venue!.close(),
};

export type VenuePage = typeof page;
Object.assign(globalThis, { tidemarkTest: page });

// A browser without a driver tells its pages by a script what to do (engines/minibrowser.ts).
const remote = /^#remote=(.+)$/.exec(location.hash)?.[1];
if (remote) document.head.append(Object.assign(document.createElement('script'), { src: remote }));
