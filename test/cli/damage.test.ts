// Damaged stores: verify names every damage, and every other command says that there is some, without ever failing in a way of its own.
import { appendFile, copyFile, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readState } from '../../src/cli/store/state';
import { verifyStore } from '../../src/cli/store/verify';
import { createIdentity, type Identity } from '../../src/identity/identity';
import { type CheckpointPayload, encodeLine } from '../../src/log/line';
import { textOf } from '../../src/log/values';
import { nodeCrypto } from '../../src/platform/node-crypto';
import { codeOf, fill, folder, freshPath, sampleStore, tidemark, tidemarkJson } from './helpers/cli';

const keyOf = (path: string) => path.replace(/\.etch$/, '.key');

let sample: string;
let logs: string[];
beforeAll(async () => {
  sample = await sampleStore();
  logs = (await readdir(sample)).filter((name) => name.startsWith('log.')).sort();
});

let copies = 0;
/** A copy of the sample, key and all, in which `change` changes a file's bytes. */
async function damaged(file: string, change: (bytes: Buffer) => Buffer | Uint8Array): Promise<string> {
  const store = join(folder, `damaged-${++copies}`, 'venue.etch');
  await cp(dirname(sample), dirname(store), { recursive: true });
  const path = file === 'venue.key' ? keyOf(store) : join(store, file);
  await writeFile(path, change(await readFile(path)));
  return store;
}

const flip = (at: number) => (bytes: Buffer) => {
  bytes[at]! ^= 1;
  return bytes;
};

const identityOf = async (store: string): Promise<Identity> =>
  createIdentity(Uint8Array.from(Buffer.from((await readFile(keyOf(store), 'utf8')).trim(), 'hex')), nodeCrypto);

describe('a line that was changed', () => {
  it('is listed with its file and byte, and is exit code 1', async () => {
    const [first = ''] = logs;
    const second = (await readFile(join(sample, first))).indexOf(10) + 1;
    const store = await damaged(first, flip(second - 5));
    const { code, json } = await tidemarkJson('verify', store);
    expect(code).toBe(1);
    expect(json).toMatchObject({ ok: false });
    expect(json.damage[0]).toEqual({ file: first, offset: 0, what: expect.stringContaining('does not verify') });
    const text = await tidemark('verify', store);
    expect(text.code).toBe(1);
    expect(text.stdout).toContain('DAMAGED');
    expect(text.stdout).toMatch(new RegExp(`^${first} +0 +a line does not verify`, 'm'));
  });

  it('that a checkpoint covers costs no entries, so other commands need not mention it', async () => {
    const store = await damaged(logs[0]!, flip(700));
    expect((await tidemark('verify', store)).code).toBe(1);
    expect((await tidemarkJson('inspect', store)).code).toBe(0);
  });

  it('that is needed makes every command that reads the state say so', async () => {
    const store = await damaged(logs[1]!, flip(700));
    for (const args of [
      ['status', store],
      ['inspect', store],
      ['inspect', store, 'notes', 'n1'],
      ['export', store],
    ]) {
      const ran = await tidemark(...args);
      expect(ran.code).toBe(1);
      expect(ran.stdout).not.toBe('');
      expect(ran.stdout + ran.stderr).toContain('does not verify');
    }
    expect((await tidemarkJson('status', store)).json).toMatchObject({ status: 'degraded' });
    expect((await tidemarkJson('inspect', store, 'notes')).json.damage).not.toEqual([]);
    const log = await tidemark('log', store);
    expect(log.code).toBe(1);
    expect(log.stderr).toContain('tidemark verify');
  });
});

