// "Saved", "Saving…", "Not saved", as venue.unsaved and the venue's events say; and the line that tells what has just been done.
import type { FailureInfo, Venue } from 'tidemark';
import { byId, counted, onceAFrame, write } from './dom';

/** Says something in the line under the title, which screen readers announce. @param undo offered beside it */
export function say(text: string, undo?: () => void): void {
  const button = byId<HTMLButtonElement>('undo');
  write(byId('message'), text);
  button.hidden = !undo;
  button.onclick = () => {
    undo?.();
    say('Undone.');
    byId('add').focus();
  };
}

export const explain = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** @returns to be called when the number of unsaved entries may have changed */
export function showStatus(venue: Venue): () => void {
  let failure: FailureInfo | undefined;
  const kept = venue.health().target !== 'memory';
  const show = onceAFrame(() => {
    const { entries } = venue.health().unsaved;
    const state = !kept ? 'unkept' : failure ? 'failing' : venue.unsaved.get() ? 'saving' : 'saved';
    document.body.dataset.state = state;
    write(byId('saved'), { unkept: 'Not kept', failing: 'Not saved', saving: 'Saving…', saved: 'Saved' }[state]);
    const unsaved = entries === 0 ? 'Nothing unsaved' : `${counted(entries, 'entry', 'entries')} unsaved`;
    write(byId('unsaved'), failure ? `${unsaved}: ${failure.code}` : unsaved);
  });
  venue.unsaved.subscribe(show);
  venue.on('sweep', show);
  venue.on('failure', (event) => {
    if (event.retryInMs === undefined) return;
    if (!failure)
      say('The store takes no writes. All of them wait in memory, and are tried again and again; go on writing.');
    failure = event;
    show();
  });
  venue.on('recovered', ({ failures }) => {
    failure = undefined;
    say(`The store takes writes again, after ${counted(failures, 'failure')}. What waited is durable.`);
    show();
  });
  show();
  return show;
}
