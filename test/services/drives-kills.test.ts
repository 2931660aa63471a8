// A real program that works on a drive in a real folder, killed with SIGKILL in mid-write and mid-rename many times in a row; and a disk that is full.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { openDrive } from '../../src/services/drives';
import { mountSmallDisk } from '../crash/small-disk';
import { Random } from '../simulator/random';
import { contentOf, type DrivesOptions, filesEach, filesMany } from './children/drives-plan';
import { big, expectTree, listing } from './drives-world';
import { mortal } from './mortal';

const lives = 50;

const child = mortal<DrivesOptions>('drives');

describe('a drive whose process is killed, fifty times', () => {
  it('is a tree of whole files, and folders that were renamed have one name and all that is in them', async () => {
    const store = child.at('venue.etch');
    const random = new Random(9);
    const counts = { generations: 0, unfinished: 0, files: 0, moved: 0 };
    let durable = 0;
    for (let life = 1; life <= lives; life++) {
      const trace = child.at(`trace.${life}`);
      const lines = await child.live({ store, trace }, life % 10 === 0 ? 'opened' : 'working', random.below(150));
      for (const { what, data } of lines) if (what === 'durable') durable = data as number;

      const venue = await openVenue({ store, signals: false });
      expect(venue.health()).toMatchObject({ status: 'ok', recovery: { damage: [], holes: [] } });
      const drive = openDrive(venue, 'd');
      // Reads every file: no blob is missing.
      const all = await expectTree(drive, venue, 'd');
      const made = Object.keys(all).flatMap((path) => /^\/made\.(\d+)$/.exec(path)?.[1] ?? []);
      if (durable > 0) expect(made.map(Number)).not.toEqual([]);
      for (const generation of made.map(Number)) {
        expect([durable, durable + 1], 'what was durable is there').toContain(generation);
        for (let i = 0; i < filesEach; i++)
          expect(await drive.readFile(`/made.${generation}/in/${i}`, 'utf8')).toBe(contentOf(generation, i));
      }
      if (!made.includes(`${durable}`) && durable > 0) expect(made).toEqual([`${durable + 1}`]);
      durable = Math.max(durable, ...made.map(Number)); // what was found once is there for ever
      const many = Object.keys(all).filter((path) => /^\/many[^/]*$/.test(path));
      expect(many).toHaveLength(1);
      expect(await drive.readdir(many[0]!)).toHaveLength(filesMany);
      counts.generations = durable;
      counts.unfinished += '/unfinished' in all ? 1 : 0;
      counts.moved += many[0] === '/many' ? 0 : 1;
      counts.files += Object.keys(all).length;
      await venue.close();
    }
    expect(counts.unfinished).toBeGreaterThan(0);
    expect(counts.generations).toBeGreaterThan(0);
    expect(counts.moved).toBeGreaterThan(0);
    expect(counts.moved).toBeLessThan(lives - lives / 10);
    console.log(`${lives} kills of a program that works on a drive: ${JSON.stringify(counts)}`);
  }, 600_000);
});

describe('a drive on a full disk', () => {
  it('refuses large files with ENOSPC and keeps the old ones; small ones are saved once there is room', async () => {
    const disk = await mountSmallDisk(4 * 1024 * 1024);
    const store = join(disk.path, 'venue.etch');
    const quiet = { info() {}, warn() {}, error() {} };
    const venue = await openVenue({ store, signals: false, logger: quiet });
    try {
      const drive = openDrive(venue, 'd');
      await drive.mkdir('/a');
      await drive.writeFile('/a/large', big('1', 500_000));
      await venue.flush();
      await disk.fill(100_000);
      for (const write of [
        () => drive.writeFile('/a/large', big('2', 1_000_000)),
        () => drive.appendFile('/a/large', big('2', 1_000_000)),
        () => drive.writeFile('/a/new', big('2', 1_000_000)),
      ])
        await expect(write()).rejects.toMatchObject({ code: 'ENOSPC', errno: -28, syscall: 'open' });
      expect(await listing(drive)).toEqual({ '/a': '/', '/a/large': `500000 ${big('1', 20)}...${big('1', 20)}` });

      await disk.free();
      await disk.fill();
      await drive.writeFile('/a/small', big('s', 30_000));
      await drive.rename('/a', '/b');
      expect(await drive.readFile('/b/small', 'utf8')).toBe(big('s', 30_000));
      await expect(venue.flush({ timeoutMs: 200 })).rejects.toMatchObject({ code: 'flush_timeout' });
      await disk.free();
      await venue.flush();
      await drive.writeFile('/b/new', big('3', 1_000_000));
      const all = await listing(drive);
      await venue.close();
      const again = await openVenue({ store, signals: false });
      expect(await expectTree(openDrive(again, 'd'), again, 'd')).toEqual(all);
      await again.close();
    } finally {
      await venue.close();
      await disk.remove();
    }
  });
});
