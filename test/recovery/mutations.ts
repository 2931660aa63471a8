// Every way in which a store is damaged, as a list that is made from the store's anatomy and one seed: the same in each run. Knows bytes and
// names, not what recovery should make of them; that is judge.ts's.
import { Signer } from '../format/writer';
import { Random } from '../simulator/random';
import { linesOf, partsOfChunk, partsOfSigned, readSigned, type Span } from './anatomy';
import { type Base, keyName, otherSeed, seed, storeName } from './stores';

/** What stands at a path: a file, or a folder in a file's place. */
export type Damaged = Map<string, Buffer | 'folder'>;

export interface Mutation {
  readonly name: string;
  readonly base: Base;
  readonly files: Damaged;
}

export interface Strangers {
  readonly otherKey: readonly Base[];
  readonly otherVenue: readonly Base[];
}

/** What happens to some bytes of a file. */
type Blow = (bytes: Buffer, span: Span, random: Random) => Buffer;

const splice = (bytes: Buffer, from: number, to: number, instead: Uint8Array = new Uint8Array()) =>
  Buffer.concat([bytes.subarray(0, from), instead, bytes.subarray(to)]);
const within = ({ from, to }: Span, random: Random) => from + random.below(to - from);

const blows: Readonly<Record<string, Blow>> = {
  'one bit flipped': (bytes, span, random) => {
    const flipped = Buffer.from(bytes);
    flipped[within(span, random)]! ^= 1 << random.below(8);
    return flipped;
  },
  'the file cut': (bytes, span, random) => bytes.subarray(0, within(span, random)),
  'a byte inserted': (bytes, span, random) => {
    const at = within(span, random);
    return splice(bytes, at, at, random.bytes(1));
  },
  'a byte lost': (bytes, span, random) => {
    const at = within(span, random);
    return splice(bytes, at, at + 1);
  },
  'written twice': (bytes, { from, to }) => splice(bytes, to, to, bytes.subarray(from, to)),
  'zeros instead': (bytes, { from, to }) => splice(bytes, from, to, new Uint8Array(to - from)),
};
const every = Object.keys(blows);
const [flip, cut, insert, lose] = every as [string, string, string, string];

/** A few bytes of their own for every mutation, whatever comes before it in the list. */
const randomFor = (name: string) => new Random([...name].reduce((hash, c) => (hash * 31 + c.charCodeAt(0)) | 0, 7));

const inStore = (name: string) => `${storeName}/${name}`;
const short = (path: string) => path.slice(path.indexOf('/') + 1);

function changed(base: Base, name: string, change: (files: Damaged, random: Random) => void): Mutation {
  const files: Damaged = new Map(base.files);
  const full = `${base.name}: ${name}`;
  change(files, randomFor(full));
  return { name: full, base, files };
}

/** Some part of a file hit by each of these blows. */
function hit(base: Base, path: string, parts: readonly Span[], kinds: readonly string[], line = ''): Mutation[] {
  return parts.flatMap((span) =>
    kinds.map((kind) =>
      changed(base, `${short(path)}${line}, ${span.part}: ${kind}`, (files, random) => {
        files.set(path, blows[kind]!(base.files.get(path)!, span, random));
      }),
    ),
  );
}

const logsOf = (base: Base) => [...base.files.keys()].filter((path) => path.startsWith(inStore('log.')));
const checkpointsOf = (base: Base) => [...base.files.keys()].filter((path) => path.startsWith(inStore('checkpoint.')));
/** Lines of a log, by place. */
function commitHits(base: Base, path: string, places: readonly number[], kinds: readonly string[]): Mutation[] {
  const bytes = base.files.get(path)!;
  const lines = linesOf(bytes);
  return places.flatMap((place) => {
    const line = lines.at(place)!;
    return hit(base, path, partsOfSigned(bytes, line), kinds, ` ${line.part}`);
  });
}

function checkpointHits(base: Base, path: string, kinds: readonly string[]): Mutation[] {
  const bytes = base.files.get(path)!;
  const lines = linesOf(bytes);
  const [first, index] = [lines[0]!, lines.at(-1)!];
  return [
    ...hit(base, path, partsOfChunk(bytes, first), kinds, ' chunk'),
    ...hit(base, path, partsOfSigned(bytes, index), kinds, ' index'),
  ];
}

