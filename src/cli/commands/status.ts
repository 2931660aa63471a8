// tidemark status: what a store is, who has it open, what is in it, and what an opening would find.
import type { CommitLine } from '../../log/chain';
import { formatVersion } from '../../log/line';
import { count, counted, facts, isoTime, type Outcome, size } from '../output';
import type { Progress } from '../progress';
import { type StoreFiles, totalOf } from '../store/files';
import type { KeyFile } from '../store/key';
import { readState, type State } from '../store/state';
import { damageTable } from './damage';

export async function status(store: string, trusted: readonly string[], progress: Progress): Promise<Outcome> {
  const state = await readState(store, trusted, progress);
  const { files, key, report, venue, commits } = state;
  const regions = [...state.regions.values()].map((region) => ({ name: region.name, entries: region.live }));
  const entries = regions.reduce((sum, region) => sum + region.entries, 0);
  const { seed: _, ...keyFile } = key;
  const json = {
    store,
    status: report.damage.length > 0 ? 'degraded' : files.bytes === 0 ? 'empty' : 'ok',
    format: formatVersion,
    venue: venue ?? null,
    did: state.did ?? null,
    key: { ...keyFile, matches: matches(state) },
    lock: files.lock,
    bytes: files.bytes,
    checkpoints: files.checkpoints.map(({ name, generation, size: bytes }) => ({ name, generation, bytes })),
    logs: files.logs.map(({ name, generation, writer, size: bytes }) => ({ name, generation, writer, bytes })),
    blobs: totalOf(files.blobs),
    quarantine: files.quarantine,
    regions: regions.sort((a, b) => (a.name < b.name ? -1 : 1)),
    entries,
    lastCommit: lastCommit(commits) ?? null,
    recovery: report,
  };
  return { text: textOf(store, state, json.status, entries), json, exitCode: report.damage.length > 0 ? 1 : 0 };
}

const matches = ({ key, did }: State): boolean | null =>
  key.did === undefined || did === undefined ? null : key.did === did;

function lastCommit(commits: readonly CommitLine[]) {
  const last = commits.at(-1);
  if (!last) return undefined;
  const { writer, index, time } = last.payload;
  return { time: isoTime(time), writer, index, hash: last.hash };
}

function textOf(store: string, state: State, word: string, entries: number): string {
  const { files, key, report, venue, commits, regions, did } = state;
  const last = lastCommit(commits);
  const checkpoints = files.checkpoints
    .map(({ generation, size: bytes }) => `${generation} (${size(bytes)})`)
    .join(', ');
  const blobs = totalOf(files.blobs);
  const live = files.lock.state === 'alive' || files.lock.state === 'elsewhere';
  const torn = live
    ? `${report.tornBytes} bytes are being written`
    : `a torn tail of ${report.tornBytes} bytes, which is normal after a crash`;
  const parts = [
    facts([
      ['store', store],
      ['status', word],
      ['lock', lockText(files.lock)],
      ['venue', venue ?? 'none yet'],
      ['signed by', did ?? 'nobody yet'],
      ['key file', keyText(key, matches(state) ?? true)],
      ['entries', `${count(entries)} in ${counted(regions.size, 'region')}`],
      ['checkpoint', checkpoints || 'none'],
      [
        'logs',
        `${size(totalOf(files.logs).bytes)} in ${counted(files.logs.length, 'file')}, ${counted(commits.length, 'commit')} not in the checkpoint`,
      ],
      ['last commit', last && `${last.time} by writer ${last.writer}, index ${last.index}`],
      ['unfinished', report.tornBytes > 0 ? torn : undefined],
      ['blobs', blobs.files > 0 ? `${counted(blobs.files, 'file')}, ${size(blobs.bytes)}` : undefined],
      [
        'quarantine',
        files.quarantine.files > 0
          ? `${counted(files.quarantine.files, 'file')}, ${size(files.quarantine.bytes)}`
          : undefined,
      ],
    ]),
  ];
  if (report.damage.length > 0)
    parts.push(`An opening would find damage (all of it: tidemark verify):\n${damageTable(report.damage)}`);
  return parts.join('\n\n');
}

export function lockText({ state, pid, host, since }: StoreFiles['lock']): string {
  const who = `process ${pid} on ${host}${since ? ` since ${since}` : ''}`;
  switch (state) {
    case 'free':
      return 'not in use';
    case 'alive':
      return `in use by ${who}`;
    case 'elsewhere':
      return `in use by ${who}, as far as can be told from here`;
    case 'ended':
      return `left by ${who}, which has ended without closing; the next opening takes it over`;
    case 'unreadable':
      return 'unreadable; the next opening takes it over';
  }
}

export function keyText({ path, state, did, warning }: Omit<KeyFile, 'seed'>, isOurs: boolean): string {
  if (state === 'missing') return `${path} is not there (to read a store it is not needed)`;
  if (state === 'unusable') return `unusable: ${warning}`;
  return isOurs ? `${path}${warning ? `, but ${warning}` : ''}` : `${path} is another one, of ${did}`;
}
