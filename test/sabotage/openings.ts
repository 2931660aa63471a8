// What an opening verifies, keeps and reports, each left out once.
import { inFile, mutated, one, recovery, refusals, type Sabotage } from './sabotage';

const recover = 'src/engine/recovery.ts';
const reading = 'src/engine/reading.ts';

export const openings: readonly Sabotage[] = [
  one(
    'no signature is verified',
    'src/log/line.ts',
    '  const dot = line.jws.lastIndexOf',
    '  if (line) return true;\n  const dot = line.jws.lastIndexOf',
    mutated('line 2, signature'),
  ),
  one(
    'the digest of a commit is not verified',
    'src/log/line.ts',
    ' || payload.digest !== toBase64url(digest ?? crypto.sha256(body))',
    '',
    mutated('line 2, body'),
  ),
  one(
    'digests of chunks are not verified',
    reading,
    'const chunks = regions.map(({ chunks: metas }) => metas.map(({ digest }) => byDigest.get(digest)));',
    'const lines = [...byDigest.values()];\n  const chunks = regions.map(({ chunks: metas }) => metas.map(() => lines.shift()));',
    mutated('checkpoint.2 chunk'),
  ),
  one(
    'the link of a chain is not verified',
    'src/log/chain.ts',
    '!(follows && next!.payload.prev === line.hash)',
    '!follows',
    mutated('line 2, signature'),
  ),
  one(
    'commits of another venue are joined',
    recover,
    'line.payload.venue === venue',
    'line',
    mutated('our key and another venue'),
  ),
  one(
    'what is signed by anybody is joined',
    recover,
    '    commits.filter((line) => known.has(line.kid)),\n',
    '    commits,\n',
    refusals,
  ),
  one(
    'a newer format is read as if it were this one',
    recover,
    '  if (!newer) return;\n',
    '  if (newer !== null) return;\n',
    refusals,
  ),
  one(
    'a torn tail is cut and not kept',
    recover,
    '    const torn = at > lastGood;\n',
    '    const torn = at > lastGood;\n    if (torn) keep = Math.min(keep, at);\n    if (torn) continue;\n',
    recovery,
  ),
  one(
    'a torn tail is cut before it is kept',
    recover,
    '    const torn = at > lastGood;\n',
    '    const torn = at > lastGood;\n    if (torn) await log.cut(at);\n',
    recovery,
  ),
  one(
    'damage is taken for a torn tail',
    recover,
    '    const torn = at > lastGood;\n',
    '    const torn = true;\n',
    recovery,
  ),
  one('holes are not reported', recover, '  report.holes = chains.holes;\n', '', mutated('line 2, body')),
  one(
    'a log under the wrong generation is not read',
    recover,
    '    return isOld || isCovered(',
    '    return true || isCovered(',
    mutated('renamed to'),
  ),
  one(
    'an opening stops at the first bad line',
    reading,
    '    else read.bad.push({ bytes: ended ? concatBytes([bytes, newline]) : bytes, at });\n',
    '    else {\n      read.bad.push({ bytes: ended ? concatBytes([bytes, newline]) : bytes, at });\n      return read;\n    }\n',
    mutated('line 2, body'),
  ),
  one(
    'quarantine is not synced',
    'backends/fs/files.ts',
    '      await writeAll(disk, file, bytes);\n      await disk.fsync(file);\n',
    '      await writeAll(disk, file, bytes);\n',
    inFile('test/backends/fs-failures.test.ts'),
  ),
];
