// When a snapshot is taken and written, what is said of it, and what becomes of it: under virtual time, on a target in memory.
import { describe, expect, it } from 'vitest';
import { TidemarkError } from '../../src/base/errors';
import { snapshotWriter } from '../../src/services/snapshots';
import type { SnapshotHooks, SnapshotOptions, SnapshotState } from '../../src/services/snapshots/types';
import { SimClock } from '../simulator/clock';
import { gate, settle } from '../venue/helpers';

const full = () =>
  new TidemarkError('io', 'cannot save it', { cause: Object.assign(new Error('full'), { code: 'ENOSPC' }) });

/** A writer of what `values` has, by key; what it writes, when, and what it says. */
function openWriter(options: Partial<SnapshotOptions> = {}) {
  const clock = new SimClock();
  const values = new Map<string, string>();
  const writes: { key: string; text: string; ms: number }[] = [];
  const told: SnapshotState[] = [];
  const warnings: string[] = [];
  const world = {
    clock,
    values,
    writes,
    told,
    warnings,
    closed: false,
    left: false,
    /** How often a key was new to the writer. */
    places: 0,
    hooks: undefined as SnapshotHooks | undefined,
    /** What a write does instead, or before. */
    instead: undefined as ((key: string) => Promise<void> | undefined) | undefined,
    writeNow: undefined as ((key: string, text: string) => void | Promise<void>) | undefined,
    texts: () => writes.map(({ text }) => text),
  };
  const say = (message: string) => void warnings.push(message);
  const writer = snapshotWriter(
    {
      snapshot: (key) => values.get(key) ?? '',
      ...options,
      clock,
      logger: { info: () => undefined, warn: say, error: say },
    },
    {
      at(key) {
        world.places++;
        if (key === 'nowhere') throw new TidemarkError('bad_option', 'no place');
        return {
          name: `memory:${key}`,
          async write(bytes) {
            await world.instead?.(key);
            writes.push({ key, text: Buffer.from(bytes).toString(), ms: clock.elapsed() });
          },
          writeNow(bytes) {
            const text = Buffer.from(bytes).toString();
            const work = world.writeNow?.(key, text);
            if (work) return work.then(() => void writes.push({ key, text, ms: clock.elapsed() }));
            writes.push({ key, text, ms: clock.elapsed() });
            return undefined;
          },
        };
      },
      close() {
        world.closed = true;
      },
    },
    (hooks) => {
      world.hooks = hooks;
      return () => {
        world.left = true;
      };
    },
  );
  writer.subscribe((state) => told.push(state));
  const set = (text: string, key = '', force = false) => {
    values.set(key, text);
    writer.request({ reason: `set ${text}`, key, force });
  };
  return { ...world, world, writer, set };
}

const idle = { pending: false, writing: false, unsaved: 0, lastError: undefined };

