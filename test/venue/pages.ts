// What the tests of pages share: venues as tabs open them, on one store in memory and one small synchronous store beside it (as localStorage is),
// under virtual time. Whether what is issued as the page goes away is kept, is the test's choice: engines differ.
import { type MemoryStore, memoryBackend, memoryStore } from '../../backends/memory';
import type { Backend, Bytes } from '../../src/backend';
import { fromHex } from '../../src/base/bytes';
import type { Crypto, SyncStore } from '../../src/base/seams';
import { nodeCrypto } from '../../src/platform/node-crypto';
import { type Going, open, type Platform, type Venue, type VenueOptions } from '../../src/venue';
import { SimClock } from '../simulator/clock';
import { type Logs, rememberingLogger, seed } from './helpers';

/** A SyncStore that can be full. */
export interface Beside extends SyncStore {
  readonly items: Map<string, string>;
  full: boolean;
}

export function besideStore(): Beside {
  const items = new Map<string, string>();
  return {
    items,
    full: false,
    keys: () => [...items.keys()],
    get: (key) => items.get(key),
    set(key, text) {
      if (this.full) throw new DOMException('no room', 'QuotaExceededError');
      items.set(key, text);
    },
    remove: (key) => void items.delete(key),
  };
}

/** One origin: what all its pages share. */
export interface Origin {
  readonly store: MemoryStore;
  readonly beside: Beside;
  readonly clock: SimClock;
}

export const newOrigin = (): Origin => ({ store: memoryStore(), beside: besideStore(), clock: new SimClock() });

/** The browser's side of one tab. */
export interface Tab {
  readonly venue: Venue;
  readonly backend: Backend;
  readonly going: Going;
  readonly logs: Logs;
  /** Calls of the backend that tests ask for. */
  readonly calls: string[];
  /** Dids that it was told to trust. */
  readonly trusted: string[];
  /** What was handed to appendNow and not kept. */
  readonly dropped: Bytes[];
  /** Whether what is issued as the page goes is kept; and whether the database answers. */
  keeps: boolean;
  appends: boolean;
  /** Whether it hears of others. */
  hears: boolean;
  /** The page is gone: nothing runs any more. */
  kill(): void;
}

export async function openTab(
  { store, beside, clock }: Origin,
  options: VenueOptions & {
    seed?: string;
    journalBytes?: number;
    keeps?: boolean;
    appends?: boolean;
    digest?: Crypto['digest'];
    sync?: boolean;
  } = {},
): Promise<Tab> {
  const inner = memoryBackend(store);
  const logs = rememberingLogger();
  const process = clock.process();
  let alive = true;
  let going!: Going;
  const never = new Promise<never>(() => {});
  const state = { keeps: options.keeps ?? true, appends: options.appends ?? true, hears: true };
  const calls: string[] = [];
  const dropped: Bytes[] = [];
  const trusted: string[] = [];
  const backend: Backend = {
    ...inner,
    target: 'page',
    append(commit, at, durability) {
      calls.push(`append ${durability}`);
      return state.appends && alive ? inner.append(commit, at, durability) : never;
    },
    appendNow(commit, at) {
      calls.push('appendNow');
      if (options.sync) return inner.appendNow!(commit, at);
      if (state.keeps) return inner.append(commit, at, 'relaxed');
      dropped.push(commit);
      return state.appends ? Promise.reject(new Error('not kept')) : never;
    },
    onAppend: (listener) => inner.onAppend!((commit) => alive && state.hears && listener(commit)),
    suspend: () => void calls.push('suspend'),
    resume: async () => void calls.push('resume'),
    mend: async () => void calls.push('mend'),
  };
  const platform: Platform = {
    backend,
    clock: process,
    crypto: { ...nodeCrypto, ...(options.digest && { digest: options.digest }) },
    logger: logs,
    freeze: true,
    seed: fromHex(options.seed ?? seed),
    beside,
    ...(options.journalBytes !== undefined && { journalBytes: options.journalBytes }),
    lifecycle: (venue) => {
      going = venue;
      return () => calls.push('forgotten');
    },
    trust: async (did) => void trusted.push(did),
  };
  const venue = await open(options, platform);
  const kill = () => {
    alive = false;
    process.end();
    void inner.close();
  };
  return Object.assign(state, { venue, backend, going, logs, calls, trusted, dropped, kill });
}

/** What is in the journal: lines by key. */
export const journal = ({ beside }: Origin): [key: string, line: string][] =>
  [...beside.items].filter(([key]) => key.startsWith('journal:'));

export const entriesOf = (venue: Venue, region = 'r'): Record<string, unknown> =>
  Object.fromEntries(venue.region(region));
