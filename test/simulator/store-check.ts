// Whether an opening lost bytes: whatever it cut off, moved away or removed has to be in quarantine, unless it was superseded.
// Works on names and bytes alone; knows no venue.
import { parseName } from '../../backends/fs/names';
import type { Bytes } from '../../src/backend';

/** Every file of a disk by its path. */
export type Files = ReadonlyMap<string, Bytes>;

export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/** The files of a store, by their names in it. */
function storeFiles(files: Files, store: string, folder = ''): Map<string, Buffer> {
  const prefix = `${store}/${folder}`;
  const own = [...files].filter(([path]) => path.startsWith(prefix) && !path.slice(prefix.length).includes('/'));
  return new Map(own.map(([path, bytes]) => [path.slice(prefix.length), Buffer.from(bytes)]));
}

/** @param before what was there for good, @param after what is there now. */
export function checkNothingCut(store: string, before: Files, after: Files): void {
  const kept = storeFiles(after, store, 'quarantine/');
  const now = storeFiles(after, store);
  const generations = [...now.keys()].flatMap((name) => {
    const parsed = parseName(name);
    return parsed?.kind === 'checkpoint' ? parsed.generation : [];
  });
  // With the last but one checkpoint standing, nothing older is needed.
  const oldest = generations.sort((a, b) => b - a)[1] ?? 0;
  for (const [name, bytes] of storeFiles(before, store)) {
    const parsed = parseName(name);
    if (!parsed || parsed.kind === 'unfinished' || parsed.generation < oldest) continue;
    const left = now.get(name) ?? Buffer.alloc(0);
    if (!bytes.subarray(0, left.length).equals(left.subarray(0, bytes.length)))
      throw new StoreError(`${name} was changed`);
    if (left.length >= bytes.length) continue;
    // Line by line, as they are kept.
    for (const line of bytes.subarray(left.length).toString('latin1').split('\n')) {
      if (![...kept.values()].some((bytes) => bytes.includes(line, 0, 'latin1'))) {
        throw new StoreError(
          `${line.length} bytes of ${name}, cut to ${left.length} of ${bytes.length}, are not in quarantine`,
        );
      }
    }
  }
}

/** Everything that was put into quarantine and is finished. */
export function quarantineIn(store: string, files: Files): Files {
  return new Map([...files].filter(([path]) => path.startsWith(`${store}/quarantine/`) && !path.endsWith('.tmp')));
}

/** Nothing ever leaves quarantine. */
export function checkQuarantine(before: Files, after: Files): void {
  for (const [path, bytes] of before) {
    if (!Buffer.from(after.get(path) ?? []).equals(bytes)) throw new StoreError(`${path} was taken out of quarantine`);
  }
}
