// createSnapshotWriter for Node: a snapshot is a file, the process's end saves what is pending.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeDisk } from '../backends/fs/node-disk';
import { nodePaths } from '../backends/fs/node-paths';
import { nodeProcesses } from '../backends/fs/processes';
import { snapshotFiles } from '../backends/fs/snapshots';
import { TidemarkError } from './base/errors';
import { closeWithProcess } from './lifecycle/node';
import { consoleLogger, systemClock } from './platform/system';
import { snapshotWriter } from './services/snapshots';
import type { SnapshotOptions, SnapshotTarget, SnapshotWriter } from './services/snapshots/types';

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
  /** The file; or, where there are several, which one is a key's. Folders are made, symbolic links followed. */
  target: string | URL | ((key: string) => string | URL);
  /** Whether the file that was there before is kept beside it, as `<file>.bak`. Default false. */
  backup?: boolean;
  /** Permissions of a new file, less the umask. Default 0o666. Those of a file that is there are kept. */
  mode?: number;
  /** Whether SIGTERM, SIGINT, SIGHUP and the end of the process save what is pending and close the writer. Default true. */
  signals?: boolean;
}

const nonce = randomBytes(6).toString('hex');

const pathOf = (target: string | URL): string => resolve(target instanceof URL ? fileURLToPath(target) : target);

/**
 * A writer that keeps a file as your state is.
 * @throws TidemarkError `bad_option`
 */
export function createSnapshotWriter(options: SnapshotWriterOptions): SnapshotWriter {
  const { target, backup = false, mode = 0o666, signals = true, clock = systemClock, logger = consoleLogger } = options;
  if (typeof target !== 'function' && !(target instanceof URL) && (typeof target !== 'string' || target === ''))
    throw new TidemarkError(
      'bad_option',
      'createSnapshotWriter: `target` must be a path, or a function that gives one',
    );
  const files = snapshotFiles({ disk: nodeDisk, paths: nodePaths, processes: nodeProcesses, nonce, backup, mode });
  // Now: where the process stands may change.
  const only = typeof target === 'function' ? undefined : pathOf(target);
  const places: SnapshotTarget = {
    at(key) {
      if (only !== undefined && key !== '')
        throw new TidemarkError(
          'bad_option',
          `${only}: for keys, \`target\` must be a function that gives each a path`,
        );
      const path = only ?? pathOf((target as (key: string) => string | URL)(key));
      return {
        name: path,
        write: (bytes) => files.write(path, bytes),
        writeNow: (bytes) => files.writeNow(path, bytes),
      };
    },
    close: () => undefined,
  };
  return snapshotWriter({ ...options, clock, logger }, places, signals ? closeWithProcess : undefined);
}

/** What a file holds; undefined if there is none. @throws TidemarkError `io` */
export async function readSnapshot(target: string | URL): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(target));
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ENOENT') return undefined;
    throw new TidemarkError('io', `cannot read ${target}: ${(cause as Error).message}`, { cause });
  }
}
