// The example as its users would run it, under a supervisor that kills it with SIGKILL at random moments: every job ends as its policy says, and
// every effect that it had on the world is counted.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundle } from '../../scripts/ts.mjs';
import type { Venue } from '../../src/node';
import type { Agents } from '../../src/services/agents';
import type { Job, Jobs } from '../../src/services/jobs';
import type { Traces } from '../../src/services/traces';
import { Random } from '../simulator/random';

const kills = 30;
const root = join(import.meta.dirname, '../..');
const steps = ['reserve', 'charge', 'pack', 'ship', 'notify'];
const undone = ['release', 'refund', 'unpack', 'recall', 'apologise'];

interface Effect {
  key: string;
  what: string;
  repeated: boolean;
}
interface Runtime {
  venue: Venue;
  jobs: Jobs;
  traces: Traces;
  agents: Agents;
  asked: Job[];
  decide(id: string, how: 'retry' | 'fail'): Promise<void>;
}

let folder: string;
let copy: string;
let child: ChildProcess | undefined;

/** The example's own files, with the package's names pointing to its sources. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-runtime-'));
  copy = join(root, 'node_modules/.cache/tidemark/agent-runtime');
  await mkdir(copy, { recursive: true });
  const example = join(root, 'examples/agent-runtime');
  for (const name of (await readdir(example)).filter((name) => name.endsWith('.ts'))) {
    const code = await readFile(join(example, name), 'utf8');
    const from = (_: string, service?: string) =>
      `from ${JSON.stringify(join(root, service ? `src/services/${service}` : 'src/node.ts'))}`;
    await writeFile(join(copy, name), code.replace(/from 'tidemark(?:\/(\w+))?'/g, from));
  }
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
  await rm(copy, { recursive: true, force: true });
});

/** Starts it with new jobs, and kills it. @returns ids of jobs that it said it has taken */
async function live(program: string, env: Record<string, string>, random: Random): Promise<string[]> {
  child = spawn(process.execPath, [program, 'submit', '3'], {
    env: { ...process.env, NODE_ENV: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let trouble = '';
  child.stderr!.on('data', (data) => {
    trouble += data;
  });
  child.stdout!.on('data', (data) => {
    said += data;
  });
  const ended = once(child, 'close');
  // Now and then before it has taken anything.
  if (!random.chance(0.1)) await Promise.race([once(child.stdout!, 'data'), ended]);
  await pause(random.below(250));
  child.kill('SIGKILL');
  await ended;
  expect(trouble).toBe('');
  return [...said.matchAll(/^(\S+) submitted$/gm)].map(([, id]) => id!);
}

it(`killed ${kills} times: every job ends as its policy says, every effect is counted`, async () => {
  const effects = join(folder, 'effects.jsonl');
  const store = join(folder, 'venue.etch');
  const program = await bundle(join(copy, 'main.ts'));
  const random = new Random(1);
  const taken: string[] = [];
  for (let life = 0; life < kills; life++)
    taken.push(...(await live(program, { STORE: store, EFFECTS: effects }, random)));

  const { openRuntime } = (await import(pathToFileURL(await bundle(join(copy, 'runtime.ts'))).href)) as {
    openRuntime(options: { store: string; effects: string }): Promise<Runtime>;
  };
  const { venue, jobs, traces, agents, asked, decide } = await openRuntime({ store, effects });
  const decisions = new Map(asked.map(({ id }, n) => [id, n % 2 === 0 ? ('retry' as const) : ('fail' as const)]));
  for (const [id, how] of decisions) await decide(id, how);
  const isOpen = () =>
    jobs.list({ status: ['PENDING', 'STARTED'] }).jobs.length +
      traces.list({ outcome: 'open' }).length +
      venue.region('tidemark.agents.mail').size >
    0;
  while (isOpen()) await pause(20);

  const all = jobs.list().jobs;
  const ids = all.map(({ id }) => id);
  for (const id of taken) expect(ids, 'no job is lost').toContain(id);
  expect([...agents.all()].map(({ agent, status }) => [agent, status])).toEqual([
    ['order', 'SLEEPING'],
    ['preorder', 'SLEEPING'],
    ['trial', 'SLEEPING'],
  ]);

  const lines = (await readFile(effects, 'utf8')).trim().split('\n');
  const asks = lines.map((line) => JSON.parse(line) as Effect);
  const had = new Map(asks.filter(({ repeated }) => !repeated).map(({ key, what }) => [key, what]));
  expect(had.size, 'every effect once').toBe(asks.filter(({ repeated }) => !repeated).length);
  // One step of each of the three agents may have been between its effect and its checkpoint.
  const repeated = asks.length - had.size;
  expect(repeated).toBeLessThanOrEqual(3 * kills);

  let interrupted = 0;
  for (const { id, op, input, status, error } of all) {
    const ends = jobs.history(id).filter(({ status }) => ['COMPLETE', 'FAILED'].includes(status));
    expect(ends, 'one end').toHaveLength(1);
    const { soldOut } = input as { soldOut: boolean };
    const wasGivenUp = !/sold out/.test(JSON.stringify(error)) && status === 'FAILED';
    if (wasGivenUp) interrupted++;
    if (wasGivenUp) expect(op === 'trial' || decisions.get(id) === 'fail', `${op} given up`).toBe(true);
    else expect([op, status]).toEqual([op, soldOut ? 'FAILED' : 'COMPLETE']);
    const done = steps.filter((name) => had.has(`${id}/${name}`));
    const taken = undone.filter((_, n) => had.has(`undo ${id}/${steps[n]}`));
    expect(done, 'in their order').toEqual(steps.slice(0, done.length));
    if (status === 'COMPLETE') expect([done, taken]).toEqual([steps, []]);
    else expect(taken, `all that ${id} did is undone`).toEqual(undone.slice(0, done.length));
  }
  expect(had.size).toBe(all.reduce((sum, { id }) => sum + [...had.keys()].filter((key) => key.includes(id)).length, 0));
  // Had nothing been interrupted, this would have shown nothing.
  expect(interrupted).toBeGreaterThan(0);
  expect(all.some(({ attempt }) => attempt > 1)).toBe(true);
  console.log(
    `agent-runtime: ${kills} kills, ${all.length} jobs, ${had.size} effects, ${repeated} asked for again, ${interrupted} given up, ${decisions.size} decided`,
  );
  await venue.close();
}, 300_000);
