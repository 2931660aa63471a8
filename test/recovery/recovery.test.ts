// What an opening reports, that a second one has nothing more to do, that one that died in the middle is made up for by the next, and whose
// stores are opened at all. Damage in general is mutations.test.ts's.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fsBackend } from '../../backends/fs';
import { type Backend, TidemarkError } from '../../src/backend';
import type { StandardSchema } from '../../src/index';
import { sha256 } from '../format/jws';
import { Signer } from '../format/writer';
import { linesOf, readSigned } from './anatomy';
import { Lab, type Specimen } from './lab';
import { resigned } from './mutations';
import { type Base, type Files, makeBases, otherSeed, seed, stateOf, storeName } from './stores';

const [logs, one, two] = (await makeBases()) as [Base, Base, Base, Base];
const ourDid = new Signer(seed).did;

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());

const quiet = { fellBack: false, damage: [], holes: [], tornBytes: 0, quarantined: [] };
const takenOver = expect.stringMatching(/^took over the lock of process \d+ on .* it has ended without closing$/);

/** A store's file by the beginning of its name, the last of them if there are several. */
const pathIn = (base: Base, start: string) =>
  [...base.files.keys()].filter((path) => path.startsWith(`${storeName}/${start}`)).at(-1)!;

/** The store with one of its files changed. */
function with_(base: Base, path: string, change: (bytes: Buffer) => Buffer): Files {
  return new Map(base.files).set(path, change(Buffer.from(base.files.get(path)!)));
}

const tornTail = Buffer.from('["eyJhbGciOiJFZERTQSIs');
const torn = (base: Base) => with_(base, pathIn(base, 'log.'), (bytes) => Buffer.concat([bytes, tornTail]));
const flipAt = (at: number) => (bytes: Buffer) => {
  bytes[at]! ^= 1;
  return bytes;
};
const rotten = (base: Base) => with_(base, pathIn(base, 'log.'), flipAt(600));
const fallen = (base: Base) => with_(base, pathIn(base, 'checkpoint.'), flipAt(30));

async function opened(specimen: Specimen, backend?: Backend) {
  const venue = await specimen.open(backend && { store: backend, seed });
  const health = venue.health();
  const state = stateOf(venue);
  await venue.close();
  return { recovery: health.recovery, health, state };
}

