// docs/FORMAT.md and its example: the page holds what the library writes, byte for byte, and what it says of those bytes is so.
// After a deliberate change of the bytes: UPDATE_FORMAT_PAGE=1 npx vitest run test/format/page.test.ts
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeExample, renderExample, seed } from './example';
import { type Files, readFiles } from './reader';
import { untag } from './values';
import { Signer } from './writer';

const path = fileURLToPath(new URL('../../docs/FORMAT.md', import.meta.url));
const [begins, ends] = ['<!-- the example begins: made by test/format/example.ts -->\n', '<!-- the example ends -->\n'];

let section: string;
let files: Files;
beforeAll(async () => {
  const page = await readFile(path, 'utf8');
  const [before, middle, after] = page.split(new RegExp(`${begins}|${ends}`)) as [string, string, string];
  section = middle;
  if (process.env.UPDATE_FORMAT_PAGE) {
    section = renderExample(await makeExample());
    await writeFile(path, before + begins + section + ends + after);
  }
  const blocks = [...section.matchAll(/^`((?:log|checkpoint)\.\S+)`\n\n```jsonl\n([^`]*)```\n/gm)];
  files = new Map(blocks.map(([, name, content]) => [name as string, Buffer.from(content as string)]));
});

describe('the example on the page', () => {
  it('is a whole store to a reader that knows only the page', async () => {
    expect([...files.keys()].length).toBe(3);
    const view = await readFiles(files);
    expect(view.problems).toEqual([]);
    expect(view.signers).toEqual(new Set([new Signer(seed).did]));
    const state = /### The state\n\n```json\n(.*)\n/.exec(section)?.[1] as string;
    const regions = Object.entries(JSON.parse(state) as Record<string, Record<string, never>>);
    expect(view.regions).toEqual(
      new Map(
        regions.map(([name, values]) => [
          name,
          new Map(Object.entries(values).map(([key, value]) => [key, untag(value)])),
        ]),
      ),
    );
  });

  it('is what the library writes today, byte for byte', async () => {
    const made = await makeExample();
    const texts = (of: Files) =>
      Object.fromEntries([...of].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]));
    expect(texts(made)).toEqual(texts(files));
  });

  it('is taken apart rightly, and jq answers so', () => {
    expect(section).toBe(renderExample(files));
  });

  it('does not survive the flip of any bit unseen', async () => {
    const older = await readFiles(new Map([...files].filter(([name]) => !name.startsWith('checkpoint'))));
    expect(older.problems).toEqual([]);
    for (const [name, content] of files) {
      // Logs that the checkpoint covers are not read while it stands.
      const whole: Files = name.startsWith('log.0')
        ? new Map([...files].filter(([other]) => !other.startsWith('checkpoint')))
        : files;
      const escaped: number[] = [];
      for (let at = 0; at < content.length; at += 3) {
        const flipped = Buffer.from(content);
        flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at);
        if ((await readFiles(new Map([...whole, [name, flipped]]))).problems.length === 0) escaped.push(at);
      }
      expect(escaped).toEqual([]);
    }
  });
});
