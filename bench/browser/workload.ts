// What a workload of the browser bench is: planned and judged outside the page, run in one. Knows no workload.
import type { Lab, Workload as NodeWorkload, Options, Row, Sample } from '../workload';
import type { Contestant, Entry } from './contestant';

/** What a run has of its page. */
export interface Page {
  /** One of its own, or the one that was prepared. */
  readonly database: string;
  /** Records from `from` on, made outside. `round` gives other contents for the same ones. */
  entries(from: number, count: number, round: number): Promise<Entry[]>;
  /** An address that sends what this page has left behind. */
  readonly elsewhere: string;
  /** For a sample that is only there as the page goes. */
  leaveBehind(sample: Sample): void;
}

export interface Workload extends Pick<NodeWorkload, 'name' | 'title' | 'about' | 'columns' | 'judge'> {
  plan(lab: Lab): Promise<readonly Row[]>;
  run(contestant: Contestant, page: Page, options: Options): Promise<Sample>;
}

/** What a page is told. */
export interface Job {
  readonly id: number;
  readonly workload: string;
  readonly contestant: string;
  readonly database: string;
  /** The database is to be kept. */
  readonly keep: boolean;
  readonly options: Options;
}

/** Libraries that a page would use instead. */
export const peers: Readonly<Record<string, string>> = {
  'idb-keyval': 'idb-keyval',
  dexie: 'Dexie',
  localforage: 'localForage',
  tinybase: 'TinyBase, IndexedDB persister',
  yjs: 'Yjs + y-indexeddb',
};