/** Whole lines: twice, gone, in another order, in another file, and their parts exchanged. */
function lineMoves(base: Base, path: string, elsewhere: string): Mutation[] {
  const bytes = base.files.get(path)!;
  const lines = linesOf(bytes);
  const piece = ({ from, to }: Span) => bytes.subarray(from, to);
  const [a, b] = [lines[0]!, lines[1]!];
  const put = (name: string, made: Buffer) =>
    changed(base, `${short(path)}: ${name}`, (files) => void files.set(path, made));
  const moves = [
    put('its first line twice', splice(bytes, a.to, a.to, piece(a))),
    put('its first line again at the end', Buffer.concat([bytes, piece(a)])),
    put('its first line gone', splice(bytes, a.from, a.to)),
    put('its last line gone', bytes.subarray(0, lines.at(-1)!.from)),
    put('its first two lines in the other order', splice(bytes, a.from, b.to, Buffer.concat([piece(b), piece(a)]))),
    put('an empty line in the middle', splice(bytes, a.to, a.to, Buffer.from('\n'))),
    changed(base, `${short(path)}: its first line also in ${short(elsewhere)}`, (files) => {
      files.set(elsewhere, Buffer.concat([base.files.get(elsewhere)!, piece(a)]));
    }),
    changed(base, `${short(path)}: its first line moved to ${short(elsewhere)}`, (files) => {
      files.set(path, splice(bytes, a.from, a.to));
      files.set(elsewhere, Buffer.concat([piece(a), base.files.get(elsewhere)!]));
    }),
  ];
  if (!piece(a).includes('["ey') || !piece(b).includes('["ey')) return moves;
  const [ofA, ofB] = [partsOfSigned(bytes, a), partsOfSigned(bytes, b)];
  for (const [i, one] of ofA.entries()) {
    if (!['payload', 'signature', 'body'].includes(one.part)) continue;
    const other = ofB[i]!;
    const swapped = Buffer.concat([
      bytes.subarray(0, one.from),
      piece(other),
      bytes.subarray(one.to, other.from),
      piece(one),
      bytes.subarray(other.to),
    ]);
    moves.push(put(`the ${one.part} of its first two lines exchanged`, swapped));
  }
  return moves;
}

/** A whole file: emptied, gone, grown, under another name, a folder, somebody else's. */
function fileMoves(base: Base, path: string, strangers: readonly [whose: string, Base][]): Mutation[] {
  const bytes = base.files.get(path)!;
  const renamed = (name: string) =>
    changed(base, `${short(path)} renamed to ${name}`, (files) => {
      files.delete(path);
      files.set(inStore(name), bytes);
    });
  const [kind, generation, writer] = short(path).split('.') as [string, string, string?];
  const neighbours = [Number(generation) + 1, Number(generation) - 1].filter((g) => g >= (kind === 'log' ? 0 : 1));
  return [
    changed(base, `${short(path)} emptied`, (files) => void files.set(path, Buffer.alloc(0))),
    changed(base, `${short(path)} gone`, (files) => void files.delete(path)),
    changed(base, `${short(path)}: garbage after it`, (files, random) => {
      files.set(path, Buffer.concat([bytes, random.bytes(300)]));
    }),
    changed(base, `${short(path)}: garbage before it`, (files, random) => {
      files.set(path, Buffer.concat([random.bytes(300), bytes]));
    }),
    changed(base, `${short(path)}: nothing but garbage`, (files, random) => {
      files.set(path, Buffer.from(random.bytes(bytes.length)));
    }),
    changed(base, `${short(path)}: a folder in its place`, (files) => void files.set(path, 'folder')),
    ...neighbours.map((g) => renamed([kind, g, ...(writer ? [writer] : [])].join('.'))),
    ...(writer ? [renamed(`log.${generation}.feedfacefeedface`), renamed(`log.${generation}.${writer}.7`)] : []),
    ...strangers.map(([whose, stranger]) =>
      changed(base, `${short(path)} replaced by one of ${whose}`, (files) => {
        const same = short(path).split('.').slice(0, 2).join('.');
        const [, theirs] = [...stranger.files].find(([other]) => short(other).startsWith(same))!;
        files.set(path, theirs);
      }),
    ),
  ];
}

const signer = new Signer(seed);

/** The line signed again, with another payload. */
export function resigned(line: Buffer, change: object): Buffer {
  const { payload, body } = readSigned(line);
  return Buffer.from(`["${signer.jws({ ...payload, ...change })}",${body}]\n`);
}

/** A line of a newer format, really signed. */
function newer(base: Base, path: string, place: number): Mutation {
  const bytes = base.files.get(path)!;
  const { part, from, to } = linesOf(bytes).at(place)!;
  return changed(base, `${short(path)} ${part}: format 2`, (files) => {
    files.set(path, splice(bytes, from, to, resigned(bytes.subarray(from, to), { format: 2 })));
  });
}

