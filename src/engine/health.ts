// How a venue is: one plain object, safe to serialise, without any value or key of the program's (but for the keys of entries in quarantine).
import type { Usage } from '../backend';
import { formatVersion } from '../log/line';
import type { Engine } from './engine';
import type { CommitInfo, FailureInfo } from './events';
import type { JournalInfo } from './journal';
import type { RecoveryReport } from './recovery';

export interface Health {
  /** ok; degraded: works, but something was damaged, hidden or is missing; failing: the last write failed and is tried again; closed. */
  status: 'ok' | 'degraded' | 'failing' | 'closed';
  /** Why it is not ok, one line each. */
  reasons: string[];
  /** The store, as its backend names it. */
  target: string;
  venue: string;
  did: string;
  writer: string;
  /** Entries written and not durable, and the age in ms of the oldest. */
  unsaved: { entries: number; oldestMs: number; regions: string[] };
  /** The last commit of this writer that is durable; undefined before the first. */
  root: CommitInfo | undefined;
  sweeps: number;
  failures: number;
  checkpoints: number;
  lastFailure: (Omit<FailureInfo, 'error'> & { message: string }) | undefined;
  /** Whether nobody else can have the store open. */
  lock: 'exclusive' | 'shared';
  /** As of the last call of usage(); undefined before it. */
  usage: Usage | undefined;
  /** The last resort of a page that goes away. */
  journal: JournalInfo;
  recovery: RecoveryReport;
  versions: { format: number };
  capabilities: { appendNow: boolean; remote: boolean; blobs: boolean };
}

export function healthOf(engine: Engine): Health {
  const { backend, identity, report, journal, degraded } = engine.options;
  const { fork, counts, lastFailure, writer, hidden, usage } = engine;
  const info = journal?.info ?? { available: false, bytes: 0, unfit: 0 };
  const reasons = [
    ...degraded,
    ...(report.evicted ? ['the store is gone that was here; it was begun anew'] : []),
    ...(report.rolledBack ? ['the store has gone back: commits that were durable are missing'] : []),
    ...(info.unfit > 0 ? [`${info.unfit} unsaved entries do not fit into the journal`] : []),
    ...report.damage.map(({ where, what }) => `${where}: ${what}`),
    ...(hidden.size > 0 ? [`${hidden.size} entries are kept but not shown`] : []),
  ];
  const failing = counts.failing > 0;
  if (failing && lastFailure) reasons.unshift(`${lastFailure.reason} failed: ${lastFailure.error.message}`);
  const { error, ...failure } = lastFailure ?? { error: undefined };
  return {
    status: engine.closed ? 'closed' : failing ? 'failing' : reasons.length > 0 ? 'degraded' : 'ok',
    reasons,
    target: backend.target,
    venue: engine.venue,
    did: identity.did,
    writer: writer.id,
    unsaved: { entries: fork.unsaved, oldestMs: fork.oldestMs, regions: fork.regions },
    root: writer.root,
    sweeps: counts.sweeps,
    failures: counts.failures,
    checkpoints: counts.checkpoints,
    lastFailure: error && { ...(failure as Omit<FailureInfo, 'error'>), message: error.message },
    lock: backend.exclusive ? 'exclusive' : 'shared',
    usage,
    journal: info,
    recovery: { ...report, quarantined: [...hidden.values()] },
    versions: { format: formatVersion },
    capabilities: {
      appendNow: backend.appendNow !== undefined,
      remote: backend.onAppend !== undefined,
      blobs: backend.blobs !== undefined,
    },
  };
}
