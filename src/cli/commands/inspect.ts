// tidemark inspect: the regions of a store, the entries of a region, or one entry and where it stands.
import { TOMBSTONE } from '../../lattice/joins';
import { toTagged } from '../../log/values';
import { CommandError } from '../errors';
import { count, facts, isoTime, type Outcome, printable, shortValue, size, table, wholeValue } from '../output';
import type { Progress } from '../progress';
import { withStore } from '../store/files';
import { readLog } from '../store/lines';
import { type RegionView, readState, type State, type ViewedEntry } from '../store/state';
import { damageNote } from './damage';

export interface InspectOptions {
  region?: string | undefined;
  key?: string | undefined;
  prefix?: string | undefined;
  /** Entries shown of a region. */
  limit: number;
}

export async function inspect(
  store: string,
  trusted: readonly string[],
  options: InspectOptions,
  progress: Progress,
): Promise<Outcome> {
  const state = await readState(store, trusted, progress);
  const { damage } = state.report;
  const outcome = await show(store, state, options);
  const json = { store, ...outcome.json, ...(damage.length > 0 && { damage }) };
  return { ...outcome, json, note: damageNote(store, damage), exitCode: damage.length > 0 ? 1 : 0 };
}

interface Shown {
  text: string;
  json: object;
}

async function show(store: string, state: State, { region: name, key, prefix, limit }: InspectOptions): Promise<Shown> {
  if (name === undefined) return showRegions(store, state);
  const region = state.regions.get(name);
  if (!region) {
    const known = [...state.regions.keys()].sort().map((one) => `'${printable(one)}'`);
    throw new CommandError(
      'not_found',
      `${store} has no region '${printable(name)}'${known.length > 0 ? `; it has ${known.slice(0, 20).join(', ')}` : ''}`,
    );
  }
  return key === undefined ? showEntries(region, prefix, limit) : showEntry(store, region, key);
}

function showRegions(store: string, { regions }: State): Shown {
  const rows = [...regions.values()]
    .map((region) => ({
      name: region.name,
      entries: region.live,
      bytes: region.bytes,
      join: region.join,
      version: region.version,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const text = table(
    ['region', 'entries', 'bytes', 'join', 'version'],
    rows.map(({ name, entries, bytes, join, version }) => [name, count(entries), size(bytes), join, String(version)]),
  );
  return { text: rows.length === 0 ? `${store} has no regions` : text, json: { regions: rows } };
}

function showEntries(region: RegionView, prefix: string | undefined, limit: number): Shown {
  const shown: ViewedEntry[] = [];
  let found = 0;
  for (const entry of region.entries(prefix)) if (++found <= limit) shown.push(entry);
  const rows = shown.map(({ key, value, stamp }) => [key, isoTime(stamp), shortValue(value)]);
  const rest = found > limit ? `\n${count(found - limit)} more: --all, --limit <n> or --prefix <text>` : '';
  const text = found === 0 ? 'no entries' : table(['key', 'time', 'value'], rows) + rest;
  const json = shown.map(({ key, value, stamp, version }) => ({
    key,
    value: toTagged(value),
    stamp,
    time: isoTime(stamp),
    version,
  }));
  return { text, json: { region: region.name, found, entries: json } };
}

async function showEntry(store: string, region: RegionView, key: string): Promise<Shown> {
  const entry = region.find(key);
  const name = `region '${printable(region.name)}', key '${printable(key)}'`;
  if (!entry) throw new CommandError('not_found', `${store}: ${name}: there is no such entry`);
  const { value, stamp, version } = entry;
  if (value === TOMBSTONE) throw new CommandError('not_found', `${store}: ${name}: was deleted at ${isoTime(stamp)}`);
  const stands = await placeOf(store, entry);
  const text = facts([
    ['region', region.name],
    ['key', key],
    ['time', isoTime(stamp)],
    ['stamp', String(stamp)],
    ['version', version === region.version ? undefined : String(version)],
    [
      'stands in',
      `${stands.file}, byte ${stands.offset}${'writer' in stands ? `: commit ${stands.index} of writer ${stands.writer}` : ''}`,
    ],
  ]);
  const json = { region: region.name, key, value: toTagged(value), stamp, time: isoTime(stamp), version, stands };
  return { text: `${text}\n\n${wholeValue(value)}`, json };
}

/** The line that holds an entry. */
async function placeOf(store: string, { from }: ViewedEntry) {
  if ('checkpoint' in from) return { file: from.checkpoint, offset: from.offset };
  const { hash, payload } = from.commit;
  const { writer, index } = payload;
  return withStore(store, async ({ logs }) => {
    for (const log of logs) {
      if (log.writer !== writer) continue;
      for await (const { line, at } of readLog(log))
        if (line?.hash === hash) return { file: log.name, offset: at, writer, index };
    }
    // A checkpoint has taken it over since.
    return { file: `log.*.${writer}`, offset: 0, writer, index };
  });
}
