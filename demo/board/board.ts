// The board as it is seen and used: a card for each note, edited in place, moved, coloured and deleted with pointer or keys.
import { byId, counted, icon, make, onceAFrame, write } from './dom';
import { draggable, glide, placeAt } from './drag';
import { add, type Board, change, colours, inOrder, move, textMax } from './notes';
import { say } from './status';

/** @param atRisk whether a crash now would lose a note. @returns to be called when that has changed */
export function showBoard(board: Board, atRisk: (key: string) => boolean): () => void {
  const { notes } = board;
  const list = byId('notes');
  const cards = new Map<string, HTMLElement>();
  /** What other tabs wrote since the last frame. */
  const remote = new Set<string>();

  const keyOf = (card: Element): string => (card as HTMLElement).dataset.key!;
  const name = (key: string): string => {
    const text = notes.get(key)?.text.trim() || 'an empty note';
    return `“${text.length > 40 ? `${text.slice(0, 36).trim()}…` : text}”`;
  };
  const indexOf = (card: Element): number => [...list.children].indexOf(card);

  const isDragging = draggable(list, (card, index) => {
    if (inOrder(notes).findIndex(([key]) => key === keyOf(card)) !== index) move(board, keyOf(card), index);
  });

  function render(): void {
    const ordered = inOrder(notes);
    for (const [key, card] of cards) {
      if (notes.has(key)) continue;
      card.remove();
      cards.delete(key);
    }
    ordered.forEach(([key, note], index) => {
      const card = cards.get(key) ?? newCard(key);
      write(card.querySelector('.text')!, note.text);
      card.dataset.colour = note.colour;
      card.classList.toggle('at-risk', atRisk(key));
      card.setAttribute(
        'aria-label',
        `Note ${index + 1} of ${ordered.length}, ${note.colour}: ${note.text || 'empty'}`,
      );
      if (!remote.has(key)) return;
      card.classList.remove('from-afar');
      void card.offsetWidth; // begins the animation anew
      card.classList.add('from-afar');
    });
    remote.clear();
    if (!isDragging() && ordered.some(([key], i) => list.children[i] !== cards.get(key)))
      glide(list, () => arrange(ordered.map(([key]) => cards.get(key)!)));
    byId('empty').hidden = ordered.length > 0;
    write(byId('count'), ordered.length ? counted(ordered.length, 'note') : '');
  }

  /** Moves all but the card that is in use. */
  function arrange(wanted: readonly HTMLElement[]): void {
    const used = list.querySelector(':focus-within');
    wanted.forEach((card, i) => {
      if (list.children[i] === card) return;
      if (card === used) placeAt(card, i);
      else list.insertBefore(card, list.children[i] ?? null);
    });
  }

  function newCard(key: string): HTMLElement {
    const act = (what: string, label: string) => {
      const button = make('button', { type: 'button', className: 'act', title: label }, icon(what));
      button.dataset.act = what;
      button.setAttribute('aria-label', label);
      return button;
    };
    const grip = make('span', { className: 'grip' }, icon('grip'));
    grip.setAttribute('aria-hidden', 'true');
    const acts = [
      act('earlier', 'Move earlier'),
      act('later', 'Move later'),
      act('colour', 'Change the colour'),
      act('delete', 'Delete'),
    ];
    const card = make(
      'li',
      { className: 'note', tabIndex: 0 },
      make('p', { className: 'text' }),
      grip,
      make('div', { className: 'acts' }, ...acts),
    );
    card.dataset.key = key;
    card.setAttribute('aria-describedby', 'keys');
    cards.set(key, card);
    list.append(card);
    return card;
  }

  function edit(card: HTMLElement): void {
    if (card.querySelector('textarea')) return;
    const key = keyOf(card);
    const text = card.querySelector<HTMLElement>('.text')!;
    const field = make('textarea', {
      className: 'field',
      value: notes.get(key)?.text ?? '',
      maxLength: textMax,
      rows: 1,
      placeholder: 'Write something',
    });
    field.setAttribute('aria-label', 'Text of the note');
    // Every keystroke is a write: there is no form to lose.
    field.addEventListener('input', () => change(board, key, { text: field.value }));
    field.addEventListener('keydown', (event) => {
      event.stopPropagation();
      if (event.key === 'Escape' || (event.key === 'Enter' && (event.ctrlKey || event.metaKey))) card.focus();
    });
    field.addEventListener('blur', () => {
      field.remove();
      text.hidden = false;
      if (notes.get(key)?.text === '') remove(card);
    });
    text.hidden = true;
    text.after(field);
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
    card.scrollIntoView({ block: 'nearest' });
  }

  function remove(card: HTMLElement): void {
    const key = keyOf(card);
    const note = notes.get(key);
    if (!note) return;
    const next = (card.nextElementSibling ?? card.previousElementSibling) as HTMLElement | null;
    if (card.contains(document.activeElement)) (next ?? byId('add')).focus();
    const what = name(key);
    notes.delete(key);
    render();
    if (note.text === '') say('An empty note was not kept.');
    else say(`Deleted ${what}.`, () => notes.set(key, note));
  }

  function moveTo(card: HTMLElement, index: number): void {
    const to = Math.max(0, Math.min(notes.size - 1, index));
    if (to === indexOf(card)) return;
    move(board, keyOf(card), to);
    render(); // now, so that the next key goes on from there
    card.scrollIntoView({ block: 'nearest' });
    say(`Moved ${name(keyOf(card))} to place ${to + 1} of ${notes.size}.`);
  }

  function colour(card: HTMLElement, index: number): void {
    const chosen = colours[index % colours.length]!;
    change(board, keyOf(card), { colour: chosen });
    say(`Coloured ${name(keyOf(card))} ${chosen}.`);
  }

  const colourOf = (card: HTMLElement): number => colours.indexOf(notes.get(keyOf(card))?.colour ?? 'chalk');
  /** How many cards there are beside each other. */
  function columns(): number {
    const tops = ([...list.children] as HTMLElement[]).map(({ offsetTop }) => offsetTop);
    return tops.filter((top) => top === tops[0]).length;
  }

  const acts: Record<string, (card: HTMLElement) => void> = {
    earlier: (card) => moveTo(card, indexOf(card) - 1),
    later: (card) => moveTo(card, indexOf(card) + 1),
    colour: (card) => colour(card, colourOf(card) + 1),
    delete: remove,
  };
  const keys: Record<string, (card: HTMLElement) => void> = {
    ArrowLeft: acts.earlier!,
    ArrowRight: acts.later!,
    ArrowUp: (card) => moveTo(card, indexOf(card) - columns()),
    ArrowDown: (card) => moveTo(card, indexOf(card) + columns()),
    Home: (card) => moveTo(card, 0),
    End: (card) => moveTo(card, notes.size - 1),
    Enter: edit,
    F2: edit,
    Delete: remove,
    Backspace: remove,
    ...Object.fromEntries(colours.map((_, index) => [`${index + 1}`, (card: HTMLElement) => colour(card, index)])),
  };

  list.addEventListener('click', (event) => {
    const target = event.target as Element;
    const card = target.closest<HTMLElement>('.note');
    if (!card) return;
    const button = target.closest<HTMLElement>('.act');
    if (button) acts[button.dataset.act!]!(card);
    else if (!target.closest('.grip, .field')) edit(card);
  });
  list.addEventListener('keydown', (event) => {
    const card = event.target as HTMLElement;
    const does = keys[event.key];
    if (!does || !card.matches('.note') || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    does(card);
  });
  byId('add').addEventListener('click', () => {
    const key = add(board, '');
    render();
    edit(cards.get(key)!);
  });
  byId('examples').addEventListener('click', () => {
    for (const [i, text] of examples.entries()) add(board, text, colours[(i * 2 + 1) % colours.length]!);
    render();
    (list.firstElementChild as HTMLElement).focus();
  });

  const show = onceAFrame(render);
  notes.subscribe((changes) => {
    for (const { key, origin } of changes) if (origin === 'remote') remote.add(key);
    show();
  });
  render();
  return show;
}

const examples = [
  'Low water at 11:40. Walk out to the mussel banks, and be back before two',
  'Type here and close the tab at once: it will be here',
  'Ask Ines for the old chart of the estuary',
  'Oars, bailer, rope; the small anchor, not the big one',
  'Open a second tab beside this one and move a note',
];
