// Moves the cards of a list with a pointer: by a card's grip with a finger, anywhere on it with a mouse. Knows no notes: it tells which card
// came to lie where.
import { isStill } from './canvas';

const startPx = 5;
const scrollEdgePx = 56;

/** Puts a card at another place by moving the others past it: an element that is taken out loses the focus and the pointer. */
export function placeAt(card: Element, index: number): void {
  const siblings = [...card.parentElement!.children];
  const from = siblings.indexOf(card);
  for (let i = from + 1; i <= index; i++) card.before(siblings[i]!);
  for (let i = from - 1; i >= index; i--) card.after(siblings[i]!);
}

/** Lets all cards glide to where `change` has put them. */
export function glide(list: HTMLElement, change: () => void): void {
  const cards = [...list.children] as HTMLElement[];
  const before = cards.map(({ offsetLeft, offsetTop }) => [offsetLeft, offsetTop] as const);
  change();
  if (isStill()) return;
  cards.forEach((card, i) => {
    const [x, y] = [before[i]![0] - card.offsetLeft, before[i]![1] - card.offsetTop];
    if ((x === 0 && y === 0) || !card.isConnected || card.classList.contains('lifted')) return;
    card.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: 'none' }], {
      duration: 180,
      easing: 'ease-out',
    });
  });
}

/**
 * @param dropped told which card was moved, and to which place
 * @returns whether a card is being moved now
 */
export function draggable(list: HTMLElement, dropped: (card: HTMLElement, index: number) => void): () => boolean {
  let end: ((keep: boolean) => void) | undefined;
  /** Since the pointer went down. */
  let moved = false;
  // The click that ends a drag is no wish to edit. (A click without a pointer has no detail.)
  list.addEventListener('click', (click) => moved && click.detail > 0 && click.stopPropagation(), { capture: true });

  list.addEventListener('pointerdown', (down) => {
    moved = false;
    const target = down.target as Element;
    const card = target.closest<HTMLElement>('.note');
    if (end || !card || down.button !== 0 || target.closest('button, textarea')) return;
    if (down.pointerType !== 'mouse' && !target.closest('.grip')) return;
    const from = [...list.children].indexOf(card);
    const [startX, startY] = [down.pageX - card.offsetLeft, down.pageY - card.offsetTop];
    let lifted = false;

    function move(event: PointerEvent): void {
      if (event.buttons === 0) {
        end?.(false); // let go where no event told us
        return;
      }
      if (!lifted) {
        if (Math.hypot(event.pageX - down.pageX, event.pageY - down.pageY) < startPx) return;
        lifted = moved = true;
        card!.classList.add('lifted');
        card!.setPointerCapture(down.pointerId);
      }
      if (event.clientY < scrollEdgePx) scrollBy(0, -12);
      if (event.clientY > innerHeight - scrollEdgePx) scrollBy(0, 12);
      const { left, top } = list.getBoundingClientRect();
      const index = placeUnder(event.clientX - left, event.clientY - top);
      if (index >= 0) glide(list, () => placeAt(card!, index));
      const [x, y] = [event.pageX - startX - card!.offsetLeft, event.pageY - startY - card!.offsetTop];
      card!.style.transform = `translate(${x}px, ${y}px) rotate(1.2deg)`;
    }

    /** The card whose place the pointer is in, by its layout, which gliding does not change. */
    const placeUnder = (x: number, y: number): number =>
      ([...list.children] as HTMLElement[]).findIndex(
        ({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) =>
          x >= offsetLeft && x < offsetLeft + offsetWidth && y >= offsetTop && y < offsetTop + offsetHeight,
      );

    const drop = () => end?.(true);
    const cancel = () => end?.(false);
    const cancelByKey = (event: KeyboardEvent) => event.key === 'Escape' && cancel();
    end = (keep) => {
      end = undefined;
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', drop);
      removeEventListener('pointercancel', cancel);
      removeEventListener('keydown', cancelByKey);
      if (!lifted) return;
      card.classList.remove('lifted');
      card.style.transform = '';
      if (!keep) glide(list, () => placeAt(card, from));
      dropped(card, [...list.children].indexOf(card));
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', drop);
    addEventListener('pointercancel', cancel);
    addEventListener('keydown', cancelByKey);
  });
  return () => end !== undefined;
}
