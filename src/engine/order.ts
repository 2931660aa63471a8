// Keys in order, without sorting them all again for each new one: a few sorted runs whose sizes grow geometrically, merged as they are
// walked. Adding is one push; a walk first sorts what was added since the last one. Knows keys, nothing of entries.

/** Part of the key order: from inclusive, to exclusive. */
export interface Range {
  from?: string | undefined;
  to?: string | undefined;
  reverse?: boolean | undefined;
}

export class KeyOrder {
  private runs: string[][] = [];

  constructor(private added: string[] = []) {}

  add(key: string): void {
    this.added.push(key);
  }

  /** Walks the keys of a range in order, each once. Keys added meanwhile do not show up. */
  walk(range: Range): Iterator<string> {
    if (this.added.length > 0) {
      let run = this.added.sort(compare);
      this.added = [];
      for (let last = this.runs.at(-1); last && last.length < 2 * run.length; last = this.runs.at(-1)) {
        this.runs.pop();
        run = mergeTwo(last, run);
      }
      this.runs.push(run);
    }
    return mergeRuns(this.runs, range);
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The first place in sorted `keys` whose key is not less than `key`. */
export function lowerBound(keys: ArrayLike<string>, key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function mergeTwo(a: string[], b: string[]): string[] {
  const merged: string[] = [];
  let j = 0;
  for (const key of a) {
    while (j < b.length && b[j]! < key) merged.push(b[j++]!);
    if (b[j] === key) j++;
    merged.push(key);
  }
  while (j < b.length) merged.push(b[j++]!);
  return merged;
}

/** Merges sorted runs; a key in several comes once. */
export function mergeRuns(runs: readonly string[][], { from, to, reverse }: Range): Iterator<string> {
  const step = reverse ? -1 : 1;
  // A heap of [run, place], the one whose key comes next on top.
  const heap: { run: string[]; at: number; end: number }[] = [];
  const before = (a: { run: string[]; at: number }, b: { run: string[]; at: number }): boolean =>
    reverse ? a.run[a.at]! > b.run[b.at]! : a.run[a.at]! < b.run[b.at]!;
  const sink = (i: number) => {
    for (;;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < heap.length && before(heap[child]!, heap[least]!)) least = child;
      if (least === i) return;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  };
  for (const run of runs) {
    const low = from === undefined ? 0 : lowerBound(run, from);
    const high = to === undefined ? run.length : lowerBound(run, to);
    if (low < high) heap.push(reverse ? { run, at: high - 1, end: low - 1 } : { run, at: low, end: high });
  }
  for (let i = heap.length >> 1; i >= 0; i--) sink(i);
  let last: string | undefined;
  return {
    next() {
      while (heap.length > 0) {
        const top = heap[0]!;
        const key = top.run[top.at]!;
        top.at += step;
        if (top.at === top.end) {
          const tail = heap.pop()!;
          if (heap.length > 0) heap[0] = tail;
        }
        if (heap.length > 1) sink(0);
        if (key !== last) {
          last = key;
          return { done: false, value: key };
        }
      }
      return { done: true, value: undefined };
    },
  };
}
