// A real program that keeps assets in a real folder, killed with SIGKILL in mid-put fifty times in a row: every asset has its bytes, every put that
// resolved is there, and nothing lies about that nobody names.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { openAssets } from '../../src/services/assets';
import { Random } from '../simulator/random';
import { gather, textBytes } from './assets-bytes';
import type { AssetsChildOptions } from './children/assets';
import { mortal } from './mortal';

const lives = 50;

const child = mortal<AssetsChildOptions>('assets');

describe('assets of a process that is killed in mid-put, fifty times', () => {
  it('have their bytes, and are those that it was told of', async () => {
    const store = child.at('venue.etch');
    const blobs = () => readdir(join(store, 'blobs'));
    const random = new Random(3);
    /** Those that must be there. */
    const there = new Set<string>();
    const counts = { puts: 0, unfinished: 0, unnamed: 0, deleted: 0 };

    for (let life = 1; life <= lives; life++) {
      const trace = child.at(`trace.${life}`);
      const lines = await child.live({ store, trace, seed: life }, 'working', random.below(120));
      // Of a put and a deletion that overlap either may be the later.
      const deleting = new Set<string>();
      for (const { what, data } of lines) {
        const hash = data as string;
        if (what === 'deleting') {
          deleting.add(hash);
          there.delete(hash);
        } else if (what === 'deleted') counts.deleted++;
        else {
          counts.puts++;
          if (!deleting.has(hash)) there.add(hash);
        }
      }
      const left = await blobs().catch(() => []);
      if (left.some((name) => name.endsWith('.tmp'))) counts.unfinished++;
      if (life % 3 !== 0 && life !== lives) continue; // the next life finds it as the kill left it

      const venue = await openVenue({ store, signals: false });
      expect(venue.health()).toMatchObject({ status: 'ok', recovery: { damage: [], holes: [] } });
      const assets = openAssets(venue);
      const checks = await gather(assets.verify());
      expect(checks.filter(({ state }) => state !== 'ok')).toEqual([]);
      for (const hash of there) expect(assets.has(hash)).toBe(true);
      counts.unnamed += (await blobs()).filter((name) => !name.endsWith('.tmp') && !assets.has(name)).length;
      await assets.put(textBytes('next'));
      expect((await blobs()).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      for (let i = 0; i < 2; i++) await venue.checkpoint();
      expect((await blobs()).sort()).toEqual(assets.list().assets.map(({ hash }) => hash));
      // What is there now stays, whatever it was.
      for (const { hash } of assets.list().assets) there.add(hash);
      await venue.close();
    }
    // Had nothing been on its way when they died, these deaths would have shown nothing.
    expect(counts.unfinished).toBeGreaterThan(lives / 10);
    expect(counts.unnamed).toBeGreaterThan(0);
    expect(counts.puts).toBeGreaterThan(lives);
    console.log(`${lives} kills of a program that puts assets: ${JSON.stringify(counts)}`);
  }, 300_000);
});
