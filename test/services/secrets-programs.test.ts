// Random programs of several tabs that set, rotate, delete and rekey secrets, hear late, and are killed in between: one key opens everything, and each
// secret is what somebody wrote and nobody had replaced before.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSecrets, type Secrets } from '../../src/services/secrets';
import { gate, settle } from '../venue/helpers';
import { newOrigin, openTab, type Tab } from '../venue/pages';

const names = ['a', 'b'];
const whats = ['set', 'setIfAbsent', 'rotate', 'delete'] as const;

const at = fc.nat(2);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ at, do: fc.constantFrom(...whats), name: fc.constantFrom(...names) }),
  },
  { weight: 3, arbitrary: fc.record({ at, do: fc.constant('rekey' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      at,
      do: fc.constantFrom('deaf' as const, 'hear' as const, 'open' as const, 'slow' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ at, do: fc.constantFrom('kill' as const, 'leave' as const) }) },
  { weight: 5, arbitrary: fc.record({ at, do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 60, 3000) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Something that was asked for. */
interface Change {
  /** A name, or `key`. */
  of: string;
  /** What it is from then on; undefined for none. */
  to: string | undefined;
  began: number;
  /** When it resolved; undefined if it was killed or refused, so that it may have happened or not. */
  ended?: number;
  refused?: boolean;
}

class World {
  readonly origin = newOrigin();
  private readonly tabs: (Tab & { secrets?: Secrets | undefined })[] = [];
  private readonly changes: Change[] = [{ of: 'key', to: seedOf(0), began: -2, ended: -1 }];
  private ticks = 0;
  private count = 0;
  readonly tally = { changes: 0, refused: 0, kills: 0, rekeys: 0 };

  async begin(): Promise<void> {
    for (const i of [0, 1, 2]) await this.boot(i);
    // Where there is none, any key may be the first one.
    await this.origin.clock.runUntil(this.tabs[0]!.secrets!.set('first', 'value'));
  }

  private async boot(i: number): Promise<void> {
    this.tabs[i] = await openTab(this.origin);
    await this.open(i);
  }

  /** With whichever key there is now. */
  private async open(i: number): Promise<void> {
    const tab = this.tabs[i]!;
    for (const { to } of this.changes.filter(({ of }) => of === 'key').reverse()) {
      tab.secrets = await this.origin.clock
        .runUntil(openSecrets(tab.venue, { seed: to! }))
        .catch((error: { code?: string }) => {
          if (error.code !== 'foreign_key') throw error;
          return undefined;
        });
      if (tab.secrets) return;
    }
    throw new Error('no key opens the secrets');
  }

  async take(step: Step): Promise<void> {
    const tab = this.tabs[step.at]!;
    if ('name' in step || step.do === 'rekey') this.ask(tab.secrets!, step);
    else if (step.do === 'wait') await this.origin.clock.advance(step.ms);
    else if (step.do === 'deaf' || step.do === 'hear') tab.hears = step.do === 'hear';
    else if (step.do === 'open') await this.open(step.at);
    else if (step.do === 'slow') this.slow(tab);
    else if (step.do === 'leave') {
      tab.going.leave();
      tab.going.resume();
    } else {
      tab.kill();
      this.tally.kills++;
      await this.boot(step.at);
    }
    await settle(1);
    this.checkReadable(step.at);
  }

  /** What it writes gets there two seconds late. */
  private slow({ backend }: Tab): void {
    const { append } = backend;
    const { opened, open } = gate();
    backend.append = (...call) => opened.then(() => append(...call));
    this.origin.clock.setTimeout(open, 2000);
  }

  private ask(secrets: Secrets, step: Extract<Step, { do: 'rekey' } | { name: string }>): void {
    const value = `value ${++this.count}`;
    const change: Change = { of: 'key', to: seedOf(this.count), began: this.ticks++ };
    let asked: Promise<unknown>;
    if (step.do === 'rekey') asked = secrets.rekey(change.to!);
    else {
      Object.assign(change, { of: step.name, to: step.do === 'delete' ? undefined : value });
      asked = step.do === 'delete' ? secrets.delete(step.name) : secrets[step.do](step.name, value);
    }
    this.changes.push(change);
    asked.then(
      (result) => {
        change.ended = this.ticks++;
        if (result === false) change.refused = true;
        this.tally.changes++;
        if (step.do === 'rekey') this.tally.rekeys++;
      },
      (error: { code: string }) => {
        if (!['foreign_key', 'not_found', 'closed'].includes(error.code)) this.failed ??= error;
        Object.assign(change, { refused: true, ended: this.ticks++ });
        this.tally.refused++;
      },
    );
  }

  private failed: unknown;

  /** What a tab has the key of, it can read. */
  private checkReadable(i: number): void {
    if (this.failed) throw this.failed;
    const { secrets } = this.tabs[i]!;
    for (const name of secrets!.list()) {
      try {
        secrets!.get(name);
      } catch (error) {
        if ((error as { code: string }).code !== 'foreign_key') throw error;
      }
    }
  }

  async end(): Promise<void> {
    for (const tab of this.tabs) tab.hears = true;
    await this.origin.clock.advance(60_000);
    this.checkReadable(0);
    for (const tab of this.tabs) tab.kill();
    await this.boot(0);
    const { secrets, venue } = this.tabs[0]!;
    for (const name of names) expect(this.possible(name), name).toContain(secrets!.get(name));
    const opens: (string | undefined)[] = [];
    for (const { of, to } of this.changes)
      if (of === 'key' && !opens.includes(to))
        await this.origin.clock.runUntil(openSecrets(venue, { seed: to! })).then(
          () => opens.push(to),
          () => undefined,
        );
    expect(opens).toHaveLength(1);
    expect(this.possible('key')).toContain(opens[0]);
    expect(secrets!.get('first')).toBe('value');
    this.tabs[0]!.kill();
  }

  /** What was not replaced by something that began after it had ended. */
  private possible(of: string): (string | undefined)[] {
    const made = this.changes.filter((change) => change.of === of && !change.refused);
    const isReplaced = ({ ended = Number.POSITIVE_INFINITY }: Change) =>
      made.some((later) => later.began > ended && later.ended !== undefined);
    const left = made.filter((change) => !isReplaced(change)).map(({ to }) => to);
    return made.some(({ ended }) => ended !== undefined) ? left : [undefined, ...left];
  }
}

const seedOf = (n: number): string => n.toString(16).padStart(64, '0');

describe('secrets of several tabs', () => {
  it('all open with one key, and are what was last written, whatever they do and whenever they hear of each other', async () => {
    const tally: Record<string, number> = {};
    const property = fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), async (steps) => {
      const world = new World();
      await world.begin();
      for (const step of steps) await world.take(step);
      await world.end();
      for (const [what, count] of Object.entries(world.tally)) tally[what] = (tally[what] ?? 0) + count;
    });
    await fc.assert(property, { numRuns: Number(process.env.RUNS ?? 40), seed: Number(process.env.SEED ?? 5) });
    console.log(`random programs of secrets: ${JSON.stringify(tally)}`);
    for (const what of ['changes', 'refused', 'kills', 'rekeys']) expect(tally[what], what).toBeGreaterThan(0);
  }, 300_000);
});
