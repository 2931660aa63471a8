// All that is in a database, as the files of an fs store with the same content: so the outside reader (test/format) can judge
// it. Reads IndexedDB by itself; knows nothing of the library but the names of its stores.

import { done } from './faults';

const bytesToText = (parts: ArrayBuffer[]): string =>
  new TextDecoder().decode(new Uint8Array(parts.flatMap((part) => [...new Uint8Array(part)])));

/** Content by file name. */
export async function dump(name: string): Promise<Record<string, string>> {
  const database = await done(indexedDB.open(name));
  const transaction = database.transaction(['commits', 'last', 'checkpoint', 'meta']);
  const records = async (store: string) => {
    const from = transaction.objectStore(store);
    const [keys, values] = await Promise.all([done(from.getAllKeys()), done(from.getAll())]);
    return keys.map((key, at) => ({ key: key as (string | number)[], value: values[at] }));
  };
  const [commits, last, parts, meta] = await Promise.all(['commits', 'last', 'checkpoint', 'meta'].map(records));
  database.close();

  const files: Record<string, string> = {};
  let newest = 0;
  for (const { key, value } of meta!) {
    const [what, generation] = key;
    if (what !== 'checkpoint' || typeof value.attempt !== 'string') continue;
    const own = parts!.filter(({ key: [of, attempt] }) => of === generation && attempt === value.attempt);
    files[`checkpoint.${generation}`] = bytesToText(own.map(({ value }) => value));
    newest = Math.max(newest, Number(generation));
  }
  const byCommit = new Map<string, { writer: string; index: number; parts: ArrayBuffer[] }>();
  for (const [place, of] of [commits!, last!].entries()) {
    for (const { key, value } of of) {
      const [writer, index] = key as [string, number];
      const at = `${place} ${writer} ${index}`;
      const commit = byCommit.get(at) ?? { writer, index, parts: [] };
      byCommit.set(at, commit);
      commit.parts.push(value);
    }
  }
  for (const { writer, parts } of [...byCommit.values()].sort((a, b) => a.index - b.index)) {
    const file = `log.${newest}.${writer}`;
    files[file] = (files[file] ?? '') + bytesToText(parts);
  }
  return files;
}
