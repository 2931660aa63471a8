// The notes of the demo page, used with the keys alone, the mouse and none of both.
import { describe, expect, it } from 'vitest';
import { add, examples, poll, ready, saved, texts, usePage } from './page';

const board = usePage();

describe('the notes of the demo page', () => {
  it('are added, edited, moved, coloured and deleted with the keys alone', async () => {
    const { keyboard } = board.page;
    const focused = () =>
      board.page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.textContent);
    for (const name of ['Skip to the notes', 'Change to dark colours', 'Add a note']) {
      await keyboard.press('Tab');
      expect(await focused()).toBe(name);
    }
    for (const text of ['one', 'two', 'three']) {
      await board.page.focus('#add');
      await keyboard.press('Enter');
      await keyboard.type(text);
      await keyboard.press('Escape');
    }
    await poll(focused).toBe('Note 3 of 3, chalk: three');
    await keyboard.press('ArrowLeft');
    expect(await texts(board.page)).toEqual(['one', 'three', 'two']);
    await keyboard.press('Home');
    expect(await texts(board.page)).toEqual(['three', 'one', 'two']);
    expect(await board.message()).toBe('Moved “three” to place 1 of 3.');
    await keyboard.press('Enter');
    await keyboard.type(' and a half');
    await keyboard.press('Control+Enter');
    await keyboard.press('5');
    await poll(focused).toBe('Note 1 of 3, mussel: three and a half');
    await keyboard.press('End');
    expect(await texts(board.page)).toEqual(['one', 'two', 'three and a half']);
    await keyboard.press('Delete');
    await poll(() => texts(board.page)).toEqual(['one', 'two']);
    await poll(focused).toBe('Note 2 of 2, chalk: two');
    await board.page.focus('#undo');
    await keyboard.press('Enter');
    await poll(() => texts(board.page)).toEqual(['one', 'two', 'three and a half']);

    // The buttons of a note are stops only within it.
    await board.page.locator('.note').first().focus();
    for (const name of ['Move earlier', 'Move later']) {
      await keyboard.press('Tab');
      expect(await focused()).toBe(name);
    }
    await keyboard.press('Enter');
    expect(await texts(board.page)).toEqual(['two', 'one', 'three and a half']);
    await keyboard.press('Control+s');
    await poll(board.message).toMatch(/^All saved/);
    await board.page.reload();
    await ready(board.page);
    expect(await texts(board.page)).toEqual(['two', 'one', 'three and a half']);
  });

  it('move one row up and down', async () => {
    await board.layExamples();
    const columns = await board.page.evaluate(
      () => getComputedStyle(document.querySelector('#notes')!).gridTemplateColumns.split(' ').length,
    );
    await board.page.locator('.note').first().press('ArrowDown');
    expect((await texts(board.page)).indexOf(examples[0]!)).toBe(Math.min(columns, examples.length - 1));
    await board.page.keyboard.press('ArrowUp');
    expect(await texts(board.page)).toEqual(examples);
  });

  it('are not kept when nothing is in them', async () => {
    await board.page.click('#add');
    await board.page.keyboard.press('Escape');
    await poll(() => board.page.locator('.note').count()).toBe(0);
    await poll(() => board.page.isVisible('#empty')).toBe(true);
  });

  it('are dragged with the mouse, and put back with Escape', async () => {
    await board.layExamples();
    const middle = async (index: number) => {
      const box = (await board.page.locator('.note').nth(index).boundingBox())!;
      return [box.x + box.width / 2, box.y + box.height / 2] as const;
    };
    const drag = async (from: number, to: number) => {
      await board.page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
      const target = await middle(to);
      await board.page.mouse.move(...(await middle(from)));
      await board.page.mouse.down();
      await board.page.mouse.move(...target, { steps: 8 });
    };
    await drag(0, 2);
    await board.page.keyboard.press('Escape');
    await board.page.evaluate(() => new Promise((resolve) => setTimeout(resolve))); // let go in a later turn
    await board.page.mouse.up();
    expect(await texts(board.page)).toEqual(examples);
    expect(await board.page.locator('.field').count()).toBe(0);
    await drag(0, 2);
    await board.page.mouse.up();
    const moved = [1, 2, 0, 3, 4].map((index) => examples[index]);
    expect(await texts(board.page)).toEqual(moved);
    expect(await board.page.locator('.field').count()).toBe(0);
    await saved(board.page);
    await board.page.reload();
    await ready(board.page);
    expect(await texts(board.page)).toEqual(moved);

    await drag(0, 1);
    await board.page.mouse.up();
    await board.page.locator('.note').nth(1).locator('[data-act=delete]').click();
    await poll(() => texts(board.page)).toEqual(moved.slice(1));
  });

  it('keep their order when they are moved into one gap again and again', async () => {
    for (const text of ['a', 'b', 'c']) await add(board.page, text);
    for (let i = 0; i < 60; i++) await board.page.locator('.note').last().press('ArrowLeft');
    expect(await texts(board.page)).toEqual(['a', 'b', 'c']);
    await board.page.keyboard.press('ArrowRight');
    expect(await texts(board.page)).toEqual(['a', 'c', 'b']);
  });
});
