// The pile: a thousand notes and more as a mosaic, since as elements they would be slow, and bury the board.
import { colours, type Palette, picture } from './canvas';
import { byId, counted, onceAFrame, write } from './dom';
import type { Board } from './notes';

/** @param atRisk whether a crash now would lose an entry. @returns to be called when that has changed */
export function showPile({ pile }: Board, atRisk: (key: string) => boolean): () => void {
  const button = byId<HTMLButtonElement>('clear');
  const wake = picture(byId<HTMLCanvasElement>('pile'), ({ context, width, height }) => {
    const colour = colours();
    const side = Math.max(1.5, Math.min(9, Math.sqrt((width * height) / Math.max(1, pile.size)) * 0.97));
    const rows = Math.max(1, Math.floor(height / side));
    const gap = side > 4 ? 1.5 : side > 2.5 ? 1 : 0;
    context.clearRect(0, 0, width, height);
    let i = 0;
    for (const [key, note] of pile) {
      context.fillStyle = atRisk(key) ? colour.sea : colour[`dot-${note.colour}` as keyof Palette];
      context.fillRect(Math.floor(i / rows) * side, height - ((i % rows) + 1) * side, side - gap, side - gap);
      i++;
    }
    return undefined;
  });
  const show = onceAFrame(() => {
    write(byId('pile-count'), pile.size ? counted(pile.size, 'note') : 'Empty');
    button.disabled = pile.size === 0;
    wake();
  });
  pile.subscribe(show);
  show();
  return show;
}
