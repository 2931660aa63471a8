// One at a time, over all tabs that share a store: for what depends on what it finds. No leases that are renewed, so that no timer runs when
// nothing is done. Knows nothing of secrets.
import type { Venue } from '../../venue';

/** A turn that has not ended after this was left by a tab that crashed: who has half of it left begins, and what it does is one flush. */
const turnMs = 10_000;
/** Between two looks at who else wants to. */
const lookMs = 50;

const last = new WeakMap<Venue, Promise<unknown>>();

/** Does `work` when nobody else is at theirs, and all that they made durable has been joined. */
export function inTurn<T>(venue: Venue, work: () => Promise<T>): Promise<T> {
  const before = last.get(venue) ?? Promise.resolve();
  const turn = before
    .catch(() => undefined) // whoever asked for it has been told
    .then(() => (venue.health().lock === 'exclusive' ? work() : take(venue, work)));
  last.set(venue, turn);
  return turn;
}

/**
 * Says that it wants to, makes that durable, then looks who else does: of two at the same moment at least one sees the other. Who sees nobody goes;
 * of those that see each other all but the first by id step back until that one is done.
 */
async function take<T>(venue: Venue, work: () => Promise<T>): Promise<T> {
  const { clock, writer } = venue;
  const wants = venue.region<number>('tidemark.secrets.turns');
  /** When we said so, in `elapsed` time. */
  let said: number | undefined;
  try {
    for (;;) {
      await venue.catchUp();
      const others = [...wants].filter(([other, until]) => other !== writer && isOpen(until, clock.now()));
      const isFresh = said !== undefined && clock.elapsed() - said < turnMs / 2;
      if (isFresh && others.length === 0) return await work();
      if (others.some(([other]) => other < writer)) {
        said = undefined;
        wants.delete(writer);
      } else if (!isFresh) {
        said = clock.elapsed();
        wants.set(writer, clock.now() + turnMs);
      }
      await venue.flush();
      if (others.length > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, lookMs));
    }
  } finally {
    // Once the venue is closed nothing can be written: then it runs out by itself.
    if (venue.health().status !== 'closed')
      for (const [other, until] of wants) if (other === writer || !isOpen(until, clock.now())) wants.delete(other);
  }
}

/** Of those that this clock made none has more left than a whole turn. */
const isOpen = (until: number, now: number): boolean => until > now && until <= now + turnMs;
