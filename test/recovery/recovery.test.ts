// What an opening reports, that a second one has nothing more to do, and that one which died in the middle is made up for by the next. Damage
// in general is mutations.test.ts's.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fsBackend } from '../../backends/fs';
import type { Backend } from '../../src/backend';
import type { StandardSchema } from '../../src/index';
import { linesOf, readSigned } from './anatomy';
import { altered, flipAt, Lab, pathIn, quiet, torn, tornTail } from './lab';
import { type Base, type Files, makeBases, seed, storeName } from './stores';

const [logs, one, two] = (await makeBases()) as [Base, Base, Base, Base];

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());

const takenOver = expect.stringMatching(/^took over the lock of process \d+ on .* it has ended without closing$/);

const rotten = (base: Base) => altered(base, pathIn(base, 'log.'), flipAt(600));
const fallen = (base: Base) => altered(base, pathIn(base, 'checkpoint.'), flipAt(30));

describe('the report says what an opening found', () => {
  it('nothing, in a new store', async () => {
    const { recovery, status } = await (await lab.lay(new Map())).look();
    expect(recovery).toEqual({
      ...quiet,
      checkpoint: 0,
      entries: 0,
      commits: 0,
      notes: [],
      tookMs: expect.any(Number),
    });
    expect(status).toBe('ok');
  });

  it('how many commits and entries there were, which checkpoint, and whose lock was taken over', async () => {
    const only = await (await lab.lay(logs.files)).look();
    expect(only.recovery).toMatchObject({ ...quiet, checkpoint: 0, commits: 6, entries: 12, notes: [takenOver] });
    const newest = await (await lab.lay(two.files)).look();
    // Six in the checkpoint, five in the commits after it.
    expect(newest.recovery).toMatchObject({ ...quiet, checkpoint: 2, commits: 4, notes: [takenOver] });
    expect(newest.recovery.entries).toBe(6 + 5);
    expect(newest.status).toBe('ok');
    expect(newest.state).toEqual(two.state);
  });

  it('a torn tail: cut, kept in quarantine with its reason, and normal', async () => {
    const specimen = await lab.lay(torn(logs));
    const { recovery, status, state } = await specimen.look();
    expect(recovery).toMatchObject({ ...quiet, tornBytes: tornTail.length, commits: 6 });
    expect(status).toBe('ok');
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
    const { recovery, status, reasons } = await specimen.look();
    expect(recovery).toMatchObject({ commits: 5, tornBytes: 0, holes: [{ writer, from: index, to: index }] });
    expect(recovery.damage).toEqual([
      { where: path.split('/')[1], what: expect.stringContaining('byte 0'), bytes: bad.length },
      { where: `writer ${writer}`, what: expect.stringContaining('missing'), bytes: 0 },
    ]);
    expect(status).toBe('degraded');
    expect(reasons).toHaveLength(2);
    expect(await specimen.quarantine()).toEqual([bad]);
  });

  it('that the newest checkpoint is damaged: the one before it and its logs have all', async () => {
    const specimen = await lab.lay(fallen(two));
    const { recovery, status, state } = await specimen.look();
    expect(state).toEqual(two.state);
    expect(recovery).toMatchObject({ fellBack: true, checkpoint: 1, holes: [], tornBytes: 0 });
    expect(recovery.damage).toEqual([{ where: 'checkpoint.2', what: expect.any(String), bytes: expect.any(Number) }]);
    expect(status).toBe('degraded');
    expect(await specimen.quarantine()).toEqual([fallen(two).get(pathIn(two, 'checkpoint.'))]);
  });

  it('nothing of what a crash has left of a checkpoint, which later ones clear away', async () => {
    const unfinished = `${storeName}/checkpoint.2.tmp`;
    const specimen = await lab.lay(new Map(one.files).set(unfinished, Buffer.from('[1,[["a",0,')));
    const { recovery, state } = await specimen.look();
    expect(recovery).toMatchObject({ ...quiet, checkpoint: 1 });
    expect(state).toEqual(one.state);
    const venue = await specimen.open();
    for (let i = 0; i < 2; i++) await venue.checkpoint();
    await venue.close();
    expect((await specimen.files()).has(unfinished)).toBe(false);
    expect((await specimen.look()).state).toEqual(one.state);
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
    expect((await specimen.look()).state).toEqual(logs.state);
  });
});

describe('what somebody has named is missed when it is gone', () => {
  it('the end of a chain, by the writer that came after it', async () => {
    const path = pathIn(logs, 'log.0.fe');
    const lines = linesOf(logs.files.get(path)!);
    const { from, to } = lines.at(-1)!;
    const { writer, index } = readSigned(logs.files.get(path)!.subarray(from, to)).payload;
    const { recovery, status } = await (await lab.lay(altered(logs, path, (bytes) => bytes.subarray(0, from)))).look();
    expect(recovery.holes).toEqual([{ writer, from: index, to: index }]);
    expect(status).toBe('degraded');
  });

  it('but not what nobody has named: all that came after the checkpoint that is left', async () => {
    const files = new Map(one.files);
    for (const path of files.keys()) if (path.startsWith(`${storeName}/log.`)) files.delete(path);
    const { recovery, state } = await (await lab.lay(files)).look();
    expect(recovery).toMatchObject({ ...quiet, checkpoint: 1 });
    expect(state.get('jobs/stays')).toEqual(one.written.get('jobs/stays')![0]);
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
      const { state } = await specimen.look();
      const after = await specimen.files();
      for (let i = 0; i < 2; i++) {
        const again = await specimen.look();
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
  const everything = altered({ ...two, files: fallen(two) }, pathIn(two, 'log.'), (bytes) =>
    Buffer.concat([flipAt(600)(bytes), tornTail]),
  );
  for (const call of ['quarantine', 'cut', 'retire'] as const) {
    for (const when of ['before', 'after'] as const) {
      it(`${when} ${call}`, async () => {
        const untouched = await lab.lay(everything);
        const expected = await untouched.look();
        const specimen = await lab.lay(everything);
        const backend = dying(specimen.store, { call, when });
        await expect(specimen.open({ store: backend, seed })).rejects.toThrow(Death);
        expect(backend.died).toBe(true);
        const { state, recovery } = await specimen.look();
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