describe('the report says what an opening found', () => {
  it('nothing, in a new store', async () => {
    const { recovery, health } = await opened(await lab.lay(new Map()));
    expect(recovery).toEqual({
      ...quiet,
      checkpoint: 0,
      entries: 0,
      commits: 0,
      notes: [],
      tookMs: expect.any(Number),
    });
    expect(health.status).toBe('ok');
  });

  it('how many commits and entries there were, which checkpoint, and whose lock was taken over', async () => {
    const only = await opened(await lab.lay(logs.files));
    expect(only.recovery).toMatchObject({ ...quiet, checkpoint: 0, commits: 6, entries: 12, notes: [takenOver] });
    const newest = await opened(await lab.lay(two.files));
    // Four in the checkpoint, and those that came after it.
    expect(newest.recovery).toMatchObject({ ...quiet, checkpoint: 2, commits: 4, notes: [takenOver] });
    expect(newest.recovery.entries).toBe(6 + 5);
    expect(newest.health.status).toBe('ok');
    expect(newest.state).toEqual(two.state);
  });

  it('a torn tail: cut, kept in quarantine with its reason, and normal', async () => {
    const specimen = await lab.lay(torn(logs));
    const { recovery, health, state } = await opened(specimen);
    expect(recovery).toMatchObject({ ...quiet, tornBytes: tornTail.length, commits: 6 });
    expect(health.status).toBe('ok');
    expect(state).toEqual(logs.state);
    expect(await specimen.quarantine()).toEqual([tornTail]);
    const path = pathIn(logs, 'log.');
    const files = await specimen.files();
    expect(files.get(path)).toEqual(logs.files.get(path));
    const why = [...files].find(([name]) => name.endsWith('.why'))![1].toString();
    expect(why).toContain(path.split('/')[1]);
    expect(why).toContain('torn tail');
  });

  it('damage and the hole it leaves, as degraded health, with the bytes kept as they were', async () => {
    const path = pathIn(logs, 'log.');
    const files = rotten(logs);
    const [first] = linesOf(files.get(path)!);
    const bad = files.get(path)!.subarray(first!.from, first!.to);
    const { writer, index } = readSigned(logs.files.get(path)!.subarray(first!.from, first!.to)).payload;
    const specimen = await lab.lay(files);
    const { recovery, health } = await opened(specimen);
    expect(recovery).toMatchObject({ commits: 5, tornBytes: 0, holes: [{ writer, from: index, to: index }] });
    expect(recovery.damage).toEqual([
      { where: path.split('/')[1], what: expect.stringContaining('byte 0'), bytes: bad.length },
      { where: `writer ${writer}`, what: expect.stringContaining('missing'), bytes: 0 },
    ]);
    expect(health.status).toBe('degraded');
    expect(health.reasons).toHaveLength(2);
    expect(await specimen.quarantine()).toEqual([bad]);
  });

  it('that the newest checkpoint is damaged: the one before it and its logs have all', async () => {
    const specimen = await lab.lay(fallen(two));
    const { recovery, health, state } = await opened(specimen);
    expect(state).toEqual(two.state);
    expect(recovery).toMatchObject({ fellBack: true, checkpoint: 1, holes: [], tornBytes: 0 });
    expect(recovery.damage).toEqual([{ where: 'checkpoint.2', what: expect.any(String), bytes: expect.any(Number) }]);
    expect(health.status).toBe('degraded');
    expect(await specimen.quarantine()).toEqual([fallen(two).get(pathIn(two, 'checkpoint.'))]);
  });

  it('what a crash has left of a checkpoint', async () => {
    const half = new Map(one.files).set(`${storeName}/checkpoint.2.tmp`, Buffer.from('[1,[["a",0,'));
    const { recovery, state } = await opened(await lab.lay(half));
    expect(recovery).toMatchObject({ ...quiet, checkpoint: 1 });
    expect(recovery.notes).toContainEqual(expect.stringContaining('checkpoint.2.tmp'));
    expect(state).toEqual(one.state);
  });

  it('entries that the program does not take, by region and key, and the rest is loaded', async () => {
    const specimen = await lab.lay(logs.files);
    const validate: StandardSchema<{ n: number }> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) =>
          (value as { n: number }).n > 6
            ? { issues: [{ message: 'too much', path: ['n'] }] }
            : { value: value as { n: number } },
      },
    };
    const venue = await specimen.open();
    const notes = venue.region<{ n: number }>('notes', { validate });
    const { recovery, status } = venue.health();
    expect(recovery.quarantined.sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual([
      { region: 'notes', key: 'last', why: expect.stringContaining('too much') },
      { region: 'notes', key: 'third', why: expect.stringContaining('too much') },
    ]);
    expect(status).toBe('degraded');
    expect([...notes].map(([key]) => key)).toEqual(['first', 'often']);
    await venue.close();
    expect((await opened(specimen)).state).toEqual(logs.state);
  });
});

describe('opening twice changes nothing', () => {
  const stores: Record<string, Files> = {
    'a store that was closed by a crash': two.files,
    'a torn tail': torn(one),
    'a damaged commit': rotten(one),
    'a damaged newest checkpoint': fallen(two),
    'a damaged only checkpoint': fallen(one),
    'a checkpoint that was not finished': new Map(one.files).set(`${storeName}/checkpoint.2.tmp`, Buffer.from('[1,')),
    'a new store': new Map(),
  };
  for (const [name, files] of Object.entries(stores)) {
    it(name, async () => {
      const specimen = await lab.lay(files);
      const { state } = await opened(specimen);
      const after = await specimen.files();
      for (let i = 0; i < 2; i++) {
        const again = await opened(specimen);
        expect(again.state).toEqual(state);
        expect(again.recovery.tornBytes).toBe(0);
        expect(again.recovery.notes).toEqual([]);
        expect(await specimen.files()).toEqual(after);
      }
    });
  }
});

/** What tidies the store in a recovery. */
type Tidying = 'cut' | 'retire' | 'quarantine';

/** What the commit after this one names as `prev`. */
const hashOf = (line: Buffer) => sha256(Buffer.from(readSigned(line).jws));

class Death extends Error {}

