// The face of secrets: what is kept, what comes back, what is refused, what is durable when. On stores in memory.
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../backends/memory';
import { openSecrets, type Secrets, type SecretValue } from '../../src/services/secrets';
import { type Opened, openIn, otherSeed, seed, type World } from '../venue/helpers';

const bytes = (...of: number[]) => new Uint8Array(of);
const code = (code: string) => expect.objectContaining({ code });

/** A venue that one process has, and its secrets. */
async function open(
  world: World = {},
  key?: Parameters<typeof openSecrets>[1],
): Promise<Opened & { secrets: Secrets }> {
  const opened = await openIn({ exclusive: true, ...world }, { sweepMs: 0 });
  return { ...opened, secrets: await openSecrets(opened.venue, key) };
}

const sample = { text: 'pässwörd 🔑', bytes: bytes(0, 255, 1), empty: '', nothing: bytes() };

async function setAll(secrets: Secrets): Promise<void> {
  for (const [name, value] of Object.entries(sample)) await secrets.set(name, value);
}
const allOf = (secrets: Secrets) => Object.fromEntries(secrets.list().map((name) => [name, secrets.get(name)]));

describe('a secret', () => {
  it('comes back as the kind that it was', async () => {
    const { secrets } = await open();
    await setAll(secrets);
    expect(allOf(secrets)).toEqual(sample);
    expect(secrets.list()).toEqual(['bytes', 'empty', 'nothing', 'text']);
    expect(secrets.has('text')).toBe(true);
    expect(secrets.has('none')).toBe(false);
    expect(secrets.get('none')).toBeUndefined();
    // What was given and what is taken may be wiped.
    const given = bytes(1, 2, 3);
    const setting = secrets.set('mine', given);
    given.fill(0);
    await setting;
    (secrets.get('mine') as Uint8Array).fill(0);
    expect(secrets.get('mine')).toEqual(bytes(1, 2, 3));
  });

  it.each(['text', 'ß'.repeat(512), 'a/b\0c', '__proto__', ' ', '\u{1f511}"\\\n', '../../etc/passwd'])(
    'has any name that a key of a region may have: %j',
    async (name) => {
      const world = { store: memoryStore() };
      const { secrets, kill } = await open(world);
      await secrets.set(name, 'value');
      await secrets.rotate(name, (value) => `${value}!`);
      kill();
      const again = (await open(world)).secrets;
      expect(again.list()).toEqual([name]);
      expect([again.get(name), again.get(name, { previous: true })]).toEqual(['value!', 'value']);
      expect(await again.delete(name)).toBe(true);
      expect(again.list()).toEqual([]);
    },
  );

  it('is refused with its name and without its value', async () => {
    const { secrets } = await open();
    for (const name of ['', 'x'.repeat(1025), '\ud800', 7 as never])
      await expect(secrets.set(name, 'a')).rejects.toThrow(code('bad_key'));
    for (const value of [7, null, undefined, { a: 1 }, new ArrayBuffer(1), [1]]) {
      await expect(secrets.set('name', value as never)).rejects.toThrow(
        /^secret "name": a value must be text or bytes/,
      );
      await expect(secrets.rotate('name', value as never)).rejects.toThrow(TypeError);
      await expect(secrets.setIfAbsent('name', value as never)).rejects.toThrow(code('bad_value'));
    }
    await expect(secrets.set('name', 'S3CRET\ud800')).rejects.toThrow(/^(?!.*S3CRET).*lone surrogate/);
    await expect(secrets.set('name', bytes().constructor as never)).rejects.toThrow(TypeError);
    await expect(secrets.set('large', new Uint8Array(16 * 1024 * 1024))).rejects.toThrow(code('too_large'));
    expect(secrets.list()).toEqual([]);
    await secrets.set('name', 'a');
    expect(secrets.get('name')).toBe('a');
  });

  it('is set if it is absent, and not otherwise', async () => {
    const { secrets } = await open();
    expect(await secrets.setIfAbsent('a', 'first')).toBe(true);
    expect(await secrets.setIfAbsent('a', 'second')).toBe(false);
    expect(secrets.get('a')).toBe('first');
    expect(await secrets.delete('a')).toBe(true);
    expect(await secrets.delete('a')).toBe(false);
    expect(await Promise.all([1, 2, 3].map((n) => secrets.setIfAbsent('a', `${n}`)))).toEqual([true, false, false]);
    expect(secrets.get('a')).toBe('1');
  });

  it('is rotated, and the one before it stays readable until the next change', async () => {
    const { secrets } = await open();
    await expect(secrets.rotate('a', 'b')).rejects.toThrow(code('not_found'));
    expect(secrets.has('a')).toBe(false);
    await secrets.set('a', 'one');
    const both = () => [secrets.get('a'), secrets.get('a', { previous: true })];
    expect(both()).toEqual(['one', undefined]);
    await secrets.rotate('a', bytes(2));
    expect(both()).toEqual([bytes(2), 'one']);
    await secrets.rotate('a', () => 'three');
    expect(both()).toEqual(['three', bytes(2)]);
    const wiped: SecretValue[] = [];
    await secrets.set('a', bytes(7));
    await secrets.rotate('a', (value) => {
      wiped.push((value as Uint8Array).fill(0));
      return 'and wiped';
    });
    expect([...wiped, ...both()]).toEqual([bytes(0), 'and wiped', bytes(7)]);
    await secrets.set('a', 'four');
    expect(both()).toEqual(['four', undefined]);
    await Promise.all([1, 2, 3].map((n) => secrets.rotate('a', (value) => `${value}, ${n}`)));
    expect(both()).toEqual(['four, 1, 2, 3', 'four, 1, 2']);
    await secrets.delete('a');
    await secrets.set('a', 'again');
    expect(both()).toEqual(['again', undefined]);
  });

  it('stays as it is when what shall change it fails', async () => {
    const { secrets } = await open();
    await secrets.set('a', 'one');
    const fail = () => {
      throw new RangeError('no');
    };
    await expect(secrets.rotate('a', fail)).rejects.toThrow(RangeError);
    await expect(secrets.rotate('a', (async () => 'later') as never)).rejects.toThrow(TypeError);
    expect([secrets.get('a'), secrets.get('a', { previous: true })]).toEqual(['one', undefined]);
    await secrets.rotate('a', 'two');
    expect(secrets.get('a')).toBe('two');
  });

  it('is given whatever the clock says', async () => {
    const world = { store: memoryStore() };
    const { secrets, clock, kill } = await open(world);
    await secrets.set('a', 'one');
    clock.jump(-40 * 365 * 24 * 3600 * 1000);
    await secrets.rotate('a', 'two');
    await secrets.set('early', 'bird');
    clock.jump(80 * 365 * 24 * 3600 * 1000);
    await secrets.rotate('a', 'three');
    clock.jump(-80 * 365 * 24 * 3600 * 1000);
    await secrets.rotate('a', 'four');
    kill();
    const again = (await open(world)).secrets;
    expect(allOf(again)).toEqual({ a: 'four', early: 'bird' });
  });
});

