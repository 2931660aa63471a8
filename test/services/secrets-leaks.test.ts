// No secret and no key where it does not belong: known plaintexts, passphrases, seeds and the keys made of them are looked for in everything that a
// venue tells, writes or prints, in every encoding that is used anywhere.
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { openVenue, type VenueEvents } from '../../src/node';
import { openSecrets, type Secrets } from '../../src/services/secrets';
import { folder, freshPath, tidemark } from '../cli/helpers/cli';
import { diskError, openIn } from '../venue/helpers';
import { rootOfPassphrase, rootOfSeed } from './secrets-reader';

const seeds = ['5eed'.repeat(16), 'feed'.repeat(16)] as const;
const passphrase = 'PA55PHRASE-of-somebody';
const text = 'PLA1NTEXT-of-a-token';
const bytes = new Uint8Array([...'BYT3S-of-a-key'].map((c) => c.charCodeAt(0)));
const later = 'R0TATED-token';

/** What must not be found, and how it could be written. */
const needles = [text, later, passphrase, Buffer.from(bytes), ...seeds.map((seed) => Buffer.from(seed, 'hex'))].flatMap(
  spellings,
);

function spellings(given: string | Buffer): string[] {
  const raw = Buffer.from(given as string);
  // Within longer base64 it may begin at any of three places; what is shared with what stands around it is cut off.
  const base64 = [0, 1, 2].map((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), raw]).toString('base64');
    return whole.slice(Math.ceil((before * 4) / 3), Math.floor(((before + raw.length) * 4) / 3));
  });
  const url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  const numbers = [...raw].join(',');
  return [raw.toString('latin1'), raw.toString('hex'), raw.toString('utf16le'), numbers, ...base64, ...url];
}

function expectClean(where: string, content: string | Buffer): void {
  const lines = content.toString('latin1' as never);
  for (const needle of needles) if (lines.includes(needle)) throw new Error(`${where} has ${JSON.stringify(needle)}`);
}

/** An error as somebody may print it. */
const printed = (error: unknown): string => inspect(error, { depth: 9, showHidden: true }) + (error as Error).stack;

const events: (keyof VenueEvents)[] = [
  'sweep',
  'flush',
  'failure',
  'recovered',
  'checkpoint',
  'unsaved',
  'joined',
  'evicted',
  'rolledBack',
  'leaving',
  'returned',
  'closing',
  'closed',
];

/** Everything that can go wrong, and what is said then. */
async function failures(secrets: Secrets): Promise<string[]> {
  const said: string[] = [];
  const expectFailure = async (work: () => unknown) => {
    try {
      await work();
    } catch (error) {
      said.push(printed(error));
      return;
    }
    throw new Error(`did not fail: ${work}`);
  };
  await expectFailure(() => secrets.set('', text));
  await expectFailure(() => secrets.set('\ud800', text));
  await expectFailure(() => secrets.set('name', `${text}\ud800`));
  await expectFailure(() => secrets.set('name', { text } as never));
  await expectFailure(() => secrets.set('name', [bytes] as never));
  await expectFailure(() => secrets.set('name', text.repeat(1e6)));
  await expectFailure(() => secrets.setIfAbsent('x'.repeat(2000), text));
  await expectFailure(() => secrets.rotate('none', text));
  await expectFailure(() => secrets.rotate('token', ((value: string) => ({ value })) as never));
  await expectFailure(() => secrets.rotate('token', (() => Promise.resolve(text)) as never));
  await expectFailure(() => secrets.rotate('token', () => text.repeat(1e6)));
  await expectFailure(() => secrets.rekey(`${seeds[0]}00`));
  await expectFailure(() => secrets.rekey({ passphrase, seed: seeds[0] }));
  await expectFailure(() => secrets.rekey(passphrase));
  await expectFailure(() => secrets.rekey([passphrase] as never));
  return said;
}

