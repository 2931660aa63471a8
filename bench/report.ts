// What is printed and written: tables, goals, machine and versions. Knows no workload.
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { findContestant } from './contestants';
import type { Column, Goal, Results, Workload } from './workload';

export interface Measured {
  readonly workload: Pick<Workload, 'name' | 'title' | 'about' | 'columns'>;
  readonly results: Results;
  readonly goals: readonly Goal[];
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');

/** A row is named for its contestant, with what is special about it behind a comma; or it has a name of its own. */
function titleOf(row: string): string {
  const [name = '', ...special] = row.split(', ');
  const contestant = findContestant(name);
  if (contestant === undefined) return row;
  const unsynced = contestant.durability === 'no fsync' && !contestant.title.startsWith('limit') ? ' (no fsync)' : '';
  return [`${contestant.title}${unsynced}`, ...special].join(', ');
}

const number = (value: number, digits: number): string =>
  value.toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    useGrouping: Math.abs(value) >= 10_000,
  });

/** Median, and behind it the least and the most, if it was measured more than once. */
function cell(values: readonly number[], median: number, digits: number): string {
  if (values.length === 0) return '';
  if (values.length === 1) return number(median, digits);
  return `${number(median, digits)} (${number(Math.min(...values), digits)} to ${number(Math.max(...values), digits)})`;
}

export function resultTable({ workload, results }: Measured): string {
  const used = workload.columns.filter(({ metric }) =>
    results.rows().some((row) => results.values(row, metric).length > 0),
  );
  const cellOf = (row: string, { metric, digits }: Column): string => {
    const values = results.values(row, metric);
    return cell(values, values.length > 0 ? results.median(row, metric) : Number.NaN, digits);
  };
  return table(
    ['', ...used.map((column) => column.title), 'rounds'],
    results
      .rows()
      .map((row) => [
        titleOf(row),
        ...used.map((column) => cellOf(row, column)),
        String(results.values(row, used[0]!.metric).length),
      ]),
  );
}

export const goalTable = (goals: readonly Goal[]): string =>
  table(
    ['work', 'goal', 'measured', ''],
    goals.map(({ work, goal, measured, reached, by }) => [
      work,
      goal,
      measured,
      reached ? 'reached' : `**not reached**: ${by}`,
    ]),
  );

export function machine(scratch: string): string {
  const [cpu] = cpus();
  const fileSystem = fileSystemOf(scratch);
  return [
    `- ${cpus().length} cores ${cpu?.model.trim() ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GB, Linux ${release()}, ${fileSystem}`,
    `- Node ${process.versions.node} (V8 ${process.versions.v8}), NODE_ENV=production`,
    `- ${versions().join(', ')}`,
  ].join('\n');
}

/** The type of the mount that a path lies on: the longest mount point that it begins with. */
function fileSystemOf(path: string): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((mount) => mount.split(' '));
  const over = mounts.filter(
    ([, point]) => point !== undefined && `${path}/`.startsWith(point === '/' ? '/' : `${point}/`),
  );
  return over.sort((a, b) => b[1]!.length - a[1]!.length)[0]?.[2] ?? 'unknown file system';
}

function versions(): string[] {
  const read = <Contents>(file: string): Contents =>
    JSON.parse(readFileSync(join(process.cwd(), file), 'utf8')) as Contents;
  const { dependencies } = read<{ dependencies: Record<string, string> }>('bench/package.json');
  const versionIn = (folder: string): string => read<{ version: string }>(`${folder}package.json`).version;
  return [
    `tidemark ${versionIn('')}`,
    ...Object.keys(dependencies).map((name) => `${name} ${versionIn(`bench/node_modules/${name}/`)}`),
  ];
}

export interface About {
  readonly title: string;
  readonly command: string;
  readonly date: string;
  readonly machine: string;
  /** What a measurement has to itself. */
  readonly how: string;
}

/** bench/RESULTS.md, bench/BROWSER.md. */
export function document(all: readonly Measured[], { title, command, date, machine, how }: About): string {
  return `# ${title}

Written by \`${command}\` on ${date}. Medians, and in brackets the least and the most of all rounds.
${how}; the rows of a table take turns, so that a slow minute of the machine hits all alike. Ratios are made
round by round. Trust ratios and counts, not single times.

${machine}

## Goals

${goalTable(all.flatMap(({ goals }) => goals))}

${all.map((measured) => `## ${measured.workload.title}\n\n${measured.workload.about}\n\n${resultTable(measured)}`).join('\n\n')}
`;
}