describe('what has resolved', () => {
  it.each<[string, (secrets: Secrets) => Promise<unknown>, string | undefined, string | undefined]>([
    ['set', (secrets) => secrets.set('b', '1'), '0', '1'],
    ['setIfAbsent', (secrets) => secrets.setIfAbsent('b', '1'), '0', '1'],
    ['rotate', (secrets) => secrets.rotate('a', '1'), '1', undefined],
    ['delete', (secrets) => secrets.delete('a'), undefined, undefined],
  ])('is durable: %s', async (_, change, a, b) => {
    const world = { store: memoryStore() };
    const { secrets, kill } = await open(world);
    await secrets.set('a', '0');
    await change(secrets);
    kill();
    const again = (await open(world)).secrets;
    expect([again.get('a'), again.get('b')]).toEqual([a, b]);
  });

  it('is durable, and under the new key alone: rekey', async () => {
    const world = { store: memoryStore() };
    const { secrets, kill } = await open(world);
    await setAll(secrets);
    await secrets.rotate('text', 'new');
    await secrets.rekey(otherSeed);
    expect(allOf(secrets)).toEqual({ ...sample, text: 'new' });
    kill();
    await expect(open(world)).rejects.toThrow(code('foreign_key'));
    const again = (await open(world, { seed: otherSeed })).secrets;
    expect(allOf(again)).toEqual({ ...sample, text: 'new' });
    expect(again.get('text', { previous: true })).toBe(sample.text);
  });
});

