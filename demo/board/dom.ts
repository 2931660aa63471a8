// The few things that all parts of the page do with the document. Knows nothing of notes or stores.

/** An element that index.html has. */
export function byId<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found as Element as T;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const svg = 'http://www.w3.org/2000/svg';

/** A symbol of the sprite in index.html. */
export function icon(name: string): SVGElement {
  const [image, use] = [document.createElementNS(svg, 'svg'), document.createElementNS(svg, 'use')];
  image.setAttribute('class', 'icon');
  image.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#icon-${name}`);
  image.append(use);
  return image;
}

/** Changes the text only if it is another one: what does not change is not laid out again. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** However often it is called, `work` runs once, before the next frame. */
export function onceAFrame(work: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}

export const count = (n: number): string => n.toLocaleString('en');
export const counted = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;
export const bytes = (n: number): string => (n < 1000 ? `${n} B` : `${(n / 1000).toFixed(n < 10_000 ? 1 : 0)} KB`);
export const ms = (n: number): string =>
  n < 10 ? `${n.toFixed(1)} ms` : n < 1000 ? `${Math.round(n)} ms` : `${(n / 1000).toFixed(1)} s`;
