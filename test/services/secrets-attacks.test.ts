// Somebody who can write the store, with the venue's own identity even, and does not have the key of the secrets: what he changes is noticed, named
// without its value, and costs no other secret.
import { describe, expect, it } from 'vitest';
import { type MemoryStore, memoryStore } from '../../backends/memory';
import { openSecrets, type Secrets, type SecretsKey } from '../../src/services/secrets';
import { type Opened, openIn, otherSeed } from '../venue/helpers';

type Entry = [version: number, era: number, keyId: string, box: Uint8Array];
const thirdSeed = '33'.repeat(32);

interface World extends Opened {
  secrets: Secrets;
  /** What stands there. */
  taken(name: string, region?: string): Entry;
  /** Puts anything there. */
  put(name: string, value: unknown, region?: string): void;
  /** The same store, opened again. */
  again(key?: SecretsKey): Promise<World>;
}

async function open(key: SecretsKey = {}, store: MemoryStore = memoryStore()): Promise<World> {
  const opened = await openIn({ exclusive: true, store }, { sweepMs: 0 });
  const { venue, kill } = opened;
  const region = (name = '') => venue.region<unknown>(`tidemark.secrets${name}`, { join: 'max', critical: true });
  return {
    ...opened,
    secrets: await openSecrets(venue, key),
    taken: (name, of) => region(of).get(name) as Entry,
    put(name, value, of) {
      region(of).delete(name); // so that the join has no say
      region(of).set(name, value);
    },
    async again(key) {
      await venue.flush();
      kill();
      return open(key, store);
    },
  };
}

const damaged = (name: string) =>
  expect.objectContaining({
    code: 'damaged',
    message: expect.stringMatching(new RegExp(`^secret "${name}" is damaged(?!.*S3CRET)`)),
  });
const foreign = expect.objectContaining({ code: 'foreign_key' });

/** `a` is damaged, in this life and in the next; `b` is not; and `a` can be had back. */
async function expectDamaged(world: World, key?: SecretsKey): Promise<void> {
  for (const { secrets } of [world, await world.again(key)]) {
    expect(() => secrets.get('a')).toThrow(damaged('a'));
    expect(() => secrets.get('a', { previous: true })).toThrow(damaged('a'));
    expect(secrets.get('b')).toBe('S3CRET b');
    expect(secrets.list()).toEqual(['a', 'b']);
  }
}

async function expectMended({ again }: World, key?: SecretsKey): Promise<void> {
  const world = await again(key);
  const { secrets } = world;
  await expect(secrets.rotate('a', 'S3CRET')).rejects.toThrow(damaged('a'));
  expect(await secrets.setIfAbsent('a', 'S3CRET')).toBe(false);
  await secrets.set('a', 'mended');
  await secrets.rotate('a', 'mended again');
  expect((await world.again(key)).secrets.get('a')).toBe('mended again');
}

async function withTwo(key?: SecretsKey): Promise<World> {
  const world = await open(key);
  await world.secrets.set('a', 'S3CRET a');
  await world.secrets.set('b', 'S3CRET b');
  return world;
}

describe('the wrong key', () => {
  it('opens nothing and changes nothing', async () => {
    const { secrets, venue, backend } = await withTwo();
    await venue.flush();
    const [appends, present] = [backend.appends.length, [...venue.region('tidemark.secrets.keys')]];
    const first = await openSecrets(venue).then((secrets) => secrets.get('a'));
    for (const key of [{ seed: otherSeed }, { seed: new Uint8Array(32) }, { passphrase: 'guess' }])
      await expect(openSecrets(venue, key)).rejects.toThrow(foreign);
    expect(venue.health().unsaved.entries).toBe(0);
    expect(backend.appends).toHaveLength(appends);
    expect([...venue.region('tidemark.secrets.keys')]).toEqual(present);
    expect([secrets.get('a'), first]).toEqual(['S3CRET a', 'S3CRET a']);
  });

  it('is a wrong passphrase, and a seed where a passphrase is asked for', async () => {
    const world = await withTwo({ passphrase: 'right' });
    await expect(openSecrets(world.venue, { passphrase: 'wrong' })).rejects.toThrow(
      /this passphrase does not open them/,
    );
    await expect(openSecrets(world.venue)).rejects.toThrow(
      /this seed .* under another passphrase; nothing was changed/,
    );
    expect((await world.again({ passphrase: 'right' })).secrets.get('a')).toBe('S3CRET a');
  }, 60_000);

  it('is the one before a rekey', async () => {
    const world = await withTwo();
    const old = [world.taken('a'), world.taken('present', '.keys')] as const;
    await world.secrets.rekey(otherSeed);
    await expect(openSecrets(world.venue)).rejects.toThrow(foreign);
    // Also with the old statement of which is the present key.
    world.put('present', old[1], '.keys');
    const opened = await openSecrets(world.venue);
    expect(() => opened.get('b')).toThrow(damaged('b'));
  });
});

