// Virtual time behaves as time does, so that a program cannot tell; and it dies with its process.
import { describe, expect, it } from 'vitest';
import { SimClock } from './clock';

describe('virtual time', () => {
  it('fires timers in order of their time, then of their arming, and only when it is run', async () => {
    const clock = new SimClock();
    const fired: string[] = [];
    clock.setTimeout(() => fired.push('late'), 20);
    clock.setTimeout(() => fired.push('early'), 10);
    clock.setTimeout(() => fired.push('early too'), 10);
    clock.clearTimeout(clock.setTimeout(() => fired.push('cleared'), 15));
    expect(fired).toEqual([]);
    await clock.advance(10);
    expect(fired).toEqual(['early', 'early too']);
    expect(clock.elapsed()).toBe(10);
    await clock.advance(10);
    expect(fired).toEqual(['early', 'early too', 'late']);
  });

  it('jumps on the wall and nowhere else', async () => {
    const clock = new SimClock(1_000_000);
    let fired = false;
    clock.setTimeout(() => {
      fired = true;
    }, 10);
    clock.jump(-500_000);
    expect(clock.now()).toBe(500_000);
    expect(clock.elapsed()).toBe(0);
    await clock.advance(9);
    expect(fired).toBe(false);
    await clock.advance(1);
    expect(fired).toBe(true);
  });

  it('runs what awaits, over turns and timers, until it settles', async () => {
    const clock = new SimClock();
    const work = async () => {
      await clock.nextTurn();
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 5000));
      return 'done';
    };
    expect(await clock.runUntil(work())).toBe('done');
    expect(clock.elapsed()).toBe(5000);
  });

  it('says so when something can never settle', async () => {
    await expect(new SimClock().runUntil(new Promise(() => {}))).rejects.toThrow(/never settle/);
  });

  it('ends with its process', async () => {
    const clock = new SimClock();
    const process = clock.process();
    let fired = 0;
    const fire = () => {
      fired++;
    };
    process.setTimeout(fire, 10);
    void process.nextTurn().then(fire);
    process.end();
    process.setTimeout(fire, 10);
    void process.nextTurn().then(fire);
    await clock.advance(100);
    expect(fired).toBe(0);
    expect(clock.pending()).toBe(0);
  });
});
