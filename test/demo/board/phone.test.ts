// The demo page on a phone: as wide as the screen, used with a finger.
import { describe, expect, it } from 'vitest';
import { add, examples, poll, ready, saved, texts, usePage } from './page';

const board = usePage({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

describe('the demo page on a phone', () => {
  it('is as wide as the screen, whatever is going on, and nothing shifts', async () => {
    const wide = () => board.page.evaluate(() => document.documentElement.scrollWidth);
    expect(await wide()).toBe(390);
    await board.page.tap('#examples');
    await board.page.tap('#disk');
    await board.page.tap('#write');
    await board.page.waitForSelector('body[data-state=failing]');
    expect(await wide()).toBe(390);
    await board.page.tap('#disk');
    await saved(board.page);
    await add(board.page, `A word that is ${'very'.repeat(30)} long`);
    expect(await wide()).toBe(390);
    await board.page.reload();
    await ready(board.page);
    expect(await texts(board.page)).toHaveLength(6);
    expect(await wide()).toBe(390);
  });

  it('has notes that a finger moves by their grip, and targets that it can hit', async () => {
    await board.page.tap('#examples');
    await poll(() => texts(board.page)).toEqual(examples);
    const [from, to] = await board.page.locator('.grip').evaluateAll((grips) =>
      grips.slice(0, 2).map((grip) => {
        const { x, y } = grip.getBoundingClientRect();
        return { x: x + 20, y: y + 20 };
      }),
    );
    const session = await board.user.context.newCDPSession(board.page);
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', touchPoints: { x: number; y: number }[]) =>
      session.send('Input.dispatchTouchEvent', { type, touchPoints });
    await touch('touchStart', [from!]);
    for (let i = 1; i <= 6; i++) {
      const at = (axis: 'x' | 'y') => from![axis] + ((to![axis] - from![axis]) * i) / 6;
      await touch('touchMove', [{ x: at('x'), y: at('y') }]);
    }
    await touch('touchEnd', []);
    await poll(() => texts(board.page)).toEqual([1, 0, 2, 3, 4].map((index) => examples[index]));

    const small = await board.page
      .locator('button:visible, a:visible:not(.skip), .grip:visible')
      .evaluateAll((targets) =>
        targets.flatMap((target) => {
          const { width, height } = target.getBoundingClientRect();
          return Math.min(width, height) < 40 ? [`${target.className} ${target.textContent} ${width}x${height}`] : [];
        }),
      );
    expect(small).toEqual([]);
  });
});
