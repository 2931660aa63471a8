// Opens a venue for the commands that write: with its own key, only when nobody whom it does not trust has signed anything in it, and with
// a count of the bytes that go through its backend.
import { fsBackend } from '../../../backends/fs';
import { type Backend, type StoredBytes, TidemarkError } from '../../backend';
import type { Logger } from '../../base/seams';
import { openVenue, type Venue } from '../../node';
import { CommandError } from '../errors';
import type { Progress } from '../progress';
import { exists, refuseLocked } from './copy';
import { withStore } from './files';
import { readKeyFile } from './key';
import { verifyStore } from './verify';

const silent: Logger = { info: () => {}, warn: () => {}, error: () => {} };

/** @param create whether a store that is not there is made. */
export async function openToWrite(
  path: string,
  trusted: readonly string[],
  progress: Progress,
  create = false,
): Promise<Venue> {
  const key = await readKeyFile(path);
  if (key.state === 'unusable') throw new TidemarkError('bad_key_file', key.warning!);
  const isNew = create && !(await exists(path));
  let bytes = 0;
  if (!isNew) {
    bytes = await withStore(path, async (files) => {
      refuseLocked(path, files.lock);
      return files.bytes;
    });
    if (!key.seed && bytes > 0) {
      throw new TidemarkError(
        'bad_key_file',
        `${key.path} is not there: to write ${path} its key is needed, put it there first`,
      );
    }
    // An opening would put what others signed into quarantine.
    const { signers } = await verifyStore(path, trusted, progress);
    const others = [...signers.keys()].filter((did) => did !== key.did && !trusted.includes(did));
    if (others.length > 0) {
      throw new CommandError(
        'foreign_key',
        `${path} has commits signed by ${others.join(', ')}, the key beside it is ${key.did}: trust them with --trust, or put the right key there`,
      );
    }
  }
  // No sweep in between: what is written goes out with the flush.
  const options = { trusted, logger: silent, sweepMs: 2 ** 31 - 1 };
  if (!key.seed) return openVenue({ store: path, ...options }); // which makes the key
  progress.begin('opening', bytes);
  return openVenue({ store: counting(fsBackend(path), progress), seed: key.seed, ...options });
}

function counting(backend: Backend, progress: Progress): Backend {
  async function* counted(lines: AsyncIterable<Uint8Array<ArrayBuffer>>) {
    for await (const piece of lines) {
      progress.add(piece.length);
      yield piece;
    }
  }
  const read = <T extends StoredBytes>(file: T): T =>
    Object.assign(Object.create(file), { stream: () => counted(file.stream()) });
  return {
    ...backend,
    async open(venue) {
      const stored = await backend.open(venue);
      return { ...stored, checkpoints: stored.checkpoints.map(read), logs: stored.logs.map(read) };
    },
    checkpoint: (lines, covers, replaces) => backend.checkpoint(counted(lines), covers, replaces),
  };
}