describe('nothing that a venue tells or writes has a secret in it', () => {
  it('needles are found where they are', () => {
    for (const content of [
      text,
      Buffer.from(bytes).toString('hex'),
      Buffer.from(`ab${passphrase}c`).toString('base64url'),
    ])
      expect(() => expectClean('this', content)).toThrow(/^this has/);
    expectClean('this', 'nothing');
  });

  it('events, health, logger, files, the command, errors', async () => {
    const store = freshPath();
    const seen: [where: string, what: string][] = [];
    const logTo = (level: string) => (message: string, detail?: unknown) => {
      seen.push([`logger.${level}`, message + inspect(detail, { depth: 9 })]);
    };
    const logger = { info: logTo('info'), warn: logTo('warn'), error: logTo('error') };
    const options = { store, signals: false, logger };
    const venue = await openVenue(options);
    for (const name of events)
      venue.on(
        name,
        (event) => void seen.push([`event ${name}`, inspect(event, { depth: 9 }) + JSON.stringify(event)]),
      );
    const secrets = await openSecrets(venue, { seed: seeds[0] });
    await secrets.set('token', text);
    await secrets.set('key', bytes);
    await secrets.setIfAbsent('third', text);
    await secrets.rotate('token', () => later);
    seen.push(['health', JSON.stringify(venue.health())], ['usage', JSON.stringify(await venue.usage())]);
    seen.push(...(await failures(secrets)).map((said): [string, string] => ['an error', said]));
    await venue.checkpoint();
    await secrets.rekey({ passphrase });
    for (const key of [{ seed: seeds[0] }, { seed: seeds[1] }, { passphrase: `${passphrase}!` }])
      seen.push(['a wrong key', printed(await openSecrets(venue, key).catch((error: unknown) => error))]);
    await secrets.rekey(seeds[1]);
    await secrets.set('token', text);
    expect([secrets.get('token'), secrets.get('key')]).toEqual([text, bytes]);
    seen.push(['print', inspect(secrets, { depth: 9, showHidden: true, showProxy: true }) + JSON.stringify(secrets)]);
    for (const region of venue.regions)
      seen.push([`region ${region}`, inspect([...venue.region(region)], { depth: 9, maxArrayLength: null })]);
    expect(venue.regions.filter((name) => name.startsWith('tidemark.secrets'))).toHaveLength(3);
    const closing = secrets.set('last', text);
    await closing;
    await venue.close();
    try {
      secrets.get('token');
    } catch (error) {
      seen.push(['closed', printed(error)]);
    }
    seen.push(['health, closed', JSON.stringify(venue.health())]);

    const out = join(dirname(store), 'out');
    for (const args of [
      ['export', store],
      ['export', store, '--jsonl', '--out', out],
      ['inspect', store],
      ['inspect', store, '--json'],
      ['inspect', store, 'tidemark.secrets', '--json'],
      ['inspect', store, 'tidemark.secrets', 'token'],
      ['log', store],
      ['log', store, '--json'],
      ['status', store, '--json'],
      ['verify', store, '--json'],
      ['diagnostics', store],
    ]) {
      const { stdout, stderr } = await tidemark(...args);
      seen.push([args.join(' '), stdout + stderr]);
    }
    // What is damaged is copied to quarantine, and told.
    const logs = (await readdir(store)).filter((name) => name.startsWith('log.'));
    const log = join(store, logs.sort().at(-1)!); // the one after the checkpoint
    const content = await readFile(log);
    content[content.indexOf('tidemark.secrets')]! ^= 1;
    await writeFile(log, content);
    const again = await openVenue(options);
    expect(again.health().recovery.damage).not.toEqual([]);
    seen.push(['recovery', JSON.stringify(again.health())]);
    await again.close();

    for (const name of await readdir(folder, { recursive: true })) {
      const path = join(folder, name);
      if ((await stat(path)).isFile() && !path.endsWith('.key')) expectClean(name, await readFile(path));
    }
    expect(new Set(seen.map(([where]) => where)).size).toBeGreaterThan(15);
    for (const [where, what] of seen) expectClean(where, what);
    await rm(dirname(store), { recursive: true });
  }, 120_000);

  it('a disk and a store that fail', async () => {
    const { venue, backend, logs, clock } = await openIn({}, { sweepMs: 0 });
    const told: string[] = [];
    for (const name of events) venue.on(name, (event) => void told.push(inspect(event, { depth: 9 })));
    const secrets = await clock.runUntil(openSecrets(venue, { seed: seeds[0] }));
    await clock.runUntil(secrets.set('token', text));
    backend.instead.append = () => Promise.reject(diskError('ENOSPC'));
    const setting = secrets.set('key', bytes).catch((error: unknown) => told.push(printed(error)));
    const rekeying = secrets.rekey(seeds[1]).catch((error: unknown) => told.push(printed(error)));
    await clock.advance(20_000);
    const health = JSON.stringify(venue.health());
    expect(health).toContain('ENOSPC');
    await clock.runUntil(venue.close());
    await clock.runUntil(Promise.all([setting, rekeying]));
    for (const said of [health, ...told, ...logs.infos, ...logs.warnings, ...logs.errors])
      expectClean('a failure', said);
    expect(told.join()).toContain('ENOSPC');
  });
});

describe('a key', () => {
  it('is not in the store, also not the one before it', async () => {
    const { venue, backend } = await openIn({ exclusive: true }, { sweepMs: 0 });
    const secrets = await openSecrets(venue, { seed: seeds[0] });
    await secrets.set('token', text);
    await secrets.rekey({ passphrase });
    const [, id] = venue.region<[number, string]>('tidemark.secrets.keys').get('present')!;
    await secrets.rekey(seeds[1]);
    await venue.checkpoint();
    const roots = [...seeds.map((seed) => rootOfSeed(Buffer.from(seed, 'hex'))), rootOfPassphrase(passphrase, id)];
    const { hkdfSync } = await import('node:crypto');
    const keys = roots.flatMap((root) =>
      ['data', 'wrap'].map((what) => Buffer.from(hkdfSync('sha256', root, '', `tidemark secrets ${what}`, 32))),
    );
    const written = backend.appends.map(({ line }) => line).join('');
    expect(written).toContain('tidemark.secrets');
    for (const key of [...roots, ...keys])
      for (const spelling of spellings(key)) expect(written.includes(spelling)).toBe(false);
  }, 60_000);

  it('opens what was exported into another store', async () => {
    const [store, to] = [freshPath(), freshPath()];
    const venue = await openVenue({ store, signals: false });
    const secrets = await openSecrets(venue, { seed: seeds[0] });
    await secrets.set('token', text);
    await secrets.rotate('token', later);
    await venue.close();
    const file = join(dirname(store), 'all.jsonl');
    expect((await tidemark('export', store, '--jsonl', '--out', file)).code).toBe(0);
    expect((await tidemark('import', file, to)).code).toBe(0);
    const moved = await openVenue({ store: to, signals: false });
    await expect(openSecrets(moved)).rejects.toMatchObject({ code: 'foreign_key' });
    const there = await openSecrets(moved, { seed: seeds[0] });
    expect([there.get('token'), there.get('token', { previous: true })]).toEqual([later, text]);
    await moved.close();
  });
});
