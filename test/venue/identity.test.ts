// Who signs: the seed option, the key file beside the store, or a key made and kept before it signs anything.
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type OpenOptions, openVenue } from '../../src/node';
import { openIn, otherSeed, rememberingLogger, seed, useFolder } from './helpers';

const path = useFolder();

async function openHere(options: OpenOptions = {}) {
  const logs = rememberingLogger();
  const venue = await openVenue({ store: path('venue.etch'), signals: false, logger: logs, ...options });
  return { venue, logs };
}

/** What the signed headers in a line say, read as anybody could. */
const headerOf = (line: string) => JSON.parse(Buffer.from(JSON.parse(line)[0].split('.')[0], 'base64url').toString());

describe('the identity of a venue', () => {
  it('is made and kept: the same did after every restart', async () => {
    const dids = [];
    for (let i = 0; i < 3; i++) {
      const { venue, logs } = await openHere();
      dids.push(venue.did);
      expect(logs).toMatchObject({ warnings: [], errors: [] });
      venue.region('r').set(`k${i}`, i);
      await venue.close();
    }
    expect(dids[0]).toMatch(/^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$/);
    expect(new Set(dids).size).toBe(1);
  });

  it('is in a file for its owner alone, there before the first commit, and nothing is left beside it', async () => {
    const { venue } = await openHere();
    expect((await stat(path('venue.key'))).mode & 0o777).toBe(0o600);
    expect(await readFile(path('venue.key'), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
    expect((await readdir(path('.'))).sort()).toEqual(['venue.etch', 'venue.key']);
    await venue.close();
  });

  it('is the seed that is given, as bytes or as hex, and then there is no key file', async () => {
    const bytes = new Uint8Array(Buffer.from(seed, 'hex'));
    const { venue } = await openHere({ seed: bytes });
    venue.region('r').set('a', 1);
    await venue.close();
    const again = await openHere({ seed: seed.toUpperCase() });
    expect(again.venue.did).toBe(venue.did);
    expect(again.venue.region('r').get('a')).toBe(1);
    await again.venue.close();
    expect(await readdir(path('.'))).toEqual(['venue.etch']);
  });

  it('is the seed that is given rather than the key file, which is not even read', async () => {
    await writeFile(path('venue.key'), 'nonsense');
    const { venue } = await openHere({ seed });
    await venue.close();
    expect(await readFile(path('venue.key'), 'utf8')).toBe('nonsense');
  });

  it('is the key file rather than a new key', async () => {
    await writeFile(path('venue.key'), seed, { mode: 0o600 });
    const { venue } = await openHere();
    const given = await openVenue({ store: 'memory', seed, signals: false });
    expect(venue.did).toBe(given.did);
    await Promise.all([venue.close(), given.close()]);
  });

  it('signs every commit', async () => {
    const { venue, store } = await openIn();
    for (let i = 0; i < 3; i++) {
      venue.region('r').set('k', i);
      await venue.flush();
    }
    const lines = store.commits().map((line) => new TextDecoder().decode(line));
    expect(lines.map(headerOf)).toEqual(Array(3).fill({ alg: 'EdDSA', kid: venue.did }));
  });

  it('cannot be changed by changing the bytes that were given, not even while the venue opens', async () => {
    const bytes = new Uint8Array(Buffer.from(seed, 'hex'));
    const opening = openVenue({ store: 'temp', seed: bytes, signals: false });
    bytes.fill(0);
    await using venue = await opening;
    await using same = await openVenue({ store: 'memory', seed, signals: false });
    expect(venue.did).toBe(same.did);
  });
});

describe('a key file that is no good is an error, never a new identity', () => {
  it.each([
    ['empty', ''],
    ['only a newline', '\n'],
    ['too short', `${seed.slice(2)}\n`],
    ['too long', `${seed}00\n`],
    ['of other characters', 'g'.repeat(64)],
    ['raw bytes', '\u0001'.repeat(32)],
  ])('%s', async (_, text) => {
    await writeFile(path('venue.key'), text, { mode: 0o600 });
    const opening = openHere();
    await expect(opening).rejects.toMatchObject({
      code: 'bad_key_file',
      message: expect.stringContaining(path('venue.key')),
    });
    expect(await readFile(path('venue.key'), 'utf8')).toBe(text);
    expect(await readdir(path('.'))).toEqual(['venue.key']);
  });

  it('unreadable', async () => {
    // A folder cannot be read as a file, not even by root, who ignores modes.
    await mkdir(path('venue.key'));
    await expect(openHere()).rejects.toMatchObject({ code: 'bad_key_file', cause: { code: 'EISDIR' } });
    expect(await readdir(path('.'))).toEqual(['venue.key']);
  });

  it('open to others: a warning that says what to do, and the venue opens', async () => {
    const first = await openHere();
    await first.venue.close();
    for (const mode of [0o644, 0o640, 0o604, 0o606]) {
      await chmod(path('venue.key'), mode);
      const { venue, logs } = await openHere();
      expect(venue.did).toBe(first.venue.did);
      expect(logs.warnings).toEqual([expect.stringMatching(new RegExp(`venue\\.key.*${mode.toString(8)}.*chmod 600`))]);
      await venue.close();
    }
  });
});

describe('a store that another key has signed', () => {
  it('is refused, with both keys named, and is as it was', async () => {
    const first = await openHere({ seed });
    first.venue.region('r').set('a', 1);
    await first.venue.close();
    const files = async () => {
      const names = (await readdir(path('venue.etch'), { recursive: true })).sort();
      return Promise.all(
        names
          .filter((name) => name !== 'LOCK')
          .map(async (name) => [name, `${await readFile(path('venue.etch', name))}`]),
      );
    };
    const before = await files();
    for (const more of [{}, { trusted: ['did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'] }]) {
      const opening = openHere({ seed: otherSeed, ...more });
      await expect(opening).rejects.toMatchObject({
        code: 'foreign_key',
        message: expect.stringContaining(first.venue.did),
      });
    }
    expect(await files()).toEqual(before);
    const again = await openHere({ seed });
    expect(again.venue.region('r').get('a')).toBe(1);
    await again.venue.close();
  });

  it('is refused too when all of it is in a checkpoint', async () => {
    const first = await openHere({ seed });
    first.venue.region('r').set('a', 1);
    await first.venue.checkpoint();
    await first.venue.checkpoint();
    await first.venue.close();
    await expect(openHere({ seed: otherSeed })).rejects.toMatchObject({ code: 'foreign_key' });
    const again = await openHere({ seed });
    expect(again.venue.health()).toMatchObject({ status: 'ok' });
    expect(again.venue.region('r').get('a')).toBe(1);
    await again.venue.close();
  });

  it('is opened when that key is trusted, and both keys go on signing their own', async () => {
    const first = await openHere({ seed });
    first.venue.region('r').set('a', 1);
    await first.venue.close();
    const second = await openHere({ seed: otherSeed, trusted: [first.venue.did] });
    expect(second.venue.region('r').get('a')).toBe(1);
    second.venue.region('r').set('b', 2);
    await second.venue.close();
    const third = await openHere({ seed, trusted: [second.venue.did] });
    expect([...third.venue.region('r')]).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(third.venue.health()).toMatchObject({ status: 'ok' });
    await third.venue.close();
  });
});
