// Who this process is and whether another one still runs, in a way that a reused pid does not fool. Knows nothing of locks.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

/** One process of one machine: the pid alone comes back, with its start time it does not. */
export interface ProcessId {
  readonly pid: number;
  /** When it started, in words of the platform's own that are only compared; empty where it cannot be known. */
  readonly start: string;
  readonly host: string;
  /** The boot of the machine, where it has a name. */
  readonly boot?: string;
}

/** What the lock asks about processes; the simulator has some of its own. */
export interface Processes {
  self(): ProcessId | Promise<ProcessId>;
  /** Only asked about processes of this host. */
  isAlive(id: ProcessId): boolean | Promise<boolean>;
}

interface Sighting {
  readonly start: string;
  /** It has ended, and nobody has fetched its exit status yet. */
  readonly ended: boolean;
}

/** How a platform shows a running process; undefined where there is none, or where it is not shown to us. */
export type Look = (pid: number) => Promise<Sighting | undefined>;

/** Linux: proc(5), /proc/pid/stat. The second field is the program's name, which may hold anything, also ")". */
export const lookInProc: Look = async (pid) => {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' '); // from the third field on
  const [state, threads, start] = [fields[0], Number(fields[17]), fields[19]];
  if (state === undefined || start === undefined) return undefined;
  // A process whose first thread has ended is a zombie while its other threads may still be writing.
  return { start, ended: state === 'X' || (state === 'Z' && threads <= 1) };
};

/** macOS and other Unixes. The zone and the language are fixed because the text is compared. */
export const lookWithPs: Look = async (pid) => {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  const text = await new Promise<string>((resolve) => {
    execFile('ps', ['-p', String(pid), '-o', 'stat=', '-o', 'lstart='], { env }, (error, stdout) =>
      resolve(error ? '' : stdout),
    );
  });
  const parts = /^\s*(\S+)\s+(\S.*?)\s*$/.exec(text);
  return parts ? { start: parts[2]!, ended: parts[1]!.startsWith('Z') } : undefined;
};

/** Windows: no start times without a program of our own. */
const lookNowhere: Look = async () => undefined;

/** Signal 0 asks whether there is such a process; EPERM says that there is and that it is another user's. */
function answersSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as Error & { code?: string }).code !== 'ESRCH';
  }
}

export function processesSeenBy(look: Look): Processes {
  let known: Promise<ProcessId> | undefined;

  async function find(): Promise<ProcessId> {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '')).trim();
    const start = (await look(process.pid))?.start ?? '';
    return { pid: process.pid, start, host: hostname(), ...(boot && { boot }) };
  }

  const self = () => (known ??= find());

  return {
    self,
    async isAlive(id) {
      const { boot } = await self();
      if (boot && id.boot && boot !== id.boot) return false; // the machine has been started again
      const seen = await look(id.pid);
      if (!seen) return answersSignals(id.pid); // gone, or hidden from us (hidepid): in doubt it lives
      return !seen.ended && (id.start === '' || id.start === seen.start);
    },
  };
}

export const nodeProcesses: Processes = processesSeenBy(
  process.platform === 'linux' ? lookInProc : process.platform === 'win32' ? lookNowhere : lookWithPs,
);
