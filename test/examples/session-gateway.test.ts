// The example as its users would run it: its handler asked everything, and its server killed with SIGKILL while clients stream into it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../../scripts/ts.mjs';
import { openVenue, type Venue } from '../../src/node';
import { openSessions, type RecordedEvent, type Session, type Sessions } from '../../src/services/sessions';
import { Random } from '../simulator/random';

const root = join(import.meta.dirname, '../..');
const sources: Record<string, string> = { tidemark: 'src/node.ts', 'tidemark/sessions': 'src/services/sessions.ts' };

let folder: string;
let copy: string;
const servers = new Set<ChildProcess>();

/** The example's own files, with the package's names pointing to its sources. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-gateway-'));
  copy = join(root, 'node_modules/.cache/tidemark/session-gateway');
  await mkdir(copy, { recursive: true });
  const example = join(root, 'examples/session-gateway');
  for (const name of (await readdir(example)).filter((name) => name.endsWith('.ts'))) {
    const code = await readFile(join(example, name), 'utf8');
    const from = (_: string, name: string) => `from ${JSON.stringify(join(root, sources[name]!))}`;
    await writeFile(join(copy, name), code.replace(/from '(tidemark[^']*)'/g, from));
  }
});
afterAll(async () => {
  for (const server of servers) server.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
  await rm(copy, { recursive: true, force: true });
});

interface Answer {
  status: number;
  body: Session &
    RecordedEvent & { sessions: Session[]; events: RecordedEvent[]; hasMore: boolean; nextCursor: number } & {
      error: { code: string; message: string };
    };
}
type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>;

const project = { projectRoot: '/work/a', harness: 'codex' };

describe('the handler', () => {
  const open = async (): Promise<{ ask: Ask; sessions: Sessions; venue: Venue }> => {
    const { sessionGateway } = (await import(pathToFileURL(await bundle(join(copy, 'gateway.ts'))).href)) as {
      sessionGateway: (sessions: Sessions) => (request: Request) => Promise<Response>;
    };
    const venue = await openVenue({ store: 'temp', signals: false });
    const sessions = openSessions(venue);
    const handle = sessionGateway(sessions);
    const ask: Ask = async (method, path, body) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const response = await handle(new Request(`http://localhost${path}`, { method, body: text ?? null }));
      return { status: response.status, body: JSON.parse((await response.text()) || '{}') };
    };
    return { ask, sessions, venue };
  };

  it('starts, appends, replays, lists, hands over input, ends, relaunches and deletes', async () => {
    const { ask, venue } = await open();
    const { status, body } = await ask('POST', '/sessions', { ...project, user: 'ann' });
    expect({ status, body }).toMatchObject({ status: 201, body: { state: 'created', live: true, ...project } });
    const at = `/sessions/${body.id}`;
    expect(
      await ask('POST', `${at}/events`, { type: 'said', payload: { text: 'hello', apiKey: 'SECRET' } }),
    ).toMatchObject({
      status: 201,
      body: { seq: 1, event: { payload: { text: 'hello', apiKey: '[redacted]' } } },
    });
    expect(await ask('POST', `${at}/input`, { input: 'go on' })).toMatchObject({
      status: 202,
      body: { state: 'running' },
    });
    expect(await ask('GET', `${at}/replay?afterSeq=0&limit=1`)).toMatchObject({
      status: 200,
      body: { events: [{ seq: 1 }], nextCursor: 1, hasMore: true },
    });
    expect((await ask('GET', `${at}/replay?afterSeq=1`)).body.events).toMatchObject([
      { seq: 2, event: { type: 'input' } },
    ]);
    expect(await ask('POST', `${at}/complete`, { output: 'done' })).toMatchObject({
      status: 200,
      body: { state: 'completed', outcome: 'done' },
    });
    const next = await ask('POST', `${at}/relaunch`);
    expect(next).toMatchObject({ status: 201, body: { relaunchOf: body.id, projectRoot: '/work/a' } });
    expect((await ask('GET', at)).body.relaunchedAs).toEqual([next.body.id]);
    const other = await ask('POST', '/sessions', { ...project, projectRoot: '/work/b' });
    expect(await ask('POST', `/sessions/${other.body.id}/kill`, { reason: 'enough' })).toMatchObject({
      status: 200,
      body: { state: 'killed', outcome: 'enough', affordances: { input: false, kill: false } },
    });
    const ids = async (query: string) => (await ask('GET', `/sessions?${query}`)).body.sessions.map(({ id }) => id);
    expect(await ids('project=/work/a')).toEqual([body.id, next.body.id]);
    expect(await ids('project=/work/a&state=completed')).toEqual([body.id]);
    expect(await ids('user=ann&reverse=true')).toEqual([next.body.id, body.id]);
    expect(await ids(`limit=1&cursor=${body.id}`)).toEqual([next.body.id]);
    expect((await ask('DELETE', at)).status).toBe(204);
    expect((await ask('GET', at)).status).toBe(404);
    await venue.close();
  });

  it('says what is wrong as { error: { code, message } }', async () => {
    const { ask, sessions, venue } = await open();
    const { id } = await sessions.start(project);
    const over = await sessions.start(project);
    await sessions.kill(over.id);
    const wrong: [method: string, path: string, body: unknown, status: number, code: string][] = [
      ['GET', '/', undefined, 404, 'no_route'],
      ['PUT', '/sessions', undefined, 404, 'no_route'],
      ['GET', `/sessions/${id}/replay/more`, undefined, 404, 'no_route'],
      ['GET', '/sessions/x', undefined, 404, 'not_found'],
      ['POST', '/sessions/x/kill', undefined, 404, 'not_found'],
      ['POST', '/sessions', '{', 400, 'bad_json'],
      ['POST', '/sessions', [], 400, 'bad_json'],
      ['POST', '/sessions', {}, 400, 'bad_option'],
      ['POST', `/sessions/${id}/events`, {}, 400, 'bad_value'],
      ['POST', `/sessions/${id}/events`, { type: 'x'.repeat(2 ** 20) }, 413, 'too_large'],
      ['GET', `/sessions/${id}/replay?limit=x`, undefined, 400, 'bad_option'],
      ['GET', `/sessions/${id}/replay?afterSeq=-1`, undefined, 400, 'bad_option'],
      ['POST', `/sessions/${id}/relaunch`, {}, 409, 'illegal_transition'],
      ['DELETE', `/sessions/${id}`, undefined, 409, 'illegal_transition'],
      ['POST', `/sessions/${over.id}/events`, { type: 'late' }, 409, 'session_not_live'],
      ['POST', `/sessions/${over.id}/input`, { input: 1 }, 409, 'session_not_live'],
      ['POST', `/sessions/${over.id}/kill`, undefined, 409, 'session_not_live'],
      ['POST', `/sessions/${over.id}/complete`, undefined, 409, 'illegal_transition'],
    ];
    for (const [method, path, body, status, code] of wrong)
      expect({ path, ...(await ask(method, path, body)) }).toEqual({
        path,
        status,
        body: { error: { code, message: expect.any(String) } },
      });
    await venue.close();
  });
});

describe('the server, killed in mid-stream', () => {
  it('has every event that it answered for; orphaned sessions replay and relaunch', async () => {
    const program = await bundle(join(copy, 'server.ts'));
    const store = join(folder, 'venue.etch');
    const random = new Random(1);
    /** Texts that were answered for, by session and seq. */
    const answered = new Map<string, Map<number, string>>();
    let orphans: string[] = [];
    for (let life = 0; life < 6; life++) {
      const { server, ask } = await serve(program, store);
      for (const id of orphans) await expectOrphan(ask, id, answered.get(id)!);
      const relaunched = await Promise.all(orphans.map((id) => ask('POST', `/sessions/${id}/relaunch`)));
      for (const [i, { status, body }] of relaunched.entries()) {
        expect({ status, body }).toMatchObject({
          status: 201,
          body: { relaunchOf: orphans[i], projectRoot: '/work/a' },
        });
        expect((await ask('GET', `/sessions/${orphans[i]}`)).body.relaunchedAs).toEqual([body.id]);
      }
      const fresh = await Promise.all(['', ''].map(() => ask('POST', '/sessions', project)));
      const ids = [...relaunched.slice(0, 2), ...fresh].map(({ body }) => body.id);
      for (const id of ids) answered.set(id, new Map());

      const streams = ids.map((id) => stream(ask, id, answered.get(id)!));
      while ([...answered.values()].reduce((sum, { size }) => sum + size, 0) < 40 * (life + 1)) await pause(1);
      await pause(random.below(30));
      server.kill('SIGKILL');
      await once(server, 'close');
      await Promise.all(streams);
      orphans = ids.filter((id) => answered.get(id)!.size > 0);
      expect(orphans.length).toBeGreaterThan(0);
    }
    const { server, ask } = await serve(program, store);
    for (const [id, texts] of answered) if (texts.size > 0) await expectOrphan(ask, id, texts);
    const { sessions } = (await ask('GET', '/sessions?project=/work/a&limit=1000')).body;
    expect(sessions.map(({ id }) => id)).toEqual(expect.arrayContaining([...answered.keys()]));
    expect((await ask('GET', '/sessions?project=/work/b')).body.sessions).toEqual([]);
    server.kill('SIGTERM');
    await once(server, 'close');
  });
});

