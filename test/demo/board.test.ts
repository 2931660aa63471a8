// The demo page in Chromium: each of its buttons does what it says, with the mouse, a finger or the keys alone, and quietly.
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { servePage } from '../../scripts/demo.mjs';
import { add, launch, ready, saved, serveBuilt, texts, type Visit, visit } from './board/page';

declare global {
  interface Window {
    framesDrawn: number;
  }
}

let browser: Browser;
let site: Awaited<ReturnType<typeof serveBuilt>>;
let user: Visit;
let page: Page;

beforeAll(async () => {
  [browser, site] = await Promise.all([launch(), serveBuilt()]);
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
});
beforeEach(async () => {
  user = await visit(browser);
  page = await user.open(site.url);
});
afterEach(async () => {
  expect(user.complaints).toEqual([]);
  expect(await user.shifts()).toEqual([]);
  await user.context.close();
});

const poll = (read: () => unknown) => expect.poll(read, { timeout: 20_000 });
const message = () => page.textContent('#message');
const pile = (of = page) => of.textContent('#pile-count');
const examples = [
  'Low water at 11:40. Walk out to the mussel banks, and be back before two',
  'Type here and close the tab at once: it will be here',
  'Ask Ines for the old chart of the estuary',
  'Oars, bailer, rope; the small anchor, not the big one',
  'Open a second tab beside this one and move a note',
];
async function layExamples(): Promise<void> {
  await page.click('#examples');
  await poll(() => texts(page)).toEqual(examples);
  await saved(page);
}

describe('the buttons of the demo page', () => {
  it('write 1,000 notes, which are durable and there after a reload, and take them away again', async () => {
    await page.click('#write');
    await poll(message).toMatch(/^1,000 notes written in [\d.]+ ms; durable after [\d.]+ ms\.$/);
    expect(await page.textContent('#unsaved')).toBe('Nothing unsaved');
    expect(await page.textContent('#root')).toMatch(/^[\w-]{43}$/);
    expect(await page.getAttribute('#signature', 'title')).toMatch(/^[\w-]{86}$/);
    expect(await page.getAttribute('#signer', 'title')).toMatch(/^did:key:z6Mk/);
    expect(Number(await page.textContent('#sweeps'))).toBeGreaterThan(0);
    expect(Number(await page.textContent('#flushes'))).toBeGreaterThan(0);
    await page.reload();
    await ready(page);
    await poll(pile).toBe('1,000 notes');
    expect(await page.locator('.note').count()).toBe(0);

    await page.click('#clear');
    await poll(pile).toBe('Empty');
    await page.click('#undo');
    await poll(pile).toBe('1,000 notes');
    await page.click('#clear');
    await saved(page);
    await page.reload();
    await ready(page);
    expect(await pile()).toBe('Empty');
  });

  it('crash the tab, after which all that was called durable is there and is said to be', async () => {
    await layExamples();
    await page.click('#write');
    await poll(message).toContain('durable after');
    const crashed = page.waitForEvent('crash');
    page.click('#crash').catch(() => undefined); // nobody is left to answer
    await crashed;
    await page.close();

    page = await user.open(site.url);
    await poll(message).toBe(
      'The tab crashed. All 1,006 notes that it had called durable are here. What was written in that instant, 1 entry, it had called unsaved.',
    );
    expect(await texts(page)).toEqual([...examples, 'Written just before the crash, and durable']);
    expect(await pile()).toBe('1,000 notes');
    await page.reload();
    await ready(page);
    expect(await message()).not.toContain('crashed');
  });

  it('say what a crash has cost while the disk failed', async () => {
    await layExamples();
    await page.click('#disk');
    await add(page, 'Only in memory');
    await page.waitForSelector('body[data-state=failing]');
    const crashed = page.waitForEvent('crash');
    page.click('#crash').catch(() => undefined);
    await crashed;
    await page.close();
    page = await user.open(site.url);
    await poll(message).toContain(
      'All 5 notes that it had called durable are here. What was written in that instant, ',
    );
    expect(await texts(page)).toEqual(examples);
  });

  it.each([
    ['disk', 'EIO', 'pressed again'],
    ['quota', 'QuotaExceededError', 'ten seconds later'],
  ] as const)('make the store fail (%s: %s), and let it recover when %s', async (button, code, end) => {
    await layExamples();
    await page.click(`#${button}`);
    expect(await page.getAttribute(`#${button}`, 'aria-pressed')).toBe('true');
    await add(page, 'Written while nothing can be');
    await page.click('#write');
    await page.waitForSelector('body[data-state=failing]');
    expect(await page.textContent('#saved')).toBe('Not saved');
    await poll(() => page.textContent('#unsaved')).toMatch(new RegExp(`^1,0\\d\\d entries unsaved: ${code}$`));
    await poll(() => page.locator('#losses .open').allTextContents()).toEqual([
      'not thereWritten while nothing can be',
      'not there1,000 notes of the pile',
    ]);
    expect(await page.locator('.note.at-risk').count()).toBe(1);
    expect(Number(await page.textContent('#failures'))).toBeGreaterThan(0);

    if (end === 'pressed again') await page.click(`#${button}`);
    await saved(page);
    expect(await page.getAttribute(`#${button}`, 'aria-pressed')).toBe('false');
    expect(await page.textContent('#unsaved')).toBe('Nothing unsaved');
    await poll(() => page.locator('.note.at-risk').count()).toBe(0);
    await page.reload();
    await ready(page);
    expect(await texts(page)).toEqual([...examples, 'Written while nothing can be']);
    expect(await pile()).toBe('1,000 notes');
  });

  it('open a second tab, which shows what the first one writes, and the other way round', async () => {
    const [second] = await Promise.all([user.context.waitForEvent('page'), page.click('#tab')]);
    await ready(second);
    await add(page, 'From the first');
    await poll(() => texts(second)).toEqual(['From the first']);
    await add(second, 'From the second');
    await poll(() => texts(page)).toEqual(['From the first', 'From the second']);
    expect(Number(await page.textContent('#joins'))).toBeGreaterThan(0);

    // The second deletes a note that is being edited in the first.
    await page.locator('.note').last().press('Enter');
    await second.bringToFront();
    await second.locator('.note').last().press('Delete');
    await poll(() => texts(page)).toEqual(['From the first']);
    await second.click('#write');
    await poll(() => pile(page)).toBe('1,000 notes');
  });

  it('export a backup that restores the same board, whatever has become of it', async () => {
    await layExamples();
    await page.locator('.note').first().press('3');
    await page.click('#write');
    await saved(page);
    const [file] = await Promise.all([page.waitForEvent('download'), page.click('#export')]);
    const path = await file.path();
    const shown = () => page.locator('.note').evaluateAll((notes) => notes.map((note) => note.ariaLabel));
    const before = await shown();
    expect(before[0]).toBe(`Note 1 of 5, kelp: ${examples[0]}`);

    for (const _ of examples) await page.locator('.note').first().press('Delete');
    await page.click('#clear');
    await add(page, 'Not in the backup');
    await poll(() => texts(page)).toEqual(['Not in the backup']);
    await page.setInputFiles('#file', path);
    await poll(message).toMatch(/^Restored 1,005 notes from /);
    await poll(shown).toEqual(before);
    expect(await pile()).toBe('1,000 notes');
    await saved(page);
    await page.reload();
    await ready(page);
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
      await page.setInputFiles('#file', { name: 'bad.jsonl', mimeType: 'text/plain', buffer: Buffer.from(text) });
      await poll(message).toBe(`${why}. Nothing was changed.`);
    }
    expect(await shown()).toEqual(before);
  });

  it('change between dark and light, and stay so', async () => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.click('#theme');
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    expect(await ground()).toBe(dark);
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.click('#theme');
    expect(await ground()).toBe(light);
  });
});

