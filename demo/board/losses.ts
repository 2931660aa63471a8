// What a crash now would lose: each entry that is not in memory as it is durable. And the table that shows it.
import type { ReadonlyRegion } from 'tidemark';
import { byId, counted, make, ms, onceAFrame } from './dom';
import { type Board, type Note, type RegionName, regionNames } from './notes';

export interface Loss {
  readonly region: RegionName;
  readonly key: string;
  root: Note | undefined;
  live: Note | undefined;
  readonly since: number;
  /** When it became durable: it is shown a little longer, since a tenth of a second is not long enough to read it. */
  durableAt?: number;
}

const shownAfterMs = 2000;
const rowsMax = 4;

/**
 * Follows the board.
 * @param changed called, once a frame at most, when there are others than before.
 * @returns whether a crash now would lose an entry
 */
export function watchLosses(board: Board, changed: () => void): (region: RegionName, key: string) => boolean {
  const losses = new Map<string, Loss>();
  const roots: Record<RegionName, ReadonlyRegion<Note>> = {
    notes: board.venue.root.region('notes'),
    pile: board.venue.root.region('pile'),
  };

  function look(region: RegionName, key: string): void {
    const id = `${region}/${key}`;
    const [live, root] = [board[region].get(key), roots[region].get(key)];
    const loss = losses.get(id);
    // What is durable is the very value that is in memory.
    if (live === root) {
      if (loss && loss.durableAt === undefined) Object.assign(loss, { durableAt: performance.now(), live, root: live });
    } else if (loss && loss.durableAt === undefined) Object.assign(loss, { live, root });
    else losses.set(id, { region, key, live, root, since: performance.now() });
    show();
  }

  const show = onceAFrame(() => {
    const now = performance.now();
    for (const [id, { durableAt }] of losses) if (durableAt && now - durableAt > shownAfterMs) losses.delete(id);
    render([...losses.values()]);
    changed();
    clearTimeout(timer);
    if ([...losses.values()].some(({ durableAt }) => durableAt)) timer = window.setTimeout(show, shownAfterMs / 4);
  });
  let timer = 0;

  for (const region of regionNames)
    board[region].subscribe((changes) => {
      for (const { key, origin } of changes) if (origin === 'local') look(region, key);
    });
  board.venue.on('sweep', () => {
    for (const { region, key, durableAt } of losses.values()) if (durableAt === undefined) look(region, key);
  });
  render([]);
  return (region, key) => {
    const loss = losses.get(`${region}/${key}`);
    return loss !== undefined && loss.durableAt === undefined;
  };
}

interface Row {
  root: string;
  live: string;
  durable: boolean;
}

const textOf = (note: Note): string => note.text.trim() || 'an empty note';
/** The texts of an edited note begin so far before the first difference: in a narrow column it would be cut off. */
const commonMax = 12;

function sides({ root, live }: Loss): [root: string, live: string] {
  if (!root || !live) return [root ? textOf(root) : 'not there', live ? textOf(live) : 'deleted'];
  if (root.colour !== live.colour) return [`${root.colour}: ${textOf(root)}`, `${live.colour}: ${textOf(live)}`];
  if (root.text === live.text) return [textOf(root), `moved: ${textOf(live)}`];
  let same = 0;
  while (root.text[same] === live.text[same]) same++;
  if (same <= commonMax) return [textOf(root), textOf(live)];
  return [`…${root.text.slice(same - commonMax)}`, `…${live.text.slice(same - commonMax)}`];
}

function render(losses: readonly Loss[]): void {
  const rows: Row[] = losses
    .filter(({ region }) => region === 'notes')
    .map((loss) => {
      const { live, since, durableAt } = loss;
      const [rootText, liveText] = sides(loss);
      if (durableAt === undefined) return { root: rootText, live: liveText, durable: false };
      return { root: `durable after ${ms(durableAt - since)}`, live: live ? textOf(live) : liveText, durable: true };
    });
  for (const durable of [false, true]) {
    const pile = losses.filter((loss) => loss.region === 'pile' && (loss.durableAt !== undefined) === durable);
    const [first] = pile;
    if (!first) continue;
    const here = pile.filter(({ live }) => live).length;
    rows.push({
      root: durable ? `durable after ${ms(first.durableAt! - first.since)}` : first.root ? 'there' : 'not there',
      live: here ? `${counted(here, 'note')} of the pile` : 'the pile removed',
      durable,
    });
  }
  rows.sort((a, b) => Number(a.durable) - Number(b.durable));
  const hidden = rows.length > rowsMax ? rows.splice(rowsMax - 1).length : 0;
  const cells = rows.map(({ root, live, durable }) => {
    return make('tr', { className: durable ? 'durable' : 'open' }, make('td', {}, root), make('td', {}, live));
  });
  if (rows.length === 0)
    cells.push(
      make('tr', { className: 'none' }, make('td', { colSpan: 2 }, 'Nothing: all that is in memory is durable.')),
    );
  if (hidden > 0) cells.push(make('tr', { className: 'more' }, make('td', { colSpan: 2 }, `and ${hidden} more`)));
  byId('losses').replaceChildren(...cells);
}
