// One drive in several tabs on one store, under virtual time: whatever they do without having heard of each other, each shows a tree at every moment,
// all end equal, and the newer of two contradicting words stands.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Drive, openDrive } from '../../src/services/drives';
import { newOrigin, type Origin, openTab, type Tab } from '../venue/pages';
import { big, codeOf, expectTree, type Listing, pathsStored } from './drives-world';

interface Page {
  readonly tab: Tab;
  readonly drive: Drive;
}

async function open(origin: Origin): Promise<Page> {
  const tab = await openTab(origin);
  return { tab, drive: openDrive(tab.venue, 'd') };
}

const seen = ({ tab, drive }: Page): Promise<Listing> => expectTree(drive, tab.venue, 'd');

/** Two tabs that have heard of a folder `/d` with a file `/d/old` and a folder `/d/in` in it. */
async function two() {
  const origin = newOrigin();
  const [one, other] = [await open(origin), await open(origin)];
  await one.drive.mkdir('/d/in', { recursive: true });
  await one.drive.writeFile('/d/old', 'old');
  await origin.clock.advance(1000);
  expect(await seen(other)).toEqual({ '/d': '/', '/d/in': '/', '/d/old': 'old' });
  /** What both show when they have heard of each other. */
  const both = async () => {
    await origin.clock.advance(1000);
    const all = await seen(one);
    expect(await seen(other)).toEqual(all);
    const late = await open(origin);
    expect(await seen(late)).toEqual(all);
    late.tab.kill();
    return all;
  };
  return { origin, one, other, both };
}

/** Ways to write in a folder, and what is in it then. */
const writes: [string, (drive: Drive) => Promise<unknown>, Listing][] = [
  ['a file', (drive) => drive.writeFile('/d/in/f', 'new'), { '/d/in/f': 'new' }],
  ['a large file', (drive) => drive.writeFile('/d/in/f', big('x', 33_000)), { '/d/in/f': expect.any(String) as never }],
  ['what is appended', (drive) => drive.appendFile('/d/in/f', 'new'), { '/d/in/f': 'new' }],
  ['a folder', (drive) => drive.mkdir('/d/in/f'), { '/d/in/f': '/' }],
  ['folders', (drive) => drive.mkdir('/d/in/x/y', { recursive: true }), { '/d/in/x': '/', '/d/in/x/y': '/' }],
  ['a link', (drive) => drive.symlink('x', '/d/in/f'), { '/d/in/f': '-> x' }],
  ['a copy', (drive) => drive.copyFile('/d/old', '/d/in/f'), { '/d/in/f': 'old' }],
  ['what is renamed', (drive) => drive.rename('/d/old', '/d/in/f'), { '/d/in/f': 'old' }],
];

describe('a folder deleted in one tab and written in another', () => {
  it.each(writes)('is there if %s was written later, with nothing else in it', async (_, write, written) => {
    const { origin, one, other, both } = await two();
    await one.drive.rm('/d', { recursive: true });
    await origin.clock.advance(10);
    await write(other.drive);
    expect(await both()).toEqual({ '/d': '/', '/d/in': '/', ...written });
  });

  it.each(writes)('is gone if %s was written earlier', async (_, write) => {
    const { origin, one, other, both } = await two();
    await write(other.drive);
    await origin.clock.advance(10);
    await one.drive.rm('/d', { recursive: true });
    expect(await both()).toEqual({});
    // And does not come back with a folder of that name.
    await one.drive.mkdir('/d/in', { recursive: true });
    expect(await both()).toEqual({ '/d': '/', '/d/in': '/' });
  });

  it('is gone if it was only read, or emptied, later', async () => {
    const { origin, one, other, both } = await two();
    await one.drive.rm('/d', { recursive: true });
    await origin.clock.advance(10);
    await other.drive.readFile('/d/old');
    await other.drive.unlink('/d/old');
    await other.drive.rmdir('/d/in');
    expect(await both()).toEqual({});
  });
});

describe('two tabs that contradict each other', () => {
  it('and make the same folder have what both put into it', async () => {
    const { one, other, both } = await two();
    for (const [{ drive }, name] of [
      [one, 'a'],
      [other, 'b'],
    ] as const) {
      await drive.mkdir('/new');
      await drive.writeFile(`/new/${name}`, name);
    }
    expect(await both()).toMatchObject({ '/new/a': 'a', '/new/b': 'b' });
  });

  it('have the newer of a file and a folder', async () => {
    for (const isFolderNewer of [true, false]) {
      const { origin, one, other, both } = await two();
      const [first, second] = isFolderNewer ? [one, other] : [other, one];
      const make = async (page: Page) =>
        page === other ? page.drive.mkdir('/x/y', { recursive: true }) : page.drive.writeFile('/x', 'file');
      await make(first);
      await origin.clock.advance(10);
      await make(second);
      const found = await both();
      expect([found['/x'], found['/x/y']]).toEqual(isFolderNewer ? ['/', '/'] : ['file', undefined]);
      // What is hidden beneath a file does not come back with a folder either.
      await one.drive.rm('/x', { recursive: true });
      await one.drive.mkdir('/x');
      expect(Object.keys(await both()).filter((path) => path.startsWith('/x'))).toEqual(['/x']);
    }
  });

  it('and move two folders into each other have the later move, and no circle', async () => {
    const { origin, one, other, both } = await two();
    await one.drive.mkdir('/e');
    await one.drive.writeFile('/e/f', 'f');
    await both();
    await one.drive.rename('/d', '/e/d');
    await origin.clock.advance(10);
    await other.drive.rename('/e', '/d/e');
    // A move deletes the old names: what was moved beneath them elsewhere, earlier, goes with them.
    expect(await both()).toEqual({ '/d': '/', '/d/e': '/', '/d/e/f': 'f' });
  });

  it('and write the same file have the later content, whole', async () => {
    const { origin, one, other, both } = await two();
    await one.drive.writeFile('/d/old', big('a'));
    await origin.clock.advance(10);
    await other.drive.writeFile('/d/old', big('b'));
    expect((await both())['/d/old']).toMatch(/^40000 b+\.\.\.b+$/);
  });
});

