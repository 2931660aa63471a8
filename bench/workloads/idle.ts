// An idle venue: what it does in ten seconds when nobody asks anything of it. And the size of the bundle.
import { createHook } from 'node:async_hooks';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Contestant } from '../contestant';
import { makeKey, makeNote } from '../data';
import { type Io, readIo } from '../meters';
import type { Goal, Options, Row, Sample, Workload } from '../workload';

/** V8's own threads wake the event loop now and then, by 8 bytes through an eventfd; whatever else is read or written is a file's. */
const fileBytes = (from: Io, to: Io): number =>
  to.rchar -
  from.rchar -
  8 * (to.syscr - from.syscr) +
  (to.wchar - from.wchar - 8 * (to.syscw - from.syscw)) +
  (to.read_bytes - from.read_bytes) +
  (to.write_bytes - from.write_bytes);

async function watchIdle(contestant: Contestant, folder: string, { seconds }: Options): Promise<Sample> {
  const store = await contestant.open(folder, { delayMs: 100 });
  for (let i = 0; i < 100; i++) store.write(makeKey(i), makeNote(i));
  await store.durable();
  await new Promise((resolve) => setTimeout(resolve, 500));

  // Every timer and every operation of the file system is an asynchronous resource: none is made, none calls back.
  const made: string[] = [];
  let calls = 0;
  let own = -1;
  const hook = createHook({
    init(id, type) {
      if (own === -1 && type === 'Timeout') own = id;
      else if (type !== 'PROMISE' && type !== 'TickObject') made.push(type);
    },
    before(id) {
      if (id !== own) calls++;
    },
  });
  const ownReading = readIo();
  const before = readIo();
  const resources = process.resourceUsage();
  hook.enable();
  await new Promise<void>((resolve) => {
    setTimeout(() => {
      hook.disable();
      resolve();
    }, seconds! * 1000);
  });
  const after = readIo();
  const used = process.resourceUsage();
  await store.close();
  return {
    timers: made.filter((type) => type === 'Timeout' || type === 'Immediate').length,
    resources: made.length,
    calls,
    // Reading the counters is I/O too; how much that takes was seen just before.
    bytes: fileBytes(before, after) - fileBytes(ownReading, before),
    cpu: (used.userCPUTime + used.systemCPUTime - resources.userCPUTime - resources.systemCPUTime) / 1000,
    wakes: used.voluntaryContextSwitches - resources.voluntaryContextSwitches,
  };
}

export const idle: Workload = {
  name: 'idle',
  title: 'An idle venue for ten seconds',
  about:
    'Asynchronous resources made (timers, operations of the file system), callbacks run, bytes read and written. The control is a Node process that only waits.',
  columns: [
    { metric: 'timers', title: 'timers', digits: 0 },
    { metric: 'resources', title: 'resources', digits: 0 },
    { metric: 'calls', title: 'callbacks', digits: 0 },
    { metric: 'bytes', title: 'bytes of I/O', digits: 0 },
    { metric: 'cpu', title: 'CPU, ms', digits: 1 },
    { metric: 'wakes', title: 'wake-ups', digits: 0 },
  ],
  async plan({ scale }) {
    const row = (name: string): Row => ({
      name,
      contestant: name,
      rounds: 1,
      options: { seconds: scale.quick ? 3 : 10 },
    });
    return [row('control'), row('tidemark')];
  },
  run: watchIdle,
  judge(results) {
    const of = (metric: string): number => results.median('tidemark', metric);
    const reached = of('timers') === 0 && of('calls') === 0 && of('resources') === 0 && of('bytes') <= 0;
    const measured = `${of('timers')} timers made, ${of('resources')} operations, ${of('calls')} callbacks, ${of('bytes')} bytes of I/O`;
    return [
      {
        work: 'idle venue for 10 s',
        goal: '0 timers fired, 0 I/O',
        measured,
        reached,
        ...(!reached && { by: measured }),
      },
    ];
  },
};

export const size: Workload = {
  name: 'size',
  title: 'Core bundle',
  about: 'Minified and gzipped: everything openVenue needs with the memory backend, as `npm run size` says.',
  columns: [
    { metric: 'total', title: 'KB', digits: 1 },
    { metric: 'noble', title: 'of it noble, KB', digits: 1 },
  ],
  plan: async () => [{ name: 'tidemark', contestant: 'tidemark', rounds: 1, options: {} }],
  async run() {
    const script: unknown = await import(pathToFileURL(join(process.cwd(), 'scripts/size.mjs')).href);
    const { total, noble } = await (
      script as { measureSize(): Promise<{ total: number; noble: number }> }
    ).measureSize();
    return { total: total / 1024, noble: noble / 1024 };
  },
  judge(results) {
    const total = results.median('tidemark', 'total');
    const goal: Goal = {
      work: 'core bundle, minified and gzipped',
      goal: 'at most 18 KB',
      measured: `${total.toFixed(1)} KB`,
      reached: total <= 18,
    };
    return [goal.reached ? goal : { ...goal, by: `${(total - 18).toFixed(1)} KB` }];
  },
};
