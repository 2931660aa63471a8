// What the tests of the face share: venues on stores in memory under virtual time, a backend that can be made to misbehave,
// a logger that remembers. Knows the public face only.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type MemoryStore, memoryBackend, memoryStore } from '../../backends/memory';
import type { Backend, Bytes, CommitId, Durability } from '../../src/backend';
import { type OpenOptions, openVenue, type Venue } from '../../src/node';
import { SimClock } from '../simulator/clock';

export const seed = '11'.repeat(32);
export const otherSeed = '22'.repeat(32);

/** A fresh folder for each test. @returns a path in it. */
export function useFolder(): (...names: string[]) => string {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  return (...names) => join(folder, ...names);
}

export interface Logs {
  readonly infos: string[];
  readonly warnings: string[];
  readonly errors: string[];
  info(message: string): void;
  warn(message: string): void;
  error(message: string, detail?: unknown): void;
}

export function rememberingLogger(): Logs {
  const logs = { infos: [] as string[], warnings: [] as string[], errors: [] as string[] };
  return {
    ...logs,
    info: (message) => logs.infos.push(message),
    warn: (message) => logs.warnings.push(message),
    error: (message, detail) => logs.errors.push(detail instanceof Error ? `${message}: ${detail.message}` : message),
  };
}

/** One append as a backend was asked for it. */
export interface Append {
  readonly line: string;
  readonly at: CommitId;
  readonly durability: Durability;
}

/** A backend between a venue and another backend, which a test can make fail, wait or forget. */
export interface Unruly extends Backend {
  readonly appends: Append[];
  /** Every call, by name. */
  readonly calls: string[];
  /** Takes the place of a method; `pass` is what it would have done. */
  instead: {
    [K in 'open' | 'append' | 'checkpoint' | 'quarantine' | 'usage' | 'close']?: (
      pass: () => Promise<never>,
      call: Append,
    ) => Promise<unknown>;
  };
  /** Runs between the pieces of a checkpoint. */
  betweenPieces: (() => void | Promise<void>) | undefined;
  /** Commits of other writers that are held back, while this is an array. */
  unheard: Bytes[] | undefined;
  /** Lets the venue hear a commit. */
  hear(commit: Bytes): void;
}

export function unruly(inner: Backend): Unruly {
  const decode = (bytes: Bytes) => new TextDecoder().decode(bytes);
  const nothing: Append = { line: '', at: { writer: '', index: 0, hash: '' }, durability: 'strict' };
  const via = async <T>(name: keyof Unruly['instead'], pass: () => Promise<T>, call = nothing): Promise<T> => {
    backend.calls.push(name);
    const instead = backend.instead[name];
    return instead ? ((await instead(pass as () => Promise<never>, call)) as T) : pass();
  };
  async function* slowly(lines: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
    for await (const piece of lines) {
      await backend.betweenPieces?.();
      yield piece;
    }
  }
  let heard: ((commit: Bytes) => void) | undefined;
  const backend: Unruly = {
    appends: [],
    calls: [],
    instead: {},
    betweenPieces: undefined,
    unheard: undefined,
    hear: (commit) => heard?.(commit),
    target: 'unruly',
    exclusive: inner.exclusive,
    open: (venue) => via('open', () => inner.open(venue)),
    append(commit, at, durability) {
      const call = { line: decode(commit), at, durability };
      backend.appends.push(call);
      return via('append', () => inner.append(commit, at, durability), call);
    },
    checkpoint: (lines, covers, replaces) => via('checkpoint', () => inner.checkpoint(slowly(lines), covers, replaces)),
    quarantine: (bytes, why) => via('quarantine', () => inner.quarantine(bytes, why)),
    ...(inner.blobs && { blobs: { ...inner.blobs } }),
    usage: () => via('usage', () => inner.usage()),
    close: () => via('close', () => inner.close()),
    onAppend(listener) {
      heard = listener;
      return (
        inner.onAppend?.((commit) => (commit && backend.unheard ? backend.unheard.push(commit) : listener(commit))) ??
        (() => {})
      );
    },
  };
  return backend;
}

/** A promise, and what settles it. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

export const diskError = (code: string): Error => Object.assign(new Error(`${code}: the disk says no`), { code });

/** A venue under virtual time on a store in memory, and everything around it. */
export interface Opened {
  readonly venue: Venue;
  readonly clock: SimClock;
  readonly backend: Unruly;
  readonly logs: Logs;
  readonly store: MemoryStore;
  /** Ends it as a killed process ends: nothing more is written. */
  kill(): void;
}

export interface World {
  store?: MemoryStore;
  clock?: SimClock;
  /** Tells the backend to say that nobody else can have the store open. */
  exclusive?: boolean;
}

export async function openIn(world: World = {}, options: OpenOptions = {}): Promise<Opened> {
  const { store = memoryStore(), clock = new SimClock(), exclusive = false } = world;
  const backend = unruly(Object.assign(memoryBackend(store), { exclusive }));
  const logs = rememberingLogger();
  const process = clock.process();
  const venue = await openVenue({ store: backend, seed, clock: process, logger: logs, signals: false, ...options });
  const kill = () => {
    process.end();
    backend.instead.append = backend.instead.checkpoint = backend.betweenPieces = () => new Promise(() => {});
    void backend.close();
  };
  return { venue, clock, backend, logs, store, kill };
}

/** Lets everything that can go on go on; no time passes. */
export async function settle(turns = 5): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}
