// Who is alive: leases of writers on one store, under virtual time. Crashes, closed pages, sleep, clocks that jump; and that never two hold
// the same thing.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { type Hold, livenessOf } from '../../src/services/liveness';
import { settle } from '../venue/helpers';
import { newOrigin, type Origin, openTab, type Tab } from '../venue/pages';

const open = async (origin: Origin) => {
  const tab = await openTab(origin);
  return { tab, liveness: livenessOf(tab.venue) };
};

/** Runs the world while something is done. */
const during = <T>({ clock }: Origin, work: Promise<T>) => clock.runUntil(work);

describe('a writer is known to be alive', () => {
  it('once it says so, for as long as it lives', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const id = await during(origin, one.liveness.begin());
    await settle();
    expect(two.liveness.isAlive(id)).toBe(true);
    await origin.clock.advance(60_000);
    expect(two.liveness.isAlive(id)).toBe(true);
    one.liveness.check();
  });

  it('and not by anything else', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    one.tab.venue.region('r').set('a', 1);
    await one.tab.venue.flush();
    await settle();
    for (const unknown of ['', 'nobody', one.tab.venue.writer, `${one.tab.venue.writer}.0`])
      expect(two.liveness.isAlive(unknown)).toBe(false);
    expect(two.liveness.id).toBeUndefined();
  });

  it('until 5 s after a crash, and at once after closing or leaving the page', async () => {
    for (const [how, ms] of [
      [({ kill }: Tab) => kill(), 5000],
      [({ venue }: Tab) => venue.close(), 0],
      [({ going }: Tab) => going.leave(), 0],
    ] as const) {
      const origin = newOrigin();
      const [one, two] = [await open(origin), await open(origin)];
      const id = await during(origin, one.liveness.begin());
      await origin.clock.advance(1999);
      await how(one.tab);
      await settle();
      await origin.clock.advance(ms);
      expect(two.liveness.isAlive(id)).toBe(false);
    }
  });

  it('not to the next opening after a crash of long ago, without waiting', async () => {
    const origin = newOrigin();
    const one = await open(origin);
    const id = await during(origin, one.liveness.begin());
    one.tab.kill();
    await origin.clock.advance(10_000);
    expect((await open(origin)).liveness.isAlive(id)).toBe(false);
  });

  it('where one process has the store: itself, and nobody else, without a timer', async () => {
    const venue = await openVenue({ store: 'temp', signals: false });
    const liveness = livenessOf(venue);
    const id = await liveness.begin();
    expect(liveness.isAlive(id)).toBe(true);
    expect(liveness.isAlive('somebody.0')).toBe(false);
    expect(venue.regions).toEqual([]);
    expect(await liveness.hold('a')).toBeDefined();
    expect(await liveness.hold('a')).toBeUndefined();
    await venue.close();
  });
});

describe('a writer that was out of time learns it before it writes a result', () => {
  it('after sleeping, and is somebody else from then on', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const id = await during(origin, one.liveness.begin());
    const hold = await during(origin, one.liveness.hold('agent'));
    const heard: string[] = [];
    one.liveness.watch((event) => heard.push(event));
    origin.clock.jump(3_600_000); // no timer has fired yet
    expect(() => hold!.check()).toThrow(expect.objectContaining({ code: 'lease_lost' }));
    expect(() => hold!.check()).toThrow(expect.objectContaining({ code: 'lease_lost' }));
    await origin.clock.advance(10);
    expect(heard).toEqual(['lost', 'back']);
    expect(one.liveness.id).not.toBe(id);
    expect(two.liveness.isAlive(id)).toBe(false);
    expect(two.liveness.isAlive(one.liveness.id!)).toBe(true);
  });

  it.each([-3_600_000, 3_600_000])('after a jump of the wall clock by %d ms', async (ms) => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const id = await during(origin, one.liveness.begin());
    const hold = await during(origin, one.liveness.hold('agent'));
    await settle();
    origin.clock.jump(ms);
    expect(two.liveness.isAlive(id)).toBe(false);
    expect(() => hold!.check()).toThrow(expect.objectContaining({ code: 'lease_lost' }));
    expect(await during(origin, two.liveness.hold('agent'))).toBeDefined();
  });

  it('when it could not make its renewals durable', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const id = await during(origin, one.liveness.begin());
    const hold = await during(origin, one.liveness.hold('agent'));
    one.tab.appends = false;
    await origin.clock.advance(4500);
    expect(two.liveness.isAlive(id)).toBe(false);
    expect(() => hold!.check()).toThrow(expect.objectContaining({ code: 'lease_lost' }));
  });

  it('when its page comes back', async () => {
    const origin = newOrigin();
    const one = await open(origin);
    await during(origin, one.liveness.begin());
    const hold = await during(origin, one.liveness.hold('agent'));
    one.tab.going.leave();
    expect(() => hold!.check()).toThrow(expect.objectContaining({ code: 'lease_lost' }));
    await settle();
    const two = await open(origin);
    expect(await during(origin, two.liveness.hold('agent'))).toBeDefined();
    one.tab.going.resume();
    await settle();
    expect(one.liveness.isAlive(one.liveness.id!)).toBe(true);
    expect(await during(origin, one.liveness.hold('agent'))).toBeUndefined();
  });
});

