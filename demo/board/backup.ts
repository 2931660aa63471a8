// The board as a file, JSON Lines: a header, then an entry a line. Read back it is checked whole before anything is changed.
import { type Entry, noteSchema, type RegionName, regionNames } from './notes';

const format = 1;

export function encodeBackup(entries: readonly Entry[], about: { exported: string; did: string }): string {
  const header = { 'tidemark-board': format, ...about, entries: entries.length };
  const lines = entries.map(({ region, key, note }) => [region, key, note]);
  return [header, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** @throws Error that says what is wrong with the file, and where */
export function parseBackup(text: string): Entry[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const header = parseLine(lines[0], 'This is no backup of a board: the first line is not its header') as Record<
    string,
    unknown
  >;
  const version = header?.['tidemark-board'];
  if (version === undefined) throw new Error('This is no backup of a board: the first line is not its header');
  if (version !== format) throw new Error(`This backup is of version ${version}; this page reads version ${format}`);
  if (header.entries !== lines.length - 1)
    throw new Error(`The backup is not whole: it should have ${header.entries} entries and has ${lines.length - 1}`);
  const seen = new Set<string>();
  return lines.slice(1).map((line, index) => {
    const where = `Line ${index + 2} of the backup`;
    const entry = parseLine(line, `${where} cannot be read`);
    const [region, key, note] = Array.isArray(entry) ? entry : [];
    if (!regionNames.includes(region) || typeof key !== 'string' || key === '') throw new Error(`${where} is no entry`);
    const checked = noteSchema['~standard'].validate(note);
    if (checked instanceof Promise || checked.issues)
      throw new Error(`${where} is no note: it ${(checked as { issues: { message: string }[] }).issues[0]?.message}`);
    const id = `${region}/${key}`;
    if (seen.has(id)) throw new Error(`${where} has a note that was there before`);
    seen.add(id);
    return { region: region as RegionName, key, note: checked.value };
  });
}

function parseLine(line: string | undefined, complaint: string): unknown {
  try {
    return JSON.parse(line ?? '');
  } catch (cause) {
    throw new Error(complaint, { cause });
  }
}

export function download(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/jsonl' }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the download has begun long before
}
