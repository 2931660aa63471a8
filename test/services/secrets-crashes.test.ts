// Secrets on a simulated disk that crashes at every single call, before it and after it, by a kill and by a loss of power; and on one that is full.
// After it either the old key opens every secret or the new one does, and what has resolved is there.
import { describe, expect, it } from 'vitest';
import { openSecrets, type Secrets, type SecretsKey } from '../../src/services/secrets';
import { SimClock } from '../simulator/clock';
import { SimDisk } from '../simulator/disk';
import { Life } from '../simulator/life';
import { Machine } from '../simulator/machine';
import type { Death } from '../simulator/program';
import { Random } from '../simulator/random';

const keys: SecretsKey[] = [{}, { seed: '22'.repeat(32) }, { seed: '33'.repeat(32) }];

type State = { key: number; secrets: Record<string, [present: unknown, previous: unknown]> };

/** What is done, and what all is once it is. */
const program: [(secrets: Secrets) => Promise<unknown>, State['secrets'], key?: number][] = [
  [(secrets) => secrets.set('c', 'see'), { a: ['2', '1'], b: ['be', undefined], c: ['see', undefined] }],
  [(secrets) => secrets.rotate('a', '3'), { a: ['3', '2'], b: ['be', undefined], c: ['see', undefined] }],
  [(secrets) => secrets.rekey(keys[1]!), { a: ['3', '2'], b: ['be', undefined], c: ['see', undefined] }, 1],
  [(secrets) => secrets.delete('b'), { a: ['3', '2'], c: ['see', undefined] }, 1],
  [(secrets) => secrets.setIfAbsent('b', 'bee'), { a: ['3', '2'], b: ['bee', undefined], c: ['see', undefined] }, 1],
  [(secrets) => secrets.rekey(keys[2]!), { a: ['3', '2'], b: ['bee', undefined], c: ['see', undefined] }, 2],
];
const first: State['secrets'] = { a: ['2', '1'], b: ['be', undefined] };
const states: State[] = [first, ...program.map(([, secrets]) => secrets)].map((secrets, i) => ({
  key: program[i - 1]?.[2] ?? 0,
  secrets,
}));

class World {
  readonly clock = new SimClock();
  private readonly random = new Random(1);
  private readonly machine = new Machine(this.random);
  private disk = SimDisk.blank(7, this.clock);
  life!: Life;

  async live<T>(work: (life: Life) => Promise<T>, prepare: (disk: SimDisk) => void = () => undefined) {
    this.life = new Life(this.disk, this.machine, this.clock, this.random);
    prepare(this.life.disk);
    const end = await this.life.drive(work(this.life), 600_000);
    if (end && 'error' in end) throw end.error;
    return end?.value;
  }

  end(how: Death): void {
    this.disk = this.life.end(how);
    if (how === 'power') this.machine.losePower();
  }

  /** A store with the first state. */
  static async begin(): Promise<World> {
    const world = new World();
    await world.live(async (life) => {
      const secrets = await openSecrets(await life.open(0));
      await secrets.set('b', 'be');
      await secrets.set('a', '1');
      await secrets.rotate('a', '2');
      await life.venue!.close();
    });
    world.end('kill');
    return world;
  }

  /** What is there, by the one key that opens it. */
  state(): Promise<State | undefined> {
    return this.live(async (life) => {
      life.disk.capacity = Number.POSITIVE_INFINITY;
      const venue = await life.open(0);
      expect(venue.health().recovery).toMatchObject({ damage: [], holes: [], quarantined: [] });
      const opened = await Promise.allSettled(keys.map((key) => openSecrets(venue, key)));
      const which = opened.flatMap(({ status }, key) => (status === 'fulfilled' ? [key] : []));
      expect(which).toHaveLength(1);
      for (const { status, ...end } of opened)
        if (status === 'rejected') expect(end).toMatchObject({ reason: { code: 'foreign_key' } });
      const secrets = (opened[which[0]!] as PromiseFulfilledResult<Secrets>).value;
      const pairs = secrets
        .list()
        .map((name) => [name, [secrets.get(name), secrets.get(name, { previous: true })]] as const);
      return { key: which[0]!, secrets: Object.fromEntries(pairs) as State['secrets'] };
    });
  }
}

/** Runs the program. `said` counts what has resolved. */
async function run(life: Life, said: (count: number) => void): Promise<void> {
  const secrets = await openSecrets(await life.open(0));
  for (const [i, [step]] of program.entries()) {
    await step(secrets);
    said(i + 1);
  }
}

describe('secrets after a crash at any call', () => {
  it.each<Death>(['kill', 'power'])('are as before what was being done, or as after it: %s', async (how) => {
    let crashes = 0;
    const seen = new Set<string>();
    for (const phase of ['before', 'after'] as const)
      for (let call = 1; ; call++) {
        const world = await World.begin();
        let done = 0;
        let isOver = false;
        await world.live(
          (life) =>
            run(life, (count) => {
              done = count;
            }),
          (disk) => {
            disk.onCall = (n, when) => {
              if (n !== call || when !== phase || isOver) return;
              isOver = true;
              world.life.disk.kill();
            };
          },
        );
        world.end(how);
        const state = await world.state();
        const possible = [states[done], states[done + 1]].filter((state) => state !== undefined);
        expect(possible, `crash ${phase} call ${call}, ${done} done`).toContainEqual(state);
        const after = states.findIndex((one) => JSON.stringify(one) === JSON.stringify(state));
        seen.add(`${done} ${after - done}`);
        if (!isOver) break;
        crashes++;
      }
    // Calls of the opening, and at least a write and a sync for each step.
    expect(crashes).toBeGreaterThan(2 * 2 * program.length);
    // Each step was cut off once before it was durable, and once after that and before anybody was told.
    for (let i = 0; i < program.length; i++) expect([...seen]).toEqual(expect.arrayContaining([`${i} 0`, `${i} 1`]));
  });
});

describe('a rekey on a disk that is full', () => {
  it('leaves the old key in force until it has got through, however far it got', async () => {
    let waited = 0;
    for (let room = 0; ; room += 97)
      for (const isFreed of [false, true]) {
        const world = await World.begin();
        let isDone = false;
        await world.live(async (life) => {
          const secrets = await openSecrets(await life.open(0));
          life.disk.fill(room);
          const rekeying = secrets.rekey(keys[1]!).then(() => {
            isDone = true;
          });
          await Promise.race([rekeying, new Promise((resolve) => life.clock.setTimeout(() => resolve(0), 20_000))]);
          if (isDone) return;
          waited++;
          expect(life.venue!.health().status).toBe('failing');
          expect(secrets.get('a')).toBe('2'); // in memory it goes on
          if (!isFreed) return;
          life.disk.capacity = Number.POSITIVE_INFINITY;
          await rekeying;
        });
        world.end('power');
        const got = await world.state();
        expect(got, `${room} bytes free`).toEqual({ key: isDone ? 1 : 0, secrets: first });
        if (isDone && !isFreed) {
          expect(waited).toBeGreaterThan(10);
          return;
        }
      }
  });
});
