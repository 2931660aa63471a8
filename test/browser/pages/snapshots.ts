// A page that keeps records as its state is, as the tests drive it from outside: changed, left, and looked at.
import {
  createSnapshotWriter,
  readSnapshot,
  type SnapshotState,
  type SnapshotWriter,
} from '../../../src/snapshots-browser';
import { goForGood, leave, type Way } from './typed';

let writer: SnapshotWriter;
const state = new Map<string, string | Uint8Array>();
/** Long enough to be left before anything is written. */
const never = 2 ** 30;
const connections: IDBDatabase[] = [];
const { open } = indexedDB;
IDBFactory.prototype.open = function (...args: Parameters<typeof open>) {
  const request = open.apply(this, args);
  request.addEventListener('success', () => connections.push(request.result));
  return request;
};

/** A text whose every part tells of the whole: of so many characters, some of them long. */
const textOf = (generation: number, length: number) => `${generation} ${'åß🌊x'.repeat(length / 4)} ${generation}`;

const page = {
  /** @param waits whether requests are only written when something else makes them */
  async open(target: string, waits = false): Promise<void> {
    const delays = waits ? { debounceMs: never, maxWaitMs: never } : {};
    writer = createSnapshotWriter({ target, snapshot: (key) => state.get(key)!, ...delays });
    state.set('first', '');
    await writer.save('the database is open', 'first');
  },
  set(generation: number, length: number, key = ''): void {
    state.set(key, textOf(generation, length));
    writer.request({ reason: `generation ${generation}`, key });
  },
  async setBytes(length: number, key: string): Promise<void> {
    state.set(
      key,
      new Uint8Array(length).map((_, at) => at * 7),
    );
    await writer.save('bytes', key);
  },
  setAndLeave(generation: number, length: number, way: Way, url: string): void {
    goForGood();
    page.set(generation, length);
    setTimeout(() => leave(way, url));
  },
  save: (reason: string) => writer.save(reason),
  state: (): SnapshotState => writer.state(),
  close: () => writer.close(),
  /** The generation of the record, if it is whole: all of its text or its bytes. */
  async found(target: string, key = ''): Promise<number | string> {
    const bytes = await readSnapshot(target, key);
    if (!bytes) return 'nothing';
    if (key === 'bytes') return bytes.every((byte, at) => byte === ((at * 7) & 255)) ? bytes.length : 'not whole';
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const generation = Number.parseInt(text, 10);
    return text === textOf(generation, 4 * [...text].filter((letter) => letter === 'x').length)
      ? generation
      : 'not whole';
  },
  cutConnections(): void {
    for (const connection of connections) connection.close();
  },
  deleteDatabase: (name: string) =>
    new Promise<string>((resolve) => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = () => resolve('deleted');
      request.onblocked = () => resolve('blocked');
    }),
};

export type SnapshotsPage = typeof page;
Object.assign(globalThis, { tidemarkTest: page });

// A browser without a driver tells its pages by a script what to do (engines/minibrowser.ts).
const remote = /^#remote=(.+)$/.exec(location.hash)?.[1];
if (remote) document.head.append(Object.assign(document.createElement('script'), { src: remote }));
