// From a write to a durable commit, broken at each step.
import { inFile, named, one, recovery, type Sabotage, worlds } from './sabotage';

const logs = 'backends/fs/logs.ts';
const fs = 'backends/fs/index.ts';
const writer = 'src/engine/writer.ts';

export const writes: readonly Sabotage[] = [
  // An append.
  one('an append is not synced', logs, '        await disk.fdatasync(log.file);\n', '', worlds),
  one('the name of a new log is not synced', logs, '          await disk.syncFolder(folder);\n', '', worlds),
  one(
    'a short write is taken for a whole one',
    'backends/fs/files.ts',
    '    at += taken;\n',
    '    at = length;\n',
    worlds,
  ),
  one('what failed is tried again in the same file', logs, '        await poison(writer, log);\n', '', worlds),
  one(
    'an append that fails is taken for one that worked',
    logs,
    '        throw ioError(doing, log.path, cause);\n      } finally',
    '      } finally',
    worlds,
  ),
  one(
    'the last resort of a process is not synced',
    'backends/fs/node-disk.ts',
    '      fdatasyncSync(file);\n',
    '',
    inFile('test/backends/node-disk.test.ts'),
  ),
  one('what an opening found is not synced', fs, '        if (size > 0) await disk.fdatasync(file);\n', '', worlds),

  // A commit.
  one(
    'durable is said before the append has settled',
    writer,
    '      await this.options.backend.append(commit.bytes, commit.at, durability);\n',
    '      this.options.backend.append(commit.bytes, commit.at, durability).catch(() => undefined);\n',
    worlds,
  ),
  one(
    'a commit does not name the one before',
    writer,
    '    this.prev = hash;\n',
    '',
    named('follows', 'test/venue/sweep.test.ts'),
  ),
  one(
    'an index is skipped',
    writer,
    '    this.index++;\n',
    '    this.index += 2;\n',
    named('follows', 'test/venue/sweep.test.ts'),
  ),
  one('a commit does not name what it has joined', writer, '{ heads }),\n', '{}),\n', recovery),
  one(
    'an index is signed again after a failed append',
    writer,
    '      const next = this.commits[0] ?? this.next();\n',
    '      this.index = this.commits.shift()?.at.index ?? this.index;\n      const next = this.next();\n',
    named('the very same bytes', 'test/venue/sweep.test.ts'),
  ),
  one(
    'new bytes, under a new index, after a failed append',
    writer,
    '      const next = this.commits[0] ?? this.next();\n',
    '      this.commits.length = 0;\n      const next = this.next();\n',
    named('the very same bytes', 'test/venue/sweep.test.ts'),
  ),
  one(
    'a failed sweep is not tried again',
    'src/engine/sweeper.ts',
    '      this.arm(retryInMs);\n',
    '',
    inFile('test/venue/sweep.test.ts'),
  ),
  one(
    'a flush resolves before its write',
    'src/engine/sweeper.ts',
    '    this.wanted = false;\n    try {\n',
    '    this.wanted = false;\n    for (const waiter of this.served) waiter.resolve();\n    try {\n',
    inFile('test/venue/flush.test.ts'),
  ),
  one(
    'a flush waits for what is written after it',
    'src/engine/sweeper.ts',
    '    for (const waiter of this.served) waiter.resolve();\n    this.served = [];\n',
    '    if (this.options.unsaved() > 0) this.waiters.push(...this.served);\n    else for (const waiter of this.served) waiter.resolve();\n    this.served = [];\n',
    inFile('test/venue/flush.test.ts'),
  ),
  one(
    'a fork is written in two commits',
    'src/engine/detached.ts',
    '({ region, keys: apply() })',
    '{\n      const keys = apply();\n      if (!region.transient) this.host.written(region, 2 ** 30);\n      return { region, keys };\n    }',
    worlds,
  ),
  one(
    'bytes of a value are not copied',
    'src/log/values.ts',
    '  found.tagged = true;\n  mustCopy = true;\n',
    '  found.tagged = true;\n',
    inFile('test/venue/values.test.ts'),
  ),
];
