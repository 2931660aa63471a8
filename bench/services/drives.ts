// node scripts/ts.mjs bench/services/drives.ts: a drive on a real folder beside memfs, which keeps nothing, and node:fs, which keeps it without syncing:
// readFile and writeFile of 1 KB and 100 KB, stat, readdir of 1,000, a move of 10,000 files. Rounds take turns; prints medians, and never fails for being slow.
import { mkdirSync, rmSync } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { join } from 'node:path';
import { createFsFromVolume, Volume } from 'memfs';
import { openVenue } from '../../src/node';
import { type Drive, openDrive } from '../../src/services/drives';
import { median } from '../stats';

type Fs = Pick<Drive, 'readFile' | 'writeFile' | 'readdir' | 'stat' | 'mkdir' | 'rename' | 'rm'>;

const rounds = 7;
const folder = join(process.cwd(), 'node_modules/.cache/tidemark/bench-drives');
rmSync(folder, { recursive: true, force: true });
mkdirSync(join(folder, 'real'), { recursive: true });

const venue = await openVenue({ store: join(folder, 'venue.etch'), signals: false });
const drive = openDrive(venue, 'bench');
const systems: Record<string, { fs: Fs; root: string }> = {
  drive: { fs: drive, root: '' },
  memfs: { fs: createFsFromVolume(new Volume()).promises as unknown as Fs, root: '' },
  'node:fs': { fs: nodeFs as unknown as Fs, root: join(folder, 'real') },
};

const small = new Uint8Array(1024).fill(120);
const large = new Uint8Array(100 * 1024).fill(120);
const times = async (count: number, work: (i: number) => Promise<unknown>) => {
  for (let i = 0; i < count; i++) await work(i);
};

/** What is measured: how often, and how. */
const works: Record<string, [count: number, work: (fs: Fs, at: string, count: number) => Promise<unknown>]> = {
  'writeFile 1 KB': [1000, (fs, at, count) => times(count, (i) => fs.writeFile(`${at}/files/${i}`, small))],
  'readFile 1 KB': [1000, (fs, at, count) => times(count, (i) => fs.readFile(`${at}/files/${i}`))],
  'writeFile 100 KB': [50, (fs, at, count) => times(count, (i) => fs.writeFile(`${at}/large/${i}`, large))],
  'readFile 100 KB': [50, (fs, at, count) => times(count, (i) => fs.readFile(`${at}/large/${i}`))],
  stat: [1000, (fs, at, count) => times(count, (i) => fs.stat(`${at}/files/${i}`))],
  'readdir of 1,000': [20, (fs, at, count) => times(count, () => fs.readdir(`${at}/files`))],
  'rename of a folder of 10,000': [
    2,
    (fs, at, count) => times(count, (i) => fs.rename(`${at}/many${i}`, `${at}/many${i + 1}`)),
  ],
};

const samples = new Map<string, number[]>();
for (const { fs, root } of Object.values(systems)) {
  await fs.mkdir(`${root}/a/many0`, { recursive: true });
  for (const name of ['files', 'large']) await fs.mkdir(`${root}/a/${name}`);
  await times(10_000, (i) => fs.writeFile(`${root}/a/many0/${i}`, 'x'));
}
for (let round = 0; round <= rounds; round++)
  for (const [what, [count, work]] of Object.entries(works))
    for (const [name, { fs, root }] of Object.entries(systems)) {
      const began = performance.now();
      await work(fs, `${root}/a`, count);
      const us = ((performance.now() - began) / count) * 1000;
      if (what.startsWith('rename')) await fs.rename(`${root}/a/many2`, `${root}/a/many0`);
      if (name === 'drive') await venue.flush();
      // The first round warms up.
      if (round > 0) samples.set(`${what} ${name}`, [...(samples.get(`${what} ${name}`) ?? []), us]);
    }

console.log(`us each, median of ${rounds} rounds`);
console.log(['', ...Object.keys(systems), 'drive / memfs'].map((title, i) => title.padEnd(i ? 14 : 30)).join(''));
for (const what of Object.keys(works)) {
  const of = (name: string) => median(samples.get(`${what} ${name}`)!);
  const cells = Object.keys(systems).map((name) => of(name).toFixed(1).padEnd(14));
  console.log(`${what.padEnd(30)}${cells.join('')}${(of('drive') / of('memfs')).toFixed(1)}`);
}
await venue.close();
rmSync(folder, { recursive: true, force: true });