describe('the notes of the demo page', () => {
  it('are added, edited, moved, coloured and deleted with the keys alone', async () => {
    const { keyboard } = page;
    const focused = () => page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.textContent);
    for (const name of ['Skip to the notes', 'Change to dark colours', 'Add a note']) {
      await keyboard.press('Tab');
      expect(await focused()).toBe(name);
    }
    for (const text of ['one', 'two', 'three']) {
      await page.focus('#add');
      await keyboard.press('Enter');
      await keyboard.type(text);
      await keyboard.press('Escape');
    }
    expect(await focused()).toBe('Note 3 of 3, chalk: three');
    await keyboard.press('ArrowLeft');
    expect(await texts(page)).toEqual(['one', 'three', 'two']);
    await keyboard.press('Home');
    expect(await texts(page)).toEqual(['three', 'one', 'two']);
    expect(await message()).toBe('Moved “three” to place 1 of 3.');
    await keyboard.press('Enter');
    await keyboard.type(' and a half');
    await keyboard.press('Control+Enter');
    await keyboard.press('5');
    await poll(focused).toBe('Note 1 of 3, mussel: three and a half');
    await keyboard.press('End');
    expect(await texts(page)).toEqual(['one', 'two', 'three and a half']);
    await keyboard.press('Delete');
    await poll(() => texts(page)).toEqual(['one', 'two']);
    await poll(focused).toBe('Note 2 of 2, chalk: two');
    await page.focus('#undo');
    await keyboard.press('Enter');
    await poll(() => texts(page)).toEqual(['one', 'two', 'three and a half']);

    // The buttons of a note are stops only within it.
    await page.locator('.note').first().focus();
    for (const name of ['Move earlier', 'Move later']) {
      await keyboard.press('Tab');
      expect(await focused()).toBe(name);
    }
    await keyboard.press('Enter');
    expect(await texts(page)).toEqual(['two', 'one', 'three and a half']);
    await keyboard.press('Control+s');
    await poll(message).toMatch(/^All saved/);
    await page.reload();
    await ready(page);
    expect(await texts(page)).toEqual(['two', 'one', 'three and a half']);
  });

  it('move one row up and down', async () => {
    await layExamples();
    const columns = await page.evaluate(
      () => getComputedStyle(document.querySelector('#notes')!).gridTemplateColumns.split(' ').length,
    );
    await page.locator('.note').first().press('ArrowDown');
    expect((await texts(page)).indexOf(examples[0]!)).toBe(Math.min(columns, examples.length - 1));
    await page.keyboard.press('ArrowUp');
    expect(await texts(page)).toEqual(examples);
  });

  it('are not kept when nothing is in them', async () => {
    await page.click('#add');
    await page.keyboard.press('Escape');
    await poll(() => page.locator('.note').count()).toBe(0);
    expect(await page.isVisible('#empty')).toBe(true);
  });

  it('are dragged with the mouse, and put back with Escape', async () => {
    await layExamples();
    const middle = async (index: number) => {
      const box = (await page.locator('.note').nth(index).boundingBox())!;
      return [box.x + box.width / 2, box.y + box.height / 2] as const;
    };
    const drag = async (from: number, to: number) => {
      await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
      const target = await middle(to);
      await page.mouse.move(...(await middle(from)));
      await page.mouse.down();
      await page.mouse.move(...target, { steps: 8 });
    };
    await drag(0, 2);
    await page.keyboard.press('Escape');
    await page.mouse.up();
    expect(await texts(page)).toEqual(examples);
    await drag(0, 2);
    await page.mouse.up();
    const moved = [1, 2, 0, 3, 4].map((index) => examples[index]);
    expect(await texts(page)).toEqual(moved);
    expect(await page.locator('.field').count()).toBe(0);
    await saved(page);
    await page.reload();
    await ready(page);
    expect(await texts(page)).toEqual(moved);
  });

  it('keep their order when they are moved into one gap again and again', async () => {
    for (const text of ['a', 'b', 'c']) await add(page, text);
    for (let i = 0; i < 60; i++) await page.locator('.note').last().press('ArrowLeft');
    expect(await texts(page)).toEqual(['a', 'b', 'c']);
    await page.keyboard.press('ArrowRight');
    expect(await texts(page)).toEqual(['a', 'c', 'b']);
  });
});

