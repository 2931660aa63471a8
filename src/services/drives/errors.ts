// Errors as node:fs throws them: a code, an errno, the call and its paths. Knows nothing of trees.

/** What was called, and with which paths. */
export type Call = readonly [syscall: string, path?: string, dest?: string];

/** What a drive throws, as node:fs does: an Error with these. */
export interface DriveError extends Error {
  /** `ENOENT`, `EEXIST`, `ENOTDIR`, ... */
  readonly code: string;
  /** As Linux numbers them, negative. */
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;
}

const known: Readonly<Record<string, readonly [errno: number, what: string]>> = {
  EPERM: [-1, 'operation not permitted'],
  ENOENT: [-2, 'no such file or directory'],
  EIO: [-5, 'i/o error'],
  EACCES: [-13, 'permission denied'],
  EBUSY: [-16, 'resource busy or locked'],
  EEXIST: [-17, 'file already exists'],
  ENOTDIR: [-20, 'not a directory'],
  EISDIR: [-21, 'illegal operation on a directory'],
  EINVAL: [-22, 'invalid argument'],
  ENOSPC: [-28, 'no space left on device'],
  ENAMETOOLONG: [-36, 'name too long'],
  ENOTEMPTY: [-39, 'directory not empty'],
  ELOOP: [-40, 'too many symbolic links encountered'],
};

export function failure(code: string, [syscall, path, dest]: Call, cause?: Error): DriveError {
  const [errno, what] = known[code] ?? [-5, cause?.message];
  const places = [path, dest].filter((place) => place !== undefined).map((place) => `'${place}'`);
  const message = `${code}: ${what}, ${[syscall, places.join(' -> ')].filter(Boolean).join(' ')}`;
  return Object.assign(new Error(message, cause && { cause }), {
    errno,
    code,
    syscall,
    ...(path !== undefined && { path }),
    ...(dest !== undefined && { dest }),
  });
}

export function badArgument(code: 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE', message: string): TypeError {
  return Object.assign(new TypeError(message), { code });
}
