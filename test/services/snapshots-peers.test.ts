// One file, saved by this library and by others, where writing is hard: a write that is cut short, a full disk, a kill, and a power cut at any call.
// Here the old or the new file is whole every time. The table is what docs/guarantees.md has; that the harness can fail, the others show.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bundle } from '../../scripts/ts.mjs';
import { printTable } from '../browser/table';
import { start, stopAll } from '../crash/child';
import { mountSmallDisk, type SmallDisk } from '../crash/small-disk';
import { readTrace } from '../crash/trace';
import { SimDisk } from '../simulator/disk';
import { Random } from '../simulator/random';
import type { Call } from './children/calls';
import type { PeersOptions, Saver } from './children/snapshots-peers';
import { sample, wholeOf } from './snapshots-value';

const savers: readonly Saver[] = [
  'tidemark',
  'fs.writeFile',
  'steno',
  'lowdb',
  'write-file-atomic',
  'atomically',
  'conf',
];
const kills = Number(process.env.KILLS ?? 8);
const losses = Number(process.env.LOSSES ?? 30);

/** Of how many tries how many left a file that is neither the old nor the new one, and how many lost what was reported saved. */
interface Count {
  tries: number;
  bad: number;
  lost: number;
}
const counts = new Map<string, Record<string, Count>>();
function count(what: string, saver: Saver, found: number | undefined, saved: number): void {
  const row = counts.get(saver) ?? {};
  counts.set(saver, row);
  row[what] ??= { tries: 0, bad: 0, lost: 0 };
  const counted = row[what];
  counted.tries++;
  if (found === undefined) counted.bad++;
  else if (found < saved) counted.lost++;
}
const cases = ['4 KiB limit', 'full disk', 'SIGKILL', 'power cut'];
const shown = ({ tries, bad, lost }: Count) => `${bad} bad${lost > 0 ? `, ${lost} lost` : ''} of ${tries}`;
afterAll(() =>
  printTable(
    ['', ...cases],
    savers.map((saver) => [saver, ...cases.map((what) => shown(counts.get(saver)![what]!))]),
  ),
);

let program: string;
let folder: string;
let target: string;
let trace: string;
beforeAll(async () => {
  program = await bundle(join(import.meta.dirname, 'children/snapshots-peers.ts'));
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-peers-'));
  target = join(folder, 'files/state.json');
  trace = join(folder, 'trace');
  await mkdir(join(folder, 'files'));
});
afterEach(async () => {
  await stopAll();
  await rm(folder, { recursive: true, force: true });
});

const old = JSON.stringify(sample(1, 200));
/** What it was told last; the file that was there before is the first generation. */
const savedOf = async () =>
  (await readTrace(trace)).reduce((saved, { what, data }) => (what === 'saved' ? (data as number) : saved), 1);
const foundAt = async (path: string) => wholeOf(await readFile(path).catch(() => undefined));

/** A run to its end, on what stands at the target now. */
async function runOnce(what: string, saver: Saver, bytes: number, through: string[], file = target): Promise<void> {
  await rm(trace, { force: true });
  const child = start(program, { saver, target, trace, bytes, count: 1 } satisfies PeersOptions, { through });
  const { code, signal } = await child.ended;
  // write-file-atomic and atomically listen to the signal that comes with a file that is too large, and so die of it.
  expect(signal === 'SIGXFSZ' ? 0 : code).toBe(0);
  count(what, saver, await foundAt(file), await savedOf());
}