describe('a change of an entry', () => {
  it('of any bit of its box is noticed', async () => {
    const world = await withTwo();
    const [version, era, keyId, box] = world.taken('a');
    for (let bit = 0; bit < 8 * box.length; bit++) {
      const flipped = box.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      world.put('a', [version, era, keyId, flipped]);
      expect(() => world.secrets.get('a'), `bit ${bit}`).toThrow(damaged('a'));
    }
    await expectDamaged(world);
    await expectMended(world);
  });

  it.each<[string, (entry: Entry) => unknown]>([
    ['a greater version', ([version, ...rest]) => [version + 1, ...rest]],
    ['the greatest version', ([, ...rest]) => [1e13 - 1, ...rest]],
    ['no version', ([, ...rest]) => [null, ...rest]],
    ['another era', ([version, era, ...rest]) => [version, era + 1, ...rest]],
    ['the id of another key', ([version, era, , box]) => [version, era, 'hkdf.0000000000000000', box]],
    ['the name of no key', ([version, era, , box]) => [version, era, 'present', box]],
    ['a truncated nonce', ([version, era, id, box]) => [version, era, id, box.subarray(1)]],
    ['a truncated tag', ([version, era, id, box]) => [version, era, id, box.subarray(0, -1)]],
    ['a nonce alone', ([version, era, id, box]) => [version, era, id, box.subarray(0, 24)]],
    ['an empty box', ([version, era, id]) => [version, era, id, new Uint8Array()]],
    ['bytes after it', ([version, era, id, box]) => [version, era, id, new Uint8Array([...box, 0])]],
    ['text for a box', ([version, era, id]) => [version, era, id, 'S3CRET']],
    ['no box', ([version, era, id]) => [version, era, id]],
    ['a number', () => 7],
    ['text', () => 'S3CRET'],
    ['an object', () => ({ box: 'S3CRET' })],
    ['a map', () => new Map([['S3CRET', 1n]])],
    ['a list of lists', () => [[['S3CRET']]]],
    ['null', () => null],
  ])('is noticed: %s', async (_, change) => {
    const world = await withTwo();
    world.put('a', change(world.taken('a')));
    await expectDamaged(world);
    await expectMended(world);
  });

  it('that moves it to another name is noticed, and so is one for the other', async () => {
    const world = await withTwo();
    const [a, b] = [world.taken('a'), world.taken('b')];
    world.put('a', b);
    await expectDamaged(world);
    world.put('c', a);
    expect(() => world.secrets.get('c')).toThrow(damaged('c'));
    world.put('b', a);
    expect(() => world.secrets.get('b')).toThrow(damaged('b'));
  });
});

describe('an old version', () => {
  let backAnHour: () => void;
  it.each<[string, (secrets: Secrets) => Promise<unknown>, SecretsKey?]>([
    ['set again', (secrets) => secrets.set('a', 'new')],
    ['rotated', (secrets) => secrets.rotate('a', 'new')],
    ['deleted and set again', (secrets) => secrets.delete('a').then(() => secrets.set('a', 'new'))],
    [
      'deleted and set again when the clock had gone back',
      async (secrets) => {
        await secrets.delete('a');
        backAnHour();
        await secrets.set('a', 'new');
      },
    ],
    [
      'rotated and rekeyed',
      (secrets) => secrets.rotate('a', 'new').then(() => secrets.rekey(otherSeed)),
      { seed: otherSeed },
    ],
  ])('is noticed in the place of one that was %s', async (what, change, key) => {
    const world = await withTwo();
    backAnHour = () => world.clock.jump(-3_600_000);
    const old = world.taken('a');
    await change(world.secrets);
    const [version] = world.taken('a');
    expect(version).not.toBe(old[0]);
    if (!what.startsWith('deleted')) {
      // A write beside the service does not even take the place: the greater one stays.
      world.venue.region<unknown>('tidemark.secrets').set('a', old);
      expect(world.taken('a')[0]).toBe(version);
    }
    world.put('a', old);
    await expectDamaged(world, key);
    const again = await world.again(key);
    again.put('a', [version, ...old.slice(1)]); // with the version of the new one
    await expectDamaged(again, key);
  });

  it('is noticed by what says which the newest is, and nobody is locked out by that', async () => {
    for (const newest of [1e13 - 1, 1e300, 'S3CRET', { a: 1 }, null]) {
      const world = await withTwo();
      world.put('a', newest, '.versions');
      if (newest === 1e13 - 1) await expectDamaged(world);
      const { secrets } = await world.again();
      await secrets.set('a', 'mended');
      await secrets.rotate('a', 'mended again');
      expect(secrets.get('a')).toBe('mended again');
    }
  });
});

