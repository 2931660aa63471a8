// Sets the colours that were chosen here before anything is painted. A file of its own, since the page allows no inline script; theme.ts
// has the switch.
const chosen = localStorage.getItem('tidemark-board.theme');
if (chosen) document.documentElement.dataset.theme = chosen;
