// What is measured of file systems, in Node and in a page alike: readFile and writeFile of 1 KB and 100 KB, stat, readdir of 1,000, a move of 1,000 files.
import type { Drive } from '../../src/services/drives';
import { median } from '../stats';

export type Fs = Pick<Drive, 'readFile' | 'writeFile' | 'readdir' | 'stat' | 'rename'> & {
  mkdir(path: string): Promise<unknown>;
};

/** A file system, a folder in it, and what brings all of it to where it stays; between the measurements. */
export interface System {
  readonly fs: Fs;
  readonly root: string;
  settle(): Promise<void>;
}

/** Microseconds each, by what and by system. */
export type Medians = Record<string, Record<string, number>>;

const small = new Uint8Array(1024).fill(120);
const large = new Uint8Array(100 * 1024).fill(120);

const times = async (count: number, work: (i: number) => Promise<unknown>): Promise<void> => {
  for (let i = 0; i < count; i++) await work(i);
};

/** How often, and what. */
const works: Record<string, [count: number, work: (fs: Fs, at: string, i: number) => Promise<unknown>]> = {
  'writeFile 1 KB': [1000, (fs, at, i) => fs.writeFile(`${at}/files/${i}`, small)],
  'readFile 1 KB': [1000, (fs, at, i) => fs.readFile(`${at}/files/${i}`)],
  'writeFile 100 KB': [50, (fs, at, i) => fs.writeFile(`${at}/large/${i}`, large)],
  'readFile 100 KB': [50, (fs, at, i) => fs.readFile(`${at}/large/${i}`)],
  stat: [1000, (fs, at, i) => fs.stat(`${at}/files/${i}`)],
  'readdir of 1,000': [20, (fs, at) => fs.readdir(`${at}/files`)],
  'rename of a folder of 1,000': [4, (fs, at, i) => fs.rename(`${at}/many${i % 2}`, `${at}/many${(i + 1) % 2}`)],
};

export async function measure(systems: Record<string, System>, rounds: number): Promise<Medians> {
  const samples: Record<string, Record<string, number[]>> = {};
  for (const { fs, root } of Object.values(systems)) {
    for (const name of ['', '/files', '/large', '/many0']) await fs.mkdir(`${root}/a${name}`);
    await times(1000, (i) => fs.writeFile(`${root}/a/many0/${i}`, 'x'));
  }
  // The first round warms up.
  for (let round = 0; round <= rounds; round++)
    for (const [what, [count, work]] of Object.entries(works))
      for (const [name, { fs, root, settle }] of Object.entries(systems)) {
        const began = performance.now();
        await times(count, (i) => work(fs, `${root}/a`, i));
        const us = ((performance.now() - began) / count) * 1000;
        await settle();
        samples[what] ??= {};
        samples[what][name] ??= [];
        if (round > 0) samples[what][name].push(us);
      }
  const middle = (of: Record<string, number[]>) =>
    Object.fromEntries(Object.entries(of).map(([name, values]) => [name, median(values)]));
  return Object.fromEntries(Object.entries(samples).map(([what, of]) => [what, middle(of)]));
}
