// Crashes the tab, really, and tells after it what is left. Before it, it notes outside the store what the page had called durable.
import { counted } from './dom';
import { type Board, type Entry, entriesOf, type RegionName } from './notes';

const witnessKey = 'tidemark-board.crash';
/** Layout recurses: 5,000 were enough for Chromium (156, 8 MB of stack), and are too many to be reached by accident. */
const depth = 12_000;

interface Witness {
  /** What venue.root had. */
  durable: [region: RegionName, key: string][];
  /** What the page said would be lost. */
  unsaved: number;
}

/**
 * Writes one note and makes it durable, writes another and crashes in the same turn.
 * @returns only if this browser does not let a page crash itself: then it was all in vain
 */
export async function crash({ venue, notes }: Board): Promise<void> {
  const last = Math.max(0, ...[...notes].map(([, { place }]) => place));
  notes.set('before-crash', { text: 'Written just before the crash, and durable', colour: 'kelp', place: last + 1 });
  await venue.flush({ timeoutMs: 1000 }).catch(() => undefined); // the disk may be failing: then the witness says what was durable
  notes.set('in-crash', { text: 'Written in the instant of the crash', colour: 'shell', place: last + 2 });
  const durable = entriesOf(venue.root).map(({ region, key }): [RegionName, string] => [region, key]);
  const witness: Witness = { durable, unsaved: venue.health().unsaved.entries };
  localStorage.setItem(witnessKey, JSON.stringify(witness));
  overflowLayout();
  localStorage.removeItem(witnessKey);
}

/** No event is fired, nothing is cleaned up, and no code of the page runs any more: the process is gone. */
function overflowLayout(): void {
  const outermost = document.createElement('div');
  let innermost = outermost;
  for (let i = 0; i < depth; i++) innermost = innermost.appendChild(document.createElement('div'));
  document.body.append(outermost);
  outermost.getBoundingClientRect();
  outermost.remove();
}

/** What is to be said of a crash, by the first tab that is opened after it. */
export function afterCrash(found: readonly Entry[]): string | undefined {
  const text = localStorage.getItem(witnessKey);
  if (!text) return undefined;
  localStorage.removeItem(witnessKey);
  const { durable, unsaved } = JSON.parse(text) as Witness;
  const here = new Set(found.map(({ region, key }) => `${region}/${key}`));
  const kept = durable.filter(([region, key]) => here.has(`${region}/${key}`)).length;
  const all =
    kept === durable.length ? `All ${counted(kept, 'note')}` : `Only ${kept} of ${counted(durable.length, 'note')}`;
  const rest = counted(unsaved, 'entry', 'entries');
  return `The tab crashed. ${all} that it had called durable are here. What was written in that instant, ${rest}, it had called unsaved.`;
}
