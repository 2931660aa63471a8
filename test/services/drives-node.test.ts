// A drive beside node:fs: the same random program on both, call by call the same answers and the same errors.
import * as nodeFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Drive, openDrive } from '../../src/services/drives';
import { newOrigin, openTab } from '../venue/pages';

type Fs = Pick<Drive, Exclude<keyof Drive, 'promises' | 'mkdtemp'>>;
/** A call: its name, and its arguments, of which these are paths. */
interface Step {
  readonly call: keyof Fs;
  readonly args: readonly unknown[];
  readonly paths: readonly number[];
}

let folder: string;
let umask: number;
beforeAll(async () => {
  folder = await nodeFs.mkdtemp(join(tmpdir(), 'tidemark-drives-'));
  umask = process.umask(0o22);
});
afterAll(async () => {
  process.umask(umask);
  await nodeFs.rm(folder, { recursive: true, force: true });
});

const tooLong = 'n'.repeat(256);
const name = fc.constantFrom('a', 'b', 'c', 'd', 'a', 'b', 'c', 'd', 'é', '.', '..', '', tooLong);
const path = fc
  .tuple(fc.array(name, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '', '', '', '/', '//'))
  .map(([names, end]) => `/${names.join('/')}${end}`);
const target = fc.oneof(
  path,
  fc.constantFrom('a', 'b', 'a/b', './c', 'd/', 'a/../b', '.', '', 'x'.repeat(4096)),
  fc.constantFrom('a', 'b', 'c', 'd'),
);
/** Small ones are in entries, large ones in blobs. */
const data = fc.constantFrom('', 'x', 'hello', 'é\ud800', 'y'.repeat(40_000));
const mode = fc.constantFrom(undefined, 0o600, 0o777, '644');
const flag = fc.constantFrom(undefined, 'w', 'a', 'wx', 'ax', 'w+', 'nonsense');

const step = (call: keyof Fs, paths: number, ...rest: fc.Arbitrary<unknown>[]): fc.Arbitrary<Step> =>
  fc.tuple(...Array.from({ length: paths }, () => path), ...rest).map((args) => {
    // Those left out at the end are not there.
    while (args.at(-1) === undefined) args.pop();
    return { call, args, paths: Array.from({ length: paths }, (_, i) => i) };
  });

const steps = fc.oneof(
  { weight: 6, arbitrary: step('writeFile', 1, data, fc.record({ mode, flag }, { requiredKeys: [] })) },
  { weight: 8, arbitrary: step('mkdir', 1, fc.record({ mode, recursive: fc.boolean() }, { requiredKeys: [] })) },
  { weight: 3, arbitrary: step('readFile', 1, fc.constantFrom(undefined, 'utf8', { encoding: 'UTF-8' }, 'nonsense')) },
  { weight: 2, arbitrary: step('appendFile', 1, data, fc.constantFrom(undefined, { flag: 'ax' }, { mode: 0o600 })) },
  { weight: 2, arbitrary: step('truncate', 1, fc.constantFrom(undefined, 0, 3, 39_000)) },
  { weight: 2, arbitrary: step('copyFile', 2, fc.constantFrom(undefined, 1)) },
  {
    weight: 2,
    arbitrary: step('readdir', 1, fc.constantFrom(undefined, { withFileTypes: true })),
  },
  { weight: 2, arbitrary: step('stat', 1) },
  { weight: 2, arbitrary: step('lstat', 1) },
  { weight: 1, arbitrary: step('access', 1, fc.constantFrom(undefined, 0, 1, 4, 7)) },
  { weight: 1, arbitrary: step('realpath', 1) },
  { weight: 2, arbitrary: step('unlink', 1) },
  { weight: 2, arbitrary: step('rmdir', 1) },
  { weight: 2, arbitrary: step('rm', 1, fc.record({ recursive: fc.boolean(), force: fc.boolean() })) },
  { weight: 8, arbitrary: step('rename', 2) },
  {
    weight: 5,
    arbitrary: fc.tuple(target, path).map((args): Step => ({ call: 'symlink', args, paths: [0, 1] })),
  },
  { weight: 2, arbitrary: step('readlink', 1) },
  { weight: 1, arbitrary: step('chmod', 1, fc.constantFrom(0o600, 0o755, '644')) },
  { weight: 1, arbitrary: step('utimes', 1, fc.constant(1), fc.constantFrom(1, 1.5, new Date(86_400_000))) },
);

const plain = (value: unknown, root: string): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map((one) => plain(one, root)).sort((a, b) => (`${a}` < `${b}` ? -1 : 1));
  if (typeof value === 'string') return value.replace(root, '') || '/';
  if (typeof value !== 'object' || value === null) return value;
  const { name, mode, size, mtimeMs } = value as Record<string, number>;
  const stats = value as Awaited<ReturnType<Drive['stat']>>;
  const types = [stats.isFile(), stats.isDirectory(), stats.isSymbolicLink(), stats.isFIFO()].map(Number).join('');
  if (name !== undefined) return `${name} ${types}`;
  return { types, mode, size: stats.isFile() && size, set: mtimeMs! > 0 && mtimeMs! < 1e9 && mtimeMs };
};

