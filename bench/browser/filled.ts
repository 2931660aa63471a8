// A store that already holds records: what every workload begins with. Knows no contestant.
import type { Options } from '../workload';
import type { Contestant, Store } from './contestant';
import type { Page } from './workload';

/** Unless the row says how many. */
const AT_ONCE = 10_000;

export async function openFilled(contestant: Contestant, page: Page, options: Options, size: number): Promise<Store> {
  const entries = await page.entries(0, size, 0);
  await contestant.prepare?.(page.database, entries, options);
  const store = await contestant.open(page.database, { ...options, writes: 1 });
  const { atOnce = AT_ONCE } = options;
  for (let i = 0; i < size && !contestant.prepare; i += atOnce) {
    store.writeAll(entries.slice(i, i + atOnce));
    await store.durable();
  }
  return store;
}
