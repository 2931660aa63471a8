// A program that keeps sessions going until it is killed: starts, appends, ends, archives, deletes, and relaunches what an earlier life left. Keeps
// a trace of what it did and of what it was told is durable.
import { openVenue } from '../../../src/node';
import { openSessions } from '../../../src/services/sessions';
import { openTrace } from '../../crash/trace';
import { Random } from '../../simulator/random';

export interface SessionsOptions {
  store: string;
  trace: string;
  life: number;
}

const { store, trace: path, life } = JSON.parse(process.argv[2]!) as SessionsOptions;
const trace = openTrace(path);
const random = new Random(life);
const venue = await openVenue({ store, sweepMs: 20 });
const sessions = openSessions(venue, { indexes: ['life'] });

const left = sessions.list({ archived: 'any', limit: 1000 }).sessions;
for (const { id, state, live } of left)
  if (live || state === 'running' || state === 'idle') throw new Error(`${id} is ${state} and has no writer`);

const mine: string[] = [];
const keep = ({ id }: { id: string }, of?: string) => {
  trace('started', { id, of });
  mine.push(id);
};

const counts = new Map<string, number>();
/** The next event, which says itself the how manyth it is. */
const next = (id: string) => {
  const n = (counts.get(id) ?? 0) + 1;
  counts.set(id, n);
  return { type: 'said', payload: { of: id, n, token: 'SECRET' } };
};

/** Nothing is waited for but what is traced when it is done: many things are on their way when it dies. */
const acts = {
  async start() {
    if (mine.length > 6) return;
    keep(await sessions.start({ projectRoot: `/project/${random.below(3)}`, harness: 'child', life }));
  },
  async append() {
    if (mine.length === 0) return;
    const id = random.pick(mine);
    for (let more = random.below(20); more >= 0; more--) {
      sessions.append(id, next(id));
      trace('appended', { id, seq: counts.get(id) });
    }
  },
  async appendDurably() {
    if (mine.length === 0) return;
    const id = random.pick(mine);
    const durable = sessions.append(id, next(id), { durable: true });
    trace('appended', { id, seq: counts.get(id) });
    const { seq } = await durable;
    trace('durable', { id, seq });
  },
  async idle() {
    if (mine.length > 0) sessions.idle(random.pick(mine));
  },
  async end() {
    if (mine.length < 4) return;
    const [id] = mine.splice(random.below(mine.length), 1);
    const end = random.pick(['complete', 'fail', 'kill'] as const);
    trace('ending', { id });
    await sessions[end](id!, { life });
    trace('ended', { id, end });
  },
  async relaunch() {
    const orphan = left.splice(random.below(left.length), 1)[0];
    if (orphan?.state !== 'orphaned' || mine.length > 6) return;
    keep(await sessions.relaunch(orphan.id), orphan.id);
  },
  async delete() {
    const old = left.splice(random.below(left.length), 1)[0];
    if (!old) return;
    trace('deleting', { id: old.id });
    await sessions.delete(old.id);
    trace('deleted', { id: old.id });
  },
};

const weights = { start: 3, append: 10, appendDurably: 6, idle: 2, end: 2, relaunch: 1, delete: 1 };
trace('streaming');
process.send!('streaming');
for (;;) {
  void acts[random.weighted(weights)]();
  await new Promise((resolve) => setTimeout(resolve, random.below(3)));
}
