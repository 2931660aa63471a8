// What callers hand in, checked as node:fs checks it, and made into what the rest works with. Knows nothing of trees.
import { concatBytes, encodeUtf8 } from '../../base/bytes';
import { badArgument } from './errors';
import type { FileData } from './types';

/** @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
export function checkPath(path: unknown, name = 'path'): string {
  if (typeof path !== 'string')
    throw badArgument('ERR_INVALID_ARG_TYPE', `The "${name}" argument must be of type string. Received ${typeof path}`);
  if (path.includes('\0'))
    throw badArgument('ERR_INVALID_ARG_VALUE', `The argument '${name}' must be a string without null bytes`);
  return path;
}

/** Whether text is asked for. @throws ERR_INVALID_ARG_VALUE for other encodings than UTF-8 */
export function asksText(options: unknown): boolean {
  const encoding = typeof options === 'string' ? options : (options as { encoding?: unknown } | null)?.encoding;
  if (encoding === undefined || encoding === null || encoding === 'buffer') return false;
  if (!/^utf-?8$/i.test(`${encoding}`))
    throw badArgument('ERR_INVALID_ARG_VALUE', `The argument 'encoding' must be 'utf8'. Received '${encoding}'`);
  return true;
}

/** @returns what files are to be made and opened as. @throws ERR_INVALID_ARG_VALUE */
export function flagsOf(options: unknown, usual: string): { append: boolean; exclusive: boolean } {
  asksText(options);
  const { flag = usual } = (options ?? {}) as { flag?: string };
  if (!/^([wa]x?|x[wa])\+?$/.test(flag))
    throw badArgument('ERR_INVALID_ARG_VALUE', `The argument 'flags' must be w, a, wx or ax. Received '${flag}'`);
  return { append: flag.includes('a'), exclusive: flag.includes('x') };
}

/** Permissions asked for: a number, or its octal digits. @throws ERR_INVALID_ARG_VALUE */
export function modeOf(options: unknown, usual: number): number {
  const given = typeof options === 'object' ? (options as { mode?: unknown } | null)?.mode : options;
  const value = typeof given === 'string' ? Number(`0o${given}`) : (given ?? usual);
  if (!Number.isInteger(value))
    throw badArgument('ERR_INVALID_ARG_VALUE', `The argument 'mode' must be a number or octal digits`);
  return value as number;
}

/** Ms since 1970 of seconds or a Date. */
export function timeOf(time: unknown): number {
  const ms = time instanceof Date ? time.getTime() : Number(time) * 1000;
  if (!Number.isFinite(ms)) throw badArgument('ERR_INVALID_ARG_TYPE', 'The "time" argument must be seconds or a Date');
  return ms;
}

/** Bytes of what is not a stream. @throws ERR_INVALID_ARG_TYPE */
export function bytesOf(data: unknown): Uint8Array {
  if (typeof data === 'string') return encodeUtf8(data);
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw badArgument(
    'ERR_INVALID_ARG_TYPE',
    'The "data" argument must be a string, a typed array or an async iterable of them',
  );
}

/** All of a stream. */
export async function collected(stream: AsyncIterable<unknown>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(bytesOf(part));
  return concatBytes(parts);
}

export const isStream = (data: FileData): data is AsyncIterable<string | Uint8Array> =>
  typeof data === 'object' && data !== null && Symbol.asyncIterator in data;
