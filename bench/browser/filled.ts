// A store that already holds records: what every workload begins with. Knows no contestant.
import type { Options } from '../workload';
import type { Contestant, Store } from './contestant';
import type { Page } from './workload';

const AT_ONCE = 10_000;

export async function openFilled(contestant: Contestant, page: Page, options: Options, size: number): Promise<Store> {
  const entries = await page.entries(0, size, 0);
  await contestant.prepare?.(page.database, entries, options);
  const store = await contestant.open(page.database, { ...options, writes: 1 });
  for (let i = 0; i < size && !contestant.prepare; i += AT_ONCE) {
    store.writeAll(entries.slice(i, i + AT_ONCE));
    await store.durable();
  }
  return store;
}
