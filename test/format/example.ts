// The example in docs/FORMAT.md: made by the library from a fixed seed, fixed random numbers and a clock that stands still, so that the page holds
// exactly what the library writes; and the section of the page, with what the outside reader makes of the bytes.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fsBackend } from '../../backends/fs';
import { nodeCrypto } from '../../src/platform/node-crypto';
import { systemClock } from '../../src/platform/system';
import { open } from '../../src/venue';
import { sha256 } from './jws';
import type { Files } from './reader';

export const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
const silent = { info() {}, warn() {}, error() {} };

const program = `const notes = venue.region('notes');
const visits = venue.region('visits', { join: 'max' });
notes.set('hello', { title: 'Hello' });
notes.set('photo', { taken: new Date(0), bytes: new Uint8Array([1, 2, 3]) });
visits.set('home', 3);
await venue.flush();          // commit 0

notes.delete('hello');        // one second later
visits.delete('home');
visits.set('home', 1);
await venue.flush();          // commit 1
await venue.checkpoint();     // checkpoint 1

notes.set('big', 12345678901234567890n);
await venue.flush();          // commit 2`;

/** Runs `program`. */
export async function makeExample(): Promise<Files> {
  const home = await mkdtemp(join(tmpdir(), 'format-'));
  const store = join(home, 'venue.etch');
  let now = Date.UTC(2026, 0, 15, 9, 30);
  let filler = 0;
  const venue = await open(
    { sweepMs: 60_000 },
    {
      backend: fsBackend(store),
      clock: { ...systemClock, now: () => now },
      crypto: { ...nodeCrypto, randomBytes: (length) => new Uint8Array(length).fill(0x11 * ++filler) },
      logger: silent,
      freeze: true,
      seed,
    },
  );
  const notes = venue.region<unknown>('notes');
  const visits = venue.region<number>('visits', { join: 'max' });
  notes.set('hello', { title: 'Hello' });
  notes.set('photo', { taken: new Date(0), bytes: new Uint8Array([1, 2, 3]) });
  visits.set('home', 3);
  await venue.flush();
  now += 1000;
  notes.delete('hello');
  visits.delete('home');
  visits.set('home', 1);
  await venue.flush();
  await venue.checkpoint();
  notes.set('big', 12345678901234567890n);
  await venue.flush();
  await venue.close();

  const files: Files = new Map();
  for (const name of (await readdir(store)).sort()) files.set(name, await readFile(join(store, name)));
  await rm(home, { recursive: true });
  return files;
}

/** What `JSON.parse` and a little more give for the questions that the page answers with jq. */
type Question = { about: string; jq: string; answer: (files: Files) => string[] };

const lines = (files: Files, name: RegExp): string[] =>
  [...files]
    .filter(([file]) => name.test(file))
    .flatMap(([, bytes]) => Buffer.from(bytes).toString().trimEnd().split('\n'));
const payloadOf = (line: string) => JSON.parse(Buffer.from(JSON.parse(line)[0].split('.')[1], 'base64url').toString());
const compact = (json: unknown) => JSON.stringify(json);

const payloadInJq = `.[0] | split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | @base64d | fromjson`;

export const questions: Question[] = [
  {
    about: 'What was committed, by whom and when (jq counts in doubles, as the stamps do)',
    jq: `jq -c '${payloadInJq} | [.writer, .index, (.time / 4096000 + 1704067200 | floor | todate), .count]' log.*`,
    answer: (files) =>
      lines(files, /^log/).map((line) => {
        const { writer, index, time, count } = payloadOf(line);
        const seconds = Math.floor(time / 4_096_000 + 1_704_067_200);
        return compact([writer, index, new Date(seconds * 1000).toISOString().replace('.000', ''), count]);
      }),
  },
  {
    about: 'Every write of one key, in the order of the files',
    jq: `jq -c '.[1][] | select(.[0] == "visits") | .[3][] | select(.[0] == "home")' log.*`,
    answer: (files) =>
      lines(files, /^log/).flatMap((line) => {
        const regions = JSON.parse(line)[1].filter(([region]: [string]) => region === 'visits');
        return regions.flatMap(([, , , entries]: [string, number, string, [string][]]) =>
          entries.filter(([key]) => key === 'home').map(compact),
        );
      }),
  },
  {
    about: 'What a checkpoint covers',
    jq: `tail -n 1 checkpoint.1 | jq -c '${payloadInJq} | .covers'`,
    answer: (files) => [compact(payloadOf(lines(files, /^checkpoint\.1$/).at(-1) as string).covers)],
  },
  {
    about: 'Its entries',
    jq: `sed '$d' checkpoint.1 | jq -c '.[1][]'`,
    answer: (files) =>
      lines(files, /^checkpoint\.1$/)
        .slice(0, -1)
        .flatMap((line) => JSON.parse(line)[1].map(compact)),
  },
  {
    about: 'The digest of the first body, beside the one that was signed',
    jq: `head -n 1 log.0.* | sed 's/^\\["[^"]*",//; s/]$//' | tr -d '\\n' | openssl dgst -sha256 -binary | basenc --base64url | tr -d =
head -n 1 log.0.* | jq -r '${payloadInJq} | .digest'`,
    answer: (files) => {
      const [line] = lines(files, /^log\.0/) as [string];
      return [sha256(Buffer.from(line.slice(line.indexOf('"', 2) + 2, -1))), payloadOf(line).digest];
    },
  },
];

