// node scripts/ts.mjs bench/services/sessions.ts: 1,000 and 10,000 sessions of 100 events on a real folder: start, append, list, replay, open,
// memory; and how each grows. Each size in a process of its own; prints a table, and never fails for being slow. ROUNDS=3 for medians of three.
import { openVenue } from '../../src/node';
import { type ListOptions, openSessions, type Sessions } from '../../src/services/sessions';
import { readMemory } from '../meters';
import { type Growth, runGrowth, type Sample } from './growth';

const sizes = [1000, 10_000] as const;
const rounds = Number(process.env.ROUNDS ?? 1);
const eventsEach = 100;
const projects = 100;
/** Sessions that are worked on at the same time: their flushes share commits. */
const atOnce = 100;
/** Sessions that are left running. */
const running = 100;

const rows: Growth['rows'] = {
  'start all, durable, 100 at once': { unit: 'ms', grows: true, digits: 0 },
  'append 100 events to each, then flush': { unit: 'ms', grows: true, digits: 0 },
  'append one event, without the flush': { unit: 'us', grows: false, digits: 2 },
  'append one event, durable, alone': { unit: 'ms', grows: false, digits: 2 },
  'complete all but 100, 100 at once': { unit: 'ms', grows: true, digits: 0 },
  'list all, in pages of 1,000': { unit: 'ms', grows: true, digits: 1 },
  'list all, project by project': { unit: 'ms', grows: true, digits: 1 },
  'first page of 10 of a project': { unit: 'us', grows: false, digits: 1 },
  'replay one session': { unit: 'us', grows: false, digits: 1 },
  'open, to the first list': { unit: 'ms', grows: true, digits: 0 },
  'of which openSessions': { unit: 'ms', grows: true, digits: 1 },
  'then replay all': { unit: 'ms', grows: true, digits: 0 },
  'memory per session, written': { unit: 'B', grows: false, digits: 0 },
  'memory per session, opened and listed': { unit: 'B', grows: false, digits: 0 },
  'on disk per session, after a checkpoint': { unit: 'B', grows: false, digits: 0 },
};

async function measure(size: number, store: string): Promise<Sample> {
  const sample: Sample = {};
  const timed = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work();
    sample[name] = performance.now() - start;
    return result;
  };
  const each = async (name: string, times: number, unitsPerMs: number, work: (n: number) => unknown) => {
    await timed(name, async () => {
      for (let n = 0; n < times; n++) await work(n);
    });
    sample[name] = (sample[name]! / times) * unitsPerMs;
  };
  const expected = (found: number, wanted: number) => {
    if (found !== wanted) throw new Error(`bench: ${found} instead of ${wanted}`);
  };
  const count = (sessions: Sessions, options: ListOptions) => {
    let found = 0;
    let cursor: string | undefined;
    do {
      const page = sessions.list({ ...options, limit: 1000, cursor });
      found += page.sessions.length;
      cursor = page.nextCursor;
    } while (cursor);
    return found;
  };
  const inBatches = async (from: readonly string[], work: (id: string) => Promise<unknown>) => {
    for (let at = 0; at < from.length; at += atOnce) await Promise.all(from.slice(at, at + atOnce).map(work));
  };
  const project = (n: number) => `/home/ann/projects/${n % projects}`;
  const held = async (name: string, empty: number) => {
    sample[`memory per session, ${name}`] = ((await readMemory()).held - empty) / size;
  };

  let venue = await openVenue({ store });
  let sessions = openSessions(venue, { indexes: ['user'] });
  let empty = (await readMemory()).held;
  const ids: string[] = [];
  const numbers = Array.from({ length: size }, (_, n) => String(n));
  await timed('start all, durable, 100 at once', () =>
    inBatches(numbers, async (n) => {
      const headers = { projectRoot: project(Number(n)), harness: 'codex', user: `user-${Number(n) % 50}` };
      ids.push((await sessions.start(headers)).id);
    }),
  );
  let appending = 0;
  await timed('append 100 events to each, then flush', async () => {
    for (let n = 0; n < eventsEach; n++) {
      const start = performance.now();
      for (const id of ids)
        sessions.append(id, {
          type: 'message',
          payload: { role: 'assistant', text: `What was said as number ${n} of ${id}.` },
        });
      appending += performance.now() - start;
      await venue.flush();
    }
  });
  sample['append one event, without the flush'] = (appending * 1000) / (size * eventsEach);
  await held('written', empty);
  await venue.checkpoint(); // what was to be folded is, and does not go on beside what is measured next
  await each('append one event, durable, alone', 200, 1, (n) =>
    sessions.append(ids.at(-1)!, { type: 'message', payload: { n } }, { durable: true }),
  );
  await timed('complete all but 100, 100 at once', () =>
    inBatches(ids.slice(running), (id) => sessions.complete(id, { tokens: 1234 })),
  );
  await timed('list all, in pages of 1,000', () => expected(count(sessions, {}), size));
  await timed('list all, project by project', () => {
    for (let n = 0; n < projects; n++) expected(count(sessions, { project: project(n) }), size / projects);
  });
  await each('first page of 10 of a project', 1000, 1000, (n) => sessions.list({ project: project(n), limit: 10 }));
  sessions.replay(ids[0]!); // puts in order what was written
  await each('replay one session', 1000, 1000, (n) =>
    expected(sessions.replay(ids[(n * 7919) % (size - 1)]!).events.length, eventsEach),
  );
  await venue.checkpoint();
  await venue.checkpoint(); // the one before it is kept, with its log
  sample['on disk per session, after a checkpoint'] = (await venue.usage()).bytes / 2 / size;
  await venue.close();
  venue = sessions = undefined as never;
  empty = (await readMemory()).held;
  await timed('open, to the first list', async () => {
    venue = await openVenue({ store });
    await timed('of which openSessions', () => {
      sessions = openSessions(venue, { indexes: ['user'] });
    });
    expected(sessions.list({ state: 'orphaned', limit: 1000 }).sessions.length, running);
  });
  await held('opened and listed', empty);
  await timed('then replay all', () => {
    for (const id of ids) sessions.replay(id);
  });
  await venue.close();
  return sample;
}

await runGrowth({ what: 'sessions', sizes, rounds, rows, measure });
