// The git program, as the tests of isomorphic-git ask it and are served by it. Without anybody's settings.
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { promisify } from 'node:util';

const run = promisify(execFile);
const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };

/** It is there wherever this repository was cloned; where it is not, it is installed in CI. @returns what it says */
export async function askGit(...args: string[]): Promise<string> {
  const ask = () => run('git', args, { env, maxBuffer: 1 << 26 });
  const { stdout } = await ask().catch(async (error: { code?: unknown }) => {
    if (error.code !== 'ENOENT' || !process.env.CI) throw error;
    await run('apt-get', ['install', '--yes', '--no-install-recommends', 'git']);
    return ask();
  });
  return stdout;
}

/** Serves the repositories in a folder over HTTP, for reading and writing; also to pages of other origins. */
export async function serveGit(folder: string): Promise<{ origin: string; close(): void }> {
  const server = createServer((request, response) => {
    for (const name of ['origin', 'headers']) response.setHeader(`access-control-allow-${name}`, '*');
    if (request.method === 'OPTIONS') return void response.end();
    const { pathname, searchParams } = new URL(request.url!, 'http://127.0.0.1');
    const backend = spawn('git', ['http-backend'], {
      env: {
        ...env,
        GIT_PROJECT_ROOT: folder,
        GIT_HTTP_EXPORT_ALL: '1',
        REMOTE_USER: 'ann',
        REQUEST_METHOD: request.method,
        PATH_INFO: pathname,
        QUERY_STRING: `${searchParams}`,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
      },
    });
    request.pipe(backend.stdin);
    const parts: Buffer[] = [];
    backend.stdout.on('data', (part) => parts.push(part));
    backend.on('close', () => {
      const answer = Buffer.concat(parts);
      const end = answer.indexOf('\r\n\r\n');
      for (const line of answer.subarray(0, end).toString().split('\r\n')) {
        const [name, value] = line.split(': ') as [string, string];
        if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.end(answer.subarray(end + 4));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