describe('a request', () => {
  it('is written after debounceMs without another one, the newest state and once', async () => {
    const { clock, set, writes } = openWriter({ debounceMs: 100, maxWaitMs: 1000 });
    for (let n = 0; n < 5; n++) {
      set(`${n}`);
      await clock.advance(60);
    }
    expect(writes).toEqual([]);
    await clock.advance(39);
    expect(writes).toEqual([]);
    await clock.advance(1);
    expect(writes).toEqual([{ key: '', text: '4', ms: 340 }]);
  });

  it('is written after maxWaitMs at the latest, however many come after it', async () => {
    const { clock, set, writes } = openWriter({ debounceMs: 100, maxWaitMs: 250 });
    for (let n = 0; n < 10; n++) {
      set(`${n}`);
      await clock.advance(50);
    }
    expect(writes).toEqual([
      { key: '', text: '4', ms: 250 },
      { key: '', text: '9', ms: 500 },
    ]);
  });

  it('takes 100 and 1000 ms if nothing is said', async () => {
    const { clock, set, writes } = openWriter();
    for (let n = 0; n < 30; n++) {
      set(`${n}`);
      await clock.advance(90);
    }
    await clock.advance(100);
    expect(writes.map(({ ms }) => ms)).toEqual([1000, 2080, 2710]);
  });

  it('is written at once when forced, also one that was waiting', async () => {
    const { clock, set, writes, writer } = openWriter();
    set('a');
    await clock.advance(10);
    set('b', '', true);
    await settle();
    expect(writes).toEqual([{ key: '', text: 'b', ms: 10 }]);
    await clock.advance(10_000);
    expect(writes).toHaveLength(1);
    expect(writer.state()).toEqual({ ...idle, generation: 1 });
  });

  it('while another one is being written comes with the next', async () => {
    const { clock, set, texts, world, writer } = openWriter();
    const first = gate();
    world.instead = () => first.opened;
    set('a');
    await clock.advance(100);
    expect(writer.state()).toMatchObject({ pending: false, writing: true, unsaved: 1 });
    set('b');
    set('c');
    expect(writer.state()).toMatchObject({ pending: true, writing: true, unsaved: 1 });
    first.open();
    await clock.advance(100);
    expect(texts()).toEqual(['a', 'c']);
    expect(writer.state()).toEqual({ ...idle, generation: 2 });
  });

  it('does not wait for other keys', async () => {
    const { clock, set, writes, world } = openWriter();
    world.instead = (key) => (key === 'stuck' ? new Promise(() => undefined) : undefined);
    set('1', 'stuck');
    await clock.advance(200);
    set('2', 'free');
    await clock.advance(100);
    expect(writes).toEqual([{ key: 'free', text: '2', ms: 300 }]);
  });

  it('leaves no timer, and nothing in memory, once it is written', async () => {
    const { clock, set, writer, writes, world } = openWriter();
    expect(clock.pending()).toBe(0);
    for (let n = 0; n < 1000; n++) set('x', `${n}`);
    await clock.advance(100);
    expect(writes).toHaveLength(1000);
    expect([clock.pending(), writer.state()]).toEqual([0, { ...idle, generation: 1000 }]);
    set('y', '7');
    expect(world.places).toBe(1001); // forgotten, and known again
    await clock.runUntil(writer.close());
    expect([clock.pending(), writes.length]).toEqual([0, 1001]);
  });
});

describe('a snapshot', () => {
  it('may come later, and bytes are copied', async () => {
    const bytes = Buffer.from('abc');
    const taken = gate();
    const { clock, writer, texts } = openWriter({
      async snapshot() {
        await taken.opened;
        return bytes;
      },
    });
    const first = gate();
    const { world, ...rest } = openWriter({ snapshot: () => bytes });
    world.instead = () => first.opened;
    rest.writer.request({ reason: 'bytes' });
    await rest.clock.advance(100);
    bytes.fill('z');
    first.open();
    await settle();
    expect(rest.texts()).toEqual(['abc']);
    const saved = writer.save('later');
    taken.open();
    await clock.runUntil(saved);
    expect(texts()).toEqual(['zzz']);
  });

  it.each<[string, () => unknown]>([
    ['throws', () => JSON.parse('{')],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['is no bytes', () => ({ a: 1 })],
    ['is missing', () => undefined],
  ])('that %s is a failure, told and tried again', async (_, take) => {
    let broken = true;
    const { clock, writer, texts, told } = openWriter({ snapshot: () => (broken ? (take() as string) : 'fine') });
    await expect(writer.save('now')).rejects.toMatchObject({
      code: 'bad_value',
      message: expect.stringContaining('memory:'),
    });
    expect(told.at(-1)?.lastError).toMatchObject({ target: 'memory:', reason: 'now', code: 'bad_value' });
    broken = false;
    await clock.advance(100);
    expect(texts()).toEqual(['fine']);
  });
});

