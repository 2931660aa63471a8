// Processes that tests start: each in a group of its own, so that all of it can be ended by number, also when a test has
// failed. Knows /proc, and no browser.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { until } from './engine';

/** Pids of the groups' first processes. */
const running = new Set<number>();
const killAll = () => {
  for (const pid of running) killGroup(pid);
};
process.on('exit', killAll);
process.on('disconnect', killAll); // whoever runs the tests is gone

/** Sees to it that the group of this process does not outlive us. */
export function watch(child: ChildProcess): number {
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${child.spawnfile} did not start`);
  running.add(pid);
  return pid;
}

export async function start(command: string, args: string[], options: SpawnOptions = {}): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: 'ignore', ...options, detached: true });
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  watch(child);
  return child;
}

/** A screen that nobody sees. */
export async function startScreen(xvfb: string): Promise<{ pid: number; display: string }> {
  const screen = await start(xvfb, ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const number = await new Promise<string>((resolve) => screen.stdio[3]!.once('data', (data) => resolve(`${data}`)));
  return { pid: screen.pid!, display: `:${number.trim()}` };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // nobody is left
  }
}

/** Kills the group; resolves when none of it runs any more. */
export async function kill(pid: number): Promise<void> {
  const group = processes().filter((one) => one.group === pid);
  killGroup(pid);
  await until('the processes are gone', () => {
    const alive = new Map(processes().map((one) => [one.pid, one]));
    return group.every((one) => alive.get(one.pid)?.started !== one.started);
  });
  running.delete(pid);
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Clock ticks that it has had a processor. */
  readonly ticks: number;
  readonly started: string;
  readonly command: string;
}

/** All processes that run; those that only wait for their parent to ask are not among them. */
function processes(): Process[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state, parent, group, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // proc(5), from field 3
      if (state === 'Z' || state === 'X') return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const ticks = Number(rest[8]) + Number(rest[9]);
      return [{ pid: Number(name), parent: Number(parent), group: Number(group), ticks, started: rest[16]!, command }];
    } catch {
      return []; // ended meanwhile
    }
  });
}

/**
 * Which process of a browser a tab lives in, where the driver does not say: one that works while the tab works, and without
 * which it does not answer.
 */
export async function rendererOf(browser: number, pattern: RegExp, evaluate: Evaluate): Promise<number> {
  const inside = (all: Process[]): Process[] => {
    const family = new Set([browser]);
    for (const pid of family) for (const one of all) if (one.parent === pid) family.add(one.pid);
    return all.filter(({ pid, command }) => family.has(pid) && pattern.test(command));
  };
  const before = new Map(inside(processes()).map(({ pid, ticks }) => [pid, ticks]));
  await evaluate('(() => { const end = performance.now() + 300; while (performance.now() < end); })()');
  const worked = inside(processes()).map(({ pid, ticks }) => ({ pid, ticks: ticks - (before.get(pid) ?? ticks) }));
  for (const { pid } of worked.sort((a, b) => b.ticks - a.ticks)) {
    process.kill(pid, 'SIGSTOP');
    const answer = evaluate('true');
    const silent = new Promise<false>((resolve) => setTimeout(() => resolve(false), 1500));
    const answered = await Promise.race([answer, silent]);
    process.kill(pid, 'SIGCONT');
    await answer;
    if (!answered) return pid;
  }
  throw new Error(`the tab is in no process of ${browser} that looks like ${pattern}`);
}

type Evaluate = (expression: string) => Promise<unknown>;