/** A backend whose process dies at one of its tidying calls, before it or after it. Nothing that comes later happens. */
function dying(store: string, at: { call: Tidying; when: 'before' | 'after' }): Backend & { died: boolean } {
  const backend = fsBackend(store);
  async function call<T>(name: Tidying, work: () => Promise<T>): Promise<T> {
    if (dead.died) throw new Death();
    if (name !== at.call) return work();
    if (at.when === 'after') await work();
    dead.died = true;
    throw new Death();
  }
  const dead = {
    ...backend,
    died: false,
    async open(venue: string) {
      const { checkpoints, logs, ...stored } = await backend.open(venue);
      const retiring = <T extends { retire(why: string): Promise<void> }>(file: T) => ({
        ...file,
        retire: (why: string) => call('retire', () => file.retire(why)),
      });
      return {
        ...stored,
        checkpoints: checkpoints.map(retiring),
        logs: logs.map((log) => ({
          ...retiring(log),
          cut: (size: number) => call('cut', () => log.cut(size)),
        })),
      };
    },
    quarantine: (bytes: Uint8Array<ArrayBuffer>, why: string) =>
      call('quarantine', () => backend.quarantine(bytes, why)),
  };
  return dead;
}

describe('an opening that dies while it tidies is made up for by the next one', () => {
  const everything = with_({ ...two, files: fallen(two) }, pathIn(two, 'log.'), (bytes) =>
    Buffer.concat([flipAt(600)(bytes), tornTail]),
  );
  for (const call of ['quarantine', 'cut', 'retire'] as const) {
    for (const when of ['before', 'after'] as const) {
      it(`${when} ${call}`, async () => {
        const untouched = await lab.lay(everything);
        const expected = await opened(untouched);
        const specimen = await lab.lay(everything);
        const backend = dying(specimen.store, { call, when });
        await expect(specimen.open({ store: backend, seed })).rejects.toThrow(Death);
        expect(backend.died).toBe(true);
        const { state, recovery } = await opened(specimen);
        expect(state).toEqual(expected.state);
        expect(recovery.holes).toEqual(expected.recovery.holes);
        const kept = (await specimen.quarantine()).map(String).sort();
        expect(kept).toEqual((await untouched.quarantine()).map(String).sort());
        const files = (of: Files) => new Map([...of].filter(([path]) => !path.includes('/quarantine/')));
        expect(files(await specimen.files())).toEqual(files(await untouched.files()));
      });
    }
  }
});

async function refused(specimen: Specimen, code: string, ...mentions: string[]): Promise<void> {
  const before = await specimen.files();
  const error = (await specimen.open().then(
    () => expect.unreachable('it should have been refused'),
    (error: unknown) => error,
  )) as TidemarkError;
  expect(error).toBeInstanceOf(TidemarkError);
  expect(error.code).toBe(code);
  for (const mention of mentions) expect(error.message).toContain(mention);
  expect(await specimen.files()).toEqual(before);
}

describe('a store is opened by its own key, and by keys that it trusts', () => {
  const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const other = hexOf(otherSeed);

  for (const base of [logs, one, two]) {
    it(`${base.name}: another key is refused by both names, and nothing is touched`, async () => {
      const specimen = await lab.lay(
        torn({ ...base, files: new Map(base.files).set('venue.key', Buffer.from(other)) }),
      );
      await refused(specimen, 'foreign_key', ourDid, new Signer(otherSeed).did, 'trusted');
    });

    it(`${base.name}: a trusted key's store is read, and gone on with under our own`, async () => {
      const specimen = await lab.lay(base.files);
      const venue = await specimen.open({ seed: other, trusted: [ourDid] });
      expect(stateOf(venue)).toEqual(base.state);
      venue.region('notes').set('mine', 1);
      await venue.close();
      const again = await specimen.open({ trusted: [new Signer(otherSeed).did] });
      expect(stateOf(again)).toEqual(new Map([...base.state, ['notes/mine', 1]]));
      expect(again.health().recovery).toMatchObject(quiet);
      await again.close();
    });
  }

  it('lines of a key that is not trusted are not joined, are kept, and are named', async () => {
    const path = pathIn(logs, 'log.');
    const lines = linesOf(logs.files.get(path)!);
    const { payload, body } = readSigned(logs.files.get(path)!.subarray(0, lines[0]!.to));
    const { did, jws } = { did: new Signer(otherSeed).did, jws: new Signer(otherSeed).jws(payload) };
    const forged = Buffer.from(`["${jws}",${body}]\n`);
    const specimen = await lab.lay(with_(logs, path, (bytes) => Buffer.concat([forged, bytes])));
    const { recovery, state } = await opened(specimen);
    expect(state).toEqual(logs.state);
    expect(recovery.damage).toEqual([
      { where: path.split('/')[1], what: expect.stringContaining(did), bytes: forged.length - 1 },
    ]);
    expect((await specimen.quarantine()).map(String)).toEqual([String(forged).trimEnd()]);
  });
});

