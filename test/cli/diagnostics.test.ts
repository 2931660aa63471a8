// tidemark diagnostics: a packet about a store, closed, in use or in ruins, in which nothing of the store's content is. Known texts are planted
// everywhere and looked for.
import { appendFile, chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createIdentity } from '../../src/identity/identity';
import { encodeLine } from '../../src/log/line';
import { nodeCrypto } from '../../src/platform/node-crypto';
import { diagnostics } from '../../src/services/health';
import {
  codeOf,
  fill,
  folder,
  freshPath,
  liveWriter,
  sampleStore,
  snapshot,
  tidemark,
  tidemarkJson,
} from './helpers/cli';

const keyOf = (path: string) => path.replace(/\.etch$/, '.key');
const iso = expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/);

describe('a packet', () => {
  it('says what is there, what an opening would find and what verify finds, and changes nothing', async () => {
    const store = await sampleStore();
    const before = await snapshot(dirname(store));
    const { code, json, stderr } = await tidemarkJson('diagnostics', store);
    expect([code, stderr]).toEqual([0, '']);
    const bytes = expect.any(Number);
    expect(json).toEqual({
      store,
      madeAt: iso,
      versions: { tidemark: '0.1.0', format: 1 },
      platform: {
        runtime: `node ${process.versions.node}`,
        os: process.platform,
        arch: process.arch,
        release: expect.any(String),
        disk: { type: expect.stringMatching(/^0x/), bytes, freeBytes: bytes },
      },
      listing: {
        lock: { state: 'free' },
        checkpoints: [{ name: 'checkpoint.1', generation: 1, bytes }],
        logs: [0, 1].map((generation) => ({
          name: expect.stringMatching(`^log.${generation}.[0-9a-f]{16}$`),
          generation,
          writer: expect.stringMatching(/^[0-9a-f]{16}$/),
          bytes,
        })),
        quarantine: { files: 0, bytes: 0 },
        blobs: { files: 0, bytes: 0 },
        bytes,
      },
      recovery: expect.objectContaining({
        checkpoint: 1,
        damage: [],
        tornBytes: 0,
        commitsAfterCheckpoint: 2,
        key: { state: 'ok', matches: true },
      }),
      verify: {
        ok: true,
        venue: expect.stringMatching(/^[0-9a-f]{32}$/),
        signers: { [expectDid(json)]: bytes },
        checked: expect.objectContaining({ checkpoints: 1, chunks: 1, logs: 2, commits: 4, entries: bytes, bytes }),
        unfinishedBytes: 0,
        findings: { damage: 0, warnings: 0 },
        damage: [],
        warnings: [],
      },
    });
    expect(
      json.recovery.regions.sort((a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)),
    ).toEqual([
      { name: 'high', entries: 1 },
      { name: 'notes', entries: 299 },
      { name: 'odd', entries: 1 },
    ]);
    expect(await snapshot(dirname(store))).toEqual(before);
  });

  const expectDid = (json: { verify: { signers: Record<string, number> } }) => {
    const [did] = Object.keys(json.verify.signers);
    expect(did).toMatch(/^did:key:z6Mk/);
    return did!;
  };

  it('is JSON without being asked for it, and goes to a file if that is wanted', async () => {
    const store = await sampleStore();
    const shown = await tidemark('diagnostics', store);
    expect(JSON.parse(shown.stdout)).toMatchObject({ store, verify: { ok: true } });
    expect(shown.stdout.split('\n').length).toBeGreaterThan(20); // to be read by people, too
    const out = join(folder, 'packet.json');
    const { code, stdout } = await tidemark('diagnostics', store, '--out', out);
    const written = await readFile(out, 'utf8');
    expect([code, stdout]).toEqual([0, expect.stringContaining(`${store} -> ${out}`)]);
    expect(JSON.parse(written)).toMatchObject({ store, verify: { ok: true } });
    expect((await tidemarkJson('diagnostics', store, '--out', out)).json).toEqual({ store, out });
  });

  it('does not steer the terminal it is shown on', async () => {
    const odd = 'a\u009b31m\u202e\u2028\u{e0001}b';
    const { stdout } = await tidemark('diagnostics', await fill(freshPath(), (venue) => venue.region(odd).set('k', 1)));
    expect(stdout).not.toMatch(/(?!\n)[\p{C}\p{Zl}\p{Zp}]/u);
    expect(JSON.parse(stdout).recovery.regions).toEqual([{ name: odd, entries: 1 }]);
  });

  it('is made of a store in use, with the process but without the name of its host', async () => {
    const store = freshPath();
    const live = await liveWriter(store, 'idle');
    try {
      const { code, json } = await tidemarkJson('diagnostics', store);
      expect([code, json.listing.lock]).toEqual([0, { state: 'alive', pid: live.pid, since: iso }]);
      expect(JSON.stringify({ ...json, store: '' })).not.toContain(hostname());
    } finally {
      await live.kill();
    }
  });

  it('of a venue that took over from a dead process names the process, and not the host', async () => {
    const store = freshPath();
    const live = await liveWriter(store, 'idle');
    await live.kill();
    let packet = '';
    await fill(store, (venue) => {
      expect(venue.health().recovery.notes.join()).toContain(hostname());
      packet = JSON.stringify(diagnostics(venue));
    });
    expect(packet).toContain(`took over the lock of process ${live.pid}"`);
    expect(packet).not.toContain(hostname());
  });

  it('is made of a store that a busy process writes', async () => {
    const store = freshPath();
    const live = await liveWriter(store, 'busy');
    try {
      for (let n = 0; n < 3; n++) expect(await tidemarkJson('diagnostics', store)).toMatchObject({ code: 0 });
    } finally {
      await live.kill();
    }
  });

  it('cannot be made of what is no store, or written where it cannot', async () => {
    const store = await sampleStore();
    const ran = await tidemark('diagnostics', join(folder, 'nowhere'));
    expect([ran.code, codeOf(ran), ran.stdout]).toEqual([1, 'not_found', '']);
    const out = await tidemark('diagnostics', store, '--out', join(folder, 'nowhere', 'packet.json'));
    expect([out.code, codeOf(out)]).toEqual([1, 'io']);
  });
});

