// tidemark verify: every signature, digest, link and chunk that a store keeps; lists what is wrong.
import { count, counted, facts, findingsTable, type Outcome, size } from '../output';
import type { Progress } from '../progress';
import { type Verification, verifyStore } from '../store/verify';
import { keyText, lockText } from './status';

export async function verify(store: string, trusted: readonly string[], progress: Progress): Promise<Outcome> {
  const found = await verifyStore(store, trusted, progress);
  const ok = found.damage.length === 0;
  return { text: textOf(store, found), json: { store, ok, ...verificationJson(found) }, exitCode: ok ? 0 : 1 };
}

export function verificationJson({
  damage,
  warnings,
  venue,
  signers,
  checked,
  unfinishedBytes,
  lock,
  key,
}: Verification) {
  return {
    damage,
    warnings,
    venue: venue ?? null,
    signers: Object.fromEntries(signers),
    checked,
    unfinishedBytes,
    lock,
    key,
  };
}

function textOf(store: string, { damage, warnings, venue, signers, checked, lock, key }: Verification): string {
  const verdict =
    damage.length === 0 ? `${store}: all good` : `${store}: DAMAGED, ${counted(damage.length, 'finding')}`;
  const signedBy = [...signers].map(([did, lines]) => `${did} (${counted(lines, 'line')})`);
  const parts = [
    verdict,
    facts([
      ['venue', venue ?? 'none yet'],
      ['signed by', signedBy.join(', ') || 'nobody yet'],
      ['key file', keyText(key, signers.size === 0 || (key.did !== undefined && signers.has(key.did)))],
      ['lock', lockText(lock)],
      [
        'checkpoints',
        `${checked.checkpoints}, ${counted(checked.chunks, 'chunk')}: signature and every digest checked`,
      ],
      ['logs', `${checked.logs}, ${counted(checked.commits, 'commit')}: every signature, digest and link checked`],
      ['blobs', checked.blobs > 0 ? `${counted(checked.blobs, 'blob')}: every hash checked` : undefined],
      ['in all', `${count(checked.entries)} entries as stored, ${size(checked.bytes)}`],
    ]),
  ];
  if (damage.length > 0) parts.push(findingsTable(damage));
  if (warnings.length > 0) parts.push(`Worth knowing, and no damage:\n${findingsTable(warnings)}`);
  return parts.join('\n\n');
}