describe('never two hold the same thing', () => {
  it('the second gets it when the first has released it, closed, or crashed', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const hold = await during(origin, one.liveness.hold('agent'));
    await settle();
    expect(await during(origin, two.liveness.hold('agent'))).toBeUndefined();
    expect(await during(origin, two.liveness.hold('another'))).toBeDefined();
    hold!.release();
    await one.tab.venue.flush();
    await settle();
    const second = await during(origin, two.liveness.hold('agent'));
    expect(second).toBeDefined();
    expect(() => hold!.check()).toThrow();
    expect(await during(origin, one.liveness.hold('agent'))).toBeUndefined();
    two.tab.kill();
    await origin.clock.advance(5000);
    expect(await during(origin, one.liveness.hold('agent'))).toBeDefined();
  });

  it('also when the second has heard nothing for a while', async () => {
    const origin = newOrigin();
    const [one, two] = [await open(origin), await open(origin)];
    const hold = await during(origin, one.liveness.hold('agent'));
    await settle();
    two.tab.hears = false;
    await origin.clock.advance(20_000);
    expect(await during(origin, two.liveness.hold('agent'))).toBeUndefined();
    await origin.clock.advance(3000);
    hold!.check();
  });

  it('whatever they do and whenever they hear of each other', async () => {
    const at = fc.nat(2);
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ at, do: fc.constant('hold' as const) }) },
      {
        weight: 5,
        arbitrary: fc.record({
          at,
          do: fc.constantFrom(
            'release' as const,
            'deaf' as const,
            'hear' as const,
            'kill' as const,
            'leave' as const,
            'stuck' as const,
          ),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ at, do: fc.constant('wait' as const), ms: fc.constantFrom(1, 50, 900, 4000) }),
      },
      { weight: 1, arbitrary: fc.record({ at, do: fc.constant('jump' as const), ms: fc.constantFrom(-5000, 5000) }) },
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
      const origin = newOrigin();
      const tabs = [await open(origin), await open(origin), await open(origin)];
      const holds: (Hold | undefined)[] = [];
      const holders = () =>
        holds.filter((hold) => {
          try {
            hold?.check();
            return hold !== undefined;
          } catch {
            return false;
          }
        });
      for (const step of steps) {
        const { tab, liveness } = tabs[step.at]!;
        if (step.do === 'hold')
          liveness.hold('agent').then(
            (hold) => {
              holds[step.at] = hold ?? holds[step.at];
            },
            () => undefined,
          );
        else if (step.do === 'release') {
          holds[step.at]?.release();
          holds[step.at] = undefined;
        } else if (step.do === 'deaf') tab.hears = false;
        else if (step.do === 'hear') Object.assign(tab, { hears: true, appends: true });
        else if (step.do === 'stuck') tab.appends = false;
        else if (step.do === 'leave') {
          tab.going.leave();
          tab.going.resume();
        } else if (step.do === 'wait') await origin.clock.advance(step.ms);
        else if (step.do === 'jump') origin.clock.jump(step.ms);
        else {
          tab.kill();
          holds[step.at] = undefined;
          tabs[step.at] = await open(origin);
        }
        await settle(2);
        expect(holders().length).toBeLessThanOrEqual(1);
      }
      for (const { tab } of tabs) tab.kill();
    });
    await fc.assert(property, { numRuns: Number(process.env.RUNS ?? 60), seed: Number(process.env.SEED ?? 5) });
  });
});
