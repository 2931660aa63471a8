// What a child did, in the order in which it did it: lines in a file, each written before the next thing is done. A killed process loses none
// of them, because what write(2) took belongs to the kernel. Knows nothing of venues.
import { openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export interface TraceLine {
  what: string;
  /** The child's own clock, which never goes back. */
  ms: number;
  data: unknown;
}

export type Trace = (what: string, data?: unknown) => void;

export function openTrace(path: string): Trace {
  const file = openSync(path, 'a');
  return (what, data = null) => {
    writeSync(file, `${JSON.stringify([what, performance.now(), data])}\n`);
  };
}

/** A child that was killed before it wrote anything has left no file. The last line may be cut. */
export async function readTrace(path: string): Promise<TraceLine[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [what, ms, data] = JSON.parse(line) as [string, number, unknown];
      return { what, ms, data };
    });
}
