// tidemark import: sets every entry of an export, in a store that is there or in a new one. Looks at every line before it writes anything.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Bytes } from '../../backend';
import { decodeUtf8 } from '../../base/bytes';
import { linesOf } from '../../engine/reading';
import type { Join } from '../../lattice/joins';
import { fromTagged, textOf } from '../../log/values';
import { openVenue, type Venue } from '../../node';
import { CommandError, type Finding } from '../errors';
import { counted, type Outcome, printable } from '../output';
import type { Progress } from '../progress';
import { exists } from '../store/copy';
import { openToWrite } from '../store/open';
import { readState } from '../store/state';

interface Entry {
  region: string;
  key: string;
  value: unknown;
}

/** What a region is to be opened with. */
interface Kind {
  version: number;
  join: string;
}

/** More than anybody reads; the number of all is said. */
const findingsMax = 20;

export async function importFile(
  file: string,
  store: string,
  trusted: readonly string[],
  progress: Progress,
): Promise<Outcome> {
  const { entries, kinds } = await readEntries(file, progress);
  const isNew = !(await exists(store));
  const known = isNew ? new Map<string, Kind>() : (await readState(store, trusted, progress)).regions;
  for (const [name, { version }] of kinds) {
    const there = known.get(name);
    if (there && there.version !== version) {
      throw new CommandError(
        'bad_option',
        `region '${printable(name)}' of ${store} has schema version ${there.version}, ${file} has ${version}: let the program migrate one of them first`,
      );
    }
  }
  const venue = await openToWrite(store, trusted, progress, true);
  try {
    await write(venue, entries, new Map([...kinds, ...known]));
  } finally {
    await venue.close();
  }
  const text = `${file} -> ${store}: ${counted(entries.length, 'entry', 'entries')} in ${counted(kinds.size, 'region')} set${isNew ? `; the store is new, its key is of ${venue.did}` : ''}`;
  return {
    text,
    json: { file, store, entries: entries.length, regions: [...kinds.keys()].sort(), did: venue.did, created: isNew },
  };
}

async function write(venue: Venue, entries: readonly Entry[], kinds: ReadonlyMap<string, Kind>): Promise<void> {
  const failed = new Promise<never>((_, reject) => venue.on('failure', ({ error }) => reject(error)));
  failed.catch(() => {}); // it may come after the flush
  // A join of the program's own is not known here. While the region is declared it must change nothing, and then what is set counts.
  let setting = false;
  const custom = <T>(held: T, given: T): T => (setting ? given : held);
  const regions = new Map(
    [...new Set(entries.map(({ region }) => region))].map((name) => {
      const { version, join } = kinds.get(name)!;
      return [name, venue.region(name, { version, join: join === 'custom' ? custom : (join as Join) })];
    }),
  );
  setting = true;
  for (const { region, key, value } of entries) regions.get(region)!.set(key, value);
  // A flush that fails is tried again for ever; here somebody waits who wants to know.
  await Promise.race([venue.flush(), failed]);
}

/** @throws CommandError `bad_line`, with the lines that cannot be stored. */
async function readEntries(file: string, progress: Progress): Promise<{ entries: Entry[]; kinds: Map<string, Kind> }> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new CommandError('not_found', `${file}: there is no such file`);
    throw error;
  });
  progress.begin('checking', found.size);
  const entries: Entry[] = [];
  const kinds = new Map<string, Kind>();
  const findings: Finding[] = [];
  let bad = 0;
  let number = 0;
  // Its regions are never stored: whatever it takes, the venue takes.
  const scratch = await openVenue({ store: 'memory', signals: false });
  try {
    for await (const { bytes, at } of linesOf(slabsOf(file))) {
      number++;
      progress.add(bytes.length + 1);
      if (bytes.length === 0) continue;
      try {
        const { entry, kind } = parse(bytes);
        const region = scratch.region(entry.region, { transient: true });
        region.set(entry.key, entry.value);
        region.delete(entry.key);
        const before = kinds.get(entry.region);
        if (before && (before.version !== kind.version || before.join !== kind.join)) {
          throw new TypeError(
            `region '${printable(entry.region)}' has version ${before.version} and join ${before.join} in the lines before, here ${kind.version} and ${kind.join}`,
          );
        }
        kinds.set(entry.region, kind);
        entries.push(entry);
      } catch (error) {
        if (++bad <= findingsMax)
          findings.push({ file, offset: at, what: `line ${number}: ${(error as Error).message}` });
      }
    }
  } finally {
    await scratch.close();
  }
  if (bad > 0)
    throw new CommandError(
      'bad_line',
      `${file}: ${counted(bad, 'line')} cannot be stored; nothing was written`,
      findings,
    );
  return { entries, kinds };
}

async function* slabsOf(file: string): AsyncGenerator<Bytes> {
  for await (const slab of createReadStream(file, { highWaterMark: 1024 * 1024 })) yield new Uint8Array(slab as Buffer);
}

const joins = ['lww', 'max', 'min', 'union', 'custom'];

/** @throws Error for what export would not have written. */
function parse(bytes: Bytes): { entry: Entry; kind: Kind } {
  const line: unknown = JSON.parse(decodeUtf8(bytes));
  if (typeof line !== 'object' || line === null || Array.isArray(line))
    throw new TypeError('is not an object {"region", "key", "value"}');
  const { region, key, value: tagged, version = 1, join = 'lww' } = line as Record<string, unknown>;
  if (typeof region !== 'string' || typeof key !== 'string' || tagged === undefined)
    throw new TypeError('needs "region", "key" and "value"');
  if (!Number.isSafeInteger(version) || (version as number) < 1)
    throw new TypeError('"version" must be a whole number from 1');
  if (!joins.includes(join as string)) throw new TypeError(`"join" must be one of ${joins.join(', ')}`);
  return {
    entry: { region, key, value: untagged(tagged) },
    kind: { version: version as number, join: join as string },
  };
}

function untagged(tagged: unknown): unknown {
  let text: string | undefined;
  let value: unknown;
  try {
    value = fromTagged(tagged);
    text = textOf(value);
  } catch {
    // told below
  }
  // What is read of a date or number that is none, is something else than what was written.
  if (text === undefined || text !== JSON.stringify(tagged))
    throw new TypeError('"value" is not in tagged form (docs/FORMAT.md, "Values")');
  return value;
}
