// The lock of the fs backend, with real processes: DESIGN.md's cases. Every interleaving of its calls is lock-races.test.ts's.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fsBackend } from '../../backends/fs';
import { lookAtLock } from '../../backends/fs/lock';
import { nodeDisk } from '../../backends/fs/node-disk';
import { lookInProc, nodeProcesses } from '../../backends/fs/processes';
import { type Backend, LockedError } from '../../src/backend';
import { type Bundle, bundleForNode } from './helpers/bundle';
import { startUnreaped } from './helpers/unreaped';
import { watchDisk } from './helpers/watched-disk';

const childScript = new URL('./helpers/lock-child.mjs', import.meta.url).pathname;
const patience = { timeout: 20_000, interval: 5 };

interface Answer {
  opened?: boolean;
  notes?: string[];
  code?: string;
  message?: string;
  owner?: { pid?: number; host?: string; since?: string };
}

interface Child {
  readonly pid: number;
  open(folder: string): Promise<Answer>;
  append(line: string, writer: string): Promise<Answer>;
  close(): Promise<Answer>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

let bundle: Bundle;
let root: string;
let folder: string;
const children: ChildProcess[] = [];
const backends: Backend[] = [];

beforeAll(async () => {
  bundle = await bundleForNode(new URL('../../backends/fs/index.ts', import.meta.url).pathname);
}, 60_000);
afterAll(() => bundle.remove());

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-lock-'));
  folder = join(root, 'venue.etch');
});
afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(root, { recursive: true, force: true });
});

