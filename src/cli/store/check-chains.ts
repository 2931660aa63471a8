// Verifies how commits hang together: every link, what is missing between them, and that checkpoints cover what was there. The commits' own
// signatures have been verified before. Pure.
import { type Hole, verifyChains } from '../../log/chain';
import type { CheckpointPayload, Line } from '../../log/line';
import { nodeCrypto } from '../../platform/node-crypto';
import type { Finding } from '../errors';
import type { PlacedCommit } from './check-log';

export interface PlacedCheckpoint {
  readonly line: Line<CheckpointPayload>;
  readonly file: string;
  readonly generation: number;
}

/** @param checkpoints those whose signed line verifies, newest first. @param standing how many there are, verified or not. */
export function checkChains(
  commits: readonly PlacedCommit[],
  checkpoints: readonly PlacedCheckpoint[],
  standing: number,
): Finding[] {
  const oldest = checkpoints.at(-1);
  const covers = oldest?.line.payload.covers ?? {};
  const since = oldest?.generation ?? 0;
  const verify = (placed: readonly PlacedCommit[], from: typeof covers) =>
    verifyChains(
      nodeCrypto,
      placed.map(({ line }) => line),
      from,
    );
  // As recovery reads them: generations are in names only, so an older log that has something uncovered counts, too.
  const isNeeded = ({ generation, line: { payload } }: PlacedCommit) =>
    generation >= since || payload.index > (covers[payload.writer]?.[0] ?? -1);
  const all = verify(commits, {});
  const needed = verify(commits.filter(isNeeded), covers);

  const places = new Map(commits.map((commit) => [commit.line.hash, commit]));
  const at = new Map(
    commits.map((commit) => [placeName(commit.line.payload.writer, commit.line.payload.index), commit]),
  );
  const findings: Finding[] = [];
  for (const { hash, payload } of all.forks) {
    const { file, offset } = places.get(hash)!;
    findings.push({
      file,
      offset,
      what: `commit ${payload.index} of writer ${payload.writer} does not fit the one after it, though both are signed`,
    });
  }
  // What only the older logs lack is needed no more, once two checkpoints stand; and what came before the first log was covered once.
  const lacking = all.holes.filter(({ writer, from, to }) => {
    const next = at.get(placeName(writer, to + 1));
    return (
      oldest && standing < 2 && next !== undefined && next.generation < since && (from > 0 || next.generation === 0)
    );
  });
  for (const hole of [...needed.holes, ...lacking]) findings.push(holeFinding(hole, at, commits, checkpoints));
  for (const checkpoint of checkpoints) findings.push(...coverFindings(checkpoint, at, needed.holes, covers));
  return findings;
}

const placeName = (writer: string, index: number) => `${writer} ${index}`;

function holeFinding(
  { writer, from, to }: Hole,
  at: ReadonlyMap<string, PlacedCommit>,
  commits: readonly PlacedCommit[],
  checkpoints: readonly PlacedCheckpoint[],
): Finding {
  const which =
    from === to ? `commit ${from} of writer ${writer} is` : `commits ${from} to ${to} of writer ${writer} are`;
  const next = at.get(placeName(writer, to + 1));
  if (next) return { file: next.file, offset: next.offset, what: `${which} missing before this one` };
  const witness = commits.find(({ line }) => (line.payload.heads?.[writer] ?? -1) >= to);
  if (witness)
    return { file: witness.file, offset: witness.offset, what: `${which} missing, which this commit has seen` };
  const checkpoint = checkpoints.find(({ line }) => (line.payload.covers[writer]?.[0] ?? -1) >= to);
  return { file: checkpoint?.file ?? `log.*.${writer}`, what: `${which} missing` };
}

/** A checkpoint names the hash of the last commit that it covers, and is one more witness that it was there. */
function* coverFindings(
  { line, file }: PlacedCheckpoint,
  at: ReadonlyMap<string, PlacedCommit>,
  holes: readonly Hole[],
  covered: CheckpointPayload['covers'],
): Generator<Finding> {
  for (const [writer, [index, hash]] of Object.entries(line.payload.covers)) {
    const head = at.get(placeName(writer, index));
    const next = at.get(placeName(writer, index + 1));
    const what = `commit ${index} of writer ${writer} is not the one that ${file} covers`;
    if (head && head.line.hash !== hash) yield { file: head.file, offset: head.offset, what };
    if (next && next.line.payload.prev !== hash)
      yield {
        file: next.file,
        offset: next.offset,
        what: `commit ${index + 1} of writer ${writer} does not follow the one that ${file} covers`,
      };
    const known = holes.some((hole) => hole.writer === writer && hole.from <= index && index <= hole.to);
    if (!head && !known && index > (covered[writer]?.[0] ?? -1) && line.payload.covers !== covered) {
      yield { file, what: `commit ${index} of writer ${writer}, which it covers, is missing` };
    }
  }
}
