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

/** A store in ruins has a finding for each of its lines; what is told is asked for again and again. */
const findingsMax = 100;

/** Only these members, whatever else there is. */
const pick = <T extends object, K extends keyof T>(from: T, ...names: K[]): Pick<T, K> =>
  Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;

/** A recovery report: instead of the entries that are not shown, how many there are in which region. Of damage and of holes the first 100. */
export function plainRecovery(report: Health['recovery']) {
  const hidden = new Map<string, number>();
  for (const { region } of report.quarantined) hidden.set(region, (hidden.get(region) ?? 0) + 1);
  return {
    ...pick(report, 'checkpoint', 'fellBack', 'entries', 'commits', 'tornBytes', 'evicted', 'rolledBack', 'tookMs'),
    damage: report.damage
      .slice(0, findingsMax)
      .map(({ where, what, bytes }) => ({ where: plainText(where), what: plainText(what), bytes })),
    holes: report.holes.slice(0, findingsMax).map((hole) => pick(hole, 'writer', 'from', 'to')),
    quarantined: [...hidden].map(([region, entries]) => ({ region, entries })),
    notes: report.notes.map(plainText),
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
  const { target, root, lastFailure, usage, recovery } = health;
  const damage = new Set(recovery.damage.map(({ where, what }) => `${where}: ${what}`));
  const reasons = health.reasons.filter((reason) => !damage.has(reason)).map(plainText);
  if (damage.size > 0) reasons.push(`${recovery.damage.length} places are damaged, see recovery.damage`);
  return {
    ...pick(capabilitiesOf(health), 'apiVersion', 'versions', 'features'),
    ...pick(health, 'status', 'venue', 'did', 'writer', 'sweeps', 'failures', 'checkpoints', 'lock'),
    reasons,
    target: plainTarget(target),
    unsaved: pick(health.unsaved, 'entries', 'oldestMs', 'regions'),
    root: root && pick(root, 'writer', 'index', 'hash', 'time'),
    lastFailure: lastFailure && {
      ...pick(lastFailure, 'reason', 'newerPending', 'unsaved', 'retryInMs'),
      code: plainCode(lastFailure.code),
    },
    usage: usage && pick(usage, 'bytes', 'quota', 'persisted'),
    journal: pick(health.journal, 'available', 'bytes', 'unfit'),
    recovery: plainRecovery(recovery),
  };
}
