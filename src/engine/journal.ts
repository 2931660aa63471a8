// The browser's last resort: commits that are not durable yet, written synchronously into a small store beside the backend as the page goes
// away, and found there by the next opening. One item a commit, the very line that a log has. Knows no entries but their count.
import { type Bytes, decodeUtf8, encodeUtf8 } from '../base/bytes';
import type { SyncStore } from '../base/seams';
import type { Group } from '../log/entries';

const prefix = 'journal:';

interface At {
  readonly writer: string;
  readonly index: number;
}

/** What a journal holds, for health. */
export interface JournalInfo {
  /** Whether this platform has one: workers have no localStorage. */
  available: boolean;
  /** Characters that it takes now, those of other tabs included. */
  bytes: number;
  /** Unsaved entries that did not fit when the page was last about to go. */
  unfit: number;
}

export class Journal {
  /** Entries of our commits that did not fit, by index. */
  private readonly unfit = new Map<number, number>();
  private readonly written = new Set<number>();

  /** @param bytesMax characters that all tabs together may take. */
  constructor(
    private readonly store: SyncStore,
    private readonly bytesMax: number,
  ) {}

  get bytes(): number {
    return this.keys().reduce((sum, key) => sum + (this.store.get(key)?.length ?? 0), 0);
  }

  get room(): number {
    return this.bytesMax - this.bytes;
  }

  get info(): JournalInfo {
    return { available: true, bytes: this.bytes, unfit: [...this.unfit.values()].reduce((sum, n) => sum + n, 0) };
  }

  /** Writes one of our commits, if there is room. */
  write({ writer, index }: At, line: Bytes, entries: number): void {
    const text = decodeUtf8(line);
    const key = `${prefix}${writer}:${index}`;
    try {
      if (text.length > this.room) throw new RangeError('more than its share');
      this.store.set(key, text);
      this.written.add(index);
      this.unfit.delete(index);
    } catch {
      this.unfit.set(index, entries);
    }
  }

  /** One of our commits is durable. */
  settled({ writer, index }: At): void {
    this.unfit.delete(index);
    if (this.written.delete(index)) this.store.remove(`${prefix}${writer}:${index}`);
  }

  /** What is in it, of whatever writer. */
  items(): { key: string; line: Bytes }[] {
    return this.keys().map((key) => ({ key, line: encodeUtf8(this.store.get(key) ?? '') }));
  }

  remove(key: string): void {
    this.store.remove(key);
  }

  private keys(): string[] {
    return this.store.keys().filter((key) => key.startsWith(prefix));
  }
}

/**
 * The entries to keep where there is not room for all: those of critical regions first, the newest first.
 * @param room characters of JSON. @returns keys by region
 */
export function newestThatFit(
  groups: readonly Group[],
  isCritical: (region: string) => boolean,
  room: number,
): Map<string, Set<string>> {
  const entries = groups.flatMap(({ region, entries }) =>
    entries.map((entry) => ({ region, entry: entry as [key: string, dt: number], first: isCritical(region) })),
  );
  entries.sort((a, b) => Number(b.first) - Number(a.first) || b.entry[1] - a.entry[1]);
  const kept = new Map<string, Set<string>>();
  for (const { region, entry } of entries) {
    const keys = kept.get(region);
    // With what stands around a region's entries in the body.
    const size = JSON.stringify(entry).length + 1 + (keys ? 0 : JSON.stringify(region).length + 40);
    if (size > room) continue;
    room -= size;
    kept.set(region, (keys ?? new Set()).add(entry[0]));
  }
  return kept;
}
