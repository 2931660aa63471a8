// How a checkpoint takes the place of what it covers, broken at each step.
import { inFile, latest, named, one, type Sabotage, worlds } from './sabotage';

const fs = 'backends/fs/index.ts';

export const checkpoints: readonly Sabotage[] = [
  one(
    'a checkpoint is not synced',
    'backends/fs/large.ts',
    "    await attempt('sync', path, disk.fsync(file));\n",
    '',
    worlds,
  ),
  one(
    'the name of a checkpoint is not synced',
    fs,
    "      await attempt('rename', unfinished, disk.rename(unfinished, path));\n      await attempt('sync', home, disk.syncFolder(home));\n",
    "      await attempt('rename', unfinished, disk.rename(unfinished, path));\n",
    worlds,
  ),
  one(
    'a checkpoint is synced after it was renamed',
    'backends/fs/large.ts',
    "    await attempt('sync', path, disk.fsync(file));\n",
    "    await disk.rename(path, path.slice(0, -'.tmp'.length));\n    await disk.fsync(file);\n    await disk.rename(path.slice(0, -'.tmp'.length), path);\n",
    worlds,
  ),
  one(
    'what is older goes before a checkpoint stands',
    fs,
    '    await stand(open, unfinished, path);\n',
    '    await removeOlderThan(generation);\n    await stand(open, unfinished, path);\n',
    worlds,
  ),
  one(
    'the checkpoint before goes with the next, and its logs',
    fs,
    'await removeOlderThan(previous);',
    'await removeOlderThan(generation);',
    named('keeps the one before it', 'test/backends/fs.test.ts'),
  ),
  one(
    'a checkpoint has what is not durable',
    'src/engine/checkpoint.ts',
    'region.capture!.get(slot) ?? region.durable(slot)',
    '{ value: region.overlay.values[slot], stamp: region.overlay.stamps[slot]!, odd: region.overlay.odd.get(slot) }',
    latest,
  ),
  one(
    'what had changed is forgotten when a checkpoint fails',
    'src/engine/checkpoint.ts',
    'if (flags[slot]! & pass) flags[slot]! |= region.changedBit;',
    '{}',
    latest,
  ),
  one(
    'a checkpoint covers commits of after it began',
    'src/engine/checkpointer.ts',
    'covers, time, count: builder.chunks',
    'covers: Object.fromEntries(standing) as typeof covers, time, count: builder.chunks',
    worlds,
  ),
  one(
    'deletions are forgotten while a fork is open',
    'src/engine/checkpointer.ts',
    'Math.min(time + 1, ...[...forks].map((fork) => fork.began))',
    'time + 1',
    inFile('test/venue/fork.test.ts'),
  ),
];
