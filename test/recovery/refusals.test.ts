// Whose stores are opened, and which formats; what is refused is not touched. And what bears our own signature and still makes no sense.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TidemarkError } from '../../src/backend';
import { sha256 } from '../format/jws';
import { Signer } from '../format/writer';
import { linesOf, readSigned } from './anatomy';
import { altered, Lab, pathIn, quiet, type Specimen, torn } from './lab';
import { resigned } from './mutations';
import { type Base, makeBases, otherSeed, seed, stateOf } from './stores';

const [logs, one, two] = (await makeBases()) as [Base, Base, Base, Base];
const ourDid = new Signer(seed).did;

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());

/** What the commit after this one names as `prev`. */
const hashOf = (line: Buffer) => sha256(Buffer.from(readSigned(line).jws));

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
    const specimen = await lab.lay(altered(logs, path, (bytes) => Buffer.concat([forged, bytes])));
    const { recovery, state } = await specimen.look();
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
      const specimen = await lab.lay(torn({ ...base, files: altered(base, path, raise) }));
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
      const specimen = await lab.lay(altered(logs, pathIn(logs, 'log.'), next));
      const { recovery, state, status } = await specimen.look();
      expect(state).toEqual(logs.state);
      expect(status).toBe('degraded');
      // The line, or only the entry that cannot be read.
      expect([...recovery.damage, ...recovery.quarantined]).not.toEqual([]);
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
      const { recovery, state } = await (await lab.lay(altered(two, pathIn(two, 'checkpoint.'), other))).look();
      expect(state).toEqual(two.state);
      expect(recovery).toMatchObject({ fellBack: true, checkpoint: 1 });
    });
  }
});
