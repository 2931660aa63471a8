// The demo page in Chromium: each of its buttons does what it says, quietly; and `npm run demo` serves it.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { servePage } from '../../scripts/demo.mjs';
import { add, examples, poll, ready, saved, texts, usePage } from './board/page';

const board = usePage();

describe('the buttons of the demo page', () => {
  it('write 1,000 notes, which are durable and there after a reload, and take them away again', async () => {
    await board.page.click('#write');
    await poll(board.message).toMatch(/^1,000 notes written in [\d.]+ ms; durable after [\d.]+ ms\.$/);
    await poll(() => board.page.textContent('#unsaved')).toBe('Nothing unsaved');
    expect(await board.page.textContent('#root')).toMatch(/^[\w-]{43}$/);
    expect(await board.page.getAttribute('#signature', 'title')).toMatch(/^[\w-]{86}$/);
    expect(await board.page.getAttribute('#signer', 'title')).toMatch(/^did:key:z6Mk/);
    expect(Number(await board.page.textContent('#sweeps'))).toBeGreaterThan(0);
    expect(Number(await board.page.textContent('#flushes'))).toBeGreaterThan(0);
    await board.page.reload();
    await ready(board.page);
    await poll(board.pile).toBe('1,000 notes');
    expect(await board.page.locator('.note').count()).toBe(0);

    await board.page.click('#clear');
    await poll(board.pile).toBe('Empty');
    await board.page.click('#undo');
    await poll(board.pile).toBe('1,000 notes');
    await board.page.click('#clear');
    await saved(board.page);
    await board.page.reload();
    await ready(board.page);
    expect(await board.pile()).toBe('Empty');
  });

  it('crash the tab, after which all that was called durable is there and is said to be', async () => {
    await board.layExamples();
    await board.page.click('#write');
    await poll(board.message).toContain('durable after');
    const crashed = board.page.waitForEvent('crash');
    board.page.click('#crash').catch(() => undefined); // nobody is left to answer
    await crashed;
    await board.page.close();

    board.page = await board.user.open(board.url);
    await poll(board.message).toBe(
      'The tab crashed. All 1,006 notes that it had called durable are here. What was written in that instant, 1 entry, it had called unsaved.',
    );
    expect(await texts(board.page)).toEqual([...examples, 'Written just before the crash, and durable']);
    await poll(board.pile).toBe('1,000 notes');
    await board.page.reload();
    await ready(board.page);
    expect(await board.message()).not.toContain('crashed');
  });

  it('say what a crash has cost while the disk failed', async () => {
    await board.layExamples();
    await board.page.click('#disk');
    await add(board.page, 'Only in memory');
    await board.page.waitForSelector('body[data-state=failing]');
    const crashed = board.page.waitForEvent('crash');
    board.page.click('#crash').catch(() => undefined);
    await crashed;
    await board.page.close();
    board.page = await board.user.open(board.url);
    await poll(board.message).toContain(
      'All 5 notes that it had called durable are here. What was written in that instant, ',
    );
    expect(await texts(board.page)).toEqual(examples);
  });

  it.each([
    ['disk', 'EIO', 'pressed again'],
    ['quota', 'QuotaExceededError', 'ten seconds later'],
  ] as const)('make the store fail (%s: %s), and let it recover when %s', async (button, code, end) => {
    await board.layExamples();
    await board.page.click(`#${button}`);
    expect(await board.page.getAttribute(`#${button}`, 'aria-pressed')).toBe('true');
    await add(board.page, 'Written while nothing can be');
    await board.page.click('#write');
    await board.page.waitForSelector('body[data-state=failing]');
    expect(await board.page.textContent('#saved')).toBe('Not saved');
    await poll(() => board.page.textContent('#unsaved')).toMatch(new RegExp(`^1,0\\d\\d entries unsaved: ${code}$`));
    await poll(() => board.page.locator('#losses .open').allTextContents()).toEqual([
      'not thereWritten while nothing can be',
      'not there1,000 notes of the pile',
    ]);
    await poll(() => board.page.locator('.note.at-risk').count()).toBe(1);
    expect(Number(await board.page.textContent('#failures'))).toBeGreaterThan(0);

    if (end === 'pressed again') await board.page.click(`#${button}`);
    await saved(board.page);
    expect(await board.page.getAttribute(`#${button}`, 'aria-pressed')).toBe('false');
    await poll(() => board.page.textContent('#unsaved')).toBe('Nothing unsaved');
    await poll(() => board.page.locator('.note.at-risk').count()).toBe(0);
    await board.page.reload();
    await ready(board.page);
    expect(await texts(board.page)).toEqual([...examples, 'Written while nothing can be']);
    await poll(board.pile).toBe('1,000 notes');
  });

  it('show what is durable beside what is in memory, as long as they differ', async () => {
    await board.layExamples();
    await board.page.click('#disk');
    const note = (index: number) => board.page.locator('.note').nth(index);
    await note(0).press('Enter');
    await board.page.keyboard.type(' now');
    await board.page.keyboard.press('Escape');
    await note(1).press('5');
    await note(2).press('Delete');
    await note(3).press('Home');
    const rows = () =>
      board.page
        .locator('#losses .open')
        .evaluateAll((all) =>
          all.map((row) => row.childNodes).map(([root, live]) => [root?.textContent, live?.textContent]),
        );
    await poll(rows).toEqual([
      ['…k before two', '…k before two now'],
      [`shell: ${examples[1]}`, `mussel: ${examples[1]}`],
      [examples[2], 'deleted'],
      [examples[4], `moved: ${examples[4]}`],
    ]);
    await board.page.click('#disk');
    await board.page.waitForSelector('#losses .durable');
    await board.page.waitForSelector('#losses .none');
  });

  it('open a second tab, which shows what the first one writes, and the other way round', async () => {
    const [second] = await Promise.all([board.user.context.waitForEvent('page'), board.page.click('#tab')]);
    await ready(second);
    await add(board.page, 'From the first');
    await poll(() => texts(second)).toEqual(['From the first']);
    await add(second, 'From the second');
    await poll(() => texts(board.page)).toEqual(['From the first', 'From the second']);
    expect(Number(await board.page.textContent('#joins'))).toBeGreaterThan(0);

    // The second deletes a note that is being edited in the first.
    await board.page.locator('.note').last().press('Enter');
    await second.bringToFront();
    await second.locator('.note').last().press('Delete');
    await poll(() => texts(board.page)).toEqual(['From the first']);
    await board.page.waitForSelector('#losses .none'); // from here on only what the second writes changes anything
    await second.click('#write');
    await poll(() => board.pile(board.page)).toBe('1,000 notes');
  });

  it('export a backup that restores the same board, whatever has become of it', async () => {
    await board.layExamples();
    await board.page.locator('.note').first().press('3');
    await board.page.click('#write');
    await saved(board.page);
    const [file] = await Promise.all([board.page.waitForEvent('download'), board.page.click('#export')]);
    const path = await file.path();
    const shown = () => board.page.locator('.note').evaluateAll((notes) => notes.map((note) => note.ariaLabel));
    const before = await shown();
    expect(before[0]).toBe(`Note 1 of 5, kelp: ${examples[0]}`);

    for (const _ of examples) await board.page.locator('.note').first().press('Delete');
    await board.page.click('#clear');
    await add(board.page, 'Not in the backup');
    await poll(() => texts(board.page)).toEqual(['Not in the backup']);
    await board.page.setInputFiles('#file', path);
    await poll(board.message).toMatch(/^Restored 1,005 notes from /);
    await poll(shown).toEqual(before);
    await poll(board.pile).toBe('1,000 notes');
    await saved(board.page);
    await board.page.reload();
    await ready(board.page);
    expect(await shown()).toEqual(before);

    const whole = await readFile(path, 'utf8');
    const lines = whole.split('\n');
    const bad: [why: string, text: string][] = [
      ['This is no backup of a board: the first line is not its header', 'hello'],
      ['This is no backup of a board: the first line is not its header', '{"notes":1}\n'],
      ['This backup is of version 2; this page reads version 1', whole.replace(':1,', ':2,')],
      ['The backup is not whole: it should have 1005 entries and has 1004', lines.slice(0, -2).join('\n')],
      ['Line 3 of the backup cannot be read', whole.replace(lines[2]!, lines[2]!.slice(1))],
      ['Line 3 of the backup is no entry', whole.replace(lines[2]!, '["others","a",{}]')],
      [
        'Line 3 of the backup is no note: it has no colour of the board',
        whole.replace(lines[2]!, '["notes","a",{"text":""}]'),
      ],
      ['Line 3 of the backup has a note that was there before', whole.replace(lines[2]!, lines[1]!)],
    ];
    for (const [why, text] of bad) {
      await board.page.setInputFiles('#file', { name: 'bad.jsonl', mimeType: 'text/plain', buffer: Buffer.from(text) });
      await poll(board.message).toBe(`${why}. Nothing was changed.`);
    }
    expect(await shown()).toEqual(before);
  });

  it('change between dark and light, and stay so', async () => {
    const ground = () => board.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await board.page.click('#theme');
    const dark = await ground();
    expect(dark).not.toBe(light);
    await board.page.reload();
    expect(await ground()).toBe(dark);
    await board.page.emulateMedia({ colorScheme: 'dark' });
    await board.page.click('#theme');
    expect(await ground()).toBe(light);
  });
});

describe('npm run demo', () => {
  it('serves the page while it is worked on', async () => {
    const server = await servePage();
    try {
      const [url] = server.resolvedUrls!.local;
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
      const tab = await board.user.open(url!);
      await add(tab, 'Served by vite');
      expect(await texts(tab)).toEqual(['Served by vite']);
      await tab.close();
    } finally {
      await server.close();
    }
  });
});
