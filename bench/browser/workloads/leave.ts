// The page goes, with 1,000 entries unsaved: how long the handlers hold it up. Measured around whatever listens, in the
// order in which listeners are called.
import type { Row, Sample } from '../../workload';
import type { Contestant } from '../contestant';
import { openFilled } from '../filled';
import { quiet } from '../ticker';
import { type Page, peers, type Workload } from '../workload';

const KEYS = 10_000;
const HANDLER_MS_MAX = 10;
/** In the order of a navigation. */
const events = ['beforeunload', 'pagehide', 'visibilitychange'] as const;

async function leave(contestant: Contestant, page: Page, options: Row['options']): Promise<Sample> {
  const taken = { beforeunload: 0, pagehide: 0, visibilitychange: 0 };
  let began = 0;
  const begin = (): void => {
    began = performance.now();
  };
  // Of two on one target the capturing one is first, and then the one that was there first.
  for (const name of events) addEventListener(name, begin, true);
  const store = options.used
    ? await openFilled(contestant, page, options, KEYS)
    : await contestant.open(page.database, options);
  const changed = await page.entries(0, options.entries!, 1);
  await quiet();
  for (const name of events)
    addEventListener(name, () => {
      taken[name] += performance.now() - began;
      if (name !== events.at(-1)) return;
      page.leaveBehind({ ...taken, all: taken.beforeunload + taken.pagehide + taken.visibilitychange });
    });
  store.writeAll(changed);
  location.href = page.elsewhere;
  return new Promise(() => {});
}

const titles = { used: 'Tidemark, in use for a while', opened: 'Tidemark, just opened' };

export const leaving: Workload = {
  name: 'leave',
  title: 'The handlers of a page that goes with 1,000 entries unsaved',
  about:
    'Around all that listens to a real navigation, from before the first listener to after the last. The work is done at the first of these events; what the others take is looking whether ' +
    `there is more. The limit is a text of the same length to localStorage and, as records of 32 KiB, to IndexedDB. ${Object.values(peers).join(', ')} have no such handlers.`,
  columns: [
    { metric: 'all', title: 'all, ms', digits: 2 },
    ...events.map((metric) => ({ metric, title: `${metric}, ms`, digits: 2 })),
  ],
  async plan(lab) {
    const { scale } = lab;
    const rounds = scale.quick ? 3 : 9;
    const entries = 1000;
    await lab.prepare('leave', 'open', 'tidemark', { size: KEYS, fill: 1 });
    const { bytes } = await lab.probe('durable', 'tidemark', { entries, repeats: 1, sweep: 1 });
    return [
      { name: titles.used, contestant: 'tidemark', rounds, options: { entries, used: 1 } },
      { name: titles.opened, contestant: 'tidemark', rounds, options: { entries }, prepared: 'leave' },
      {
        name: 'limit: localStorage and raw records',
        contestant: 'raw-leave',
        rounds,
        options: { entries, bytes: bytes! },
      },
    ];
  },
  run: leave,
  judge: (results) =>
    Object.values(titles).map((name) => {
      const all = results.median(name, 'all');
      return {
        work: 'the handlers of a page that goes, 1,000 unsaved',
        goal: `at most ${HANDLER_MS_MAX} ms`,
        measured: `${name}: ${all.toFixed(1)} ms`,
        reached: all <= HANDLER_MS_MAX,
        by: `${(all - HANDLER_MS_MAX).toFixed(1)} ms`,
      };
    }),
};