describe('a folder that is too large for one commit', () => {
  it('is moved all at once, for whoever hears of the commits one by one, also over an empty one', async () => {
    for (const isEmptyThere of [false, true]) {
      const { origin, one, other, both } = await two();
      const count = 540;
      await one.drive.mkdir('/from/in', { recursive: true });
      if (isEmptyThere) await one.drive.mkdir('/to');
      const page = new Uint8Array(32_000);
      for (let i = 0; i < count; i++) await one.drive.writeFile(`/from/in/${i}`, page);
      await origin.clock.runUntil(one.tab.venue.flush());
      await origin.clock.runUntil(other.tab.venue.catchUp());
      // What a crash would leave is what another tab has been sent by then.
      const moments: string[][] = [];
      const region = other.tab.venue.region('tidemark.drives.d');
      region.subscribe(() => void moments.push(pathsStored(other.tab.venue, 'd')));
      let changes = 0;
      one.tab.venue.region('tidemark.drives.d').subscribe(() => {
        if (changes++ % 20 === 0) moments.push(pathsStored(one.tab.venue, 'd'));
      });
      const commits = origin.store.commits().length;
      await one.drive.rename('/from', '/to');
      await origin.clock.runUntil(one.tab.venue.flush());
      await origin.clock.runUntil(other.tab.venue.catchUp());
      expect(origin.store.commits().length - commits).toBeGreaterThan(1);
      expect(moments.length).toBeGreaterThan(1);
      for (const paths of moments) {
        const moved = [`/from/in/`, `/to/in/`].map((under) => paths.filter((path) => path.startsWith(under)).length);
        expect([
          [count, 0],
          [0, count],
        ]).toContainEqual(moved);
      }
      expect(Object.keys(await both()).filter((path) => path.startsWith('/to/in/'))).toHaveLength(count);
      expect([...region.scan({ prefix: '/from' })]).toEqual([]);
      for (const { tab } of [one, other]) tab.kill();
    }
  });
});

const names = fc.constantFrom('a', 'b', 'c');
const path = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      call: fc.constant('writeFile' as const),
      path,
      text: fc.constantFrom('', 'x', big('y', 33_000)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ call: fc.constant('mkdir' as const), path }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('appendFile' as const), path, text: names }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('rm' as const), path }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('rmdir' as const), path }) },
  { weight: 4, arbitrary: fc.record({ call: fc.constant('rename' as const), path, to: path }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('symlink' as const), path, to: path }) },
);
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never;

function perform({ drive }: Page, step: Act): Promise<unknown> {
  switch (step.call) {
    case 'writeFile':
    case 'appendFile':
      return drive[step.call](step.path, step.text);
    case 'mkdir':
      return drive.mkdir(step.path, { recursive: true });
    case 'rm':
      return drive.rm(step.path, { recursive: true });
    case 'rmdir':
      return drive.rmdir(step.path);
    case 'rename':
      return drive.rename(step.path, step.to);
    case 'symlink':
      return drive.symlink(step.to, step.path);
  }
}

describe('three tabs that do whatever they like', () => {
  it('show a tree at every moment, and end equal', async () => {
    const step = fc.record({ tab: fc.nat(2), act, waitMs: fc.constantFrom(0, 0, 0, 5, 150), hears: fc.boolean() });
    let worked = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
        const origin = newOrigin();
        const pages = [await open(origin), await open(origin), await open(origin)];
        const moments: Promise<{ shown: string[]; stored: string[] }>[] = [];
        for (const page of pages)
          page.tab.venue.region('tidemark.drives.d').subscribe(() => {
            // In the very turn of a commit of another tab, too.
            const stored = pathsStored(page.tab.venue, 'd');
            moments.push(page.drive.readdir('/', { recursive: true }).then((shown) => ({ shown, stored })));
          });
        for (const { tab, act, waitMs, hears } of steps) {
          const page = pages[tab]!;
          page.tab.hears = hears;
          // Not waited for: another may act while bytes are stored.
          const done = codeOf(perform(page, act));
          if (waitMs > 0) await origin.clock.advance(waitMs);
          if ((await done) === 'ok') worked++;
          for (const page of pages) await seen(page);
        }
        for (const { tab } of pages) tab.hears = true;
        await origin.clock.advance(1000);
        for (const { tab } of pages) await origin.clock.runUntil(tab.venue.catchUp());
        const [first, ...rest] = [await seen(pages[0]!), await seen(pages[1]!), await seen(pages[2]!)];
        for (const found of rest) expect(found).toEqual(first);
        expect(await seen(await open(origin))).toEqual(first);
        for (const { shown, stored } of await Promise.all(moments))
          expect(shown.map((path) => `/${path}`).sort()).toEqual(stored);
        for (const { tab } of pages) tab.kill();
      }),
      { numRuns: Number(process.env.RUNS ?? 60), seed: Number(process.env.SEED ?? 7) },
    );
    expect(worked).toBeGreaterThan(300);
  });
});
