// Stores with every part of them damaged in every way: never a crash, a hang or a wrong value, always a report. What may be shown and must be
// said is worked out by judge.ts from the bytes alone.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RecoveryReport, TidemarkError } from '../../src/index';
import { isQuiet, judge, unkept, wrongValues } from './judge';
import { Lab } from './lab';
import { type Mutation, mutationsOf } from './mutations';
import { makeBases, makeStrangers, stateOf } from './stores';

const mutations = mutationsOf(await makeBases(), await makeStrangers());
/** For opening a store of some KB four times: whoever takes so long hangs. */
const timeout = 20_000;

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());

/** @param lives whether it is then written to and checkpointed, as every fifth is. */
async function examine(mutation: Mutation, lives: boolean): Promise<void> {
  const verdict = judge(mutation);
  const specimen = await lab.lay(mutation.files);
  const before = await specimen.files();
  if (verdict.refused) {
    const error = await specimen.open().then(
      (venue) => venue.close(),
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(TidemarkError);
    expect(error).toMatchObject({ code: verdict.refused });
    expect(await specimen.files()).toEqual(before);
    return;
  }

  const first = await specimen.open();
  const { recovery } = first.health();
  const state = stateOf(first);
  await first.close();
  expect(wrongValues(mutation, verdict, state)).toEqual([]);
  if (verdict.broken.length + verdict.missed.length > 0) expect(isQuiet(recovery)).toBe(false);
  expect(namesOf(recovery.holes)).toEqual(expect.arrayContaining([...verdict.missed]));
  expect(unkept(verdict, await specimen.quarantine())).toEqual([]);

  const after = await specimen.files();
  const second = await specimen.open();
  const { recovery: again } = second.health();
  expect(stateOf(second)).toEqual(state);
  expect(recovery.damage).toEqual(expect.arrayContaining(again.damage));
  expect(recovery.holes).toEqual(expect.arrayContaining(again.holes));
  expect(again.tornBytes).toBe(0);
  await second.close();
  expect(await specimen.files()).toEqual(after);

  if (!lives) return;
  const third = await specimen.open();
  third.region('notes').set('since', 'then');
  await third.checkpoint();
  await third.close();
  const fourth = await specimen.open();
  expect(stateOf(fourth)).toEqual(new Map([...state, ['notes/since', 'then']]));
  expect(recovery.damage).toEqual(expect.arrayContaining(fourth.health().recovery.damage));
  await fourth.close();
}

const namesOf = (holes: RecoveryReport['holes']) =>
  holes.flatMap(({ writer, from, to }) => Array.from({ length: to + 1 - from }, (_, i) => `${writer} ${from + i}`));

describe('a damaged store is opened, complete or with a report of what is not, or refused and left alone', () => {
  it('in more than 200 ways', () => {
    expect(new Set(mutations.map(({ name }) => name)).size).toBeGreaterThan(200);
  });

  for (const [i, mutation] of mutations.entries()) it(mutation.name, { timeout }, () => examine(mutation, i % 5 === 0));
});
