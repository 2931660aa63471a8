// Verifies one log: every line's digest and every commit's own signature, and that the body holds what the header says. How commits
// hang together is check-chains.ts's.
import { TOMBSTONE } from '../../lattice/joins';
import { decodeBody, decodeEntry } from '../../log/entries';
import { type CommitPayload, type Line, verifyLine } from '../../log/line';
import { nodeCrypto } from '../../platform/node-crypto';
import type { Finding } from '../errors';
import type { LogFile, StoreFiles } from './files';
import { type ReadLine, readLog, refuseNewer } from './lines';

/** A commit whose digest and signature are good. Its body is not kept. */
export interface PlacedCommit {
  readonly line: Line<CommitPayload>;
  readonly file: string;
  readonly generation: number;
  readonly offset: number;
  /** Of its line, "\n" included. */
  readonly bytes: number;
}

export interface LogCheck {
  readonly commits: PlacedCommit[];
  readonly entries: number;
  readonly damage: Finding[];
  /** What a crash, or a write that goes on right now, has left at the end. No damage. */
  readonly unfinished: (Finding & { readonly bytes: number }) | undefined;
}

/**
 * Of the bad lines at the end of a log, the first that a crash explains; their number if none. A killed process leaves a line without its
 * end. One that has it and does not verify can come of a loss of power, as long as LOCK tells of a process that did not close.
 */
export function tornFrom(bad: readonly { readonly ended: boolean }[], lock: StoreFiles['lock']): number {
  const torn = bad.findIndex(({ ended }) => !ended || lock.state === 'ended');
  return torn < 0 ? bad.length : torn;
}

const nothing = new Uint8Array(0);

export async function checkLog(file: LogFile, { folder, lock }: StoreFiles): Promise<LogCheck> {
  const commits: PlacedCommit[] = [];
  const damage: Finding[] = [];
  let entries = 0;
  let bad: ReadLine[] = [];
  const report = (offset: number, what: string) => damage.push({ file: file.name, offset, what });
  for await (const read of readLog(file)) {
    const { line, at, length } = read;
    if (!line) {
      bad.push(read);
      continue;
    }
    for (const { at } of bad) report(at, 'a line does not verify: it is not what was signed, or no line at all');
    bad = [];
    refuseNewer(line, folder);
    const wrong = wrongWith(line, file);
    if (wrong) {
      report(at, wrong);
      continue;
    }
    const commit = line as Line<CommitPayload>;
    const odd = oddIn(commit);
    if (odd) report(at, odd);
    entries += commit.payload.count;
    commits.push({
      line: { ...commit, body: nothing },
      file: file.name,
      generation: file.generation,
      offset: at,
      bytes: length,
    });
  }

  const torn = tornFrom(bad, lock);
  for (const { at } of bad.slice(0, torn))
    report(at, 'the last line does not verify: it is not what was signed, or no line at all');
  const tail = bad[torn];
  if (!tail) return { commits, entries, damage, unfinished: undefined };
  const bytes = file.size - tail.at;
  const live = lock.state === 'alive' || lock.state === 'elsewhere';
  const what = live
    ? `in progress: ${bytes} bytes of a line that is being written`
    : `torn tail: ${bytes} bytes of a line that a crash left unfinished; the next opening keeps them in quarantine`;
  return { commits, entries, damage, unfinished: { file: file.name, offset: tail.at, what, bytes } };
}

function wrongWith(line: Line, file: LogFile): string | undefined {
  const { kind, writer } = line.payload;
  if (!verifyLine(nodeCrypto, line)) return `the signature of a ${kind} by ${writer} does not verify`;
  if (kind !== 'commit') return `a signed line is a ${kind}, not a commit`;
  if (writer !== file.writer) return `a commit of writer ${writer} does not belong into this file`;
  return undefined;
}

/** Signed, and yet not what docs/FORMAT.md says: a mistake of the program that wrote it. */
function oddIn({ payload, body }: Line<CommitPayload>): string | undefined {
  const { index, prev, time, count } = payload;
  const where = `commit ${index} is signed, but`;
  if ((index === 0) !== (prev === null)) return `${where} only the first of a chain may be without a predecessor`;
  try {
    let found = 0;
    for (const group of decodeBody(body)) {
      for (const encoded of group.entries) {
        const { key, stamp, value } = decodeEntry(encoded, time, group.version);
        if (stamp > time)
          return `${where} the ${value === TOMBSTONE ? 'deletion' : 'entry'} of '${key}' is later than the commit`;
        found++;
      }
    }
    return found === count ? undefined : `${where} has ${found} entries instead of ${count}`;
  } catch (error) {
    return `${where} cannot be read: ${(error as Error).message}`;
  }
}
