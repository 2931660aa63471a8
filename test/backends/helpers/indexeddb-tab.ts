// A tab of which every transaction is seen, and how its promises end.
import type { TidemarkError } from '../../../src/backend';
import { findTexts } from '../contract/stage';
import { indexeddbWorld } from './indexeddb';
import { WatchedFactory } from './indexeddb-watch';

/** Opened, and nothing done yet. */
export async function openTab() {
  const watched = new WatchedFactory();
  const world = indexeddbWorld(watched);
  const backend = world.backend();
  await backend.open('venue');
  watched.transactions.length = 0;
  watched.opens = 0;
  /** What the next one finds. */
  const reopened = async () => {
    await backend.close();
    const next = world.backend();
    const found = await findTexts(await next.open('venue'));
    await next.close();
    world.destroy();
    return found;
  };
  return { watched, world, backend, reopened };
}

/** The engine's word. */
export const codeOf = (error: unknown) => ((error as Error).cause as { code?: unknown } | undefined)?.code;

/** The error, if it is one. */
export const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: TidemarkError) => error,
  );