describe('blobs', () => {
  it('are counted, and not named: their names are hashes of what is in them', async () => {
    const store = await fill(freshPath(), async (venue) => {
      for (const text of ['one', 'three'])
        await venue.blobs.put(new TextEncoder().encode(text), ({ hash }) => venue.region('r').set(text, hash));
    });
    const { json } = await tidemarkJson('diagnostics', store);
    expect(json.listing.blobs).toEqual({ files: 2, bytes: 8 });
    const names = await readdir(join(store, 'blobs'));
    for (const name of names) await writeFile(join(store, 'blobs', name), 'planted');
    const { stdout } = await tidemark('diagnostics', store);
    for (const name of names) for (const said of [JSON.stringify(json), stdout]) expect(said).not.toContain(name);
  });
});

describe('a store that is damaged', () => {
  const logOf = async (store: string) =>
    join(store, (await readdir(store)).filter((name) => name.startsWith('log.'))[0]!);

  it('is exit code 1, and the packet says where', async () => {
    const store = await fill(freshPath(), (venue) => venue.region('r').set('a', 1));
    const log = await logOf(store);
    const text = await readFile(log, 'utf8');
    await writeFile(log, `${text.replace('["a",', '["b",')}${text}`);
    const { code, json } = await tidemarkJson('diagnostics', store);
    expect(code).toBe(1);
    expect(json.verify).toMatchObject({ ok: false, findings: { damage: 1 } });
    expect(json.verify.damage[0]).toMatchObject({ file: expect.stringMatching(/^log\./), offset: 0 });
    expect(json.recovery.damage).toHaveLength(1);
  });

  it('of which a part cannot be told still has the others', async () => {
    const store = await sampleStore();
    const key = Uint8Array.from(Buffer.from((await readFile(keyOf(store), 'utf8')).trim(), 'hex'));
    const names = { venue: 'f'.repeat(32), writer: 'f'.repeat(16) };
    const payload = { kind: 'commit', format: 2, ...names, index: 0, prev: null, time: 1, count: 0 } as const;
    const { bytes } = encodeLine(nodeCrypto, createIdentity(key, nodeCrypto), payload, new Uint8Array(2));
    await appendFile(await logOf(store), bytes);
    const { code, json } = await tidemarkJson('diagnostics', store);
    expect(code).toBe(1);
    expect(json).toMatchObject({
      store,
      listing: { checkpoints: [{ name: 'checkpoint.1' }] },
      recovery: { checkpoint: 1 }, // an opening reads what the checkpoint does not cover
      verify: { error: { code: 'newer_format' } },
    });
  });

  it('in ruins has its first 100 findings, and how many there are', async () => {
    const store = await fill(freshPath(), (venue) => venue.region('r').set('a', 1));
    const log = await logOf(store);
    const good = await readFile(log, 'utf8');
    await writeFile(log, `${'planted\n'.repeat(250)}${good}`);
    const { json } = await tidemarkJson('diagnostics', store);
    expect([json.verify.findings.damage, json.verify.damage.length]).toEqual([250, 100]);
    expect(JSON.stringify(json)).not.toContain('planted');
  });
});