/** Two checkpoints, each with a blow of its own. */
function bothCheckpoints(base: Base): Mutation[] {
  const paths = checkpointsOf(base);
  const spansOf = (path: string) => {
    const lines = linesOf(base.files.get(path)!);
    return { 'first chunk': lines[0]!, 'second chunk': lines[1]!, 'signed line': lines.at(-1)! };
  };
  const [older, newest] = paths.sort() as [string, string];
  const names = ['first chunk', 'second chunk', 'signed line'] as const;
  return names.flatMap((inOlder) =>
    names.map((inNewest) =>
      changed(base, `both checkpoints damaged: ${inOlder} of the older, ${inNewest} of the newest`, (files, random) => {
        files.set(older, blows[flip]!(base.files.get(older)!, spansOf(older)[inOlder], random));
        files.set(newest, blows[flip]!(base.files.get(newest)!, spansOf(newest)[inNewest], random));
      }),
    ),
  );
}

function keyAndLock(base: Base): Mutation[] {
  const key = base.files.get(keyName)!;
  const lock = base.files.get(inStore('LOCK'))!;
  const keyIs = (name: string, bytes: Buffer) =>
    changed(base, `${keyName}: ${name}`, (files) => void files.set(keyName, bytes));
  const whole = (bytes: Buffer) => [
    { part: 'first half', from: 0, to: bytes.length >> 1 },
    { part: 'second half', from: bytes.length >> 1, to: bytes.length - 1 },
    { part: 'newline', from: bytes.length - 1, to: bytes.length },
  ];
  const text = lock.toString();
  const lockIs = (name: string, bytes: Buffer) =>
    changed(base, `LOCK: ${name}`, (files) => void files.set(inStore('LOCK'), bytes));
  return [
    ...hit(base, keyName, whole(key), every),
    keyIs('empty', Buffer.alloc(0)),
    keyIs('the key of another venue', Buffer.from(Buffer.from(otherSeed).toString('hex'))),
    keyIs('32 bytes as they are', Buffer.from(seed)),
    keyIs('in upper case', Buffer.from(key.toString().toUpperCase())),
    keyIs('two keys', Buffer.concat([key, key])),
    changed(base, `${keyName} gone`, (files) => void files.delete(keyName)),
    changed(base, `${keyName}: a folder in its place`, (files) => void files.set(keyName, 'folder')),
    ...hit(base, inStore('LOCK'), whole(lock), every),
    lockIs('empty', Buffer.alloc(0)),
    lockIs('of another host', Buffer.from(text.replace(/"host":"[^"]*"/, '"host":"elsewhere"'))),
    lockIs('longer than any', Buffer.alloc(10_000, 'x')),
    lockIs('JSON and no object', Buffer.from('null\n')),
    changed(base, 'LOCK gone', (files) => void files.delete(inStore('LOCK'))),
    changed(base, 'LOCK: a folder in its place', (files) => void files.set(inStore('LOCK'), 'folder')),
  ];
}

/** All of them, and for each base the strangers at the same place in theirs. */
export function mutationsOf(bases: readonly Base[], { otherKey, otherVenue }: Strangers): Mutation[] {
  const [logs, one, two, tagged] = bases as [Base, Base, Base, Base];
  const [short1, long1] = logsOf(logs).sort((a, b) => logs.files.get(a)!.length - logs.files.get(b)!.length) as [
    string,
    string,
  ];
  return [
    ...commitHits(logs, long1, [0], [flip, cut]),
    ...commitHits(logs, long1, [1], every),
    ...commitHits(logs, long1, [-1], [flip, cut, lose]),
    ...commitHits(logs, short1, [-1], [flip, insert]),
    ...lineMoves(logs, long1, short1),
    ...lineMoves(one, logsOf(one)[1]!, logsOf(one)[2]!),
    ...checkpointHits(one, checkpointsOf(one)[0]!, [flip, cut, insert, lose]),
    ...lineMoves(one, checkpointsOf(one)[0]!, logsOf(one)[0]!),
    ...logsOf(one).flatMap((path) => commitHits(one, path, [0], [flip])),
    ...checkpointsOf(two).flatMap((path) => checkpointHits(two, path, [flip])),
    ...bothCheckpoints(two),
    ...logsOf(two).flatMap((path) => commitHits(two, path, [-1], [flip])),
    ...[...logsOf(tagged), ...checkpointsOf(tagged)].flatMap((path) => {
      const lines = linesOf(tagged.files.get(path)!);
      return lines.flatMap((line) => hit(tagged, path, [{ ...line, to: line.to - 1 }], [flip, 'zeros instead']));
    }),
    ...bases.flatMap((base, i) =>
      [...logsOf(base), ...checkpointsOf(base)].flatMap((path) => [
        ...fileMoves(base, path, [
          ['another key', otherKey[i]!],
          ['our key and another venue', otherVenue[i]!],
        ]),
        newer(base, path, -1),
      ]),
    ),
    newer(logs, long1, 0),
    ...keyAndLock(one),
  ];
}
