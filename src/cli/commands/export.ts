// tidemark export: every entry as one line of JSON, for other tools and for import.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { removeQuietly, using, writeAll } from '../../../backends/fs/files';
import { nodeDisk } from '../../../backends/fs/node-disk';
import { encodeUtf8 } from '../../base/bytes';
import { toTagged } from '../../log/values';
import { CommandError } from '../errors';
import { counted, type Outcome, printable, size } from '../output';
import type { Progress } from '../progress';
import { type RegionView, readState } from '../store/state';
import { damageNote } from './damage';

/** A line of an export. */
export interface ExportedEntry {
  region: string;
  key: string;
  /** In tagged form, docs/FORMAT.md "Values". */
  value: unknown;
  stamp: number;
  /** Schema version of the value, where it is not 1. */
  version?: number;
  /** Join of the region, where it is not lww. */
  join?: string;
}

/** One write for many lines. */
const batchCharacters = 64 * 1024;

export interface ExportOptions {
  region?: string | undefined;
  out?: string | undefined;
}

/** @param stdout where the lines go without `out`; nothing else is said there then. */
export async function exportStore(
  store: string,
  trusted: readonly string[],
  { region: only, out }: ExportOptions,
  stdout: Writable,
  progress: Progress,
): Promise<Outcome> {
  const { regions, report } = await readState(store, trusted, progress);
  if (only !== undefined && !regions.has(only))
    throw new CommandError('not_found', `${store} has no region '${printable(only)}'`);
  const chosen = [...regions.values()].filter(({ name }) => only === undefined || name === only);
  chosen.sort((a, b) => (a.name < b.name ? -1 : 1));
  progress.begin(
    'exporting',
    chosen.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  let [entries, bytes] = [0, 0];
  const batches = function* () {
    for (const { text, lines } of batchesOf(chosen)) {
      const encoded = encodeUtf8(text);
      entries += lines;
      bytes += encoded.length;
      progress.add(encoded.length);
      yield encoded;
    }
  };
  if (out === undefined) for (const batch of batches()) stdout.write(batch) || (await once(stdout, 'drain'));
  else await writeFile(out, batches());
  const { damage } = report;
  return {
    text: out === undefined ? '' : `${store} -> ${out}: ${counted(entries, 'entry', 'entries')}, ${size(bytes)}`,
    json: out === undefined ? undefined : { store, out, entries, bytes, ...(damage.length > 0 && { damage }) },
    note: damageNote(store, damage),
    exitCode: damage.length > 0 ? 1 : 0,
  };
}

function* batchesOf(regions: readonly RegionView[]): Generator<{ text: string; lines: number }> {
  let [text, lines] = ['', 0];
  for (const region of regions) {
    for (const { key, value, stamp, version } of region.entries()) {
      const line: ExportedEntry = { region: region.name, key, value: toTagged(value), stamp };
      if (version !== 1) line.version = version;
      if (region.join !== 'lww') line.join = region.join;
      text += `${JSON.stringify(line)}\n`;
      lines++;
      if (text.length < batchCharacters) continue;
      yield { text, lines };
      [text, lines] = ['', 0];
    }
  }
  if (lines > 0) yield { text, lines };
}

/** Whole or not at all. */
async function writeFile(out: string, batches: Iterable<Uint8Array<ArrayBuffer>>): Promise<void> {
  const path = resolve(out);
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await using(nodeDisk, temporary, 'wx', async (file) => {
      for (const batch of batches) await writeAll(nodeDisk, file, batch);
      await nodeDisk.fsync(file);
    });
    await rename(temporary, path);
    await nodeDisk.syncFolder(dirname(path));
  } catch (error) {
    await removeQuietly(nodeDisk, temporary);
    throw error;
  }
}