describe('a key', () => {
  it('is that of the venue, which is the same as from its seed', async () => {
    const world = { store: memoryStore() };
    const { secrets, kill } = await open(world);
    await secrets.set('a', 'b');
    kill();
    const { secrets: again, kill: killAgain } = await open(world, { seed });
    expect(again.get('a')).toBe('b');
    killAgain();
    const asBytes = { seed: Uint8Array.from(Buffer.from(seed, 'hex')) };
    expect((await open(world, asBytes)).secrets.get('a')).toBe('b');
    expect(asBytes.seed).toEqual(new Uint8Array(32).fill(0x11)); // not wiped: it is the caller's
  });

  it('is a passphrase, however it was typed', async () => {
    const world = { store: memoryStore() };
    const { secrets, kill } = await open(world, { passphrase: 'caf\u00e9' });
    await secrets.set('a', 'b');
    kill();
    const { secrets: again, kill: killAgain } = await open(world, { passphrase: 'cafe\u0301' });
    expect(again.get('a')).toBe('b');
    killAgain();
    await expect(open(world, { passphrase: 'cafe' })).rejects.toThrow(code('foreign_key'));
  }, 60_000);

  it('is changed from any kind to any other, and to the same passphrase with another salt', async () => {
    const world = { store: memoryStore() };
    const { secrets, venue, kill } = await open(world);
    await setAll(secrets);
    const ids = new Set<unknown>();
    for (const key of [{ seed }, { passphrase: 'p' }, { passphrase: 'p' }, { seed: otherSeed }, {}]) {
      await secrets.rekey(key);
      expect(allOf(secrets)).toEqual(sample);
      ids.add((venue.region<unknown[]>('tidemark.secrets').get('text') as unknown[])[2]);
    }
    expect(ids.size).toBe(4);
    kill();
    expect(allOf((await open(world)).secrets)).toEqual(sample);
  }, 60_000);

  it('must be one that was meant', async () => {
    const { venue, secrets } = await open();
    const bad = [
      { seed: undefined },
      { passphrase: undefined },
      { passphrase: '' },
      { passphrase: 7 },
      { seed: 'S3CRET' },
      { seed: bytes(1) },
      { seed, passphrase: 'p' },
      { password: 'p' },
      { pass: 'p', seed },
      ['p'],
      'S3CRET',
      null,
    ];
    for (const key of bad as never[]) {
      await expect(openSecrets(venue, key)).rejects.toThrow(code('bad_option'));
      await expect(secrets.rekey(key)).rejects.toThrow(code('bad_option'));
    }
    await expect(secrets.rekey(undefined as never)).rejects.toThrow(code('bad_option'));
    await expect(secrets.rekey('S3CRET')).rejects.toThrow(/^(?!.*S3CRET)/);
    expect(secrets.list()).toEqual([]);
  });

  it('of any kind will do where there are no secrets, also none any more', async () => {
    const world = { store: memoryStore() };
    const { venue, secrets } = await open(world);
    await secrets.set('a', 'b');
    await secrets.delete('a');
    const others = await openSecrets(venue, { seed: otherSeed });
    await others.set('c', 'd');
    expect(others.get('c')).toBe('d');
    await expect(secrets.set('e', 'f')).rejects.toThrow(code('foreign_key'));
    expect(() => secrets.get('c')).toThrow(code('foreign_key'));
    expect(others.list()).toEqual(['c']);
  });

  it('that is replaced leaves the other openings with a clear error, and what they had read', async () => {
    const { venue, secrets } = await open();
    await secrets.set('a', 'b');
    const second = await openSecrets(venue);
    await second.rekey(otherSeed);
    expect(() => secrets.get('a')).toThrow(code('foreign_key'));
    for (const change of [secrets.set('a', 'c'), secrets.rotate('a', 'c'), secrets.delete('a'), secrets.rekey(seed)])
      await expect(change).rejects.toThrow(/changed elsewhere; open them again/);
    expect([secrets.has('a'), secrets.list()]).toEqual([true, ['a']]);
    expect(second.get('a')).toBe('b');
  });

  it('that nothing names any more is forgotten after 30 days', async () => {
    const { venue, secrets, clock } = await open();
    const keys = () => [...venue.region('tidemark.secrets.keys')].map(([id]) => id);
    await secrets.set('a', 'b');
    await secrets.rekey(otherSeed);
    await secrets.rekey('33'.repeat(32));
    expect(keys()).toHaveLength(3);
    clock.jump(29 * 24 * 3600 * 1000);
    await secrets.rekey('44'.repeat(32));
    expect(keys()).toHaveLength(4);
    clock.jump(2 * 24 * 3600 * 1000);
    await secrets.rekey('55'.repeat(32));
    expect(keys()).toHaveLength(3); // the present one, the one before it, and one of two days ago
    expect(secrets.get('a')).toBe('b');
  });
});

describe('more than one commit can hold', () => {
  it('stays readable through a rekey, and through the next one much later', async () => {
    const world = { store: memoryStore() };
    const { secrets, clock, kill } = await open(world);
    const value = (n: number) => new Uint8Array(7 * 1024 * 1024).fill(n);
    for (const n of [1, 2, 3]) await secrets.set(`${n}`, value(n));
    await secrets.rekey(otherSeed);
    clock.jump(100 * 24 * 3600 * 1000);
    await secrets.rekey('33'.repeat(32));
    kill();
    const again = (await open(world, { seed: '33'.repeat(32) })).secrets;
    for (const n of [1, 2, 3]) expect(Buffer.compare(again.get(`${n}`) as Uint8Array, value(n)), `secret ${n}`).toBe(0);
  }, 60_000);
});

describe('a venue that closes', () => {
  it('takes the key with it', async () => {
    const { secrets, venue, clock } = await open();
    await secrets.set('a', 'b');
    const last = secrets.set('c', 'd');
    const rekeying = secrets.rekey({ passphrase: 'p' });
    rekeying.catch(() => undefined);
    await last;
    await clock.runUntil(venue.close());
    expect(() => secrets.get('a')).toThrow(code('closed'));
    await expect(secrets.set('a', 'b')).rejects.toThrow(code('closed'));
    await expect(rekeying).rejects.toThrow(code('closed'));
    const late = await openSecrets(venue);
    expect(() => late.get('a')).toThrow(code('closed'));
  }, 30_000);

  it('shows no key to who prints what it opened', async () => {
    const { inspect } = await import('node:util');
    const { secrets } = await open();
    await secrets.set('a', 'S3CRET');
    expect(inspect(secrets, { depth: 9, showHidden: true })).toBe('Secrets {}');
    expect(JSON.stringify(secrets)).toBe('{}');
  });
});
