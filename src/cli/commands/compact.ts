// tidemark compact: folds the logs into a checkpoint. Opens the venue, so it needs its lock and its key; declares no region, so that entries
// of every join and version are carried over as they are.
import type { CheckpointInfo } from '../../engine/events';
import type { RecoveryReport } from '../../engine/recovery';
import { CommandError } from '../errors';
import { counted, type Outcome, size } from '../output';
import type { Progress } from '../progress';
import { withStore } from '../store/files';
import { openToWrite } from '../store/open';
import { verifyStore } from '../store/verify';
import { damageNote } from './damage';

export async function compact(store: string, trusted: readonly string[], progress: Progress): Promise<Outcome> {
  const before = await bytesOf(store);
  if (before === 0)
    return {
      text: `${store} is empty: nothing to compact`,
      json: { store, bytesBefore: 0, bytesAfter: 0, checkpoint: null, chunks: 0 },
    };
  const { made, recovery } = await checkpointTwice(store, before, trusted, progress);
  const after = await bytesOf(store);
  const { damage } = recovery;
  const text = [
    `${store}: ${size(before)} -> ${size(after)}`,
    `Checkpoint ${made.generation} has ${counted(made.chunks, 'chunk')}; the one before it is kept, too, and has the same.`,
  ].join('\n');
  const json = {
    store,
    bytesBefore: before,
    bytesAfter: after,
    checkpoint: made.generation,
    chunks: made.chunks,
    recovery,
  };
  const note = damageNote(store, damage);
  return {
    text,
    json,
    note: note && `${note}\nIt is kept in ${store}/quarantine.`,
    exitCode: damage.length > 0 ? 1 : 0,
  };
}

const bytesOf = (store: string): Promise<number> => withStore(store, async ({ bytes }) => bytes);

/**
 * A store keeps its last but one checkpoint and the commits since, for the case that the last is damaged: so bytes go only with the second
 * one. Before that, the first is read back from the disk and verified.
 */
async function checkpointTwice(
  store: string,
  bytes: number,
  trusted: readonly string[],
  progress: Progress,
): Promise<{ made: CheckpointInfo; recovery: RecoveryReport }> {
  const venue = await openToWrite(store, trusted, progress);
  try {
    let made: CheckpointInfo | undefined;
    venue.on('checkpoint', (info) => {
      made = info;
    });
    progress.begin('writing', bytes);
    await venue.checkpoint();
    const { damage } = await verifyStore(store, [venue.did, ...trusted], progress);
    const bad = damage.filter(({ file }) => file === `checkpoint.${made!.generation}`);
    if (bad.length > 0)
      throw new CommandError(
        'damaged',
        `${store}: the new checkpoint does not verify; everything else is as it was`,
        bad,
      );
    progress.begin('writing', made!.bytes);
    await venue.checkpoint();
    return { made: made!, recovery: venue.health().recovery };
  } finally {
    await venue.close();
  }
}
