// What may leave the program of what a venue says of itself: facts and words of Tidemark's own, listed one by one, so that what is added elsewhere
// stays inside until somebody adds it here. No keys of entries, no values, no messages of anybody else's, no paths. Pure functions.
import type { Venue } from '../../venue';
import { apiVersion, libraryVersion } from './version';

type Health = ReturnType<Venue['health']>;

/** Error codes are words; what could be a sentence, and so have anything in it, is not one. */
export const plainCode = (code: string): string => (/^\w{1,40}$/.test(code) ? code : 'unknown');

/** A sentence of ours without what it quotes (keys, regions) and what follows a colon (somebody else's message), without hosts and folders. */
export const plainText = (text: string): string =>
  text
    .replace(/'.*'|".*"/gs, "'...'")
    .replace(/(?:: |, held ).*/s, '')
    .replace(/ on \S+$/, '')
    .replace(/\S*[\\/]/g, '');

/** `fs:/home/ann/venue.etch` without its folders. */
const plainTarget = (target: string): string => target.replace(/^(\w+:)?.*[\\/]/s, '$1');

/** A recovery report: instead of the entries that are not shown, how many there are in which region. */
export function plainRecovery({ quarantined, damage, holes, notes, ...facts }: Health['recovery']) {
  const { checkpoint, fellBack, entries, commits, tornBytes, evicted, rolledBack, tookMs } = facts;
  const hidden = new Map<string, number>();
  for (const { region } of quarantined) hidden.set(region, (hidden.get(region) ?? 0) + 1);
  return {
    checkpoint,
    fellBack,
    entries,
    commits,
    tornBytes,
    damage: damage.map(({ where, what, bytes }) => ({ where: plainText(where), what: plainText(what), bytes })),
    holes: holes.map(({ writer, from, to }) => ({ writer, from, to })),
    quarantined: [...hidden].map(([region, entries]) => ({ region, entries })),
    evicted,
    rolledBack,
    notes: notes.map(plainText),
    tookMs,
  };
}

/** What this version of the library and this opening of the store can do. */
export interface Capabilities {
  /** What is served over HTTP; exact, see negotiate(). */
  apiVersion: number;
  versions: { tidemark: string; format: number };
  /** Whether nobody else can have the store open. */
  store: 'exclusive' | 'shared';
  /** Stable names, in alphabetical order: docs/services/health.md. */
  features: string[];
}

export function capabilitiesOf({ versions, lock, capabilities, journal }: Health): Capabilities {
  const optional = { ...capabilities, journal: journal.available };
  const has = Object.entries(optional).filter(([, can]) => can);
  return {
    apiVersion,
    versions: { tidemark: libraryVersion, format: versions.format },
    store: lock,
    features: ['checkpoint', 'flush', 'fork', ...has.map(([name]) => name)].sort(),
  };
}

/** venue.health() as it may be shown: docs/services/health.md. */
export type HealthView = ReturnType<typeof viewOf>;

export function viewOf(health: Health) {
  const { status, target, venue, did, writer, unsaved, root, sweeps, failures, checkpoints, lastFailure } = health;
  const { lock, usage, journal, recovery } = health;
  const damage = new Set(recovery.damage.map(({ where, what }) => `${where}: ${what}`));
  const reasons = health.reasons.filter((reason) => !damage.has(reason)).map(plainText);
  if (damage.size > 0) reasons.push(`${recovery.damage.length} places are damaged, see recovery.damage`);
  const { apiVersion, versions, features } = capabilitiesOf(health);
  return {
    apiVersion,
    status,
    reasons,
    target: plainTarget(target),
    venue,
    did,
    writer,
    unsaved: { entries: unsaved.entries, oldestMs: unsaved.oldestMs, regions: [...unsaved.regions] },
    root: root && { writer: root.writer, index: root.index, hash: root.hash, time: root.time },
    sweeps,
    failures,
    checkpoints,
    lastFailure: lastFailure && {
      reason: lastFailure.reason,
      code: plainCode(lastFailure.code),
      newerPending: lastFailure.newerPending,
      unsaved: lastFailure.unsaved,
      retryInMs: lastFailure.retryInMs,
    },
    lock,
    usage: usage && { bytes: usage.bytes, quota: usage.quota, persisted: usage.persisted },
    journal: { available: journal.available, bytes: journal.bytes, unfit: journal.unfit },
    recovery: plainRecovery(recovery),
    versions,
    features,
  };
}
