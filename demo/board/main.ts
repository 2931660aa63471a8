// The page: opens the venue and joins the parts. Each part is a file of its own; index.html has what stands still.
import { openVenue, type Venue } from 'tidemark';
import { indexeddbBackend } from 'tidemark/indexeddb';
import { showBoard } from './board';
import { wireButtons } from './buttons';
import { showCommits } from './commit';
import { afterCrash } from './crash';
import { byId, count, ms, write } from './dom';
import { faulty } from './faults';
import { watchLosses } from './losses';
import { boardOf, entriesOf, regionNames } from './notes';
import { showPile } from './pile';
import { explain, say, showStatus } from './status';
import { themeSwitch } from './theme';
import { drawTide } from './tide';
import { drawTimeline, type Kind } from './timeline';

themeSwitch();
const store = faulty(indexeddbBackend('tidemark-board'));
try {
  start(
    await openVenue({
      store: store.backend,
      fallback: 'memory',
      // The page itself shows failures, and that they pass.
      logger: { info: () => undefined, warn: () => undefined, error: say },
    }),
  );
} catch (error) {
  document.body.dataset.state = 'failing';
  write(byId('saved'), 'No store');
  say(`The store cannot be opened: ${explain(error)}`);
}

function start(venue: Venue): void {
  const board = boardOf(venue);
  const showState = showStatus(venue);
  showCommits(venue, store.signatureOf);
  showTide(venue, showState);
  const atRisk = watchLosses(board, () => {
    showCards();
    showMosaic();
  });
  const showCards = showBoard(board, (key) => atRisk('notes', key));
  const showMosaic = showPile(board, (key) => atRisk('pile', key));
  wireButtons(board, store);
  byId<HTMLButtonElement>('add').disabled = false;
  const crashed = afterCrash(entriesOf(venue));
  const { target, reasons } = venue.health();
  if (crashed) say(crashed);
  else if (target === 'memory')
    say('This browser keeps nothing here: the notes are in memory, until the tab is closed.');
  else if (reasons.length > 0) say(`The store was opened, but: ${reasons.join('; ')}.`);
}

function showTide(venue: Venue, showState: () => void): void {
  const tide = drawTide(byId<HTMLCanvasElement>('tide'), () => venue.health().unsaved.entries);
  const timeline = drawTimeline(byId<HTMLCanvasElement>('timeline'), (rate) =>
    write(byId('rate'), `${rate.toFixed(1)} commits a second`),
  );
  const counts: Record<Kind, number> = { sweep: 0, flush: 0, failure: 0, join: 0 };
  const lanes: Record<Kind, string> = { sweep: 'sweeps', flush: 'flushes', failure: 'failures', join: 'joins' };
  const happened = (kind: Kind, size?: number) => {
    timeline.add(kind, size);
    write(byId(lanes[kind]), count(++counts[kind]));
  };
  for (const name of regionNames)
    venue.region(name).subscribe(() => {
      tide.wake();
      showState();
    });
  venue.on('sweep', ({ entries, tookMs }) => {
    if (entries > 0) tide.reach(entries, `${count(entries)} in ${ms(tookMs)}`);
    happened('sweep', entries);
  });
  venue.on('flush', () => happened('flush'));
  venue.on('failure', ({ code, unsaved }) => {
    tide.reach(unsaved, `failed: ${code}`, true);
    happened('failure', unsaved);
  });
  venue.on('joined', ({ changed }) => {
    tide.joined(`${count(changed)} from another tab`);
    happened('join', changed);
  });
}
