// How things look on a terminal: tables, sizes, times, values. Pure; nothing that comes out of a store may steer the terminal.
import { inspect } from 'node:util';
import { timeOf } from '../lattice/clock';
import type { Finding } from './errors';

/** What a command found: for people, for programs, and for the shell. */
export interface Outcome {
  text: string;
  json: unknown;
  /** What is to be known besides; goes to stderr. */
  note?: string | undefined;
  exitCode?: 0 | 1;
}

/** Control characters, line separators and what turns the writing direction become \u{...}. */
export const printable = (text: string): string =>
  text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);

/** Columns as wide as their widest cell; those of which all cells are numbers or sizes stand to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const right = head.map((_, column) => rows.every((row) => /^[\d,.]+( k?[KMGT]?B)?$|^-?$/.test(row[column]!)));
  const pad = (cell: string, column: number) =>
    right[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
  return cells.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

/** Names and what they are, one a line. */
export function facts(pairs: readonly (readonly [name: string, fact: string | undefined])[]): string {
  const given = pairs.filter(([, fact]) => fact !== undefined);
  const width = Math.max(...given.map(([name]) => name.length));
  return given.map(([name, fact]) => `${name.padEnd(width)}  ${printable(fact!)}`).join('\n');
}

export const findingsTable = (findings: readonly Finding[]): string =>
  table(
    ['file', 'byte', 'what'],
    findings.map(({ file, offset, what }) => [file, offset === undefined ? '-' : String(offset), what]),
  );

export const count = (n: number): string => n.toLocaleString('en-US');
/** "1 commit", "2,000 commits". */
export const counted = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(1)} ${['', 'kB', 'MB', 'GB', 'TB'][power]}`;
}

export const isoTime = (stamp: number): string => new Date(timeOf(stamp)).toISOString();

const lineWidthMax = 100;

/** A value on one line, cut where it gets long. */
export function shortValue(value: unknown): string {
  const options = {
    depth: 4,
    breakLength: Number.POSITIVE_INFINITY,
    maxArrayLength: 12,
    maxStringLength: lineWidthMax,
  };
  const text = inspect(value, options);
  return text.length > lineWidthMax ? `${text.slice(0, lineWidthMax - 3)}...` : text;
}

/** A value, all of it: Maps, Sets, bytes and dates as Node's console shows them. */
export const wholeValue = (value: unknown): string =>
  inspect(value, { depth: null, maxArrayLength: null, maxStringLength: null }).split('\n').map(printable).join('\n');
