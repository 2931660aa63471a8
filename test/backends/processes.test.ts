// How the lock tells processes apart: real ones, also with odd names and in odd states.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Look, lookInProc, lookWithPs, nodeProcesses, processesSeenBy } from '../../backends/fs/processes';
import { startUnreaped } from './helpers/unreaped';

const patience = { timeout: 20_000, interval: 5 };
const running: ChildProcess[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function start(command: string, ...args: string[]): Promise<ChildProcess & { pid: number }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  await once(child, 'spawn');
  return child as ChildProcess & { pid: number };
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const looks: [string, Look][] = [
  ['/proc', lookInProc],
  ['ps', lookWithPs],
];

for (const [name, look] of looks) {
  describe(`a process seen through ${name}`, () => {
    it('has the same start time as long as it runs, and none when it is gone', async () => {
      const child = await start('sleep', '1000');
      const seen = await look(child.pid);
      expect(seen).toEqual({ start: expect.stringMatching(/\d/), ended: false });
      expect(await look(child.pid)).toEqual(seen);
      await end(child);
      expect(await look(child.pid)).toBeUndefined();
    });

    it('has ended when only its exit status is left', async () => {
      const { line, parent } = await startUnreaped('sh', '-c', 'echo $$; exec sleep 1000');
      running.push(parent);
      const pid = Number(line);
      expect((await look(pid))?.ended).toBe(false);
      process.kill(pid, 'SIGKILL');
      await expect.poll(async () => (await look(pid))?.ended, patience).toBe(true);
    });

    it('is alive under its own start time only', async () => {
      const processes = processesSeenBy(look);
      const child = await start('sleep', '1000');
      const id = { ...(await processes.self()), pid: child.pid, start: (await look(child.pid))!.start };
      expect(await processes.isAlive(id)).toBe(true);
      expect(await processes.isAlive({ ...id, start: 'another' })).toBe(false);
      expect(await processes.isAlive({ ...id, boot: 'another' })).toBe(false);
      await end(child);
      expect(await processes.isAlive(id)).toBe(false);
    });

    it('knows itself', async () => {
      const processes = processesSeenBy(look);
      const self = await processes.self();
      expect(self).toMatchObject({ pid: process.pid, start: (await look(process.pid))!.start });
      expect(await processes.isAlive(self)).toBe(true);
    });
  });
}

describe('/proc/pid/stat', () => {
  it('is understood whatever a program is called', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidemark-names-'));
    folders.push(folder);
    for (const name of ['a) Z 1 2', ') X (', ' 1 ) ) ']) {
      await copyFile('/bin/sleep', join(folder, name));
      const child = await start(join(folder, name), '1000');
      const own = await lookInProc(process.pid);
      await expect.poll(async () => (await lookInProc(child.pid))?.ended, patience).toBe(false);
      expect(Number((await lookInProc(child.pid))!.start)).toBeGreaterThanOrEqual(Number(own!.start));
      await end(child);
    }
  });
});

describe('where start times cannot be seen', () => {
  const processes = processesSeenBy(async () => undefined);

  it('a process that exists is taken for alive, one that does not for dead', async () => {
    const child = await start('sleep', '1000');
    const id = { ...(await processes.self()), pid: child.pid };
    expect(id.start).toBe('');
    expect(await processes.isAlive(id)).toBe(true);
    await end(child);
    expect(await processes.isAlive(id)).toBe(false);
  });

  it('so is another user’s, who does not let us ask', async () => {
    // Signal 0 to any process of another user says EPERM; to root nothing does, so it is said here.
    const kill = process.kill;
    process.kill = () => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
    };
    try {
      expect(await processes.isAlive({ ...(await processes.self()), pid: 1 })).toBe(true);
    } finally {
      process.kill = kill;
    }
  });
});

describe('this machine', () => {
  it('has a boot id, and the lock uses the best look there is', async () => {
    const self = await nodeProcesses.self();
    expect(self.boot).toMatch(/^[0-9a-f-]{36}$/);
    expect(self.start).toBe((await lookInProc(process.pid))!.start);
  });
});