async function serve(program: string, store: string): Promise<{ server: ChildProcess; ask: Ask }> {
  const server = spawn(process.execPath, [program], {
    env: { ...process.env, STORE: store, PORT: '0', NODE_ENV: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  servers.add(server);
  server.on('close', () => servers.delete(server));
  const [line] = await Promise.race([once(server.stdout!, 'data'), once(server, 'close')]);
  const at = /http:\S+/.exec(String(line))?.[0];
  if (!at) throw new Error(`the server said: ${line}`);
  const ask: Ask = async (method, path, body) => {
    const response = await fetch(`${at}${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  };
  return { server, ask };
}

/** Appends, one after the other, until the server is gone. */
async function stream(ask: Ask, id: string, answered: Map<number, string>): Promise<void> {
  for (let n = 0; ; n++) {
    const text = `${id} says ${n}`;
    try {
      const { status, body } = await ask('POST', `/sessions/${id}/events`, { type: 'said', payload: text });
      expect(status).toBe(201);
      answered.set(body.seq, text);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // how fetch says that nobody is there
      return;
    }
  }
}

async function expectOrphan(ask: Ask, id: string, answered: Map<number, string>): Promise<void> {
  expect((await ask('GET', `/sessions/${id}`)).body).toMatchObject({
    state: 'orphaned',
    live: false,
    affordances: { input: false, kill: false, replay: true, relaunch: true },
  });
  const events: RecordedEvent[] = [];
  for (let afterSeq = 0, hasMore = true; hasMore; ) {
    const { body } = await ask('GET', `/sessions/${id}/replay?afterSeq=${afterSeq}&limit=7`);
    events.push(...body.events);
    [afterSeq, hasMore] = [body.nextCursor, body.hasMore];
  }
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, place) => place + 1));
  for (const [seq, text] of answered) expect(events[seq - 1]?.event.payload).toBe(text);
  for (const [path, body] of [
    ['events', { type: 'late' }],
    ['input', { input: 'late' }],
    ['kill', {}],
  ] as const)
    expect(await ask('POST', `/sessions/${id}/${path}`, body)).toMatchObject({
      status: 409,
      body: { error: { code: 'session_not_live' } },
    });
}
