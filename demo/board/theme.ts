// Light or dark: as the system has it, until the switch says otherwise. public/theme.js applies the choice before the first paint.
import { recolour } from './canvas';
import { byId } from './dom';

const key = 'tidemark-board.theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const root = document.documentElement;

const isDark = (): boolean => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);

function show(): void {
  byId('theme').setAttribute('aria-label', `Change to ${isDark() ? 'light' : 'dark'} colours`);
  recolour();
}

export function themeSwitch(): void {
  byId('theme').addEventListener('click', () => {
    const dark = !isDark();
    // What the system has needs no choice, and follows it again from here on.
    if (dark === system.matches) {
      delete root.dataset.theme;
      localStorage.removeItem(key);
    } else {
      root.dataset.theme = dark ? 'dark' : 'light';
      localStorage.setItem(key, root.dataset.theme);
    }
    show();
  });
  system.addEventListener('change', show);
  show();
}