describe('a chunk that was changed', () => {
  it('is named by its region and first key', async () => {
    const store = await damaged('checkpoint.1', flip(100));
    const { code, json } = await tidemarkJson('verify', store);
    expect(code).toBe(1);
    expect(json.damage).toEqual([
      { file: 'checkpoint.1', offset: 0, what: expect.stringMatching(/region 'notes' from key 'n0'.*digest/) },
    ]);
  });

  it('is found too when another one has the same bytes', async () => {
    const store = await fill(freshPath(), async (venue) => {
      // Regions with the same entries, written at one time: their chunks are the same.
      const fork = venue.fork();
      fork.region('a').set('k', 1);
      fork.sync();
      await venue.checkpoint();
    });
    const lines = (await readFile(join(store, 'checkpoint.1'), 'utf8')).split('\n');
    const identity = await identityOf(store);
    const [chunk = ''] = lines;
    const digest = Buffer.from(nodeCrypto.sha256(Uint8Array.from(Buffer.from(chunk)))).toString('base64url');
    const payload = JSON.parse(Buffer.from(lines[1]!.split('.')[1]!, 'base64url').toString());
    const index = Buffer.from(
      JSON.stringify(['a', 'b'].map((region) => [region, 1, 'lww', [['k', 1, 0, chunk.length, digest]]])),
    );
    const { kind, venue, writer, covers, time } = payload;
    const signed = encodeLine<CheckpointPayload>(
      nodeCrypto,
      identity,
      { kind, venue, writer, covers, time, count: 2 },
      Uint8Array.from(index),
    );
    const write = (second: string) =>
      writeFile(join(store, 'checkpoint.1'), `${chunk}\n${second}\n${Buffer.from(signed.bytes)}`);
    await write(chunk);
    expect((await verifyStore(store, [])).damage).toEqual([]);
    await write(chunk.replace('1', '2'));
    expect((await verifyStore(store, [])).damage).toEqual([
      { file: 'checkpoint.1', offset: chunk.length + 1, what: expect.stringContaining("region 'b'") },
    ]);
  });
});

describe('a signature that was changed', () => {
  /** Another character in the middle of the last signature of a file. */
  const resign = (bytes: Buffer) => {
    const end = bytes.lastIndexOf('",[');
    bytes[end - 20] = bytes[end - 20] === 0x41 ? 0x42 : 0x41;
    return bytes;
  };

  it('is found on every commit, also within a chain whose links are good', async () => {
    const [first = ''] = logs;
    const end = (await readFile(join(sample, first))).indexOf(10);
    const store = await damaged(first, (bytes) =>
      Buffer.concat([resign(bytes.subarray(0, end + 1)), bytes.subarray(end + 1)]),
    );
    const { damage } = await verifyStore(store, []);
    expect(damage[0]).toEqual({ file: first, offset: 0, what: expect.stringMatching(/^the signature of a commit/) });
  });

  it('is found on a checkpoint', async () => {
    const store = await damaged('checkpoint.1', resign);
    const at = (await readFile(join(sample, 'checkpoint.1'))).lastIndexOf('["ey');
    expect((await verifyStore(store, [])).damage).toEqual([
      { file: 'checkpoint.1', offset: at, what: expect.stringMatching(/^the signature of the last line/) },
    ]);
  });
});

describe('what is missing', () => {
  it('is a finding: a commit between others', async () => {
    const [first = ''] = logs;
    const store = await damaged(first, (bytes) => bytes.subarray(bytes.indexOf(10) + 1));
    expect((await tidemarkJson('verify', store)).json.damage).toEqual([
      { file: first, offset: 0, what: expect.stringMatching(/^commit 0 of writer \w+ is missing before this one$/) },
    ]);
  });

  it('is a finding: a log that a later writer has seen', async () => {
    const store = await damaged('checkpoint.1', (bytes) => bytes);
    await fill(store, (venue) => venue.region('notes').set('later', 1));
    await rm(join(store, logs[1]!));
    const writer = logs[1]!.split('.')[2];
    expect((await verifyStore(store, [])).damage).toEqual([
      {
        file: expect.stringMatching(/^log\.1\./),
        offset: 0,
        what: `commits 2 to 3 of writer ${writer} are missing, which this commit has seen`,
      },
    ]);
  });
});

