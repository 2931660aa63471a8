// tidemark log: the commits that a store's logs still have, newest last.

import type { Finding } from '../errors';
import { count, isoTime, type Outcome, table } from '../output';
import type { Progress } from '../progress';
import { checkLog, type PlacedCommit } from '../store/check-log';
import { withStore } from '../store/files';

export async function log(store: string, limit: number, progress: Progress): Promise<Outcome> {
  const { commits, damage } = await readCommits(store, progress);
  const shown = commits.slice(Math.max(0, commits.length - limit)).map(({ line, file, offset, bytes }) => {
    const { time, writer, index, count: entries } = line.payload;
    return { time: isoTime(time), writer, index, entries, bytes, hash: line.hash, signer: line.kid, file, offset };
  });
  const rows = shown.map(({ time, writer, index, entries, bytes, hash }) => [
    time,
    writer,
    String(index),
    count(entries),
    count(bytes),
    hash.slice(0, 12),
  ]);
  const text =
    rows.length === 0 ? 'no commits in the logs' : table(['time', 'writer', 'index', 'entries', 'bytes', 'hash'], rows);
  const damaged =
    damage.length > 0
      ? `${store}: ${damage.length} lines do not verify and are not shown; tidemark verify lists them`
      : undefined;
  return {
    text,
    json: { store, found: commits.length, commits: shown, damage },
    note: damaged,
    exitCode: damage.length > 0 ? 1 : 0,
  };
}

function readCommits(store: string, progress: Progress): Promise<{ commits: PlacedCommit[]; damage: Finding[] }> {
  return withStore(
    store,
    async (files) => {
      progress.begin('reading', files.bytes);
      // A commit whose write failed may stand in two files.
      const commits = new Map<string, PlacedCommit>();
      const damage: Finding[] = [];
      for (const file of files.logs) {
        const check = await checkLog(file, files);
        damage.push(...check.damage);
        for (const commit of check.commits) if (!commits.has(commit.line.hash)) commits.set(commit.line.hash, commit);
      }
      const order = ({ line: { payload: a } }: PlacedCommit, { line: { payload: b } }: PlacedCommit) =>
        a.time - b.time || a.index - b.index;
      return { commits: [...commits.values()].sort(order), damage };
    },
    progress,
  );
}
