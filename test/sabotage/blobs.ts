// Bytes outside entries, and the collection of those that nothing names, broken at each step.
import { inFile, one, type Sabotage } from './sabotage';

const keeper = 'src/engine/blobs.ts';
const folder = 'backends/fs/blobs.ts';
const database = 'backends/indexeddb/blobs.ts';
const venue = inFile('test/venue/blobs.test.ts');
const fs = inFile('test/backends/fs-blobs.test.ts');
const indexeddb = inFile('test/backends/indexeddb-blobs.test.ts', 'test/backends/indexeddb.test.ts');

const without = (name: string, file: string, find: string, tests: typeof venue): Sabotage =>
  one(name, file, find, '', tests);

export const blobs: readonly Sabotage[] = [
  one(
    'a blob that is being put is not spared',
    keeper,
    'if (!pinned.includes(hash)) this.unnamed',
    'this.unnamed',
    venue,
  ),
  without('a blob that is put again is not spared', keeper, '      this.collection?.unnamed.delete(hash);\n', venue),
  without('a put does not wait for the removal of the same', keeper, '      await this.removing.get(hash);\n', venue),
  without('the checkpoint is not looked through for names', keeper, '      this.scanner.scan(piece);\n', venue),
  without('the checkpoint before is not looked through for names', keeper, '        before.scan(slab);\n', venue),
  without('what is not durable yet is not waited for', keeper, '      await sweeper.flush(closeFlushMsMax);\n', venue),
  without('forks are forgotten', keeper, 'if (forks.size > 0 || this.state.closed) break;', venue),
  one(
    'there is no day of grace where others write',
    keeper,
    'clock.now() - blobGraceMs',
    'Number.POSITIVE_INFINITY',
    venue,
  ),
  without(
    'one’s own commits are not looked through for names',
    'src/engine/engine.ts',
    '        this.blobs.saw(bytes);\n',
    venue,
  ),
  without(
    'commits of others are not looked through for names',
    'src/engine/joiner.ts',
    '    this.state.blobs.saw(line.body);\n',
    venue,
  ),
  without(
    'commits are not looked through before the blobs are listed',
    keeper,
    '      for (const bytes of early!) this.saw(bytes);\n',
    venue,
  ),
  without(
    'a stream is not verified',
    keeper,
    '    if (toHex(hasher.digest()) !== hash) throw this.damaged(hash);\n',
    venue,
  ),
  without(
    'the name of a blob is not synced',
    folder,
    "        await attempt('sync', folder, disk.syncFolder(folder));\n",
    fs,
  ),
  without(
    'the name of the folder of blobs is not synced',
    folder,
    "    await attempt('sync', store, disk.syncFolder(store));\n",
    fs,
  ),
  one(
    'a blob is renamed before it is written',
    folder,
    '      await writeLarge(disk, unfinished, pieces);\n',
    '      await writeLarge(disk, unfinished, (async function* () {})());\n      await disk.rename(unfinished, join(folder, await name()));\n      await writeLarge(disk, unfinished, pieces);\n',
    fs,
  ),
  without(
    'the parts of a blob stay when it is put again',
    database,
    'if (before && before.id !== id) store.delete(under(partKey(before.id)));',
    indexeddb,
  ),
  one(
    'a blob that was put again by somebody else is removed',
    database,
    'if (record?.at !== at) return;',
    'if (!record) return;',
    indexeddb,
  ),
];
