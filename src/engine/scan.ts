// Walking a region in key order: the base's chunks and the overlay's keys, merged.
import { deepFreeze } from '../log/values';
import { type Base, MOVED } from './base';
import type { Range } from './order';
import type { Overlay } from './overlay';

export interface ScanOptions extends Range {
  /** Only keys that begin so. */
  prefix?: string | undefined;
  /** At most so many. */
  limit?: number | undefined;
}

/**
 * @param overlaid the value that the overlay has for a key; a symbol or undefined for none that is shown. @param look the
 * value that a key has now. @param replaced whether the base is another one by now.
 */
export function* scan(
  overlay: Overlay,
  base: Base,
  { prefix, limit = Number.POSITIVE_INFINITY, ...range }: ScanOptions,
  overlaid: (key: string) => unknown,
  look: (key: string) => unknown,
  replaced: () => boolean,
  freezes: boolean,
): Generator<[string, unknown]> {
  if (prefix) {
    const end = prefixEnd(prefix);
    if (range.from === undefined || range.from < prefix) range.from = prefix;
    if (end !== undefined && (range.to === undefined || range.to > end)) range.to = end;
  }
  if (!(limit > 0)) return;
  const { reverse } = range;
  const step = reverse ? -1 : 1;
  const known = overlay.inserted;
  const written = overlay.order.walk(range);
  let next = written.next();
  for (const { columns, low, high } of base.parts(range)) {
    for (let i = reverse ? high - 1 : low; reverse ? i >= low : i < high; i += step) {
      const key = columns.keys[i]!;
      for (; !next.done && (reverse ? next.value > key : next.value < key); next = written.next()) {
        const value = overlaid(next.value);
        if (!isShown(value)) continue;
        yield [next.value, value];
        if (--limit <= 0) return;
      }
      const taken = !next.done && next.value === key;
      if (taken) next = written.next();
      let value = columns.values[i];
      // Keys may have been touched since the walk began, and a checkpoint may have forgotten what was deleted.
      if (replaced()) value = look(key);
      else if (taken || value === MOVED || (overlay.inserted !== known && overlay.index.has(key)))
        value = overlaid(key);
      else if (freezes) deepFreeze(value);
      if (!isShown(value)) continue;
      yield [key, value];
      if (--limit <= 0) return;
    }
  }
  for (; !next.done; next = written.next()) {
    const value = overlaid(next.value);
    if (!isShown(value)) continue;
    yield [next.value, value];
    if (--limit <= 0) return;
  }
}

const isShown = (value: unknown): boolean => value !== undefined && typeof value !== 'symbol';

/** The first text after all that begin with `prefix`; undefined if there is none. */
function prefixEnd(prefix: string): string | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const code = prefix.charCodeAt(i);
    if (code < 0xffff) return prefix.slice(0, i) + String.fromCharCode(code + 1);
  }
  return undefined;
}
