// The physical limits that goals are measured against: a bare Map, an append of bytes that are only encoded and hashed,
// and JSON text parsed into a Map. None of them is a store that one could use.
import { createHash } from 'node:crypto';
import { existsSync, fdatasync, openSync, readFileSync, write } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Contestant, Store } from '../contestant';
import type { Note } from '../data';

const nothing = async (): Promise<void> => {};

const SAVED_AT_ONCE = 10_000;

/**
 * A fresh entry for each write, in a Map. Making it durable only turns entries into text and drops it, so that the caches of a core are as cold
 * afterwards as a program's are that saves what it has.
 */
export const bareMap: Contestant = {
  name: 'map',
  title: 'limit: Map.set of a fresh entry',
  durability: 'memory only',
  readBack: true,
  incremental: true,
  async open() {
    const map = new Map<string, { readonly value: Note; readonly time: number }>();
    let time = 0;
    let saving = map.entries();
    return {
      write(key, note) {
        map.set(key, { value: note, time: time++ });
      },
      read: (key) => map.get(key)?.value,
      each(visit) {
        for (const entry of map.values()) visit(entry.value);
      },
      async durable() {
        const some: unknown[] = [];
        for (let i = 0; i < SAVED_AT_ONCE; i++) {
          const { done, value } = saving.next();
          if (done) {
            saving = map.entries();
            break;
          }
          some.push([value[0], value[1].time, value[1].value]);
        }
        JSON.stringify(some);
      },
      close: () => {},
    };
  },
};

/** Takes writes and forgets them: what the load and the meters cost by themselves. */
export const control: Contestant = {
  name: 'control',
  title: 'control: the load alone',
  durability: 'memory only',
  readBack: false,
  incremental: true,
  open: async () => ({ write() {}, read: () => undefined, each() {}, durable: nothing, close() {} }),
};

/** Appends and syncs without ever blocking the event loop. */
function appender(path: string): (bytes: Uint8Array) => Promise<void> {
  const fd = openSync(path, 'a');
  return (bytes) =>
    new Promise((resolve, reject) => {
      write(fd, bytes, 0, bytes.length, null, (error, written) => {
        if (error !== null || written !== bytes.length) return reject(error ?? new Error('short write'));
        fdatasync(fd, (failure) => (failure === null ? resolve() : reject(failure)));
      });
    });
}

/** Encodes what changed, hashes it, appends it, syncs it: a commit without state, chain or signature. */
export const append: Contestant = {
  name: 'append',
  title: 'limit: encode, hash, append, fdatasync',
  durability: 'yes',
  readBack: false,
  incremental: true,
  async open(folder) {
    const put = appender(join(folder, 'notes.log'));
    const dirty = new Map<string, Note>();
    return {
      write(key, note) {
        dirty.set(key, note);
      },
      read: () => undefined,
      each() {},
      async durable() {
        if (dirty.size === 0) return;
        const body = JSON.stringify([['notes', 1, 'lww', Array.from(dirty, ([key, note]) => [key, -1, note])]]);
        dirty.clear();
        const bytes = Buffer.from(body);
        createHash('sha256').update(bytes).digest();
        await put(bytes);
      },
      close() {},
    };
  },
};

/** Appends the same `size` bytes for each flush and syncs them. */
export const rawAppend = (size: number): Contestant => ({
  ...append,
  name: 'raw',
  title: 'limit: write + fdatasync of as many bytes',
  async open(folder) {
    const put = appender(join(folder, 'raw.log'));
    const bytes = new Uint8Array(size).fill(97);
    return { write() {}, read: () => undefined, each() {}, durable: () => put(bytes), close() {} };
  },
});

function jsonStore(map: Map<string, Note>, save: () => Promise<void>): Store {
  return {
    write(key, note) {
      map.set(key, note);
    },
    read: (key) => map.get(key),
    each(visit) {
      for (const note of map.values()) visit(note);
    },
    durable: save,
    close() {},
  };
}

/** The whole state as one JSON document. */
export const json: Contestant = {
  name: 'json',
  title: 'limit: read + JSON.parse into a Map',
  durability: 'no fsync',
  readBack: true,
  incremental: false,
  async open(folder) {
    const path = join(folder, 'notes.json');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '[]';
    const map = new Map(JSON.parse(text) as [string, Note][]);
    return jsonStore(map, () => writeFile(path, JSON.stringify([...map])));
  },
};

const linesPerDocument = 300;

/** The same state as lines of about 64 KiB, which parse faster than one document. */
export const jsonLines: Contestant = {
  name: 'json-lines',
  title: 'limit: the same, in lines of 64 KiB',
  durability: 'no fsync',
  readBack: true,
  incremental: false,
  async open(folder) {
    const path = join(folder, 'notes.jsonl');
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    const map = new Map<string, Note>();
    for (let from = 0; from < bytes.length; ) {
      const end = bytes.indexOf(10, from);
      for (const [key, note] of JSON.parse(bytes.toString('utf8', from, end)) as [string, Note][]) map.set(key, note);
      from = end + 1;
    }
    return jsonStore(map, async () => {
      const entries = [...map];
      const lines: string[] = [];
      for (let i = 0; i < entries.length; i += linesPerDocument)
        lines.push(`${JSON.stringify(entries.slice(i, i + linesPerDocument))}\n`);
      await writeFile(path, lines.join(''));
    });
  },
};
