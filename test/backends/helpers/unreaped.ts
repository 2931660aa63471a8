// A process whose parent never fetches its exit status: killed, it stays as a zombie. Linux only.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';

/**
 * Starts `command`, which prints a line when it is ready.
 * @returns that line, and the parent, to be killed at the end.
 */
export async function startUnreaped(
  command: string,
  ...args: string[]
): Promise<{ line: string; parent: ChildProcess }> {
  // A shell would fetch the status; the sleep that takes its place does not.
  const parent = spawn('sh', ['-c', '"$0" "$@" & exec sleep 1000', command, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout!, 'data')) as [Buffer];
  const comm = () => readFile(`/proc/${parent.pid}/comm`, 'utf8');
  await expect.poll(comm, { timeout: 20_000, interval: 5 }).toBe('sleep\n');
  return { line: String(line), parent };
}
