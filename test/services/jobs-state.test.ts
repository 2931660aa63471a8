// The join of two states of a job: lawful for all that writers can come to write, with an end that stays, and of two the first.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpenJobs } from '../../src/services/jobs/open';
import { type JobState, type JobStatus, joinStates } from '../../src/services/jobs/state';
import { checkJoin } from '../../src/testing';

const state = (status: JobStatus, ev: string, more: Partial<JobState> = {}): JobState => {
  const { attempt = 1, rev = 1, holder = 'w.0', progress, output, ...rest } = more;
  return { status, attempt, rev, ev, holder, progress, output, ...rest };
};

/** States as writers make them: a change is what it is by its id; only who gave way, what is sealed and what was reported differ. */
const statuses: JobStatus[] = ['STARTED', 'PAUSED', 'PENDING', 'COMPLETE', 'CANCELLED', 'FAILED'];
const any: fc.Arbitrary<JobState> = fc
  .record({
    n: fc.nat(11),
    sealed: fc.boolean(),
    rivals: fc.dictionary(fc.constantFrom('e07', 'e08', 'e09', 'e12'), fc.constantFrom(0 as const, 1 as const)),
    reported: fc.option(fc.nat(3), { nil: undefined }),
  })
  .map(({ n, sealed, rivals, reported }) => {
    const status = statuses[n % 6]!;
    const ended = n % 6 > 2;
    const own = `e${String(n).padStart(2, '0')}`;
    const later = Object.entries(rivals).filter(([ev]) => ended && !sealed && ev > own);
    return joinStates(
      ...(Array(2).fill(
        state(status, own, {
          attempt: 1 + (n % 2),
          rev: 1 + (n % 3),
          output: ended ? n : undefined,
          progress:
            ended || reported === undefined
              ? undefined
              : { attempt: 1 + (reported % 2), ev: `p${reported}`, value: reported },
          sealed: (ended && sealed) || undefined,
          rivals: later.length > 0 ? Object.fromEntries(later) : undefined,
        }),
      ) as [JobState, JobState]),
    );
  });

describe('the join of states', () => {
  it('is commutative, associative and idempotent', () => {
    fc.assert(
      fc.property(fc.array(any, { minLength: 3, maxLength: 3 }), (samples) => {
        expect(checkJoin(joinStates, samples)).toEqual([]);
      }),
      { numRuns: 2000, seed: 11 },
    );
  });

  it.each<[string, JobState, JobState]>([
    ['the end over all else', state('FAILED', 'e9', { rev: 1 }), state('STARTED', 'e1', { attempt: 7, rev: 99 })],
    ['the later attempt', state('PENDING', 'e1', { attempt: 2, rev: 3 }), state('PAUSED', 'e2', { rev: 8 })],
    ['what more changes led to', state('PAUSED', 'e1', { rev: 3 }), state('STARTED', 'e2', { rev: 2 })],
    ['the last of two', state('PAUSED', 'e2'), state('INPUT_REQUIRED', 'e1')],
    ['the first of two ends', state('CANCELLED', 'e1'), state('COMPLETE', 'e2', { rev: 5, attempt: 2 })],
    ['what is sealed, over an end before it', state('COMPLETE', 'e2', { sealed: true }), state('CANCELLED', 'e1')],
    [
      'of two that are sealed, the first',
      state('FAILED', 'e1', { sealed: true }),
      state('COMPLETE', 'e2', { sealed: true }),
    ],
  ])('keeps %s', (_, stays, goes) => {
    for (const joined of [joinStates(stays, goes), joinStates(goes, stays)]) {
      const { rivals: _, ...rest } = joined;
      expect(rest).toEqual(stays);
    }
  });

  it('tells both of two rivals of each other, and who gave way', () => {
    const [first, second, third] = [state('COMPLETE', 'e1'), state('FAILED', 'e2'), state('REJECTED', 'e3')];
    const two = joinStates(second, first);
    expect(two).toMatchObject({ ev: 'e1', rivals: { e2: 0 } });
    expect(joinStates(two, { ...two, rivals: { e2: 1 } }).rivals).toEqual({ e2: 1 });
    expect(joinStates(joinStates(third, second), first).rivals).toEqual({ e2: 0, e3: 0 });
    expect(joinStates(two, { ...first, sealed: true }).rivals).toBeUndefined();
  });

  it('keeps a report that was made beside a change, but not beside the end', () => {
    const report = { attempt: 1, ev: 'p1', value: 'half' };
    const reported = state('STARTED', 'e1', { progress: report });
    expect(joinStates(state('PAUSED', 'e2', { rev: 2 }), reported)).toMatchObject({
      status: 'PAUSED',
      progress: report,
    });
    expect(joinStates(state('CANCELLED', 'e2', { rev: 2 }), reported).progress).toBeUndefined();
  });
});

describe('the index of jobs that are not finished', () => {
  it('has each of them once, in order, from any id on, whatever comes in which order', () => {
    const note = fc.record({ id: fc.nat(60), done: fc.boolean() });
    const many = fc.array(note, { maxLength: 200, size: 'max' });
    fc.assert(
      fc.property(many, fc.nat(60), fc.boolean(), (notes, from, large) => {
        const index = new OpenJobs();
        const finished = new Set<string>();
        const open = new Set<string>();
        const name = (n: number) => `id${String(n).padStart(5, '0')}`;
        // Enough of them that what is finished is dropped now and then.
        if (large) for (let n = 100; n < 2500; n++) index.note(name(n), 'STARTED');
        for (const { id, done } of notes) {
          if (finished.has(name(id))) continue; // an end stays
          index.note(name(id), done ? 'COMPLETE' : 'PENDING');
          if (done) finished.add(name(id));
          open[done ? 'delete' : 'add'](name(id));
        }
        if (large) for (let n = 100; n < 2500; n++) index.note(name(n), 'FAILED');
        expect([...index.from('')]).toEqual([...open].sort());
        expect([...index.from(name(from))]).toEqual([...open].filter((id) => id >= name(from)).sort());
      }),
      { seed: 3 },
    );
  });
});