describe('save()', () => {
  it('resolves when what is there now is durable', async () => {
    const { clock, values, writer, world, texts } = openWriter();
    const first = gate();
    world.instead = () => first.opened;
    values.set('', 'a');
    const one = writer.save('one');
    await settle();
    values.set('', 'b');
    let isDone = false;
    const two = writer.save('two').then(() => {
      isDone = true;
    });
    first.open();
    await one;
    expect(isDone).toBe(false);
    await clock.runUntil(two);
    expect(texts()).toEqual(['a', 'b']);
  });

  it('shares a write with all others of that moment', async () => {
    const { values, writer, texts } = openWriter();
    values.set('', 'a');
    await Promise.all([writer.save('one'), writer.save('two'), writer.save('three')]);
    expect(texts()).toEqual(['a']);
    expect(writer.state().generation).toBe(1);
  });

  it('rejects when it fails, and the data stays pending and is tried again', async () => {
    const { clock, values, writer, world, texts, warnings } = openWriter();
    world.instead = () => Promise.reject(full());
    values.set('', 'a');
    await expect(writer.save('quit')).rejects.toMatchObject({ code: 'io', cause: { code: 'ENOSPC' } });
    expect(writer.state()).toMatchObject({
      generation: 0,
      pending: true,
      writing: false,
      unsaved: 1,
      lastError: {
        target: 'memory:',
        key: '',
        reason: 'quit',
        code: 'ENOSPC',
        newerPending: false,
        unsaved: 1,
        retryInMs: 100,
      },
    });
    expect(warnings).toEqual([]); // who called was told
    world.instead = undefined;
    await clock.advance(100);
    expect(texts()).toEqual(['a']);
    expect(writer.state()).toEqual({ ...idle, generation: 1 });
  });

  it('that is called while another one fails is tried at once', async () => {
    const { writer, world, set, texts } = openWriter();
    const first = gate();
    let failures = 0;
    world.instead = async () => {
      await first.opened;
      if (failures++ === 0) throw full();
    };
    set('a');
    const one = writer.save('one');
    await settle();
    const two = writer.save('two');
    first.open();
    await expect(one).rejects.toThrow('cannot save');
    await two;
    expect(texts()).toEqual(['a']);
    expect(failures).toBe(2);
  });
});

describe('failures', () => {
  it('are tried again with growing pauses, told each time, until it works', async () => {
    const { clock, set, world, told, warnings, texts, writer } = openWriter();
    world.instead = () => Promise.reject(full());
    set('a');
    await clock.advance(200);
    set('b');
    await clock.advance(60_000);
    const failures = [...new Set(told.flatMap(({ lastError }) => lastError ?? []))];
    const waits = failures.map(({ retryInMs }) => retryInMs);
    expect(waits).toEqual(waits.map((_, n) => Math.min(5000, 100 * 2 ** n)));
    expect(failures[0]).toMatchObject({ reason: 'set a', newerPending: false, unsaved: 1 });
    expect(failures.at(-1)).toMatchObject({ reason: 'set b', code: 'ENOSPC' });
    expect(warnings).toHaveLength(waits.length);
    expect(warnings[0]).toContain('memory:: not saved (set a), next try in 100 ms: cannot save it');
    world.instead = undefined;
    await clock.advance(5000);
    expect(texts()).toEqual(['b']);
    expect(writer.state()).toEqual({ ...idle, generation: 1 });
    expect(clock.pending()).toBe(0);
  });

  it('say whether newer state is pending', async () => {
    const { clock, set, world, writer } = openWriter();
    const first = gate();
    world.instead = async () => {
      await first.opened;
      throw full();
    };
    set('a');
    await clock.advance(100);
    set('b');
    first.open();
    await settle();
    expect(writer.state().lastError).toMatchObject({ reason: 'set a', newerPending: true });
  });

  it('of one key are not made good by another one', async () => {
    const { clock, set, world, writer } = openWriter();
    world.instead = (key) => (key === 'bad' ? Promise.reject(full()) : undefined);
    set('1', 'bad');
    set('2', 'good');
    await clock.advance(110);
    expect(writer.state()).toMatchObject({
      generation: 1,
      unsaved: 1,
      lastError: { key: 'bad', target: 'memory:bad' },
    });
    set('3', 'worse');
    set('4', 'good');
    await clock.advance(110);
    expect(writer.state()).toMatchObject({ generation: 3, lastError: { key: 'bad' } });
  });

  it('of a subscriber are its own', async () => {
    const { writer, texts, warnings, set, clock } = openWriter();
    writer.subscribe(() => {
      throw new Error('mine');
    });
    set('a');
    await clock.advance(100);
    expect(texts()).toEqual(['a']);
    expect(warnings[0]).toContain('subscriber');
  });
});