describe('nothing of the content is in a packet', () => {
  it('of a store with planted texts in keys, values, messages, chunks, key file and path', async () => {
    const home = join(folder, 'home', 'planted-user');
    await mkdir(home, { recursive: true });
    const store = await fill(join(home, 'venue.etch'), async (venue) => {
      const notes = venue.region('notes');
      for (let n = 0; n < 500; n++) notes.set(`planted 'key' "${n}": x`, { text: `planted-value ${'x'.repeat(200)}` });
      await venue.flush();
      await venue.checkpoint();
      notes.set("planted 'key'", 'planted-value');
    });
    const packet = async () => {
      const { stdout, stderr } = await tidemark('diagnostics', 'home/planted-user/venue.etch');
      const { store: given, ...rest } = JSON.parse(stdout);
      expect(given).toBe('home/planted-user/venue.etch');
      return { said: JSON.stringify(rest) + stderr, rest };
    };
    expect((await packet()).said).not.toContain('planted');

    // A chunk that does not verify is named by verify with its first key.
    const checkpoint = join(store, 'checkpoint.1');
    const text = await readFile(checkpoint, 'utf8');
    await writeFile(checkpoint, text.replace('planted-value', 'planted-other'));
    expect((await tidemark('verify', store)).stdout).toContain("from key 'planted");
    const chunk = await packet();
    expect(chunk.rest.verify.damage[0].what).toMatch(
      /^the chunk of region '\.\.\.' \(\d+ entries\) does not have the digest/,
    );
    expect(chunk.said).not.toContain('planted');

    // An entry later than its commit is named with its key; a body that cannot be read, with what the parser says of it.
    const log = join(store, (await readdir(store)).filter((name) => name.startsWith('log.')).at(-1)!);
    const identity = createIdentity(
      Uint8Array.from(Buffer.from((await readFile(keyOf(store), 'utf8')).trim(), 'hex')),
      nodeCrypto,
    );
    const venue = chunk.rest.verify.venue as string;
    for (const [index, body] of [
      [7, '[["notes",1,"lww",[["planted-key",5,1]]]]'],
      [8, '[["notes",1,"lww",[["planted-key",0,planted]]]]'],
    ] as const) {
      const at = { index, writer: log.split('.').at(-1)!, time: 10 + index };
      const payload = { kind: 'commit', format: 1, venue, prev: 'x', count: 1, ...at } as const;
      const { bytes } = encodeLine(nodeCrypto, identity, payload, new Uint8Array(Buffer.from(body)));
      await appendFile(log, bytes);
    }
    const odd = await packet();
    expect((await tidemark('verify', store)).stdout).toMatch(/entry of 'planted-key'/);
    expect(odd.said).not.toContain('planted');

    // The key file, and what stands in LOCK.
    await chmod(keyOf(store), 0o644);
    expect((await packet()).rest.verify.warnings).toContainEqual({
      file: 'venue.key',
      what: 'venue.key is open to other users (mode 644); chmod 600 it',
    });
    await writeFile(keyOf(store), 'planted-secret');
    await writeFile(join(store, 'LOCK'), '{"planted": 1}');
    const last = await packet();
    expect(last.rest).toMatchObject({
      recovery: { key: { state: 'unusable' } },
      listing: { lock: { state: 'unreadable' } },
    });
    expect(last.said).not.toContain('planted');
    expect(last.said).not.toContain(folder);
    await rm(keyOf(store));
    expect((await packet()).said).not.toContain('planted');
  });
});