describe('the demo page', () => {
  it('has what was typed last, however soon after it the page was left', async () => {
    await page.click('#add');
    await page.keyboard.type('The last word');
    await page.goto('about:blank');
    await page.goto(site.url);
    await ready(page);
    expect(await texts(page)).toEqual(['The last word']);
  });

  it('says so where the browser keeps nothing', async () => {
    await user.context.addInitScript(() => Object.defineProperty(window, 'indexedDB', { value: undefined }));
    const tab = await user.open(site.url);
    await poll(() => tab.textContent('#message')).toMatch(/^This browser keeps nothing here/);
    await add(tab, 'For now');
    await poll(() => tab.textContent('#saved')).toBe('Not kept');
    expect(await texts(tab)).toEqual(['For now']);
  });

  it('draws nothing once nothing changes', async () => {
    await page.clock.install();
    await page.reload();
    await ready(page);
    await page.click('#write');
    await poll(message).toContain('durable after');
    await page.evaluate(() => {
      const request = window.requestAnimationFrame;
      window.framesDrawn = 0;
      window.requestAnimationFrame = (draw) => {
        window.framesDrawn++;
        return request(draw);
      };
    });
    const drawn = () => page.evaluate(() => window.framesDrawn);
    await poll(drawn).toBeGreaterThan(0);
    await page.clock.runFor(35_000);
    const before = await drawn();
    await page.clock.runFor(10_000);
    expect(await drawn()).toBe(before);
  });

  it('stands still for whoever wants less movement', async () => {
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await layExamples();
    await page.locator('.note').first().press('ArrowRight');
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
  });

  it('gives everything that can be used a name', async () => {
    await layExamples();
    await page.click('#write');
    await page.locator('.note').first().press('Enter');
    const session = await user.context.newCDPSession(page);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const used = ['button', 'link', 'textbox', 'image', 'list', 'table', 'complementary', 'region'];
    const found = nodes.filter(({ ignored, role }) => !ignored && used.includes(role?.value as string));
    expect(found.length).toBeGreaterThan(15);
    const nameless = found.filter(({ role, name }) => !name?.value && role?.value !== 'complementary');
    expect(nameless.map(({ role, backendDOMNodeId }) => `${role?.value} ${backendDOMNodeId}`)).toEqual([]);
  });

  it.each(['light', 'dark'] as const)('has text that stands out from what it is on (%s)', async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    const texts = { ink: 4.5, soft: 4.5, sea: 4.5, alarm: 4.5 };
    const notes = ['chalk', 'sand', 'kelp', 'shell', 'mussel'];
    const pairs: [text: string, ground: string, least: number][] = [
      ...Object.entries(texts).flatMap(([text, least]): [string, string, number][] => [
        [text, 'ground', least],
        [text, 'paper', least],
      ]),
      ...notes.flatMap((note): [string, string, number][] => [
        ['ink', note, 4.5],
        ['soft', note, 4.5],
        ['sea', note, 3], // the ring of a focused button
      ]),
      ...['land', 'wet'].flatMap((ground): [string, string, number][] => [
        ['ink', ground, 4.5],
        ['alarm', ground, ground === 'land' ? 4.5 : 3],
      ]),
      ['ink', 'shallow', 4.5],
      ['on-sea', 'sea', 4.5],
      ['on-alarm', 'alarm', 4.5],
      ['sea', 'land', 3],
    ];
    const colours = await page.evaluate(
      (names) => {
        const probe = document.body.appendChild(document.createElement('i'));
        return Object.fromEntries(
          names.map((name) => {
            probe.style.color = `var(--${name})`;
            return [
              name,
              getComputedStyle(probe)
                .color.match(/[\d.]+/g)!
                .map(Number),
            ];
          }),
        );
      },
      [...new Set(pairs.flatMap((pair) => pair.slice(0, 2) as string[]))],
    );
    const light = (name: string) => {
      const [r = 0, g = 0, b = 0] = colours[name]!.map((c) =>
        c <= 10 ? c / 3294 : ((c / 255 + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05; // WCAG 2.2, relative luminance
    };
    const weak = pairs.flatMap(([text, ground, least]) => {
      const ratio = Math.max(light(text), light(ground)) / Math.min(light(text), light(ground));
      return ratio < least ? [`${text} on ${ground}: ${ratio.toFixed(2)}`] : [];
    });
    expect(weak).toEqual([]);
  });
});

describe('the demo page on a phone', () => {
  beforeEach(async () => {
    await user.context.close();
    user = await visit(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    page = await user.open(site.url);
  });

  it('is as wide as the screen, whatever is going on, and nothing shifts', async () => {
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth);
    expect(await wide()).toBe(390);
    await page.tap('#examples');
    await page.tap('#disk');
    await page.tap('#write');
    await page.waitForSelector('body[data-state=failing]');
    expect(await wide()).toBe(390);
    await page.tap('#disk');
    await saved(page);
    await add(page, `A word that is ${'very'.repeat(30)} long`);
    expect(await wide()).toBe(390);
    await page.reload();
    await ready(page);
    expect(await texts(page)).toHaveLength(6);
    expect(await wide()).toBe(390);
  });

  it('has notes that a finger moves by their grip, and targets that it can hit', async () => {
    await page.tap('#examples');
    await poll(() => texts(page)).toEqual(examples);
    const [from, to] = await page.locator('.grip').evaluateAll((grips) =>
      grips.slice(0, 2).map((grip) => {
        const { x, y } = grip.getBoundingClientRect();
        return { x: x + 20, y: y + 20 };
      }),
    );
    const session = await user.context.newCDPSession(page);
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', touchPoints: { x: number; y: number }[]) =>
      session.send('Input.dispatchTouchEvent', { type, touchPoints });
    await touch('touchStart', [from!]);
    for (let i = 1; i <= 6; i++) {
      const at = (axis: 'x' | 'y') => from![axis] + ((to![axis] - from![axis]) * i) / 6;
      await touch('touchMove', [{ x: at('x'), y: at('y') }]);
    }
    await touch('touchEnd', []);
    await poll(() => texts(page)).toEqual([1, 0, 2, 3, 4].map((index) => examples[index]));

    const small = await page.locator('button:visible, a:visible:not(.skip), .grip:visible').evaluateAll((targets) =>
      targets.flatMap((target) => {
        const { width, height } = target.getBoundingClientRect();
        return Math.min(width, height) < 40 ? [`${target.className} ${target.textContent} ${width}x${height}`] : [];
      }),
    );
    expect(small).toEqual([]);
  });
});

describe('npm run demo', () => {
  it('serves the page while it is worked on', async () => {
    const server = await servePage();
    try {
      const [url] = server.resolvedUrls!.local;
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
      const tab = await user.open(url!);
      await add(tab, 'Served by vite');
      expect(await texts(tab)).toEqual(['Served by vite']);
      await tab.close();
    } finally {
      await server.close();
    }
  });
});
