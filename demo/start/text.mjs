// What the demonstration prints, at most 80 columns wide; in colour only on a terminal that wants it. Knows nothing of stores.
// @ts-check
import { styleText } from 'node:util';

const isTerminal = process.stdout.isTTY === true;
const isColoured = isTerminal && !process.env.NO_COLOR;

/** @param {Parameters<typeof styleText>[0]} style @param {string} text */
export const coloured = (style, text) => (isColoured ? styleText(style, text) : text);

/** @param {number} n */
export const count = (n) => n.toLocaleString('en');

/** @param {number} ms */
export const milliseconds = (ms) => `${Math.round(ms)} ms`;

/** @param {string} [line] */
export const print = (line = '') => void process.stdout.write(`${line}\n`);

/** A line that the next one replaces; only a terminal shows it. @param {string} line */
export function printPassing(line) {
  if (isTerminal) process.stdout.write(`\r\x1b[K${line}`);
}

/** Right-aligned columns. @param {string[][]} rows the first one is the heading; all of one length */
export function table(rows) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('   '));
  const rule = widths.map((width) => '-'.repeat(width)).join('   ');
  return [lines[0], rule, ...lines.slice(1)].map((line) => `  ${line}`).join('\n');
}
