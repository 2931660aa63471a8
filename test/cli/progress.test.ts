// The bar: only where somebody watches, and only on what takes its time.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgress } from '../../src/cli/progress';

function screen(isTTY: boolean) {
  let written = '';
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns: 80,
    cursorTo: () => true,
    clearLine: () => true,
    moveCursor: () => true,
  });
  stream.on('data', (data) => (written += data));
  return { stream: stream as unknown as NodeJS.WriteStream, written: () => written };
}

describe('progress', () => {
  it('shows after a second, and goes again', () => {
    const { stream, written } = screen(true);
    let now = 0;
    const progress = createProgress(stream, () => now);
    progress.begin('copying', 4000);
    progress.add(1000);
    expect(written()).toBe('');
    now = 1500;
    progress.add(1000);
    progress.stop();
    expect(written()).toContain('copying');
    expect(written()).toContain('50%');
    expect(written()).toContain('2.0 kB of 4.0 kB');
  });

  it('keeps to itself where nobody watches', () => {
    const { stream, written } = screen(false);
    let now = 0;
    const progress = createProgress(stream, () => (now += 5000));
    progress.begin('copying', 10);
    for (let i = 0; i < 10; i++) progress.add(1);
    progress.stop();
    expect(written()).toBe('');
  });
});