describe('a newer format is refused, with its torn tails, and nothing is touched', () => {
  for (const [base, start] of [
    [logs, 'log.'],
    [one, 'log.'],
    [one, 'checkpoint.'],
    [two, 'checkpoint.'],
  ] as const) {
    it(`${base.name}: ${start}`, async () => {
      const path = pathIn(base, start);
      const raise = (bytes: Buffer) => {
        const { from, to } = linesOf(bytes).at(-1)!;
        return Buffer.concat([bytes.subarray(0, from), resigned(bytes.subarray(from, to), { format: 2, kind: 'new' })]);
      };
      const specimen = await lab.lay(torn({ ...base, files: with_(base, path, raise) }));
      await refused(specimen, 'newer_format', 'upgrade tidemark to read this store');
    });
  }
});

describe('what is signed and still not as this version writes it costs no more than itself', () => {
  /** `line` signed again, with other contents. */
  function remade(line: Buffer, payload: object, body?: string): Buffer {
    if (body === undefined) return resigned(line, payload);
    return Buffer.from(new Signer(seed).line({ ...readSigned(line).payload, ...payload }, JSON.parse(body)).line);
  }

  const commits: Record<string, [payload: object, body?: string]> = {
    'a kind that nobody knows': [{ kind: 'rumour' }],
    'an index below 0': [{ index: -1 }],
    'no time': [{ time: null }],
    'a venue that is no text': [{ venue: 7 }],
    'another codec': [{ codec: 'cbor' }],
    'another hash': [{ hash: 'sha-512' }],
    'a body that is no list': [{}, '{"notes":1}'],
    'a group that is no group': [{}, '[["notes",1]]'],
    'a region without a name': [{}, '[["",1,"lww",[["k",0,1]]]]'],
    'an entry without a key': [{}, '[["notes",1,"lww",[[null,0,1]]]]'],
    'an entry without a stamp': [{}, '[["notes",1,"lww",[["k","now",1]]]]'],
    'a tag that nobody knows': [{}, '[["notes",1,"lww",[["k",0,{"$":["regexp","a"]},1]]]]'],
  };
  for (const [name, [payload, body]] of Object.entries(commits)) {
    it(`a commit: ${name}`, async () => {
      // One more than there are, and otherwise as it should be; not at the end, where it could be a torn tail.
      const next = (bytes: Buffer) => {
        const { from, to } = linesOf(bytes).at(-1)!;
        const last = bytes.subarray(from, to);
        const { index } = readSigned(last).payload;
        return Buffer.concat([remade(last, { index: index + 1, prev: hashOf(last), ...payload }, body), bytes]);
      };
      const specimen = await lab.lay(with_(logs, pathIn(logs, 'log.'), next));
      const { recovery, state, health } = await opened(specimen);
      expect(state).toEqual(logs.state);
      expect(health.status).toBe('degraded');
      expect(recovery.damage).not.toEqual([]);
      expect(await specimen.quarantine()).not.toEqual([]);
    });
  }

  const indexes: Record<string, [payload: object, body?: string]> = {
    'covers that are none': [{ covers: null }],
    'covers without a hash': [{ covers: { ffffffffffffffff: 3 } }],
    'another hash': [{ hash: 'sha-512' }],
    'a body that is no list': [{}, '5'],
    'a region without a name': [{}, '[["",1,"lww",[]]]'],
    'chunks that are none': [{}, '[["notes",1,"lww",[7]]]'],
  };
  for (const [name, [payload, body]] of Object.entries(indexes)) {
    it(`a checkpoint: ${name}`, async () => {
      const other = (bytes: Buffer) => {
        const { from, to } = linesOf(bytes).at(-1)!;
        return Buffer.concat([bytes.subarray(0, from), remade(bytes.subarray(from, to), payload, body)]);
      };
      const { recovery, state } = await opened(await lab.lay(with_(two, pathIn(two, 'checkpoint.'), other)));
      expect(state).toEqual(two.state);
      expect(recovery).toMatchObject({ fellBack: true, checkpoint: 1 });
    });
  }
});
