// What a command says when it does not do what it was asked: a stable code, one line, and where there is damage the list of it.
// Knows no command and no output.
import { type ErrorCode, TidemarkError, ValueError } from '../base/errors';

/** The library's codes, and those of the command line alone. */
export type CommandErrorCode =
  | ErrorCode
  | 'not_found' // no store, region, key or file of that name
  | 'usage' // wrong arguments; exit code 2
  | 'bad_line' // a line of an import that cannot be stored
  | 'unexpected'; // a mistake of ours

/** Something wrong, and where. `offset` is a byte in `file`; absent where the whole file, or something between files, is meant. */
export interface Finding {
  readonly file: string;
  readonly offset?: number;
  readonly what: string;
}

export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(
    readonly code: CommandErrorCode,
    message: string,
    readonly findings: readonly Finding[] = [],
  ) {
    super(message);
  }
}

/** What is printed of an error: never a stack. */
export interface ErrorReport {
  code: CommandErrorCode;
  message: string;
  findings?: readonly Finding[];
}

export function reportOf(error: unknown): ErrorReport {
  if (error instanceof CommandError) {
    const { code, message, findings } = error;
    return { code, message, ...(findings.length > 0 && { findings }) };
  }
  if (error instanceof TidemarkError || error instanceof ValueError)
    return { code: error.code, message: error.message };
  const { message, code } = error instanceof Error ? (error as Error & { code?: unknown }) : { message: String(error) };
  // What Node's file-system calls throw names the call and the path.
  return { code: typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? 'io' : 'unexpected', message };
}
