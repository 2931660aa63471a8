// A real program that sets and rekeys secrets, killed with SIGKILL in mid-work many times in a row on one store: one key opens everything, what it was
// told is durable is there. And a really full disk.
import { cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { openSecrets } from '../../src/services/secrets';
import { mountSmallDisk } from '../crash/small-disk';
import { Random } from '../simulator/random';
import { rememberingLogger } from '../venue/helpers';
import type { SecretsOptions } from './children/secrets';
import { mortal } from './mortal';

const lives = 50;
const firstSeed = '11'.repeat(32);

const child = mortal<SecretsOptions>('secrets');

describe('secrets of a process that is killed in mid-work, fifty times', () => {
  it('open with one key, all of them, and are what it was told', async () => {
    const store = child.at('venue.etch');
    const random = new Random(6);
    let seeds = [firstSeed];
    /** What each may be: one thing, and what was in hand at the kill. */
    let state = new Map<string, (string | null)[]>();
    const counts = { changes: 0, rekeys: 0, inHand: 0, inMidRekey: 0, newKeyAfterKill: 0 };

    for (let life = 1; life <= lives; life++) {
      const trace = child.at(`trace.${life}`);
      const lines = await child.live({ store, trace, seeds, life }, 'opened', random.below(250));

      let inHand: [name: string, value: string | null] | undefined;
      for (const { what, data } of lines) {
        if (what === 'begun') {
          const [, name, value] = data as [number, string, string | null];
          inHand = [name, value];
        } else if (what === 'ended') {
          state.set(inHand![0], [inHand![1]]);
          inHand = undefined;
          counts.changes++;
        } else if (what === 'rekeying') seeds = [seeds.at(-1)!, data as string];
        else {
          seeds = [data as string];
          counts.rekeys++;
        }
      }
      if (inHand) {
        state.set(inHand[0], [...(state.get(inHand[0]) ?? [null]), inHand[1]]);
        counts.inHand++;
      }
      if (seeds.length > 1) counts.inMidRekey++;

      const venue = await openVenue({ store, signals: false });
      expect(venue.health()).toMatchObject({ status: 'ok', recovery: { damage: [], holes: [] } });
      const opened = await Promise.allSettled(seeds.map((seed) => openSecrets(venue, { seed })));
      const which = opened.findIndex(({ status }) => status === 'fulfilled');
      expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      if (which > 0) counts.newKeyAfterKill++;
      seeds = [seeds[which]!];
      const secrets = await openSecrets(venue, { seed: seeds[0]! });
      for (const [name, may] of state) expect(may).toContain(secrets.get(name) ?? null);
      expect(secrets.list().filter((name) => !state.has(name))).toEqual([]);
      state = new Map(secrets.list().map((name) => [name, [secrets.get(name) as string]]));
      await venue.close();
    }
    // Had nothing been on its way when they died, these deaths would have shown nothing.
    expect(counts.inMidRekey).toBeGreaterThan(0);
    expect(counts.inHand + counts.inMidRekey).toBeGreaterThan(lives / 5);
    for (const name of await readdir(store, { recursive: true }))
      if (/(log|checkpoint)\./.test(name)) expect(await readFile(join(store, name), 'latin1')).not.toContain('S3CRET');
    console.log(`${lives} kills of a program that rekeys its secrets: ${JSON.stringify(counts)}`);
  }, 300_000);
});

describe('a disk that is full in mid-rekey', () => {
  it('leaves the old key in force, and the new one as soon as there is room', async () => {
    const disk = await mountSmallDisk(1024 * 1024);
    const options = { store: join(disk.path, 'venue.etch'), signals: false, logger: rememberingLogger() };
    try {
      const venue = await openVenue(options);
      const secrets = await openSecrets(venue, { seed: firstSeed });
      for (const n of [1, 2, 3]) await secrets.set(`${n}`, `${n}`.repeat(10_000));
      await disk.fill(20_000); // less than the commit has
      const rekeying = secrets.rekey('22'.repeat(32));
      await expect.poll(() => venue.health().status, { timeout: 20_000 }).toBe('failing');
      // As a crash now would leave it.
      const copy = child.at('copy.etch');
      await cp(options.store, copy, { recursive: true, filter: (path) => !path.endsWith('LOCK') });
      await cp(options.store.replace(/etch$/, 'key'), copy.replace(/etch$/, 'key'));
      const crashed = await openVenue({ ...options, store: copy });
      const old = await openSecrets(crashed, { seed: firstSeed });
      expect([1, 2, 3].map((n) => (old.get(`${n}`) as string)[0])).toEqual(['1', '2', '3']);
      await expect(openSecrets(crashed, { seed: '22'.repeat(32) })).rejects.toMatchObject({ code: 'foreign_key' });
      await crashed.close();

      await disk.free();
      await rekeying;
      await venue.close();
      const again = await openVenue(options);
      await expect(openSecrets(again, { seed: firstSeed })).rejects.toMatchObject({ code: 'foreign_key' });
      const rekeyed = await openSecrets(again, { seed: '22'.repeat(32) });
      expect([1, 2, 3].map((n) => (rekeyed.get(`${n}`) as string)[0])).toEqual(['1', '2', '3']);
      await again.close();
    } finally {
      await disk.remove();
    }
  }, 60_000);
});
