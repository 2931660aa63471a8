// Several tabs on one store, at the same moment: no secret becomes unreadable, and what may happen once happens once. Under virtual time.
import { beforeEach, describe, expect, it } from 'vitest';
import { openSecrets, type Secrets, type SecretsKey } from '../../src/services/secrets';
import { gate, otherSeed, settle } from '../venue/helpers';
import { newOrigin, type Origin, openTab, type Tab } from '../venue/pages';

const thirdSeed = '33'.repeat(32);
const code = (code: string) => expect.objectContaining({ code });

interface Open {
  tab: Tab;
  secrets: Secrets;
}

async function open(origin: Origin, key: SecretsKey = {}): Promise<Open> {
  const tab = await openTab(origin);
  return { tab, secrets: await during(origin, openSecrets(tab.venue, key)) };
}

const during = <T>({ clock }: Origin, work: Promise<T>) => clock.runUntil(work);

/** Does all at once. @returns what each gave, errors as their codes */
const allOf = (origin: Origin, work: Promise<unknown>[]) =>
  during(
    origin,
    Promise.all(work.map((one) => one.catch((error: { code?: string; stack?: string }) => error.code ?? error.stack))),
  );

/** What a tab that comes later reads. */
async function read(origin: Origin, key: SecretsKey = {}): Promise<Record<string, unknown>> {
  const { tab, secrets } = await open(origin, key);
  const all = Object.fromEntries(secrets.list().map((name) => [name, secrets.get(name)]));
  tab.kill();
  return all;
}

describe('a secret that is set in one tab while another one changes the key', () => {
  let inTheEnd: (() => void)[] = [];
  beforeEach(() => {
    inTheEnd = [];
  });
  /** Nothing that it writes gets there before the end, and it hears nothing. */
  function delay({ tab }: Open): void {
    const { append } = tab.backend;
    const { opened, open } = gate();
    tab.backend.append = (...call) => opened.then(() => append(...call));
    tab.hears = false;
    inTheEnd.push(open);
  }

  const ways: [string, (one: Open, two: Open, origin: Origin) => Promise<void>][] = [
    ['at the same moment', async () => undefined],
    [
      'and has not heard of it',
      async (_, two) => {
        two.tab.hears = false;
      },
    ],
    [
      'and has not been heard of',
      async (one) => {
        one.tab.hears = false;
      },
    ],
    [
      'and neither has heard of the other',
      async (one, two) => {
        one.tab.hears = two.tab.hears = false;
      },
    ],
    ['and can write later only', async (_, two) => delay(two)],
    ['which can be written later only', async (one) => delay(one)],
  ];
  for (const [what, trouble] of ways)
    for (const isFirst of [false, true])
      it(`stays readable: ${what}${isFirst ? ', and is the first one' : ''}`, async () => {
        const origin = newOrigin();
        const [one, two] = [await open(origin), await open(origin)];
        if (!isFirst)
          for (const name of ['old', 'other', 'gone']) await during(origin, one.secrets.set(name, 'as it was'));
        await settle();
        await trouble(one, two, origin);
        const begun = [two.secrets.set('new', 'set meanwhile')];
        if (!isFirst) begun.push(two.secrets.set('old', 'set meanwhile'), two.secrets.delete('gone').then());
        await origin.clock.advance(5);
        begun.unshift(one.secrets.rekey(otherSeed)); // later than the others, and maybe durable before them
        const work = begun.map((one) =>
          one.then(
            () => 'done',
            (error: { code: string }) => error.code,
          ),
        );
        await origin.clock.advance(3000);
        for (const come of inTheEnd) come();
        const ends = await during(origin, Promise.all(work));
        // Who is second to say which the first key is learns it; otherwise all is done.
        if (isFirst) expect(ends).toContain('done');
        else expect(new Set(ends)).toEqual(new Set(['done']));
        const [rekeyed, set] = ends;
        const key = rekeyed === 'done' ? { seed: otherSeed } : {};
        expect(await read(origin, key)).toEqual({
          ...(!isFirst && { old: 'set meanwhile', other: 'as it was' }),
          ...(set === 'done' && { new: 'set meanwhile' }),
        });
      });

  it('is refused once it is known, until they are opened with the new key', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    await during(origin, one.secrets.set('a', '1'));
    await during(origin, one.secrets.rekey(otherSeed));
    await settle();
    expect(await allOf(origin, [two.secrets.set('b', '2'), two.secrets.delete('a')])).toEqual([
      'foreign_key',
      'foreign_key',
    ]);
    expect(() => two.secrets.get('a')).toThrow(code('foreign_key'));
    const again = await during(origin, openSecrets(two.tab.venue, { seed: otherSeed }));
    await during(origin, again.set('b', '2'));
    expect(await read(origin, { seed: otherSeed })).toEqual({ a: '1', b: '2' });
  });

  it('stays readable through further changes, also if it comes a week late', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    await during(origin, one.secrets.set('a', '1'));
    await settle();
    two.tab.appends = two.tab.hears = false;
    void two.secrets.set('late', '2').catch(() => undefined);
    await origin.clock.advance(100);
    await during(origin, one.secrets.rekey(otherSeed));
    origin.clock.jump(7 * 24 * 3600 * 1000);
    await during(origin, one.secrets.rekey(thirdSeed));
    two.tab.going.leave(); // all that it had written goes with the page
    two.tab.kill();
    await during(origin, one.tab.venue.catchUp());
    expect(one.secrets.get('late')).toBe('2');
    expect(await read(origin, { seed: thirdSeed })).toEqual({ a: '1', late: '2' });
  });
});

