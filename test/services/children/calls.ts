// Writes down what a program asks of node:fs below one folder, whichever way it asks: with callbacks, promises or at once. Knows nothing of what is
// asked for.
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join, resolve } from 'node:path';

/** In the order in which they were done. */
export type Call =
  | { op: 'open'; path: string; flag: string; file: number }
  | { op: 'write'; file: number; data: string }
  | { op: 'sync' | 'close'; file: number }
  | { op: 'rename' | 'link'; from: string; to: string }
  | { op: 'unlink' | 'mkdir'; path: string }
  /** The program was told that a generation is saved. */
  | { op: 'saved'; generation: number };

type Any = (...args: unknown[]) => unknown;
type Module = Record<string, Any> & { promises: Record<string, Any> };

export interface Recording {
  /** What came before is not of interest. */
  start(): void;
  note(generation: number): void;
  writeTo(path: string): void;
}

/** Before the program loads anything that holds on to functions of node:fs. */
export function record(folder: string): Recording {
  const fs = createRequire(import.meta.url)('node:fs') as Module;
  const { writeFileSync } = { ...fs };
  const calls: Call[] = [];
  const open = new Set<number>();
  let isOn = false;
  const isBelow = (path: unknown) => resolve(String(path)).startsWith(folder);
  const bytesOf = (data: unknown) => Buffer.from(data as string | Uint8Array);

  /** What a call has done, given its arguments and its result. */
  const effects: Record<string, (args: readonly unknown[], result: unknown) => void> = {
    open([path, flag = 'r'], file) {
      if (!isBelow(path)) return;
      open.add(file as number);
      calls.push({ op: 'open', path: resolve(String(path)), flag: String(flag), file: file as number });
    },
    write([file, data, offset, length], taken) {
      if (!open.has(file as number)) return;
      const [from, size] =
        typeof data === 'string' ? [0, undefined] : [Number(offset ?? 0), length as number | undefined];
      const all = bytesOf(data).subarray(from, size === undefined ? undefined : from + size);
      calls.push({ op: 'write', file: file as number, data: all.subarray(0, taken as number).toString('base64') });
    },
    fsync: ([file]) => void (open.has(file as number) && calls.push({ op: 'sync', file: file as number })),
    fdatasync: ([file]) => void (open.has(file as number) && calls.push({ op: 'sync', file: file as number })),
    close: ([file]) => void (open.delete(file as number) && calls.push({ op: 'close', file: file as number })),
    rename: ([from, to]) => void (isBelow(to) && calls.push({ op: 'rename', from: String(from), to: String(to) })),
    link: ([from, to]) => void (isBelow(to) && calls.push({ op: 'link', from: String(from), to: String(to) })),
    unlink: ([path]) => void (isBelow(path) && calls.push({ op: 'unlink', path: String(path) })),
    mkdir: ([path]) => void (isBelow(path) && calls.push({ op: 'mkdir', path: String(path) })),
  };

  const like = (wrapper: Any, original: Any): Any =>
    Object.defineProperties(wrapper, Object.getOwnPropertyDescriptors(original)) as Any;
  for (const [name, effect] of Object.entries(effects)) {
    const seen = (args: unknown[], result: unknown) => void (isOn && effect(args, result));
    const [callback, sync, promise] = [fs[name]!, fs[`${name}Sync`]!, fs.promises[name]];
    fs[name] = like((...args) => {
      const done = args.pop() as Any;
      return callback(...args, (error: unknown, ...results: unknown[]) => {
        if (!error) seen(args, results[0]);
        done(error, ...results);
      });
    }, callback);
    fs[`${name}Sync`] = like((...args) => {
      const result = sync(...args);
      seen(args, result);
      return result;
    }, sync);
    if (promise && name !== 'open')
      fs.promises[name] = async (...args) => {
        const result = await promise(...args);
        seen(args, result);
        return result;
      };
  }
  const { writeFile } = fs.promises;
  fs.promises.writeFile = async (path, data, ...rest) => {
    await writeFile!(path, data, ...rest);
    if (!isOn || !isBelow(path)) return;
    effects.open!([path, 'w'], -1);
    effects.write!([-1, data], bytesOf(data).length);
    effects.close!([-1], undefined);
  };
  syncBuiltinESMExports();

  return {
    start() {
      isOn = true;
    },
    note: (generation) => void calls.push({ op: 'saved', generation }),
    writeTo(path) {
      isOn = false;
      writeFileSync!(join(path), JSON.stringify(calls));
    },
  };
}
