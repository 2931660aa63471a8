// tidemark diagnostics: one packet about a store, to be handed to somebody else: its files, what an opening would find, what verify finds. No values, no
// keys of entries, no messages and no folders but the path that was given. Only looks; a store that is too damaged for one part still has the others.
import { statfs, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { basename, resolve } from 'node:path';
import { formatVersion } from '../../log/line';
import { withoutHomes } from '../../services/health/diagnostics';
import { runtimeFacts } from '../../services/health/platform';
import { plainCode, plainRecovery, plainText } from '../../services/health/redacted';
import { libraryVersion } from '../../services/health/version';
import { type Finding, reportOf } from '../errors';
import { type Outcome, size } from '../output';
import type { Progress } from '../progress';
import { type StoreFiles, totalOf, withStore } from '../store/files';
import { readState } from '../store/state';
import { type Verification, verifyStore } from '../store/verify';

/** Of findings, so many are in the packet: a store in ruins has one for each of its lines. */
const findingsMax = 100;

export async function diagnostics(
  store: string,
  trusted: readonly string[],
  { out }: { out?: string | undefined },
  progress: Progress,
): Promise<Outcome> {
  const files = await withStore(store, async (listed) => listed);
  const recovery = await part(async () => {
    const { report, regions, commits, key, did } = await readState(store, trusted, progress);
    return {
      ...plainRecovery(report),
      regions: [...regions.values()].map(({ name, live }) => ({ name, entries: live })),
      commitsAfterCheckpoint: commits.length,
      key: { state: key.state, matches: key.did === undefined || did === undefined ? null : key.did === did },
    };
  });
  const verify = await part(async () => summaryOf(await verifyStore(store, trusted, progress)));
  const packet = {
    store,
    ...withoutHomes({
      madeAt: new Date().toISOString(),
      versions: { tidemark: libraryVersion, format: formatVersion },
      platform: { ...runtimeFacts(), release: release(), disk: await part(() => diskOf(files.folder)) },
      listing: listingOf(files),
      recovery,
      verify,
    }),
  };
  const json = JSON.stringify(packet, null, 2).replace(steering, escaped);
  if (out !== undefined) await writeFile(resolve(out), `${json}\n`);
  const isGood = 'ok' in verify && verify.ok && !('error' in recovery) && recovery.damage.length === 0;
  return {
    text: out === undefined ? json : `${store} -> ${out}: ${size(json.length + 1)}`,
    json: out === undefined ? packet : { store, out },
    exitCode: isGood ? 0 : 1,
  };
}

/** It is shown on terminals: what JSON leaves as it is and could steer one. */
const steering = /(?!\n)[\p{C}\p{Zl}\p{Zp}]/gu;
const escaped = (text: string) =>
  Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');

/** What could not be told says why: a code, since messages name files and quote what is in them. */
async function part<T extends object>(tell: () => Promise<T>): Promise<T | { error: { code: string } }> {
  try {
    return await tell();
  } catch (error) {
    return { error: { code: plainCode(reportOf(error).code) } };
  }
}

/** Full, or over a network? */
async function diskOf(folder: string) {
  const { type, bsize, blocks, bavail } = await statfs(folder);
  return { type: `0x${type.toString(16)}`, bytes: blocks * bsize, freeBytes: bavail * bsize };
}

function listingOf({ lock, checkpoints, logs, blobs, quarantine, bytes }: StoreFiles) {
  return {
    lock: { state: lock.state, pid: lock.pid, since: lock.since },
    checkpoints: checkpoints.map(({ name, generation, size: bytes }) => ({ name, generation, bytes })),
    logs: logs.map(({ name, generation, writer, size: bytes }) => ({ name, generation, writer, bytes })),
    blobs: totalOf(blobs),
    quarantine,
    bytes,
  };
}

function summaryOf({ damage, warnings, venue, signers, checked, unfinishedBytes }: Verification) {
  return {
    ok: damage.length === 0,
    venue: venue ?? null,
    signers: Object.fromEntries(signers),
    checked,
    unfinishedBytes,
    findings: { damage: damage.length, warnings: warnings.length },
    damage: damage.slice(0, findingsMax).map(plainFinding),
    warnings: warnings.slice(0, findingsMax).map(plainFinding),
  };
}

/** A blob's name is the hash of what was in it: enough of it is told to find the blob, and too little to guess from. */
const plainFinding = ({ file, what, ...place }: Finding) => ({
  file: basename(file).replace(/^([0-9a-f]{8})[0-9a-f]{56}$/, 'blob $1'),
  ...place,
  what: plainText(what),
});
