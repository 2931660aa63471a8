// Verifies all that a store keeps, not only what the next opening would read: every checkpoint with every chunk, every commit with its
// own signature, the chains, every blob, the key file, LOCK. Changes nothing, and needs no key.
import { blobsName } from '../../../backends/fs/names';
import { toHex } from '../../base/bytes';
import { nodeCrypto } from '../../platform/node-crypto';
import type { Finding } from '../errors';
import type { Progress } from '../progress';
import { checkChains, type PlacedCheckpoint } from './check-chains';
import { checkCheckpoint } from './check-checkpoint';
import { checkLog, type PlacedCommit } from './check-log';
import { type BlobFile, type StoreFiles, withStore } from './files';
import { type KeyFile, readKeyFile } from './key';

export interface Verification {
  readonly damage: readonly Finding[];
  /** What is worth knowing and no damage. */
  readonly warnings: readonly Finding[];
  readonly venue: string | undefined;
  /** Whose signatures are expected: the key file's did, or whoever signed the newest checkpoint or else most lines; and those trusted. */
  readonly expected: readonly string[];
  /** Everybody who signed something, and how many lines. */
  readonly signers: ReadonlyMap<string, number>;
  readonly checked: {
    checkpoints: number;
    chunks: number;
    logs: number;
    commits: number;
    entries: number;
    blobs: number;
    bytes: number;
  };
  /** Bytes at the ends of logs that are no whole line yet, or for ever. */
  readonly unfinishedBytes: number;
  readonly lock: StoreFiles['lock'];
  readonly key: Omit<KeyFile, 'seed'>;
}

/** @throws CommandError `not_found`, TidemarkError `newer_format` */
export function verifyStore(path: string, trusted: readonly string[], progress?: Progress): Promise<Verification> {
  return withStore(
    path,
    (files) => {
      progress?.begin('verifying', files.bytes);
      return verifyFiles(files, trusted);
    },
    progress,
  );
}

async function verifyFiles(files: StoreFiles, trusted: readonly string[]): Promise<Verification> {
  const damage: Finding[] = [];
  const warnings: Finding[] = [];
  const checkpoints: PlacedCheckpoint[] = [];
  const commits: PlacedCommit[] = [];
  const checked = {
    checkpoints: files.checkpoints.length,
    chunks: 0,
    logs: files.logs.length,
    commits: 0,
    entries: 0,
    blobs: files.blobs.length,
    bytes: files.bytes,
  };
  let unfinishedBytes = 0;
  for (const file of files.checkpoints) {
    const check = await readable(file.name, damage, () => checkCheckpoint(file, files));
    if (!check) continue;
    damage.push(...check.damage);
    checked.chunks += check.chunks;
    checked.entries += check.entries;
    if (check.line) checkpoints.push({ line: check.line, file: file.name, generation: file.generation });
  }
  for (const file of files.logs) {
    const check = await readable(file.name, damage, () => checkLog(file, files));
    if (!check) continue;
    damage.push(...check.damage);
    checked.entries += check.entries;
    commits.push(...check.commits);
    if (!check.unfinished) continue;
    const { bytes, ...finding } = check.unfinished;
    unfinishedBytes += bytes;
    warnings.push(finding);
  }
  checked.commits = commits.length;
  for (const file of files.blobs) {
    const name = `${blobsName}/${file.name}`;
    const hash = await readable(name, damage, () => hashOf(file));
    if (hash !== undefined && hash !== file.name) damage.push({ file: name, what: 'its bytes do not have its hash' });
  }

  const signed = [...checkpoints, ...commits];
  const venue = checkpoints[0]?.line.payload.venue ?? mostCommon(signed.map(({ line }) => line.payload.venue));
  const ofVenue = signed.filter((place) => {
    if (place.line.payload.venue === venue) return true;
    damage.push(finding(place, `a ${place.line.payload.kind} of another venue, ${place.line.payload.venue}`));
    return false;
  });
  const { seed: _, ...key } = await readKeyFile(files.folder);
  const signers = new Map<string, number>();
  for (const { line } of signed) signers.set(line.kid, (signers.get(line.kid) ?? 0) + 1);
  const main = checkpoints[0]?.line.kid ?? mostCommon(signed.map(({ line }) => line.kid));
  const isOurKey = key.did !== undefined && (signers.has(key.did) || main === undefined);
  if (key.state === 'unusable') damage.push({ file: key.path, what: key.warning! });
  else if (key.warning) warnings.push({ file: key.path, what: key.warning });
  if (key.did !== undefined && !isOurKey && !trusted.includes(main!)) {
    damage.push({ file: key.path, what: `is the key of ${key.did}; the store is signed by ${main}` });
  }
  const owner = isOurKey ? key.did : main;
  const expected = [...new Set([...(owner === undefined ? [] : [owner]), ...trusted])];
  for (const place of ofVenue) {
    if (!expected.includes(place.line.kid))
      damage.push(finding(place, `signed by ${place.line.kid}, who is not trusted (--trust)`));
  }
  const ours = (place: { line: { payload: { venue: string } } }) => place.line.payload.venue === venue;
  damage.push(...checkChains(commits.filter(ours), checkpoints.filter(ours), files.checkpoints.length));
  if (files.lock.state === 'unreadable')
    damage.push({ file: 'LOCK', offset: 0, what: 'names nobody; the next opening takes it over' });
  return { damage, warnings, venue, expected, signers, checked, unfinishedBytes, lock: files.lock, key };
}

async function hashOf(file: BlobFile): Promise<string> {
  const hasher = nodeCrypto.hasher();
  for await (const slab of file.stream()) hasher.update(slab);
  return toHex(hasher.digest());
}

const finding = (place: PlacedCommit | PlacedCheckpoint, what: string): Finding => ({
  file: place.file,
  ...('offset' in place && { offset: place.offset }),
  what,
});

/** A file that cannot be read is one more finding, not the end. */
async function readable<T>(file: string, damage: Finding[], check: () => Promise<T>): Promise<T | undefined> {
  try {
    return await check();
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'io') throw error;
    damage.push({ file, what: (error as Error).message });
    return undefined;
  }
}

function mostCommon(names: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([, m], [, n]) => n - m)[0]?.[0];
}
