// Short programs that between them reach every part of the store, for trying every single call of theirs: a crash before it
// and after it, and each failure that it can have.
import type { Program, Step, Write } from './program';

const set = (region: string, key: string, bytes = 20): Write => ({ region, key, how: 'set', bytes });
const remove = (region: string, key: string): Write => ({ region, key, how: 'delete', bytes: 0 });
const write = (...writes: Write[]): Step => ({ do: 'write', writes });
const flush: Step = { do: 'flush', await: true };
const checkpoint: Step = { do: 'checkpoint', await: true };
const sweep: Step = { do: 'wait', ms: 150 };
const crash: Step = { do: 'crash', how: 'power', recovery: [] };

const programs: Readonly<Record<string, readonly Step[]>> = {
  'writes, sweeps and flushes': [
    write(set('notes', 'k1'), set('jobs', 'k1'), set('top', 'k1', 0)),
    sweep,
    write(set('top', 'k1', 0), set('notes', 'k1'), remove('jobs', 'k1'), set('notes', 'k2', 9000)),
    { do: 'flush', await: false },
    write(set('notes', 'k3')),
    flush,
    { do: 'close' },
  ],
  'three checkpoints, and writes meanwhile': [
    write(set('notes', 'k1'), set('jobs', 'k1')),
    checkpoint,
    write(set('notes', 'k2'), remove('jobs', 'k1')),
    { do: 'checkpoint', await: false },
    write(set('notes', 'k1')),
    flush,
    { do: 'close' },
    write(set('notes', 'k4')),
    checkpoint,
    write(set('jobs', 'k2')),
    sweep,
  ],
  'a fork that outlives a checkpoint': [
    write(set('notes', 'k1'), set('jobs', 'k1')),
    {
      do: 'fork',
      writes: [set('notes', 'k1'), set('jobs', 'k1'), set('jobs', 'k2')],
      meanwhile: [write(remove('notes', 'k1'), set('jobs', 'k2')), checkpoint],
      end: 'sync',
    },
    flush,
    { do: 'fork', writes: [set('notes', 'k1'), remove('jobs', 'k1')], meanwhile: [flush], end: 'drop' },
    sweep,
  ],
  'crashes with writes on their way': [
    write(set('notes', 'k1'), set('jobs', 'k1')),
    sweep,
    write(set('notes', 'k2', 3000)),
    { do: 'crashAt', at: { how: 'power', calls: 2, phase: 'before' }, recovery: [] },
    sweep,
    write(set('notes', 'k3', 3000)),
    { do: 'crashAt', at: { how: 'kill', calls: 3, phase: 'before' }, recovery: [] },
    flush,
    write(set('notes', 'k1')),
    flush,
    crash,
  ],
  'ends without closing': [
    write(set('notes', 'k1'), set('jobs', 'k1')),
    { do: 'exit' },
    write(set('notes', 'k1')),
    flush,
    write(set('notes', 'k2')),
    { do: 'flush', await: false },
    write(set('notes', 'k3')),
    { do: 'exit' },
  ],
};

export const fixedPrograms: readonly (Program & { readonly name: string })[] = Object.entries(programs).map(
  ([name, steps], seed) => ({ name, seed, sweepMs: 100, steps }),
);
