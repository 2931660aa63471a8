// The records that every contestant is given: about 200 bytes with their key, in four shapes of 5 to 8 fields, the same
// ones in every process. Knows no contestant.

/** One record. Shapes differ by the optional fields. */
export interface Note {
  id: number;
  title: string;
  body: string;
  done: boolean;
  updated: number;
  author?: string;
  tags?: string[];
  rank?: number;
}

export type Random = () => number;

/** mulberry32: small, seedable, good enough to shuffle. */
export function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Text that compresses about as well as people's: 64 KiB of words drawn by chance.
const words =
  'a about all and as at be boat but by come day do down ebb far foam for from go grey had harbour he her his how in is it light line low moon not of on once out over reach rope sail salt sand say sea she shore so stay stone storm that the then they tide to turn twice up wait was water wave weed wet what when wind with you'.split(
    ' ',
  );
const CORPUS_BYTES = 65_536;
const corpus = Buffer.from(drawWords(CORPUS_BYTES + 256, randomFrom(7)), 'latin1');

function drawWords(length: number, random: Random): string {
  const drawn: string[] = [];
  for (let left = length; left > 0; left -= drawn.at(-1)!.length + 1)
    drawn.push(words[Math.floor(random() * words.length)]!);
  return drawn.join(' ');
}

const authors = ['Ada', 'Grace', 'Edsger', 'Barbara'];
const places = ['urgent', 'home', 'sea', 'later', 'draft'];
const bodyLength = [102, 90, 68, 58];

/** Record `i`. `round` gives other contents for the same record. Its strings are flat and its own, as parsed ones are. */
export function makeNote(i: number, round = 0): Note {
  const shape = (i + round) & 3;
  const from = (i * 7907 + round * 4099) % CORPUS_BYTES;
  const length = bodyLength[shape]! + ((i * 7 + round) & 15);
  const title = `Note ${i}`;
  const body = corpus.toString('latin1', from, from + length);
  const done = (i & 7) === 0;
  const updated = 1.7e12 + i * 1000 + round;
  if (shape === 0) return { id: i, title, body, done, updated };
  const author = authors[i & 3]!;
  if (shape === 1) return { id: i, title, body, done, updated, author };
  const tags = [places[i % 5]!, places[(i + 2) % 5]!];
  if (shape === 2) return { id: i, title, body, done, updated, author, tags };
  return { id: i, title, body, done, updated, author, tags, rank: (i % 1000) / 10 };
}

/** Key `i`: a bijection that scatters, so that the order of insertion is not key order. */
export const makeKey = (i: number): string => `n${(Math.imul(i, 2654435761) >>> 0).toString(36).padStart(7, '0')}`;

export const makeKeys = (n: number): string[] => Array.from({ length: n }, (_, i) => makeKey(i));

export const makeNotes = (n: number, round = 0): Note[] => Array.from({ length: n }, (_, i) => makeNote(i, round));

/** 0 to n-1 in random order. */
export function shuffled(n: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order;
}

/** What a reader does with a value, so that reading cannot be skipped; the sum is the same for every contestant. */
export const touch = (note: Note): number => note.title.length + note.body.length + (note.done ? 1 : 0);
