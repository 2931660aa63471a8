// `npm start`, as somebody sees who runs it twice in an empty folder; and that it would tell if Tidemark did not keep its word.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judge } from '../../demo/start/judge.mjs';
import { flightOf, keyOf } from '../../demo/start/records.mjs';
import { ensureBuilt } from '../../scripts/build.mjs';
import { openVenue } from '../../src/node';

const main = join(import.meta.dirname, '../../demo/start/main.mjs');

let folder: string;
beforeAll(async () => {
  await ensureBuilt();
  folder = await mkdtemp(join(tmpdir(), 'tidemark-start-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(): Promise<{ code: number; lines: string[]; stderr: string }> {
  const child = spawn(process.execPath, [main, '--seconds', '3'], { cwd: folder });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, lines: stdout.split('\n'), stderr };
}

/** The rows of the table: kill, written, durable, found, lost. */
const rowsOf = (lines: string[]): number[][] =>
  lines
    .filter((line) => /^ +\d+ .* (yes|NO)$/.test(line))
    .map((line) => line.trim().split(/ {2,}/).slice(0, 5).map(toNumber));

const toNumber = (text: string): number => Number(text.replaceAll(',', ''));
const find = (lines: string[], pattern: RegExp): string => {
  const found = lines.map((line) => pattern.exec(line)?.[1]).find((match) => match !== undefined);
  if (found === undefined) throw new Error(`no line like ${pattern} in:\n${lines.join('\n')}`);
  return found;
};

describe('npm start', () => {
  it('shows three kills that cost nothing durable, and goes on from there when it is run again', async () => {
    const first = await run();
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(find(first.lines, /^Store +(.*)$/)).toBe(`${join('demo-data', 'venue.etch')}: new`);
    const did = find(first.lines, /^Identity +(did:key:z6Mk\w+)$/);
    expect(find(first.lines, /^Identity unchanged: (.*)$/)).toBe(did);
    const total = toNumber(find(first.lines, /^The store has ([\d,]+) flights now/));

    const second = await run();
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(toNumber(find(second.lines, /^Store .*: goes on from ([\d,]+) flights/))).toBe(total);
    expect(find(second.lines, /^Identity unchanged: (.*)$/)).toBe(did);
    const newTotal = toNumber(find(second.lines, /^The store has ([\d,]+) flights now/));

    for (const { lines } of [first, second]) {
      const rows = rowsOf(lines);
      expect(rows.map(([kill]) => kill)).toEqual([1, 2, 3]);
      expect(Math.max(...rows.map(([, , durable]) => durable!))).toBeGreaterThan(0);
      for (const [, written, durable, found, lost] of rows) {
        expect(found).toBeGreaterThanOrEqual(durable!);
        expect(written).toBe(found! + lost!);
      }
      expect(lines.filter((line) => line.length > 80)).toEqual([]);
      expect(lines.join('\n')).not.toContain('\x1b');
    }
    expect(rowsOf(first.lines).reduce((sum, [, , , found]) => sum + found!, 0)).toBe(total);
    expect(rowsOf(second.lines).reduce((sum, [, , , found]) => sum + found!, total)).toBe(newTotal);
    expect((await readdir(join(folder, 'demo-data'))).sort()).toEqual(['venue.etch', 'venue.key']);
  });

  it('says why and fails when it cannot go on', async () => {
    const venue = await openVenue({ store: join(folder, 'demo-data/venue.etch'), signals: false });
    try {
      const { code, lines } = await run();
      expect(code).toBe(1);
      expect(lines.join('\n')).toContain(`in use by process ${process.pid}`);
    } finally {
      await venue.close();
    }
  });
});

describe('what is found after a kill is held to what was said before it', () => {
  /** The writer found 2 flights, wrote 8 more, one a ms, and was told that 3 of them are durable; it was killed right after the last. */
  const testimony = { before: 2, written: 10, durable: 5, ageOf: (n: number) => 10 - n };
  const flights = (last: number) =>
    Array.from({ length: last }, (_, i): [string, unknown] => [keyOf(i + 1), flightOf(i + 1)]);

  it('no fault where all that was durable is there', () => {
    expect(judge(testimony, flights(7))).toEqual({ written: 8, durable: 3, found: 5, lost: 3, lostMs: 2, faults: [] });
    expect(judge(testimony, flights(10))).toMatchObject({ found: 8, lost: 0, lostMs: 0, faults: [] });
  });

  it.each<[fault: string, found: [string, unknown][]]>([
    ['flights 5 to 5 were reported durable and are missing', flights(4)],
    ['flights 11 to 12 were never written', flights(12)],
    ['flight 2 has another value', flights(7).map(([key, flight]) => [key, key === keyOf(2) ? flightOf(3) : flight])],
    [`flight 2 is missing, ${keyOf(3)} is there`, flights(7).filter(([key]) => key !== keyOf(2))],
  ])('a fault: %s', (fault, found) => {
    expect(judge(testimony, found).faults).toContain(fault);
  });
});
