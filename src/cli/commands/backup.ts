// tidemark backup: a verified copy of a store, also of one that is in use.

import { keyPathOf } from '../../platform/key-file';
import { CommandError } from '../errors';
import { counted, type Outcome, size } from '../output';
import type { Progress } from '../progress';
import { copyBeside, exists, placeNew, refuseInside } from '../store/copy';

export async function backup(
  store: string,
  to: string,
  trusted: readonly string[],
  progress: Progress,
): Promise<Outcome> {
  refuseInside(to, store);
  if (await exists(to)) throw new CommandError('exists', `${to} is there already; a backup never replaces anything`);
  const { verification, leftOut } = await copyBeside(store, to, trusted, progress, (copy) => placeNew(copy, to));
  const { checked, venue } = verification;
  const key = keyPathOf(store);
  const text = [
    `${store} -> ${to}: ${counted(checked.checkpoints, 'checkpoint')}, ${counted(checked.commits, 'commit')}, ${size(checked.bytes)}, verified`,
    ...(leftOut > 0 ? [`Left out: ${leftOut} bytes of a line that is not whole, so not durable.`] : []),
    `The key is not part of it. Keep ${key} somewhere else, and safe: without it a backup can be read, but not written on.`,
  ].join('\n');
  return { text, json: { store, to, venue: venue ?? null, checked, leftOut, key } };
}
