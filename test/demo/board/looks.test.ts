// The demo page for its users, whatever they see, hear or have switched off; and what it promises beside its buttons.
import { describe, expect, it } from 'vitest';
import { add, poll, ready, texts, usePage } from './page';

declare global {
  interface Window {
    framesDrawn: number;
  }
}

const board = usePage();

describe('the demo page', () => {
  it('has what was typed last, however soon after it the page was left', async () => {
    await board.page.click('#add');
    await board.page.keyboard.type('The last word');
    await board.page.goto('about:blank');
    await board.page.goto(board.url);
    await ready(board.page);
    expect(await texts(board.page)).toEqual(['The last word']);
  });

  it('says so where the browser keeps nothing', async () => {
    await board.user.context.addInitScript(() => Object.defineProperty(window, 'indexedDB', { value: undefined }));
    const tab = await board.user.open(board.url);
    await poll(() => tab.textContent('#message')).toMatch(/^This browser keeps nothing here/);
    await add(tab, 'For now');
    await poll(() => tab.textContent('#saved')).toBe('Not kept');
    expect(await texts(tab)).toEqual(['For now']);
  });

  it('draws nothing once nothing changes', async () => {
    await board.page.clock.install();
    await board.page.reload();
    await ready(board.page);
    await board.page.click('#write');
    await poll(board.message).toContain('durable after');
    await board.page.evaluate(() => {
      const request = window.requestAnimationFrame;
      window.framesDrawn = 0;
      window.requestAnimationFrame = (draw) => {
        window.framesDrawn++;
        return request(draw);
      };
    });
    const drawn = () => board.page.evaluate(() => window.framesDrawn);
    await poll(drawn).toBeGreaterThan(0);
    await board.page.clock.runFor(35_000);
    const before = await drawn();
    await board.page.clock.runFor(10_000);
    expect(await drawn()).toBe(before);
  });

  it('stands still for whoever wants less movement', async () => {
    await board.page.emulateMedia({ reducedMotion: 'reduce' });
    await board.layExamples();
    await board.page.locator('.note').first().press('ArrowRight');
    expect(await board.page.evaluate(() => document.getAnimations().length)).toBe(0);
  });

  it('gives everything that can be used a name', async () => {
    await board.layExamples();
    await board.page.click('#write');
    await board.page.locator('.note').first().press('Enter');
    const session = await board.user.context.newCDPSession(board.page);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const used = ['button', 'link', 'textbox', 'image', 'list', 'table', 'complementary', 'region'];
    const found = nodes.filter(({ ignored, role }) => !ignored && used.includes(role?.value as string));
    expect(found.length).toBeGreaterThan(15);
    const nameless = found.filter(({ role, name }) => !name?.value && role?.value !== 'complementary');
    expect(nameless.map(({ role, backendDOMNodeId }) => `${role?.value} ${backendDOMNodeId}`)).toEqual([]);
  });

  it.each(['light', 'dark'] as const)('has text that stands out from what it is on (%s)', async (colorScheme) => {
    await board.page.emulateMedia({ colorScheme });
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
    const colours = await board.page.evaluate(
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
