// The board's data: what a note is, in which order notes lie, and the pile of a thousand. Knows the venue, and nothing of the page.
import type { ReadonlyRegion, Region, StandardSchema, Venue } from 'tidemark';

export const colours = ['chalk', 'sand', 'kelp', 'shell', 'mussel'] as const;
export type Colour = (typeof colours)[number];

export interface Note {
  readonly text: string;
  readonly colour: Colour;
  /** Notes lie in the order of these numbers; one between two others has a number between theirs. */
  readonly place: number;
}

export const textMax = 2000;

/** Refuses, when it is set, loaded or restored, what this page could not show. */
export const noteSchema: StandardSchema<Note> = {
  '~standard': {
    version: 1,
    vendor: 'board',
    validate(value) {
      const { text, colour, place } = (value ?? {}) as Record<keyof Note, unknown>;
      if (typeof text !== 'string' || text.length > textMax) return { issues: [{ message: 'has no text' }] };
      if (!colours.includes(colour as Colour)) return { issues: [{ message: 'has no colour of the board' }] };
      if (!Number.isFinite(place)) return { issues: [{ message: 'has no place' }] };
      return { value: value as Note };
    },
  },
};

export const regionNames = ['notes', 'pile'] as const;
export type RegionName = (typeof regionNames)[number];

export interface Board {
  readonly venue: Venue;
  readonly notes: Region<Note>;
  /** A thousand notes at a time, which would bury the others. */
  readonly pile: Region<Note>;
}

export const boardOf = (venue: Venue): Board => ({
  venue,
  notes: venue.region('notes', { validate: noteSchema }),
  pile: venue.region('pile', { validate: noteSchema }),
});

export const inOrder = (notes: ReadonlyRegion<Note>): [key: string, note: Note][] =>
  [...notes].sort(([a, { place: x }], [b, { place: y }]) => x - y || (a < b ? -1 : 1));

/** Unlike any that another tab makes at the same moment. */
function newKey(): string {
  const random = crypto.getRandomValues(new Uint32Array(2));
  return `${Date.now().toString(36)}-${random[0]!.toString(36)}${random[1]!.toString(36)}`;
}

/** Lays a new note behind all others. @returns its key */
export function add({ notes }: Board, text: string, colour: Colour = 'chalk'): string {
  const key = newKey();
  notes.set(key, { text, colour, place: (inOrder(notes).at(-1)?.[1].place ?? 0) + 1 });
  return key;
}

/** Changes some of a note; nothing if another tab has deleted it meanwhile. */
export function change({ notes }: Board, key: string, to: Partial<Note>): void {
  const note = notes.get(key);
  if (note) notes.set(key, { ...note, ...to });
}

/** Moves a note so that it is the `index`-th of all. */
export function move(board: Board, key: string, index: number): void {
  const others = inOrder(board.notes).filter(([other]) => other !== key);
  const before = others[index - 1]?.[1].place ?? (others[index]?.[1].place ?? 0) - 2;
  const after = others[index]?.[1].place ?? before + 2;
  const place = (before + after) / 2;
  if (before < place && place < after) change(board, key, { place });
  else renumber(board, key, index);
}

/** Numbers run out after some fifty moves to one spot, or where two tabs moved notes to the same one: all get new ones, in one commit. */
function renumber({ venue, notes }: Board, key: string, index: number): void {
  const keys = inOrder(notes).flatMap(([other]) => (other === key ? [] : [other]));
  keys.splice(index, 0, key);
  const draft = venue.fork();
  const region = draft.region<Note>('notes');
  keys.forEach((other, place) => {
    const note = notes.get(other);
    if (note) region.set(other, { ...note, place });
  });
  draft.sync();
}

const stations = [
  'Brest',
  'Dover',
  'Esbjerg',
  'Galway',
  'Heligoland',
  'Lerwick',
  'Lisbon',
  'Oban',
  'Ostend',
  'Zeebrugge',
];

/** Puts so many notes on the pile. Each is written by itself, as a user's would be. */
export function writePile({ pile }: Board, many: number): void {
  const [key, lying] = [newKey(), pile.size];
  for (let i = 0; i < many; i++) {
    const place = lying + i;
    const minutes = (place * 373) % 1440; // the tide comes about 6 h 13 min later each time
    const time = `${`${Math.floor(minutes / 60)}`.padStart(2, '0')}:${`${minutes % 60}`.padStart(2, '0')}`;
    const height = (place % 2 ? 5.2 + (place % 17) / 10 : 0.4 + (place % 11) / 10).toFixed(1);
    const text = `${place % 2 ? 'High' : 'Low'} water ${stations[place % stations.length]}, ${time}, ${height} m`;
    pile.set(`${key}-${i}`, { text, colour: colours[(place * 7 + Math.floor(place / 11)) % colours.length]!, place });
  }
}

/** All entries of the board, as they are in memory or, of `venue.root`, as they are durable. */
export interface Entry {
  readonly region: RegionName;
  readonly key: string;
  readonly note: Note;
}

export const entriesOf = (source: { region(name: string): ReadonlyRegion<unknown> }): Entry[] =>
  regionNames.flatMap((region) =>
    [...source.region(region)].map(([key, note]) => ({ region, key, note: note as Note })),
  );

/** Makes the board what `entries` say, in one commit or not at all. */
export function replaceAll({ venue, ...regions }: Board, entries: readonly Entry[]): void {
  const draft = venue.fork();
  for (const name of regionNames) {
    const wanted = new Map(entries.filter(({ region }) => region === name).map(({ key, note }) => [key, note]));
    const region = draft.region<Note>(name);
    for (const [key] of regions[name]) if (!wanted.has(key)) region.delete(key);
    for (const [key, note] of wanted) region.set(key, note);
  }
  draft.sync();
}
