// createSnapshotWriter for browsers and every other runtime that is not Node: a snapshot is a record in IndexedDB, the page's going away saves what is
// pending.
import { snapshotRecords } from '../backends/indexeddb/snapshots';
import type { Bytes } from './base/bytes';
import { TidemarkError } from './base/errors';
import { writeWithPage } from './lifecycle/browser';
import { consoleLogger, systemClock } from './platform/system';
import { snapshotWriter } from './services/snapshots';
import type { SnapshotOptions, SnapshotWriter } from './services/snapshots/types';

export { type ErrorCode, TidemarkError } from './base/errors';
export type { Clock, Logger } from './base/seams';
export type {
  SnapshotCloseReport,
  SnapshotFailure,
  SnapshotOptions,
  SnapshotRequest,
  SnapshotState,
  SnapshotWriter,
} from './services/snapshots/types';

export interface SnapshotWriterOptions extends SnapshotOptions {
  /** The name of an IndexedDB database, made if missing and used for nothing else. Each key is a record in it. */
  target: string;
  /** Whether the page's going away has what is pending written. Default true. */
  pageEvents?: boolean;
}

function checked(target: unknown): string {
  if (typeof target === 'string' && target !== '') return target;
  throw new TidemarkError('bad_option', 'snapshots: `target` must be the name of an IndexedDB database');
}

/**
 * A writer that keeps a record as your state is.
 * @throws TidemarkError `bad_option`
 */
export function createSnapshotWriter(options: SnapshotWriterOptions): SnapshotWriter {
  const { pageEvents = true, clock = systemClock, logger = consoleLogger } = options;
  const target = checked(options.target);
  const records = snapshotRecords(target);
  const places = {
    at(key: string) {
      return {
        name: `indexeddb:${target}${key && `/${key}`}`,
        write: (bytes: Bytes) => records.write(key, bytes),
        writeNow: (bytes: Bytes) => records.writeNow(key, bytes),
      };
    },
    close: records.close,
  };
  return snapshotWriter({ ...options, clock, logger }, places, ({ writeNow }) =>
    pageEvents ? writeWithPage({ writeNow, leave: writeNow, resume: () => undefined }) : () => undefined,
  );
}

/** What a record holds; undefined if there is none. @throws TidemarkError `no_storage`, `io`, `damaged` */
export async function readSnapshot(target: string, key = ''): Promise<Uint8Array | undefined> {
  const records = snapshotRecords(checked(target));
  try {
    return await records.read(key);
  } finally {
    records.close();
  }
}