async function startChild(): Promise<Child> {
  const child = fork(childScript, [bundle.path]);
  children.push(child);
  const answered = async () => (await once(child, 'message'))[0] as Answer;
  await answered();
  const ask = (message: object) => {
    const answer = answered();
    child.send(message);
    return answer;
  };
  return {
    pid: child.pid!,
    open: (folder) => ask({ command: 'open', folder }),
    append: (line, writer) => ask({ command: 'append', line, writer }),
    close: () => ask({ command: 'close' }),
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

function makeBackend(): Backend {
  const backend = fsBackend(folder);
  backends.push(backend);
  return backend;
}

async function refused(): Promise<LockedError> {
  const error = await makeBackend()
    .open('')
    .then(
      () => expect.unreachable('it should have been refused'),
      (error: unknown) => error,
    );
  expect(error).toBeInstanceOf(LockedError);
  return error as LockedError;
}

/** A LOCK as its owner would have written it. */
async function placeLock(owner: object): Promise<void> {
  await mkdir(folder, { recursive: true });
  const since = '2026-01-02T03:04:05.678Z';
  await writeFile(
    join(folder, 'LOCK'),
    `${JSON.stringify({ nonce: '0123456789abcdef'.repeat(2), since, ...owner })}\n`,
  );
}

const readLock = async () => JSON.parse(await readFile(join(folder, 'LOCK'), 'utf8')) as Record<string, unknown>;

/** A process that has ended: its pid is free, or somebody else's by now. */
async function deadOwner() {
  const child = spawn('true');
  await once(child, 'exit');
  return { ...(await nodeProcesses.self()), pid: child.pid!, start: 'long ago' };
}

describe('a live owner is refused', () => {
  it('with an error that names it, and what to do; nothing in the store changes', async () => {
    const child = await startChild();
    await child.open(folder);
    const lock = await readLock();
    const error = await refused();
    expect(error.code).toBe('locked');
    expect(error.owner).toEqual({ pid: child.pid, host: hostname(), since: lock.since });
    for (const part of [`process ${child.pid}`, hostname(), lock.since as string, join(folder, 'LOCK')]) {
      expect(error.message).toContain(part);
    }
    expect(await readdir(folder)).toEqual(['LOCK']);
    expect(await readLock()).toEqual(lock);
    expect((await child.append('["a",1]\n', 'aa')).code).toBeUndefined();
  });

  it('as "this process" when it is', async () => {
    await makeBackend().open('');
    expect((await refused()).message).toContain(`this process (pid ${process.pid})`);
  });

  it('until it closes', async () => {
    const child = await startChild();
    await child.open(folder);
    await refused();
    await child.close();
    expect((await makeBackend().open('')).notes).toEqual([]);
  });

  it('also when it is on another host, where nobody can look', async () => {
    await placeLock({ pid: 4711, start: '1', host: 'elsewhere' });
    const error = await refused();
    expect(error.owner).toMatchObject({ pid: 4711, host: 'elsewhere' });
    expect(error.message).toContain('elsewhere');
    expect(error.message).toContain(`delete ${join(folder, 'LOCK')}`);
    await rm(join(folder, 'LOCK'));
    await makeBackend().open('');
  });
});

describe('a dead owner is no obstacle', () => {
  it('a killed one’s lock is taken over at once, with all that was durable', async () => {
    const child = await startChild();
    await child.open(folder);
    await child.append('["a",1]\n', 'aa');
    await child.kill();
    const { notes, logs } = await makeBackend().open('');
    expect(notes).toEqual([expect.stringContaining(`process ${child.pid}`)]);
    expect(logs.map(({ name, size }) => [name, size])).toEqual([['log.0.aa', 8]]);
    expect(await readLock()).toMatchObject({ pid: process.pid });
    expect(await readdir(folder)).toEqual(expect.not.arrayContaining([expect.stringMatching(/^LOCK\./)]));
  });

  it('also while its parent has not fetched its exit status', async () => {
    const { line, parent } = await startUnreaped(process.execPath, childScript, bundle.path, folder);
    children.push(parent);
    const { pid, opened } = JSON.parse(line) as { pid: number; opened: boolean };
    expect(opened).toBe(true);
    await refused();
    process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await lookInProc(pid))?.ended, patience).toBe(true);
    expect((await makeBackend().open('')).notes[0]).toContain(`process ${pid}`);
  });

  it('a pid that is in use again does not stand for its former owner', async () => {
    const child = await startChild();
    const self = await nodeProcesses.self();
    for (const pid of [child.pid, process.pid]) {
      await placeLock({ ...self, pid, start: '12345' });
      const backend = makeBackend();
      expect((await backend.open('')).notes[0]).toContain(`process ${pid}`);
      await backend.close();
    }
  });

  it('nor does one of before the machine was started', async () => {
    const child = await startChild();
    await child.open(folder);
    const { boot, ...lock } = await readLock();
    expect(boot).toMatch(/^[0-9a-f-]{36}$/);
    await placeLock({ ...lock, boot: '00000000-0000-0000-0000-000000000000' });
    await makeBackend().open('');
  });

  it('a LOCK that names nobody is taken over, and that is said', async () => {
    const self = await nodeProcesses.self();
    const garbled = [
      '',
      '{',
      'null',
      '[]',
      '{"pid":1}',
      '\0'.repeat(5000),
      JSON.stringify({ ...self, pid: 0, nonce: 'a'.repeat(32) }),
    ];
    garbled.push(JSON.stringify({ ...self, nonce: '../../etc' }), `${JSON.stringify(self)}\n`);
    await mkdir(folder, { recursive: true });
    for (const content of garbled) {
      await writeFile(join(folder, 'LOCK'), content);
      const backend = makeBackend();
      expect((await backend.open('')).notes, content).toEqual([expect.stringContaining('names nobody')]);
      expect(await readdir(folder)).toEqual(['LOCK']);
      await backend.close();
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it('what dead ones left beside the lock is removed, what live ones have there is not', async () => {
    const dead = await deadOwner();
    await placeLock({ ...dead, nonce: 'd'.repeat(32) });
    const child = await startChild();
    const live = { ...dead, pid: child.pid, start: (await lookInProc(child.pid))!.start };
    const beside: [string, object][] = [
      [`LOCK.${'d'.repeat(32)}.next`, { ...dead, nonce: 'e'.repeat(32) }], // won the race and died of it
      [`LOCK.tmp.${'e'.repeat(32)}`, { ...dead, nonce: 'e'.repeat(32) }],
      [`LOCK.${'9'.repeat(32)}.next`, { ...dead, nonce: '8'.repeat(32) }],
      [`LOCK.tmp.${'1'.repeat(32)}`, { ...live, nonce: '1'.repeat(32) }],
    ];
    for (const [name, owner] of beside) await writeFile(join(folder, name), JSON.stringify(owner));
    await makeBackend().open('');
    expect((await readdir(folder)).sort()).toEqual(['LOCK', `LOCK.tmp.${'1'.repeat(32)}`]);
  });
});

describe('of those who race exactly one wins', () => {
  /** All of them at once, and who won closes. */
  async function race(contenders: Child[]): Promise<Answer[]> {
    const answers = await Promise.all(contenders.map((child) => child.open(folder)));
    const winners = contenders.filter((_, i) => answers[i]!.opened);
    expect(winners).toHaveLength(1);
    for (const { opened, code } of answers) if (!opened) expect(code).toBe('locked');
    expect(await readLock()).toMatchObject({ pid: winners[0]!.pid });
    expect(await readdir(folder)).toEqual(['LOCK']);
    await winners[0]!.close();
    return answers;
  }

  it('two for a lock that is not there', async () => {
    const contenders = await Promise.all([startChild(), startChild()]);
    for (let round = 0; round < 50; round++) await race(contenders);
  }, 60_000);

  it('twenty for a dead one’s', async () => {
    const contenders = await Promise.all(Array.from({ length: 20 }, startChild));
    const dead = await deadOwner();
    for (let round = 0; round < 20; round++) {
      await placeLock({ ...dead, nonce: round.toString(16).padStart(32, '0') });
      const answers = await race(contenders);
      expect(answers.find(({ opened }) => opened)!.notes).toEqual([expect.stringContaining(`process ${dead.pid}`)]);
    }
  }, 120_000);
});

describe('release removes only its own', () => {
  it('not one that has taken its place', async () => {
    const backend = makeBackend();
    await backend.open('');
    await placeLock({ pid: 4711, start: '1', host: 'elsewhere' });
    await backend.close();
    expect(await readLock()).toMatchObject({ pid: 4711 });
  });

  it('and does not mind that there is none', async () => {
    const backend = makeBackend();
    await backend.open('');
    await rm(join(folder, 'LOCK'));
    await backend.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it('and when it cannot, this process may open the store again, and nobody else', async () => {
    const disk = watchDisk();
    const backend = fsBackend(folder, { disk });
    await backend.open('');
    const lift = disk.fail('EIO', ({ op, name }) => op === 'unlink' && name === 'LOCK');
    await expect(backend.close()).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining(join(folder, 'LOCK')),
    });
    lift();
    const child = await startChild();
    expect(await child.open(folder)).toMatchObject({ opened: false, owner: { pid: process.pid } });
    await makeBackend().open('');
  });
});

describe('who has a store can be seen without touching it', () => {
  const look = () => lookAtLock(nodeDisk, folder, nodeProcesses);

  it('nobody, a live one, one elsewhere, one that has ended, and what names nobody', async () => {
    await mkdir(folder, { recursive: true });
    expect(await look()).toEqual({ state: 'free' });
    const child = await startChild();
    await child.open(folder);
    const { since } = await readLock();
    expect(await look()).toEqual({ state: 'alive', pid: child.pid, host: hostname(), since });
    await child.kill();
    expect(await look()).toEqual({ state: 'ended', pid: child.pid, host: hostname(), since });
    await placeLock({ pid: 4711, start: '1', host: 'elsewhere' });
    expect(await look()).toMatchObject({ state: 'elsewhere', pid: 4711, host: 'elsewhere' });
    await writeFile(join(folder, 'LOCK'), 'x');
    expect(await look()).toEqual({ state: 'unreadable' });
    expect(await readdir(folder)).toEqual(['LOCK']);
  });

  it('the last of a list, not the first', async () => {
    const [first, second] = ['1'.repeat(32), '2'.repeat(32)];
    await placeLock({ ...(await deadOwner()), nonce: first });
    await writeFile(
      join(folder, `LOCK.${first}.next`),
      JSON.stringify({ ...(await nodeProcesses.self()), nonce: second }),
    );
    expect(await look()).toMatchObject({ state: 'alive', pid: process.pid });
  });
});