describe.each(savers)('a file that %s saves', (saver) => {
  it('a write that is cut short', async () => {
    for (const bytes of [4200, 5000, 8192, 20_000]) {
      await writeFile(target, old);
      await runOnce('4 KiB limit', saver, bytes, ['sh', '-c', 'ulimit -f 8; exec "$0" "$@"']);
    }
  });

  it('a full disk', async () => {
    let disk: SmallDisk | undefined;
    try {
      for (const roomBytes of [0, 4096, 8192, 16_384]) {
        disk = await mountSmallDisk(256 * 1024);
        const file = join(disk.path, 'state.json');
        await writeFile(file, old);
        await disk.fill(roomBytes);
        // Inside its namespace: what follows links would not find its way from /proc/<pid>/root.
        const [, pid] = /^\/proc\/(\d+)\//.exec(file)!;
        const asRoot = process.getuid!() === 0 ? [] : ['--user', '--preserve-credentials'];
        target = '/mnt/state.json';
        await runOnce('full disk', saver, 20_000, ['nsenter', '--target', pid!, '--mount', ...asRoot, '--'], file);
        await disk.remove();
        disk = undefined;
      }
    } finally {
      await disk?.remove();
    }
  });

  it('a kill', async () => {
    const random = new Random(3);
    for (let n = 0; n < kills; n++) {
      await writeFile(target, old);
      await rm(trace, { force: true });
      const child = start(program, { saver, target, trace, bytes: 2_000_000 } satisfies PeersOptions);
      await child.said('saving');
      await pause(random.below(60));
      child.kill();
      await child.ended;
      count('SIGKILL', saver, await foundAt(target), await savedOf());
    }
  });

  it('a power cut at any call', async () => {
    await writeFile(target, old);
    const path = join(folder, 'calls.json');
    await start(program, { saver, target, trace, bytes: 3000, count: 3, calls: path } satisfies PeersOptions).ended;
    const calls = JSON.parse(await readFile(path, 'utf8')) as Call[];
    expect(calls.filter(({ op }) => op === 'saved')).toHaveLength(3);
    for (let cut = 0; cut <= calls.length; cut++)
      for (let seed = 0; seed < losses; seed++) {
        const { disk, saved } = await replay(calls.slice(0, cut), seed);
        count('power cut', saver, wholeOf(disk.crash().files().get(target)), saved);
      }
  });
});

/** The same calls on a simulated disk, which loses what was not synced, and what it likes of it. */
async function replay(calls: readonly Call[], seed: number): Promise<{ disk: SimDisk; saved: number }> {
  const disk = SimDisk.blank(seed + 1);
  const home = join(folder, 'files');
  await disk.mkdir(home);
  for (let at = home; at !== '/'; at = join(at, '..')) await disk.syncFolder(join(at, '..'));
  disk.writeFileNow(target, Buffer.from(old) as Uint8Array<ArrayBuffer>);
  let saved = 1;
  const files = new Map<number, { file: number; path: string } | undefined>();
  for (const call of calls) {
    const handle = 'file' in call && call.op !== 'open' ? files.get(call.file) : undefined;
    if (call.op === 'open') {
      const isFolder = call.path === home;
      const isThere = disk.files().has(call.path);
      const isNew = call.flag !== 'r' && !isThere;
      const file = isFolder ? -1 : await disk.open(call.path, isNew ? 'wx' : call.flag === 'r' ? 'r' : 'r+');
      if (call.flag === 'w' && isThere) await disk.truncate(file, 0);
      files.set(call.file, { file, path: call.path });
    } else if (call.op === 'write') {
      const data = new Uint8Array(Buffer.from(call.data, 'base64'));
      await disk.write(handle!.file, data, 0, data.length);
    } else if (call.op === 'sync') await (handle!.file < 0 ? disk.syncFolder(handle!.path) : disk.fsync(handle!.file));
    else if (call.op === 'close') await (handle!.file < 0 ? undefined : disk.close(handle!.file));
    else if (call.op === 'rename') await disk.rename(call.from, call.to);
    else if (call.op === 'link') await disk.link(call.from, call.to);
    else if (call.op === 'unlink') await disk.unlink(call.path);
    else if (call.op === 'saved') saved = call.generation;
  }
  return { disk, saved };
}

describe('of all of them', () => {
  it('this one leaves a whole file every time, and none older than it reported', () => {
    for (const what of cases) expect(counts.get('tidemark')![what]).toMatchObject({ bad: 0, lost: 0 });
    expect(counts.get('tidemark')!['power cut']!.tries).toBeGreaterThan(losses * 10);
  });

  it('others do not, in the cases where they were seen to fail: the harness can', () => {
    const bad = (saver: Saver, what: string) => counts.get(saver)![what]!.bad;
    for (const what of cases.slice(0, 2)) {
      expect(bad('fs.writeFile', what)).toBeGreaterThan(0);
      expect(bad('write-file-atomic', what) + bad('atomically', what) + bad('conf', what)).toBeGreaterThan(0);
    }
    expect(bad('steno', 'power cut') + bad('lowdb', 'power cut')).toBeGreaterThan(0);
  });
});
