// Workflows under crashes at every commit: just before it is durable, and just after, when nobody was told. Under virtual time, so that every crash
// falls where it is meant to.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTraces, runWorkflow, type WorkflowResult, type WorkflowStep } from '../../src/services/traces';
import { newOrigin, openTab } from '../venue/pages';

const names = ['a', 'b', 'c', 'd', 'e'];

/** A workflow through several lives, and what it did to the world outside. */
interface World {
  /** `run a`, `undo a`: in the order in which they took effect. */
  effects: string[];
  crashes: number;
  result: WorkflowResult;
}

interface Kind {
  /** Its last step fails. */
  fails: boolean;
  /** Steps whose compensation may be run again. */
  idempotent: readonly string[];
}

/** Where a life ends: at its nth commit, before that is durable or after. */
interface Crash {
  commit: number;
  when: 'before' | 'after';
}

/** One life for each crash, and one that runs to its end. */
async function live({ fails, idempotent }: Kind, crashes: readonly Crash[]): Promise<World> {
  const origin = newOrigin();
  const world = { effects: [] as string[], crashes: 0 };
  for (const crash of [...crashes, undefined]) {
    const tab = await openTab(origin);
    let isDead = false;
    let left = crash?.commit ?? Number.POSITIVE_INFINITY;
    const { append } = tab.backend;
    tab.backend.append = async (...call) => {
      if (isDead || left-- > 0) return append(...call);
      if (crash!.when === 'after') await append(...call);
      isDead = true;
      tab.kill();
      return new Promise(() => {});
    };
    const effect = (what: string) => {
      expect(isDead, 'the dead do nothing').toBe(false);
      world.effects.push(what);
    };
    const steps = names.map(
      (name, i): WorkflowStep => ({
        name,
        idempotent: idempotent.includes(name),
        async run({ payload }) {
          expect(payload).toEqual(i === 0 ? undefined : { path: names.slice(0, i).join('') });
          if (fails && i === names.length - 1) throw new Error('no');
          effect(`run ${name}`);
          return { path: names.slice(0, i + 1).join('') };
        },
        async compensate({ payload }) {
          expect(payload).toEqual({ path: names.slice(0, i + 1).join('') });
          effect(`undo ${name}`);
        },
      }),
    );
    const running = runWorkflow(openTraces(tab.venue), 't', steps);
    let result: WorkflowResult | undefined;
    let error: unknown;
    running.then(
      (value) => {
        result = value;
      },
      (reason) => {
        error = reason;
      },
    );
    await origin.clock.run(() => isDead || result !== undefined || error !== undefined);
    if (error) throw error;
    tab.kill();
    if (result && !isDead) {
      const again = await openTab(origin);
      expect(openTraces(again.venue).load('t')?.outcome, 'what was said is durable').toBe(result.outcome);
      again.kill();
      return { ...world, result };
    }
    world.crashes++;
    await origin.clock.advance(5000); // its lease runs out
  }
  throw new Error('the last life does not end');
}

function judge({ fails, idempotent }: Kind, { effects, crashes, result }: World): void {
  const count = (effect: string) => effects.filter((one) => one === effect).length;
  const done = fails ? names.slice(0, -1) : names;
  // Each step at least once, none again after a later one has run, at most one of them twice for each crash.
  for (const name of done) expect(count(`run ${name}`)).toBeGreaterThan(0);
  const ran = effects.filter((effect) => effect.startsWith('run')).map((effect) => effect.slice(4));
  expect(ran).toEqual([...ran].sort());
  expect(ran.length).toBeLessThanOrEqual(done.length + crashes);
  expect(result.durable).toBe(true);
  expect(result.payload).toEqual({ path: done.join('') });

  const undone = effects.filter((effect) => effect.startsWith('undo')).map((effect) => effect.slice(5));
  expect(effects).toEqual([...ran.map((name) => `run ${name}`), ...undone.map((name) => `undo ${name}`)]);
  if (!fails) {
    expect(undone).toEqual([]);
    expect(result.outcome).toBe('success');
    return;
  }
  expect(undone).toEqual([...undone].sort().reverse());
  expect(result.compensations.map(({ name }) => name)).toEqual([...done].reverse());
  for (const { name, state } of result.compensations) {
    if (idempotent.includes(name)) {
      expect(state).toBe('done');
      expect(count(`undo ${name}`)).toBeGreaterThan(0);
    } else if (state === 'done') expect(count(`undo ${name}`)).toBe(1);
    else {
      expect(state).toBe('in_doubt');
      expect(count(`undo ${name}`)).toBeLessThanOrEqual(1);
    }
  }
  const doubts = result.compensations.filter(({ state }) => state === 'in_doubt');
  expect(doubts.length).toBeLessThanOrEqual(crashes);
  expect(result.outcome).toBe(doubts.length > 0 ? 'fault' : 'compensated');
}

describe('a workflow that crashes at any commit', () => {
  it.each<[string, Kind]>([
    ['succeeds', { fails: false, idempotent: [] }],
    ['is undone, each compensation at most once', { fails: true, idempotent: [] }],
    ['is undone, idempotent compensations until they are done', { fails: true, idempotent: names }],
  ])('%s', async (_, kind) => {
    let doubts = 0;
    for (const when of ['before', 'after'] as const)
      for (let commit = 0; ; commit++) {
        const world = await live(kind, [{ commit, when }]);
        judge(kind, world);
        if (world.result.outcome === 'fault') doubts++;
        if (world.crashes > 0) continue;
        // Leases and claims, steps, the fault, two for each compensation, the outcome: all of them were crashed at.
        expect(commit).toBeGreaterThanOrEqual(kind.fails ? 2 + 5 + 8 + 1 : 2 + 5 + 1);
        break;
      }
    // Each compensation is once cut off before its end was noted, and once after its beginning was: also where it has not run.
    expect(doubts).toBe(kind.fails && kind.idempotent.length === 0 ? 8 : 0);
  });

  it('does so whatever the kind, and however often it crashes', async () => {
    const crash = fc.record({ commit: fc.nat(16), when: fc.constantFrom('before' as const, 'after' as const) });
    const kind = fc.record({ fails: fc.constant(true), idempotent: fc.subarray(names) });
    await fc.assert(
      fc.asyncProperty(kind, fc.array(crash, { maxLength: 12, size: 'max' }), async (kind, crashes) => {
        judge(kind, await live(kind, crashes));
      }),
      { numRuns: Number(process.env.RUNS ?? 30), seed: Number(process.env.SEED ?? 3) },
    );
  });
});
