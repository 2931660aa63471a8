// What is stored is what docs/services/secrets.md says: a reader that shares no code with the service reads it, and the service reads what was
// stored by an earlier build.
import { describe, expect, it } from 'vitest';
import { openSecrets, type SecretsKey } from '../../src/services/secrets';
import type { Region } from '../../src/venue';
import { openIn, otherSeed, seed } from '../venue/helpers';
import {
  checkOf,
  hchacha20,
  readSecret,
  readUnderPast,
  rootOfPassphrase,
  rootOfSeed,
  type StoredKey,
  type StoredSecret,
} from './secrets-reader';

const hex = (text: string) => Buffer.from(text, 'hex');

async function open(key: SecretsKey = {}) {
  const { venue } = await openIn({ exclusive: true }, { sweepMs: 0 });
  const region = <T>(name = '') => venue.region(`tidemark.secrets${name}`) as Region<unknown> as Region<T>;
  const secrets = await openSecrets(venue, key);
  return { venue, secrets, stored: region<StoredSecret>(), keys: region<StoredKey>('.keys'), region };
}

describe('the independent reader', () => {
  it('has HChaCha20 right', () => {
    // draft-irtf-cfrg-xchacha-03, section 2.2.1
    const key = hex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
    const subkey = hchacha20(key, hex('000000090000004a0000000031415927'));
    expect(subkey.toString('hex')).toBe('82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc');
  });

  it('reads secrets under the key of the venue', async () => {
    const { secrets, stored, keys, region } = await open();
    await secrets.set('näme "1"', 'pässwörd');
    await secrets.rotate('näme "1"', new Uint8Array([0, 1, 255]));
    const secret = stored.get('näme "1"')!;
    const root = rootOfSeed(hex(seed));
    expect(readSecret(root, 'näme "1"', secret)).toEqual([Buffer.from([0, 1, 255]), 'pässwörd']);
    expect(secret[2]).toBe(`hkdf.${checkOf(root)}`);
    expect(keys.get('present')).toEqual([secret[1], secret[2]]);
    expect(region('.versions').get('näme "1"')).toBe(secret[0]);
  });

  it('reads secrets under a passphrase', async () => {
    const { secrets, stored } = await open({ passphrase: 'ﬁsh and chips' });
    await secrets.set('a', 'salted');
    const secret = stored.get('a')!;
    const root = rootOfPassphrase('fish and chips', secret[2]);
    expect(readSecret(root, 'a', secret)).toEqual(['salted']);
    expect(secret[2]).toMatch(new RegExp(`^scrypt\\.17\\.[0-9a-f]{32}\\.${checkOf(root)}$`));
  }, 30_000);

  it('reads what is under a key before the present one', async () => {
    const { venue, secrets, stored, keys } = await open();
    await secrets.set('a', 'one');
    const before = stored.get('a')!;
    await secrets.rekey(otherSeed);
    venue.region('tidemark.secrets').delete('a');
    stored.set('a', before); // as a tab would have that had not heard of it
    expect(readUnderPast(rootOfSeed(hex(otherSeed)), 'a', before, keys.get(before[2])!)).toEqual(['one']);
    expect(secrets.get('a')).toBe('one');
  });
});

describe('the service reads', () => {
  it('what was stored by the first version of it, for ever', async () => {
    const { venue, stored } = await open();
    const box = hex(
      'a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8c34d746de3817ef9282218dd864f8ac972f0c85947dd33ecef57269f805b0264554e9747',
    );
    stored.set('known', [1763747000000, 1763746000000, 'hkdf.9f142b32162239ad', new Uint8Array(box)]);
    const secrets = await openSecrets(venue);
    expect(secrets.get('known')).toBe('the answer');
    expect(secrets.get('known', { previous: true })).toEqual(new Uint8Array([42]));
  });
});
