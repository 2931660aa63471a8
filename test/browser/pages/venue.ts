// A venue in a page, as the tests drive it from outside: opened, typed into, left and looked at.

import { indexeddbBackend } from '../../../backends/indexeddb';
import { type Health, type OpenOptions, openVenue, type Region, type Venue } from '../../../src/browser';
import { dump } from './dump';
import {
  bringBack,
  corrupt,
  cutConnections,
  deleteDatabase,
  dwellOnReading,
  faultyFactory,
  hang,
  holdAndDelete,
  letGo,
  quarantined,
  remember,
} from './faults';
import { countFound, goForGood, leave, notesOf, report, type Typing, type Way } from './typed';
import { liveShortly, type Outcome, type Work } from './work';

let venue: Venue | undefined;
let notes: Region<string>;
let writing: Worker | undefined;
const events: string[] = [];
let checkpoints: Promise<void> | undefined;
const heard = new Map<string, number>();

const now = () => performance.timeOrigin + performance.now();

interface Leaving {
  readonly way: Way;
  /** Where to, if it navigates. */
  readonly url: string;
  /** Some of it is typed while the sweeps run, so that one is under way at the end. */
  readonly spree: boolean;
}

const page = {
  /** @param openMs on a database that can be made to fail, with this time-out for opening it. */
  async open(options: OpenOptions & { store: string; openMs?: number }, forGood = false): Promise<Health> {
    if (forGood) goForGood();
    const { store, openMs } = options;
    // Before the venue's own listeners, which leave nothing unsaved.
    const leaving = ({ type }: Event) => {
      if (type === 'pagehide' || document.visibilityState === 'hidden')
        report(store, { leaving: type, unsaved: venue?.health().unsaved.entries });
    };
    document.addEventListener('visibilitychange', leaving);
    addEventListener('pagehide', leaving);
    const backend = openMs && indexeddbBackend(store, { factory: faultyFactory, openMs });
    venue = await openVenue(backend ? { ...options, store: backend } : options);
    for (const event of ['evicted', 'rolledBack'] as const) venue.on(event, () => events.push(event));
    notes = venue.region<string>('notes');
    notes.subscribe((changes) => {
      for (const { key, origin } of changes) if (origin === 'remote') heard.set(key, now());
    });
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

  /** Writes keys that others write too, many times a second, until it is stopped; also while the tab is hidden. */
  startWriting(seed: number, keys: number): void {
    const shared = venue!.region('shared');
    let state = seed;
    let count = 0;
    // The timers of a worker go on at their pace when those of a hidden page do not.
    const ticking = new Blob(['setInterval(() => postMessage(0), 20)'], { type: 'text/javascript' });
    writing = new Worker(URL.createObjectURL(ticking));
    writing.onmessage = () => {
      for (let n = 0; n < 3; n++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        const key = `key ${(state >>> 8) % keys}`;
        if (state % 16 === 0) shared.delete(key);
        else shared.set(key, { seed, count: ++count });
      }
    };
  },
  stopWriting: () => writing?.terminate(),

  /** Makes so many checkpoints, one after the other, each of something new. */
  startCheckpoints(seed: number, count: number): void {
    checkpoints = (async () => {
      for (let n = 0; n < count; n++) {
        notes.set(`checkpoint ${seed} ${n}`, 'made');
        await venue!.checkpoint();
      }
    })();
  },
  checkpointsMade: () => checkpoints,

  set: (key: string, value: string) => notes.set(key, value),
  get: (key: string) => notes.get(key),
  /** When subscribers heard of each key from another tab, in ms since 1970. */
  heard: () => Object.fromEntries(heard),
  /** Makes a note durable. @returns when that began and when it was done */
  async setAndFlush(key: string): Promise<[began: number, durable: number]> {
    const began = now();
    notes.set(key, 'flushed');
    await venue!.flush({ timeoutMs: 30_000 });
    return [began, now()];
  },
  events: () => events,
  canEval: () => evalWorks,
  usage: () => venue!.usage(),
  persist: () => venue!.persist(),
  databases: async () => (await indexedDB.databases()).map(({ name }) => name!),

  /** Which workers there are in this browser. */
  workers: () => workers.filter((kind) => kind in globalThis || (kind === 'ServiceWorker' && navigator.serviceWorker)),
  /** A short life of a venue in a worker. */
  async inWorker(kind: (typeof workers)[number], work: Work): Promise<Outcome> {
    const { port1, port2 } = new MessageChannel();
    const outcome = new Promise<Outcome>((resolve) => {
      port1.onmessage = ({ data }) => resolve(data);
    });
    (await workerOf(kind)).postMessage(work, [port2]);
    return outcome;
  },
  liveShortly,
  hang,
  cutConnections,
  dwellOnReading,
  holdAndDelete,
  letGo,
  deleteDatabase,
  remember,
  bringBack,
  corrupt,
  quarantined,

  all: (region: string) => Object.fromEntries(venue!.region(region)),
  dump,

  count: (typed: Typing) => countFound(typed, (key) => notes.get(key)),
  isOpen: () => venue !== undefined,
  flush: () => venue!.flush({ timeoutMs: 30_000 }),
  health: () => venue!.health(),
  close: () => venue!.close(),
};

/** As the page found it when it was loaded: what a driver evaluates may be exempt from the page's policy. */
const evalWorks = (() => {
  try {
    return new Function('return true')() as boolean;
  } catch {
    return false;
  }
})();

const workers = ['Worker', 'SharedWorker', 'ServiceWorker'] as const;

async function workerOf(kind: (typeof workers)[number]): Promise<Pick<MessagePort, 'postMessage'>> {
  if (kind === 'Worker') return new Worker('/worker.js');
  if (kind === 'SharedWorker') return new SharedWorker('/worker.js').port;
  await navigator.serviceWorker.register('/worker.js');
  return (await navigator.serviceWorker.ready).active!;
}

addEventListener('securitypolicyviolation', ({ violatedDirective }) => {
  events.push(violatedDirective);
});

export type VenuePage = typeof page;
Object.assign(globalThis, { tidemarkTest: page });

// A browser without a driver tells its pages by a script what to do (engines/minibrowser.ts).
const remote = /^#remote=(.+)$/.exec(location.hash)?.[1];
if (remote) document.head.append(Object.assign(document.createElement('script'), { src: remote }));
