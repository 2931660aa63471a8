// What a region shows: synchronously, at once, in key order. The random programs of model.test.ts go further; these say what is meant.
import { describe, expect, it } from 'vitest';
import { openIn } from './helpers';

const keysOf = (walk: Iterable<[string, unknown]>) => [...walk].map(([key]) => key);

/** A region in which each of `keys` is in the checkpoint, in the log or only in memory, in turn. */
async function regionOf(keys: readonly string[]) {
  const first = await openIn({ exclusive: true });
  const write = (region: { set(key: string, value: unknown): void }, turn: number) => {
    for (const [n, key] of keys.entries()) if (n % 3 === turn) region.set(key, n);
  };
  write(first.venue.region('r'), 0);
  await first.venue.checkpoint();
  write(first.venue.region('r'), 1);
  await first.venue.close();
  const opened = await openIn({ store: first.store, clock: first.clock, exclusive: true });
  const region = opened.venue.region<number>('r');
  write(region, 2);
  return { ...opened, region };
}

describe('get, has, set, delete, update and size', () => {
  it('show every write at once', async () => {
    const { venue } = await openIn();
    const notes = venue.region<{ title: string }>('notes');
    expect([notes.get('n1'), notes.has('n1'), notes.size]).toEqual([undefined, false, 0]);
    notes.set('n1', { title: 'Hello' });
    expect([notes.get('n1'), notes.has('n1'), notes.size]).toEqual([{ title: 'Hello' }, true, 1]);
    notes.set('n1', { title: 'Again' });
    expect([notes.get('n1'), notes.size]).toEqual([{ title: 'Again' }, 1]);
    expect([notes.delete('n1'), notes.delete('n1'), notes.delete('never')]).toEqual([true, false, false]);
    expect([notes.get('n1'), notes.has('n1'), notes.size]).toEqual([undefined, false, 0]);
    notes.set('n1', { title: 'Back' });
    expect([notes.get('n1'), notes.size]).toEqual([{ title: 'Back' }, 1]);
  });

  it('a region is the same region wherever it is asked for', async () => {
    const { venue } = await openIn();
    expect(venue.region('r')).toBe(venue.region('r'));
    expect(venue.region('r').name).toBe('r');
    venue.region('r').set('a', 1);
    expect(venue.region('r').get('a')).toBe(1);
    expect(venue.region('R').get('a')).toBeUndefined();
    expect(venue.regions).toEqual(['R', 'r']);
  });

  it('update gives what was there and stores what comes back', async () => {
    const { venue } = await openIn();
    const counts = venue.region<number>('counts');
    const increment = (n: number | undefined) => (n ?? 0) + 1;
    expect([counts.update('a', increment), counts.update('a', increment), counts.get('a')]).toEqual([1, 2, 2]);
  });

  it('update that throws, or returns what cannot be stored, changes nothing', async () => {
    const { venue } = await openIn();
    const region = venue.region<unknown>('r');
    region.set('a', 1);
    const fail = () => {
      throw new Error('no');
    };
    expect(() => region.update('a', fail)).toThrow('no');
    expect(() => region.update('a', async () => 2)).toThrow(TypeError);
    expect(() => region.update('b', () => undefined)).toThrow(TypeError);
    expect([...region]).toEqual([['a', 1]]);
  });

  it('find what is in the checkpoint, in the log and in memory', async () => {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    const { region } = await regionOf(keys);
    expect(region.size).toBe(6);
    expect(keys.map((key) => region.get(key))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(keys.map((key) => region.delete(key))).toEqual(keys.map(() => true));
    expect([region.size, keysOf(region)]).toEqual([0, []]);
  });
});

describe('iteration and scan', () => {
  const keys = ['a', 'a/1', 'a/2', 'a/2/x', 'a0', 'b', 'b/1', 'c', 'c\uffff', 'd'];
  const cases: [Parameters<Awaited<ReturnType<typeof regionOf>>['region']['scan']>[0], string[]][] = [
    [undefined, keys],
    [{}, keys],
    [{ prefix: 'a/' }, ['a/1', 'a/2', 'a/2/x']],
    [{ prefix: '' }, keys],
    [{ prefix: 'x' }, []],
    [{ prefix: 'c\uffff' }, ['c\uffff']],
    [{ from: 'b' }, ['b', 'b/1', 'c', 'c\uffff', 'd']],
    [{ from: 'b0' }, ['c', 'c\uffff', 'd']],
    [{ to: 'a/2' }, ['a', 'a/1']],
    [{ from: 'a/2', to: 'b/1' }, ['a/2', 'a/2/x', 'a0', 'b']],
    [{ from: 'b', to: 'b' }, []],
    [{ from: 'c', to: 'a' }, []],
    [{ from: '', to: '' }, []],
    [{ from: 'zzz' }, []],
    [{ reverse: true }, [...keys].reverse()],
    [{ reverse: true, from: 'a/2', to: 'b/1' }, ['b', 'a0', 'a/2/x', 'a/2']],
    [{ limit: 3 }, ['a', 'a/1', 'a/2']],
    [{ limit: 0 }, []],
    [{ limit: -1 }, []],
    [{ limit: 1000 }, keys],
    [{ limit: 2, reverse: true }, ['d', 'c\uffff']],
    [{ prefix: 'a', from: 'a/2', limit: 2 }, ['a/2', 'a/2/x']],
    [{ prefix: 'a', from: 'a/2', to: 'zz', reverse: true, limit: 2 }, ['a0', 'a/2/x']],
    [{ prefix: 'a/', from: 'b' }, []],
    [{ prefix: 'b', to: 'a' }, []],
  ];

  it.each(cases)('%j', async (options, expected) => {
    const { region } = await regionOf(keys);
    expect(keysOf(region.scan(options))).toEqual(expected);
    for (const [key, value] of region.scan(options)) expect(value).toBe(keys.indexOf(key));
  });

  it('are in the order of UTF-16 code units, as JavaScript compares', async () => {
    const odd = ['\u{1F600}', '\uffee', 'z', 'Z', 'ä', '', '0', '10', '9', ' '].filter((key) => key !== '');
    const { region } = await regionOf(odd);
    expect(keysOf(region)).toEqual([...odd].sort());
    expect(keysOf(region)).toEqual(odd.sort((a, b) => (a < b ? -1 : 1)));
  });

  it('may be left early and begun again', async () => {
    const { region } = await regionOf(keys);
    for (const [key] of region) if (key === 'a/2') break;
    expect(keysOf(region)).toEqual(keys);
  });

  it('of nothing is empty', async () => {
    const { venue } = await openIn();
    expect([
      [...venue.region('r')],
      [...venue.region('r').scan({ reverse: true })],
      [...venue.root.region('r')],
    ]).toEqual([[], [], []]);
  });

  it('goes on while what it walks is written: no key twice, none that was there missed', async () => {
    const { region, venue } = await regionOf(keys);
    const seen: string[] = [];
    for (const [key, value] of region) {
      seen.push(key);
      region.set(key, value + 100);
      region.delete('c');
      region.set(`${key}!`, -1);
    }
    expect(seen.filter((key) => !key.endsWith('!'))).toEqual(keys.filter((key) => key !== 'c'));
    expect(new Set(seen).size).toBe(seen.length);
    await venue.close();
  });

  it('goes on over a checkpoint that is made meanwhile', async () => {
    const { region, venue } = await regionOf(keys);
    const walk = region.scan();
    const seen = [walk.next().value![0], walk.next().value![0]];
    region.delete('c');
    await venue.checkpoint();
    region.set('d', 77);
    for (const [key, value] of walk) {
      seen.push(key);
      if (key === 'd') expect(value).toBe(77);
    }
    expect(seen).toEqual(keys.filter((key) => key !== 'c'));
  });
});

describe('venue.root shows what a crash now would leave', () => {
  it('not what is only in memory', async () => {
    const { venue } = await openIn();
    const [region, root] = [venue.region('r'), venue.root.region('r')];
    region.set('a', 1);
    region.set('b', 1);
    expect([root.get('a'), root.has('a'), [...root]]).toEqual([undefined, false, []]);
    await venue.flush();
    expect([root.get('a'), root.has('a'), [...root]]).toEqual([
      1,
      true,
      [
        ['a', 1],
        ['b', 1],
      ],
    ]);
    region.set('a', 2);
    region.delete('b');
    region.set('c', 3);
    expect([...root.scan()]).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
    expect([...root.scan({ prefix: 'b', reverse: true })]).toEqual([['b', 1]]);
    await venue.flush();
    expect([...root]).toEqual([
      ['a', 2],
      ['c', 3],
    ]);
  });

  it('nor what is on its way, however often it is written meanwhile', async () => {
    const { venue, backend } = await openIn();
    const [region, root] = [venue.region('r'), venue.root.region('r')];
    region.set('a', 1);
    await venue.flush();
    let open!: () => void;
    backend.instead.append = (pass) =>
      new Promise<void>((resolve) => {
        open = resolve;
      }).then(pass);
    region.set('a', 2);
    const flushed = venue.flush();
    await Promise.resolve();
    region.set('a', 3);
    region.delete('a');
    region.set('a', 4);
    expect([root.get('a'), region.get('a')]).toEqual([1, 4]);
    backend.instead = {};
    open();
    await flushed;
    expect([2, 4]).toContain(root.get('a'));
    await venue.flush();
    expect(root.get('a')).toBe(4);
  });

  it('cannot be written', async () => {
    const { venue } = await openIn();
    expect(Object.keys(venue.root.region('r')).sort()).toEqual(['get', 'has', 'name', 'scan']);
  });
});
