// Time, the key, the lock and the end: what makes a store one owner's, and his writes come in order.
import { inFile, keyFile, named, one, type Sabotage, worlds } from './sabotage';

const fs = 'backends/fs/index.ts';

export const owners: readonly Sabotage[] = [
  // Time.
  one(
    'time goes back over a restart',
    'src/lattice/clock.ts',
    '    if (stamp > this.last) this.last = stamp;\n',
    '    if (stamp > Number.MAX_SAFE_INTEGER) this.last = stamp;\n',
    worlds,
  ),
  one(
    'time goes back with the wall clock',
    'src/lattice/clock.ts',
    'wall > this.last && wall < Number.MAX_SAFE_INTEGER',
    'wall < Number.MAX_SAFE_INTEGER',
    named('a wall clock that jumps', 'test/venue/flush.test.ts'),
  ),

  // The key.
  one(
    'the key is saved after the first commit',
    'src/venue.ts',
    '    await platform.saveSeed?.();\n',
    "    engine.events.on('sweep', () => void platform.saveSeed?.());\n",
    inFile('test/venue/identity.test.ts'),
  ),
  one('the key is not synced', 'src/platform/key-file.ts', '      await file.sync();\n', '', keyFile),
  one('the name of the key is not synced', 'src/platform/key-file.ts', '    await syncFolder(folder);\n', '', keyFile),
  one(
    'the key is open to others',
    'src/platform/key-file.ts',
    "'wx', 0o600",
    "'wx', 0o644",
    inFile('test/venue/identity.test.ts'),
  ),
  one(
    'a key is put over one that is there',
    'src/platform/key-file.ts',
    '    await link(temporary, path);',
    "    await (await import('node:fs/promises')).rename(temporary, path);",
    keyFile,
  ),

  // The lock.
  one(
    'a pid that is in use again holds a lock',
    'backends/fs/processes.ts',
    "(id.start === '' || id.start === seen.start)",
    'true',
    inFile('test/backends/lock.test.ts'),
  ),
  one(
    "a live owner's lock is taken",
    'backends/fs/lock.ts',
    '    if (await isAlive(last)) throw',
    '    if (!last) throw',
    inFile('test/backends/lock.test.ts'),
  ),
  one(
    "somebody else's lock is removed",
    'backends/fs/lock.ts',
    '    if (await isOursAt(path)) await disk.unlink(path);\n',
    '    await disk.unlink(path);\n',
    inFile('test/backends/lock.test.ts'),
  ),
  one(
    'a checkpoint is made over the next owner',
    fs,
    '      if (!(await open.lock.isOurs())) {\n',
    '      if (!open.lock) {\n',
    inFile('test/backends/fs-failures.test.ts'),
  ),

  // The end.
  one(
    'close does not flush',
    'src/engine/closing.ts',
    '  await within(clock, closeFlushMsMax, () => sweeper.flush(closeFlushMsMax));\n',
    '',
    inFile('test/venue/close.test.ts'),
  ),
  one(
    'signals do not close',
    'src/lifecycle/node.ts',
    '    for (const signal of signals) process.on(signal, onSignal);\n',
    '',
    named('SIGTERM', 'test/crash/endings.test.ts'),
  ),
  one(
    'nothing is written as the process exits',
    'src/lifecycle/node.ts',
    "    process.on('exit', onExit);\n",
    '',
    named('process.exit', 'test/crash/endings.test.ts'),
  ),
];