describe('what has resolved in one tab', () => {
  it('is known to what another one begins then, also if that has not been told', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    await during(origin, one.secrets.set('a', '1'));
    await settle();
    two.tab.hears = false;
    expect(await during(origin, one.secrets.delete('a'))).toBe(true);
    await during(origin, two.secrets.set('a', '2')); // a deletion wins over what has not heard of it
    expect(await read(origin)).toEqual({ a: '2' });

    await during(origin, one.secrets.set('b', '3'));
    expect(await during(origin, two.secrets.delete('b'))).toBe(true);
    await during(origin, one.secrets.set('a', '4'));
    origin.clock.jump(-60_000);
    await during(origin, two.secrets.set('a', '5'));
    expect(await read(origin)).toEqual({ a: '5' });

    await during(origin, one.secrets.rekey(otherSeed));
    expect(await allOf(origin, [two.secrets.set('a', '6')])).toEqual(['foreign_key']);
    two.tab.hears = true;
  });
});

describe('what two tabs do at once', () => {
  it('first of all, is readable by all', async () => {
    const origin = newOrigin();
    const tabs = [await open(origin), await open(origin), await open(origin)];
    for (const { tab } of tabs) tab.hears = false;
    expect(
      await allOf(
        origin,
        tabs.map(({ secrets }, n) => secrets.set(`${n}`, `value ${n}`)),
      ),
    ).not.toContain(expect.anything());
    expect(await read(origin)).toEqual({ 0: 'value 0', 1: 'value 1', 2: 'value 2' });
  });

  it('first of all, under one passphrase', async () => {
    const origin = newOrigin();
    const key = { passphrase: 'correct horse' };
    const tabs = await Promise.all([1, 2].map(() => openTab(origin)));
    const all = await Promise.all(tabs.map(({ venue }) => openSecrets(venue, key)));
    await allOf(
      origin,
      all.map((secrets, n) => secrets.set(`${n}`, `value ${n}`)),
    );
    await settle();
    expect(all.map((secrets) => [secrets.get('0'), secrets.get('1')])).toEqual([
      ['value 0', 'value 1'],
      ['value 0', 'value 1'],
    ]);
  }, 60_000);

  it('under two keys, one of them has, and the other one says so', async () => {
    const origin = newOrigin();
    const keys = [{}, { seed: otherSeed }];
    const tabs = await Promise.all(keys.map((key) => open(origin, key)));
    const ends = await allOf(
      origin,
      tabs.map(({ secrets }) => secrets.set('a', 'mine')),
    );
    expect([...ends].sort()).toEqual(['foreign_key', undefined]);
    expect(await read(origin, keys[ends.indexOf(undefined)])).toEqual({ a: 'mine' });
  });

  it('one of them has set if absent', async () => {
    for (const hears of [true, false]) {
      const origin = newOrigin();
      const tabs = [await open(origin), await open(origin), await open(origin), await open(origin)];
      for (const { tab } of tabs) tab.hears = hears;
      const ends = await allOf(
        origin,
        tabs.map(({ secrets }, n) => secrets.setIfAbsent('a', `${n}`)),
      );
      expect(ends.filter((end) => end === true)).toHaveLength(1);
      expect(await read(origin)).toEqual({ a: `${ends.indexOf(true)}` });
      await during(origin, Promise.all(tabs.map(({ tab }) => tab.venue.catchUp())));
      expect(new Set(tabs.map(({ secrets }) => secrets.get('a'))).size).toBe(1);
    }
  });

  it('is counted by rotate, each time', async () => {
    const origin = newOrigin();
    const tabs = [await open(origin), await open(origin), await open(origin)];
    await during(origin, tabs[0]!.secrets.set('a', '0'));
    for (const { tab } of tabs) tab.hears = false;
    const next = (value: unknown) => `${Number(value) + 1}`;
    const work = [1, 2, 3].flatMap(() => tabs.map(({ secrets }) => secrets.rotate('a', next)));
    expect(await allOf(origin, work)).not.toContain(expect.anything());
    const { secrets } = await open(origin);
    expect([secrets.get('a'), secrets.get('a', { previous: true })]).toEqual(['9', '8']);
  });

  it('one has changed the key, and the other one says so', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    await during(origin, one.secrets.set('a', '1'));
    one.tab.hears = two.tab.hears = false;
    const keys = [otherSeed, thirdSeed];
    const ends = await allOf(origin, [one.secrets.rekey(otherSeed), two.secrets.rekey(thirdSeed)]);
    expect([...ends].sort()).toEqual(['foreign_key', undefined]);
    expect(await read(origin, { seed: keys[ends.indexOf(undefined)]! })).toEqual({ a: '1' });
  });

  it('is deleted, and does not come back under a new key', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    await during(origin, one.secrets.set('a', '1'));
    await during(origin, one.secrets.set('b', '2'));
    await settle();
    one.tab.hears = two.tab.hears = false;
    await allOf(origin, [one.secrets.rekey(otherSeed), two.secrets.delete('a')]);
    expect(await read(origin, { seed: otherSeed })).toEqual({ b: '2' });
  });

  it('is not waited for after a crash for longer than a turn may take, and no timer stays', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    await during(origin, one.secrets.set('a', '1'));
    await origin.clock.advance(1000);
    // Dies when it has said that it wants to, and before it has done it.
    const { append } = one.tab.backend;
    one.tab.backend.append = async (...call) => {
      await append(...call);
      one.tab.kill();
      return new Promise(() => {});
    };
    void one.secrets.rekey(otherSeed);
    await origin.clock.advance(1000);
    const before = origin.clock.elapsed();
    expect(await during(origin, two.secrets.setIfAbsent('b', '2'))).toBe(true);
    expect(origin.clock.elapsed() - before).toBeGreaterThan(1000);
    expect(origin.clock.elapsed() - before).toBeLessThan(11_000);
    await origin.clock.advance(60_000);
    expect(origin.clock.pending()).toBe(0);
    expect([...two.tab.venue.region('tidemark.secrets.turns')]).toEqual([]);
    expect(await read(origin)).toEqual({ a: '1', b: '2' });
  });
});
