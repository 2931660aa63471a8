// All contestants by name, each loaded into a page only when it is its turn. A new one is a file in peers/ and a line here.
import type { Contestant } from './contestant';

const all: Record<string, () => Promise<Contestant>> = {
  tidemark: async () => (await import('./tidemark')).tidemark,
  'idb-keyval': async () => (await import('./peers/idb-keyval')).idbKeyval,
  dexie: async () => (await import('./peers/dexie')).dexie,
  localforage: async () => (await import('./peers/localforage')).localForage,
  tinybase: async () => (await import('./peers/tinybase')).tinybase,
  yjs: async () => (await import('./peers/yjs')).yjs,
  control: async () => (await import('./peers/limits')).control,
  'raw-put': async () => (await import('./peers/limits')).rawPut,
  'raw-leave': async () => (await import('./peers/limits')).rawLeave,
  'raw-get': async () => (await import('./peers/limits')).rawGet,
  'raw-parts': async () => (await import('./peers/limits')).rawParts,
  'raw-json': async () => (await import('./peers/limits')).rawJson,
};

export const loadContestant = (name: string): Promise<Contestant> => all[name]!();
