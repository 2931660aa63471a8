// Counts of what was kept, as a Markdown table for docs/guarantees.md.
import { appendFileSync } from 'node:fs';

/** How often each case is tried: 8 by default, 30 for the tables in the documents. */
export const tries = Number(process.env.TIDEMARK_TRIES ?? 8);

/** Prints rows under their heads, those of one engine (the first cell) together, and appends them to the file that TIDEMARK_TABLE names. */
export function printTable(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const together = [...rows].sort(([a], [b]) => String(a).localeCompare(String(b)));
  const lines = [heads, heads.map(() => '---'), ...together].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
  console.log(lines);
  if (process.env.TIDEMARK_TABLE) appendFileSync(process.env.TIDEMARK_TABLE, `${lines}\n`);
}