describe('subscribe()', () => {
  it('tells each change in its turn, and ends', async () => {
    const { clock, set, writer, told } = openWriter();
    const others: number[] = [];
    const end = writer.subscribe(({ unsaved }) => others.push(unsaved));
    set('a');
    set('b');
    await clock.advance(100);
    expect(told.map(({ pending, writing, unsaved, generation }) => [pending, writing, unsaved, generation])).toEqual([
      [true, false, 1, 0],
      [false, true, 1, 0],
      [false, false, 0, 1],
    ]);
    end();
    set('c');
    expect(others).toEqual([1, 1, 0]);
  });

  it('lets a subscriber ask for more', async () => {
    const { clock, set, writer, texts } = openWriter();
    let asked = false;
    writer.subscribe(({ generation }) => {
      if (generation === 1 && !asked) {
        asked = true;
        set('b');
      }
    });
    set('a');
    await clock.advance(200);
    expect(texts()).toEqual(['a', 'b']);
    expect(writer.state()).toEqual({ ...idle, generation: 2 });
  });
});

describe('close()', () => {
  it('saves what is pending, takes nothing more, and lets go', async () => {
    const { clock, set, writer, texts, world } = openWriter();
    set('a');
    set('b', 'k');
    expect(await clock.runUntil(writer.close())).toEqual({ durable: true, unsaved: [] });
    expect(texts()).toEqual(['a', 'b']);
    expect([world.closed, world.left]).toEqual([true, true]);
    expect(() => set('c')).toThrow(expect.objectContaining({ code: 'closed' }));
    await expect(writer.save('c')).rejects.toMatchObject({ code: 'closed' });
    expect(await writer.close()).toEqual({ durable: true, unsaved: [] });
    expect(clock.pending()).toBe(0);
  });

  it.each<[string, () => Promise<void>]>([
    ['fails', () => Promise.reject(full())],
    ['hangs', () => new Promise(() => undefined)],
  ])('ends in its time when a write %s, and says what is unsaved', async (_, instead) => {
    const { clock, set, writer, world, warnings } = openWriter();
    world.instead = (key) => (key === 'bad' ? instead() : undefined);
    set('a', 'bad');
    set('b', 'good');
    const saved = writer.save('quit', 'bad').catch((error: unknown) => error);
    const closed = writer.close({ timeoutMs: 300 });
    const before = clock.elapsed();
    expect(await clock.runUntil(closed)).toEqual({
      durable: false,
      unsaved: [{ target: 'memory:bad', key: 'bad', reason: 'quit' }],
    });
    expect(clock.elapsed() - before).toBe(300);
    expect(await saved).toBeInstanceOf(TidemarkError);
    expect(warnings.at(-1)).toContain('memory:bad: closed without being saved (quit)');
    expect(writer.state()).toMatchObject({ unsaved: 1 });
    expect(clock.pending()).toBe(0);
  });

  it('tries for five seconds if nothing is said', async () => {
    const { clock, set, writer, world } = openWriter();
    world.instead = () => Promise.reject(full());
    set('a');
    await clock.runUntil(writer.close());
    expect(clock.elapsed()).toBe(5000);
  });

  it('is what `await using` does', async () => {
    const { clock, set, writer, texts } = openWriter();
    set('a');
    await clock.runUntil(writer[Symbol.asyncDispose]());
    expect(texts()).toEqual(['a']);
  });
});

