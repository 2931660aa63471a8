// Child processes of the crash tests: started from TypeScript, watched to their end, and none left behind. Knows nothing of venues.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { bundle } from '../../scripts/ts.mjs';

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

export interface Child {
  readonly pid: number;
  /** Resolves when the child first says this over IPC; at once if it has. Rejects if it ends without saying it. */
  said(word: string): Promise<void>;
  kill(signal?: NodeJS.Signals): void;
  /** Resolves when the process is gone and all it printed is read. */
  readonly ended: Promise<Ending>;
}

export interface StartOptions {
  env?: Record<string, string>;
  /** A command that the program is started through, e.g. `['sh', '-c', 'ulimit -f 64; exec "$0" "$@"']`. */
  through?: string[];
}

const running = new Set<ChildProcess>();

/** A program of this folder, made fit for Node. */
export const program = (name: string): Promise<string> => bundle(join(import.meta.dirname, 'children', `${name}.ts`));

export function start(path: string, args: object, { env = {}, through = [] }: StartOptions = {}): Child {
  const [command = process.execPath, ...rest] = [...through, process.execPath, path, JSON.stringify(args)];
  const stdio: StdioOptions = ['ignore', 'ignore', 'pipe', 'ipc'];
  // NODE_ENV as a program of a user would have it, not vitest's "test".
  const child = spawn(command, rest, { stdio, env: { ...process.env, NODE_ENV: '', ...env } });
  running.add(child);
  let stderr = '';
  child.stderr!.on('data', (data) => {
    stderr += data;
  });
  const said = new Set<unknown>();
  child.on('message', (word) => said.add(word));
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return { code, signal, stderr } as Ending;
  });
  return {
    pid: child.pid!,
    ended,
    kill: (signal = 'SIGKILL') => void child.kill(signal),
    async said(word) {
      const ending = ended.then(({ stderr }) =>
        Promise.reject(new Error(`the child ended before "${word}": ${stderr}`)),
      );
      while (!said.has(word)) await Promise.race([once(child, 'message'), ending]);
      ending.catch(() => undefined);
    },
  };
}

/** For afterEach: a test that failed may have left some. */
export async function stopAll(): Promise<void> {
  const ended = [...running].map((child) => once(child, 'close'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(ended);
}
