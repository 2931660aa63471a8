// What can be done to the store: a thousand notes, the faults, the crash, backup and restore.
import { download, encodeBackup, parseBackup } from './backup';
import { crash } from './crash';
import { byId, count, counted, ms, write } from './dom';
import type { Fault, FaultyBackend } from './faults';
import { type Board, entriesOf, replaceAll, writePile } from './notes';
import { explain, say } from './status';

const many = 1000;
const faultSeconds = 10;

export function wireButtons(board: Board, faulty: FaultyBackend): void {
  const { venue } = board;
  const on = (id: string, work: () => void | Promise<void>) => {
    const button = byId<HTMLButtonElement>(id);
    button.addEventListener('click', async () => {
      try {
        await work();
      } catch (error) {
        say(`That did not work: ${explain(error)}`);
      }
    });
    button.disabled = false;
  };

  on('write', async () => {
    const began = performance.now();
    writePile(board, many);
    const wrote = `${count(many)} notes written in ${ms(performance.now() - began)}`;
    say(`${wrote}, and in memory.`);
    await venue.flush();
    say(`${wrote}; durable after ${ms(performance.now() - began)}.`);
  });
  on('clear', () => {
    const before = entriesOf(venue);
    const lying = board.pile.size;
    replaceAll(
      board,
      before.filter(({ region }) => region !== 'pile'),
    );
    byId('write').focus();
    say(`Removed ${counted(lying, 'note')} of the pile.`, () =>
      replaceAll(board, [...entriesOf(venue), ...before.filter(({ region }) => region === 'pile')]),
    );
  });
  on('crash', async () => {
    await crash(board);
    say('This browser does not let a page crash itself. End the tab in its task manager, and come back.');
  });
  wireFaults(board, faulty);

  on('export', async () => {
    await venue.flush({ timeoutMs: 1000 }).catch(() => undefined); // what is in memory is exported, durable or not
    const entries = entriesOf(venue);
    const exported = new Date().toISOString();
    download(encodeBackup(entries, { exported, did: venue.did }), `tidemark-board-${exported.slice(0, 10)}.jsonl`);
    say(`Exported ${counted(entries.length, 'note')}.`);
  });
  const file = byId<HTMLInputElement>('file');
  on('restore', () => file.click());
  file.addEventListener('change', async () => {
    const chosen = file.files?.[0];
    file.value = ''; // so that the same file can be chosen again
    if (!chosen) return;
    try {
      const entries = parseBackup(await chosen.text());
      const before = entriesOf(venue);
      replaceAll(board, entries);
      say(`Restored ${counted(entries.length, 'note')} from ${chosen.name}.`, () => replaceAll(board, before));
    } catch (error) {
      say(`${explain(error)}. Nothing was changed.`);
    }
  });

  addEventListener('keydown', (event) => {
    if (event.key !== 's' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    const began = performance.now();
    venue.flush().then(
      () => say(`All saved, in ${ms(performance.now() - began)}. It would have been anyway.`),
      (error) => say(explain(error)),
    );
  });
}

/** One fault at a time, for ten seconds or until its button is pressed again. */
function wireFaults({ venue }: Board, faulty: FaultyBackend): void {
  let timer = 0;

  function set(fault: Fault | undefined, seconds = faultSeconds): void {
    clearTimeout(timer);
    const worked = faulty.fault === undefined;
    faulty.fault = fault;
    for (const name of ['disk', 'quota'] as const) {
      const button = byId(name);
      button.setAttribute('aria-pressed', String(name === fault));
      write(button.querySelector('.seconds')!, String(name === fault ? seconds : faultSeconds));
    }
    if (fault) timer = window.setTimeout(() => (seconds > 1 ? set(fault, seconds - 1) : set(undefined)), 1000);
    // There is room again: no need to wait for the next try.
    else if (!worked) venue.flush().catch((error) => say(explain(error)));
  }
  for (const name of ['disk', 'quota'] as const) {
    const button = byId<HTMLButtonElement>(name);
    button.addEventListener('click', () => set(faulty.fault === name ? undefined : name));
    button.disabled = false;
  }
}