/** What a call gave, or the error as users see it. */
async function outcome(fs: Fs, { call, args }: Step, root: string): Promise<unknown> {
  try {
    const result = plain(await (fs[call] as (...args: unknown[]) => Promise<unknown>)(...args), root);
    // Node gives the path as it was given.
    return call === 'mkdir' && result ? `${result}`.replace(/\/+/g, '/').replace(/\/$/, '') : result;
  } catch (error) {
    const { code, errno, syscall, message } = error as {
      code: string;
      errno: number;
      syscall: string;
      message: string;
    };
    if (code === undefined) throw error;
    if (code.startsWith('ERR_INVALID')) return code;
    // Node makes these of several calls, and names the one that failed; mkdir calls a link to nothing sometimes this and sometimes that.
    if (call === 'rm' && code !== 'ENOENT') return code;
    if ((args[1] as { recursive?: boolean } | undefined)?.recursive) return code.replace(/ENOTDIR|ELOOP/, 'ENOENT');
    return { code, errno, syscall, message: message.replaceAll(root, '') };
  }
}

/** Whether the real root is not like a drive's there: paths lead out of it, and it can be changed. */
async function differs(root: string, call: string, path: string): Promise<boolean> {
  const isRoot = (await nodeFs.realpath(root + path).catch(() => '')) === root;
  if (isRoot && ['chmod', 'utimes'].includes(call)) return true;
  // Of several things that are wrong another one may be named.
  if ((call === 'rename' || path.endsWith('/')) && path.includes(tooLong)) return true;
  if (/^[/.]*$/.test(path) && /^(rename|rm|rmdir|unlink|writeFile|appendFile|copyFile)$/.test(call)) return true;
  if (call === 'rm' && /\/\.\.?\/*$/.test(path)) return true; // Node removes what is in it, and then fails
  let at = root;
  let depth = 0;
  for (const name of path.split('/').filter(Boolean)) {
    depth += name === '..' ? -1 : name === '.' ? 0 : 1;
    if (depth < 0 || (name === '..' && (await nodeFs.realpath(at).catch(() => '')) === root)) return true;
    at = `${at}/${name}`;
  }
  return false;
}

const isFolder = (path: string): Promise<boolean> =>
  nodeFs.stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );

/** Everything that is there. */
async function contents(fs: Fs, root: string, at = ''): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const name of await fs.readdir(`${root}${at}/`)) {
    const path = `${at}/${name}`;
    const stats = await fs.lstat(root + path);
    all[path] = [stats.mode];
    if (stats.isDirectory()) Object.assign(all, await contents(fs, root, path));
    else if (stats.isFile()) all[path] = [stats.mode, await fs.readFile(root + path, 'utf8')];
    else all[path] = [stats.mode, (await fs.readlink(root + path)).replace(root, '')];
  }
  return all;
}

describe('a drive answers as node:fs does', () => {
  it('whatever the program', async () => {
    let runs = 0;
    const codes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 60, size: 'max' }), async (program) => {
        const root = join(folder, `${++runs}`);
        await nodeFs.mkdir(root);
        const tab = await openTab(newOrigin());
        const drive = openDrive(tab.venue, 'd');
        for (const step of program) {
          const isLink = step.call === 'symlink';
          const args = step.args.map((arg, i) =>
            step.paths.includes(i) && (!isLink || `${arg}`.startsWith('/')) ? root + arg : arg,
          );
          const paths = step.paths.map((i) => `${step.args[i]}`);
          let outside = isLink && /\.\./.test(paths[0]!);
          for (const path of paths) outside ||= await differs(root, step.call, path);
          // Node removes what was there when it cannot copy a folder to it.
          if (step.call === 'copyFile') outside ||= await isFolder(root + paths[0]);
          if (outside) continue;
          const expected = await outcome(nodeFs as unknown as Fs, { ...step, args }, root);
          const found = await outcome(drive, step, root);
          expect(found, JSON.stringify(step)).toEqual(expected);
          codes.add(`${step.call} ${(expected as { code?: string } | undefined)?.code ?? 'ok'}`);
        }
        expect(await contents(drive, '')).toEqual(await contents(nodeFs as unknown as Fs, root));
        tab.kill();
        await nodeFs.rm(root, { recursive: true });
      }),
      { numRuns: Number(process.env.RUNS ?? 300), seed: Number(process.env.SEED ?? 5) },
    );
    // Had most calls not come to most of their ends, this would have shown little.
    expect(codes.size, [...codes].sort().join(', ')).toBeGreaterThan(80);
  });
});