describe('as the process or page goes', () => {
  it('what is pending is written in that turn, and not again', async () => {
    const { clock, set, texts, world, writer } = openWriter();
    set('a');
    set('b', 'k');
    world.hooks!.writeNow();
    expect(texts()).toEqual(['a', 'b']);
    expect(writer.state()).toEqual({ ...idle, generation: 2 });
    await clock.advance(1000);
    expect(texts()).toEqual(['a', 'b']);
    set('c');
    await clock.advance(100);
    expect(texts()).toEqual(['a', 'b', 'c']);
  });

  it('what is under way is written again, since it may not come to its end', async () => {
    const { clock, set, texts, world } = openWriter();
    world.instead = () => new Promise(() => undefined);
    set('a');
    await clock.advance(100);
    world.hooks!.writeNow();
    world.hooks!.writeNow();
    expect(texts()).toEqual(['a']);
  });

  it('what was issued is not issued again by the next event, nor overtaken by an older snapshot', async () => {
    const taken = gate();
    const values = { now: 'a', slow: true };
    const { clock, writer, texts, world } = openWriter({
      snapshot() {
        const { now } = values;
        return values.slow ? taken.opened.then(() => now) : now;
      },
    });
    const issued = gate();
    const asked: string[] = [];
    world.writeNow = async (_, text) => {
      asked.push(text);
      await issued.opened;
    };
    writer.request({ reason: 'a' });
    await clock.advance(100); // being taken
    Object.assign(values, { now: 'b', slow: false });
    writer.request({ reason: 'b' });
    world.hooks!.writeNow();
    world.hooks!.writeNow();
    expect(asked).toEqual(['b']);
    taken.open();
    await settle();
    expect(texts()).toEqual([]); // the older one waits for the newer one, and is not written
    issued.open();
    await clock.advance(1000);
    expect(texts()).toEqual(['b']);
    expect(writer.state()).toEqual({ ...idle, generation: 1 });
  });

  it('what comes too late is not written over what is newer', async () => {
    const taken = gate();
    const values = { now: 'a', slow: true };
    const { clock, writer, texts, world } = openWriter({
      snapshot() {
        const { now } = values;
        return values.slow ? taken.opened.then(() => now) : now;
      },
    });
    writer.request({ reason: 'a' });
    world.hooks!.writeNow();
    Object.assign(values, { now: 'b', slow: false });
    await clock.runUntil(writer.save('b'));
    taken.open();
    await clock.advance(1000);
    expect(texts()).toEqual(['b']);
  });

  it('what could not be written then is tried again, should there be time', async () => {
    const { clock, set, texts, world, warnings, writer } = openWriter();
    set('a');
    world.writeNow = () => {
      throw full();
    };
    world.hooks!.writeNow();
    expect(warnings[0]).toContain('not saved on leaving');
    world.writeNow = () => Promise.reject(full());
    world.hooks!.writeNow();
    await clock.advance(100);
    expect(texts()).toEqual(['a']);
    expect(writer.state()).toEqual({ ...idle, generation: 1 });
  });
});

describe('options', () => {
  it.each<[string, object]>([
    ['no function', { snapshot: 'text' }],
    ['a negative delay', { debounceMs: -1 }],
    ['no number', { maxWaitMs: Number.NaN }],
    ['less than debounceMs', { debounceMs: 200, maxWaitMs: 100 }],
  ])('that make no sense are refused: %s', (_, options) => {
    expect(() => openWriter(options)).toThrow(expect.objectContaining({ code: 'bad_option' }));
  });

  it('a key without a place is refused, and leaves nothing', async () => {
    const { writer } = openWriter();
    expect(() => writer.request({ reason: 'r', key: 'nowhere' })).toThrow('no place');
    await expect(writer.save('r', 'nowhere')).rejects.toThrow('no place');
    expect(writer.state()).toEqual({ ...idle, generation: 0 });
  });
});