describe('bytes that do not belong', () => {
  it('are findings: a commit of another venue under the same key', async () => {
    const store = await damaged(logs[1]!, (bytes) => bytes);
    const other = freshPath();
    const seed = (await readFile(keyOf(store), 'utf8')).trim();
    await fill(other, (venue) => venue.region('notes').set('n1', 'not this one'), { seed });
    const [name = ''] = await readdir(other);
    await copyFile(join(other, name), join(store, name));
    const { json } = await tidemarkJson('verify', store);
    expect(json.damage).toEqual([{ file: name, offset: 0, what: expect.stringContaining('of another venue') }]);
    expect((await tidemarkJson('inspect', store, 'notes', 'n1')).json.value).toEqual({
      title: 'changed before the checkpoint',
    });
  });

  it('are findings: commits of a key that is not trusted, unless it is', async () => {
    const store = freshPath();
    const first = await fill(store, (venue) => venue.region('notes').set('a', 1)).then(() => verifyStore(store, []));
    const [did = ''] = first.expected;
    await rm(keyOf(store));
    await fill(store, (venue) => venue.region('notes').set('b', 2), { trusted: [did] });
    const { code, json } = await tidemarkJson('verify', store);
    expect(code).toBe(1);
    expect(json.damage).toEqual([
      { file: expect.stringMatching(/^log\.0\./), offset: 0, what: expect.stringContaining(`signed by ${did}`) },
    ]);
    expect(await tidemarkJson('verify', store, '--trust', did)).toMatchObject({
      code: 0,
      json: { ok: true, damage: [] },
    });
    expect((await tidemarkJson('inspect', store, 'notes')).json.entries).toMatchObject([{ key: 'b' }]);
    expect((await tidemarkJson('inspect', store, 'notes', '--trust', did)).json.entries).toMatchObject([
      { key: 'a' },
      { key: 'b' },
    ]);
  });

  it('are findings: a forged commit', async () => {
    const thief = createIdentity(nodeCrypto.randomBytes(32), nodeCrypto);
    const store = await damaged(logs[1]!, (bytes) => {
      const [, payload = ''] = bytes.toString().split('.');
      const { kid } = JSON.parse(Buffer.from(bytes.toString('latin1').slice(2).split('.')[0]!, 'base64url').toString());
      const { venue, writer, index, prev, time } = JSON.parse(Buffer.from(payload, 'base64url').toString());
      const body = Buffer.from(`[["notes",1,"lww",[["n1",0,"forged"]]]]`);
      const { bytes: line } = encodeLine(
        nodeCrypto,
        thief,
        { kind: 'commit', venue, writer, index, prev, time, count: 1 } as never,
        Uint8Array.from(body),
      );
      // Under the owner's name, as far as names go.
      const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid })).toString('base64url');
      return Buffer.from(
        Buffer.from(line)
          .toString()
          .replace(/^\["[^.]+/, `["${header}`),
      );
    });
    expect((await verifyStore(store, [])).damage).toContainEqual({
      file: logs[1],
      offset: 0,
      what: expect.stringContaining('signature of a commit'),
    });
    expect((await tidemarkJson('inspect', store, 'notes', 'n1')).json.value).not.toBe('forged');
  });

  it('are findings: another key file, and one that is none', async () => {
    const other = await damaged('venue.key', () => Buffer.from(`${'ab'.repeat(32)}\n`));
    expect((await tidemarkJson('verify', other)).json.damage).toEqual([
      {
        file: keyOf(other),
        what: expect.stringMatching(/^is the key of did:key:\S+; the store is signed by did:key:/),
      },
    ]);
    const none = await damaged('venue.key', (bytes) => bytes.subarray(1));
    expect((await tidemarkJson('verify', none)).json.damage).toEqual([
      { file: keyOf(none), what: expect.stringContaining('64 hexadecimal digits') },
    ]);
  });

  it('are findings: a LOCK that names nobody', async () => {
    const store = await damaged(logs[1]!, (bytes) => bytes);
    await writeFile(join(store, 'LOCK'), '{"pid":');
    expect(await tidemarkJson('verify', store)).toMatchObject({
      code: 1,
      json: { damage: [{ file: 'LOCK', offset: 0 }], lock: { state: 'unreadable' } },
    });
  });
});

describe('the end of a log', () => {
  it('is a torn tail where a crash explains it, and damage where not', async () => {
    const half = '["eyJhbGciOiJFZERTQSI';
    const torn = await damaged(logs[1]!, (bytes) => Buffer.concat([bytes, Buffer.from(half)]));
    expect(await tidemarkJson('verify', torn)).toMatchObject({
      code: 0,
      json: {
        ok: true,
        unfinishedBytes: half.length,
        warnings: [{ file: logs[1], what: expect.stringContaining('torn tail') }],
      },
    });
    const whole = await damaged(logs[1]!, (bytes) => Buffer.concat([bytes, Buffer.from(`${half}\n`)]));
    expect((await tidemarkJson('verify', whole)).json.damage).toMatchObject([
      { file: logs[1], what: expect.stringContaining('last line') },
    ]);
    const lock = { pid: 2 ** 22 + 1, start: '1', host: (await import('node:os')).hostname(), nonce: 'b'.repeat(32) };
    await appendFile(join(whole, 'LOCK'), `${JSON.stringify(lock)}\n`);
    expect((await tidemarkJson('verify', whole)).json).toMatchObject({
      ok: true,
      lock: { state: 'ended' },
      unfinishedBytes: half.length + 1,
    });
  });
});

describe('a store of a newer format', () => {
  it('is refused by every command, and left as it is', async () => {
    const identity = await identityOf(sample);
    const payload = {
      kind: 'commit',
      format: 2,
      venue: 'f'.repeat(32),
      writer: 'f'.repeat(16),
      index: 0,
      prev: null,
      time: 1,
      count: 0,
    } as const;
    const { bytes } = encodeLine(nodeCrypto, identity, payload, new Uint8Array(2));
    const store = await damaged(logs[1]!, (log) => Buffer.concat([log, bytes]));
    for (const args of [
      ['status', store],
      ['verify', store],
      ['inspect', store],
      ['log', store],
      ['export', store],
      ['compact', store],
      ['backup', store, `${store}.copy`],
    ]) {
      const ran = await tidemark(...args);
      expect([args[0], ran.code, codeOf(ran), ran.stdout]).toEqual([args[0], 1, 'newer_format', '']);
      expect(ran.stderr).toContain('upgrade tidemark');
    }
  });
});

describe('any damage at all', () => {
  // Without child processes, since there are so many of them.
  const entriesOf = async (store: string) => {
    const { regions } = await readState(store, []);
    return [...regions.values()].flatMap((region) =>
      [...region.entries()].map(({ key, value }) => `${region.name} ${key} ${textOf(value)}`),
    );
  };

  const changes: [string, (bytes: Buffer, at: number) => Buffer][] = [
    ['a flipped bit', (bytes, at) => flip(at)(bytes)],
    ['a byte less', (bytes, at) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])],
    ['a newline more', (bytes, at) => Buffer.concat([bytes.subarray(0, at), Buffer.from('\n'), bytes.subarray(at)])],
    ['zeros from there on', (bytes, at) => bytes.fill(0, at)],
    ['the end cut off', (bytes, at) => bytes.subarray(0, at)],
  ];

  it.each(changes)('is named by verify, and no value is shown that was not written: %s', async (_, change) => {
    const written = new Set(await entriesOf(sample));
    // Where a commit is lost, what was before it shows.
    for (let i = 0; i < 300; i++) written.add(`notes n${i} ${textOf({ title: `Note ${i}` })}`);
    for (const file of [...logs, 'checkpoint.1']) {
      const { length } = await readFile(join(sample, file));
      for (let i = 0; i < 24; i++) {
        const at = i < 4 ? length - 1 - i : Math.floor((length * i) / 24);
        const store = await damaged(file, (bytes) => change(bytes, at));
        const { damage, warnings } = await verifyStore(store, []);
        expect([file, at, [...damage, ...warnings].map((found) => found.file)]).toEqual([
          file,
          at,
          expect.arrayContaining([file]),
        ]);
        expect((await entriesOf(store)).filter((entry) => !written.has(entry))).toEqual([]);
        await rm(dirname(store), { recursive: true });
      }
    }
  });
});