describe('what is stored of keys', () => {
  it.each([
    'scrypt.30.00000000000000000000000000000000.0000000000000000',
    'scrypt.20.00000000000000000000000000000000.0000000000000000',
    'scrypt.16.00000000000000000000000000000000.0000000000000000',
    'scrypt.1.00000000000000000000000000000000.0000000000000000',
    'scrypt.-17.00000000000000000000000000000000.0000000000000000',
    'scrypt.1e9.00000000000000000000000000000000.0000000000000000',
    'scrypt.17.00.0000000000000000',
    `scrypt.17.${'0'.repeat(1e6)}.0000000000000000`,
    'scrypt.17',
    'scrypt.',
  ])('asks for no more than any passphrase that was ever set: %.60s', async (id) => {
    const world = await withTwo();
    world.put('present', [world.taken('a')[1] + 1, id], '.keys');
    await expect(openSecrets(world.venue, { passphrase: 'right' })).rejects.toThrow(
      expect.objectContaining({ code: 'damaged' }),
    );
    await expect(openSecrets(world.venue)).rejects.toThrow(foreign);
  });

  it('may be lost: the secrets say the same', async () => {
    for (const lost of [undefined, 7, [], { a: 1 }]) {
      const world = await withTwo();
      world.put('present', lost ?? null, '.keys');
      if (lost === undefined) world.venue.region('tidemark.secrets.keys').delete('present');
      await expect(openSecrets(world.venue, { seed: otherSeed })).rejects.toThrow(foreign);
      const { secrets, venue } = await world.again();
      expect(secrets.get('a')).toBe('S3CRET a');
      await secrets.set('a', 'new');
      await secrets.rekey(otherSeed);
      expect(secrets.get('a')).toBe('new');
      await expect(openSecrets(venue)).rejects.toThrow(foreign);
    }
  });

  it('before the present one does not open when a bit of it has changed, and costs only what is under it', async () => {
    const world = await withTwo();
    const old = world.taken('a');
    await world.secrets.rekey(otherSeed);
    world.venue.region('tidemark.secrets.versions').delete('a');
    world.put('a', old); // as a tab would have written it that had not heard of the new key
    expect(world.secrets.get('a')).toBe('S3CRET a');
    const [era, keyId, since, box] = world.taken(old[2], '.keys') as unknown as [number, string, number, Uint8Array];
    const flipped = (at: number) => box.map((byte, i) => (i === at ? byte ^ 1 : byte));
    for (const changed of [
      ...[...box.keys()].map((at) => [era, keyId, since, flipped(at)]),
      [era + 1, keyId, since, box],
      [era, keyId, since + 1, box],
      [era, keyId, 1n, box],
      [era, keyId],
      'S3CRET',
    ]) {
      world.put(old[2], changed, '.keys');
      expect(() => world.secrets.get('a')).toThrow(damaged('a'));
    }
    await expectDamaged(world, { seed: otherSeed });
    await expectMended(world, { seed: otherSeed });
  });

  it('of others that somebody else made opens nothing of his', async () => {
    const world = await withTwo();
    const theirs = await open({ seed: thirdSeed });
    await theirs.secrets.set('a', 'chosen by somebody else');
    await theirs.secrets.rekey(otherSeed); // so that there is an entry for the key before
    const [, , id] = theirs.taken('a');
    world.put('a', theirs.taken('a'));
    for (const [name, value] of theirs.venue.region('tidemark.secrets.keys'))
      if (name !== 'present') world.put(name, value, '.keys');
    world.put(id, theirs.taken('present', '.keys'), '.keys');
    await expectDamaged(world);
  });
});

describe('a rekey', () => {
  it('is not led to lose a key by what stands in the place of one', async () => {
    for (const what of [7, ['S3CRET'], 'own']) {
      const world = await withTwo();
      const old = world.taken('a');
      world.put(old[2], what === 'own' ? [old[1], old[2], 1, old[3]] : what, '.keys');
      await world.secrets.rekey(otherSeed);
      expect([world.secrets.get('a'), world.secrets.get('b')]).toEqual(['S3CRET a', 'S3CRET b']);
      world.put('a', old); // of a tab that had not heard of it
      expect(world.secrets.get('a')).toBe('S3CRET a');
      await world.secrets.set('b', 'new');
      expect((await world.again({ seed: otherSeed })).secrets.get('b')).toBe('new');
    }
  });

  it('goes on without what is damaged, which stays so', async () => {
    const world = await withTwo();
    const [version, era, keyId, box] = world.taken('a');
    const flipped = box.map((byte) => byte ^ 1);
    world.put('a', [version, era, keyId, flipped]);
    await world.secrets.rekey(otherSeed);
    // Nothing was thrown away: with the bits as they were it is readable again.
    world.put('a', [version, era, keyId, box]);
    expect(world.secrets.get('a')).toBe('S3CRET a');
    world.put('a', [version, era, keyId, flipped]);
    await expectDamaged(world, { seed: otherSeed });
  });

  it('takes from the key before it the power to write', async () => {
    const world = await withTwo();
    await world.secrets.rekey(otherSeed);
    const old = world.taken('present', '.keys');
    world.clock.jump(31 * 24 * 3600 * 1000);
    await world.secrets.rekey(thirdSeed);
    world.clock.jump(31 * 24 * 3600 * 1000);
    await world.secrets.rekey('44'.repeat(32));
    expect([...world.venue.region('tidemark.secrets.keys')].map(([id]) => id)).not.toContain(old[1]);
    expect(world.secrets.get('a')).toBe('S3CRET a');
  });
});
