// What a web page pays in bytes for the same use of each library. Made outside the page.
import type { Row, Sample } from '../../workload';
import { bundledBytes } from '../bundles';
import type { Workload } from '../workload';
import { peers } from '../workload';

const KB = 1024;
const KB_MAX = 22;
const own = `export { openVenue } from '../../src/browser'`;

const codes: Record<string, readonly [code: string, external?: RegExp[]]> = {
  tidemark: [own],
  'tidemark-alone': [own, [/^@noble\//, /^idb$/]],
  'idb-keyval': [`export { createStore, get, set, setMany, entries } from 'idb-keyval'`],
  dexie: [`export { default } from 'dexie'`],
  localforage: [`export { default } from 'localforage'`],
  tinybase: [
    `export { createStore } from 'tinybase'; export { createIndexedDbPersister } from 'tinybase/persisters/persister-indexed-db'`,
  ],
  yjs: [`export { Doc } from 'yjs'; export { IndexeddbPersistence } from 'y-indexeddb'`],
};

export const size: Omit<Workload, 'run'> & { weigh(contestant: string): Promise<Sample> } = {
  name: 'size',
  title: 'Bundle for a page, minified and gzipped',
  about: 'Each with its IndexedDB part and nothing that the same use does not need, as rolldown shakes it out.',
  columns: [{ metric: 'kb', title: 'KB', digits: 1 }],
  async plan() {
    const row = (name: string, contestant: string): Row => ({ name, contestant, rounds: 1, options: {} });
    return [
      row('Tidemark', 'tidemark'),
      row('Tidemark without noble and idb', 'tidemark-alone'),
      ...Object.entries(peers).map(([name, title]) => row(title, name)),
    ];
  },
  async weigh(contestant) {
    const [code, external] = codes[contestant]!;
    return { kb: (await bundledBytes(code, external)) / KB };
  },
  judge(results) {
    const kb = results.median('Tidemark', 'kb');
    return [
      {
        work: 'bundle: openVenue with IndexedDB, minified and gzipped',
        goal: `at most ${KB_MAX} KB`,
        measured: `${kb.toFixed(1)} KB`,
        reached: kb <= KB_MAX,
        by: `${(kb - KB_MAX).toFixed(1)} KB`,
      },
    ];
  },
};