const date = (stamp: number): string =>
  `${stamp} = ${new Date(Math.floor(stamp / 4096) + 1_704_067_200_000).toISOString()} + ${stamp % 4096}/4096 ms`;
const fenced = (language: string, ...content: string[]) => `\`\`\`${language}\n${content.join('\n')}\n\`\`\`\n`;
const pretty = (json: unknown) => JSON.stringify(json, undefined, 2);

/** The section of the page between its two marks. */
export function renderExample(files: Files): string {
  const textOf = (name: string) => Buffer.from(files.get(name) as Uint8Array).toString();
  const fileBlock = (name: string) => `\`${name}\`\n\n${fenced('jsonl', textOf(name).trimEnd())}`;
  const [log0, log1] = [...files.keys()].filter((name) => name.startsWith('log')).sort() as [string, string];
  const [first, second] = textOf(log0).split('\n') as [string, string];
  const [third] = textOf(log1).split('\n') as [string];
  const checkpoint = textOf('checkpoint.1').trimEnd().split('\n');
  const index = checkpoint.at(-1) as string;
  const header = (line: string) => JSON.parse(Buffer.from(JSON.parse(line)[0].split('.')[0], 'base64url').toString());
  const hash = (line: string) => sha256(Buffer.from(JSON.parse(line)[0]));

  return `
The venue of the key \`${Buffer.from(seed).toString('hex')}\` after this program:

${fenced('ts', program)}
Its files, whole (each line below ends with a newline, and no file has any other):

${fileBlock(log0)}
${fileBlock('checkpoint.1')}
${fileBlock(log1)}
### A commit

The first line, taken apart. The JWS up to its first dot is the header:

${fenced('json', pretty(header(first)))}
up to the second dot the payload:

${fenced('json', pretty(payloadOf(first)))}
and the rest the signature, 64 bytes. \`time\` is ${date(payloadOf(first).time)}. The body, ${payloadOf(first).length} bytes:

${fenced('json', compact(JSON.parse(first)[1]))}
Its three entries have the stamps \`time\` - 2, \`time\` - 1 and \`time\`. \`photo\` is marked as tagged, so its \`$\` objects are a date and bytes. The hash of the line is the SHA-256 of the JWS,
\`${hash(first)}\`, and the second line's payload names it as \`prev\`:

${fenced('json', pretty(payloadOf(second)))}
The second line's body:

${fenced('json', compact(JSON.parse(second)[1]))}
\`hello\` is a tombstone. \`home\` was deleted and written again: its epoch is the stamp of that deletion, \`time\` - 1, and is why 1 counts now and not the greater 3 of before (elements 4 and 5 have to be there for it: not tagged, version 1).

### A checkpoint

The last line of \`checkpoint.1\` has the payload

${fenced('json', pretty(payloadOf(index)))}
It covers both commits of \`${log0}\`: ${hash(second)} is the hash of the second. Its body, the index:

${fenced('json', compact(JSON.parse(index)[1]))}
So bytes 0 to ${Buffer.byteLength(checkpoint[0] as string) - 1} of the file are the only chunk of \`notes\`, and the one of \`visits\` begins at byte ${Buffer.byteLength(checkpoint[0] as string) + 1}. The tombstone of \`hello\` has been left out.
\`${log1}\` holds what came after: a line whose \`prev\` is the covered hash, ${payloadOf(third).prev === hash(second) ? 'as it must be' : 'but is not'}.

### The state

${fenced('json', '{"notes":{"big":{"$":["bigint","12345678901234567890"]},"photo":{"taken":{"$":["date",0]},"bytes":{"$":["bytes","AQID"]}}},"visits":{"home":1}}')}
(in tagged form).

## With jq

In the folder of the example:
${questions.map(({ about, jq, answer }) => `\n${about}:\n\n${fenced('sh', jq)}\n${fenced('text', ...answer(files))}`).join('')}`;
}
