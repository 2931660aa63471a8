// An opening shows what was durable last, and nothing that was not: whatever the clock did since, and whatever went wrong with a checkpoint.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fsBackend } from '../../backends/fs';
import type { Venue } from '../../src/node';
import { Lab, quiet } from './lab';
import { keyName, seed } from './stores';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());

describe('an opening shows what was durable last', () => {
  /** The system's time, so many ms off. */
  const clockAt = (ms: number) => ({
    now: () => ms,
    elapsed: () => performance.now(),
    setTimeout: (callback: () => void, wait: number) => setTimeout(callback, wait),
    clearTimeout: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout),
    nextTurn: () => new Promise<void>((resolve) => setImmediate(resolve)),
  });
  const noon = Date.UTC(2026, 5, 1, 12);

  for (const between of ['a log', 'a checkpoint']) {
    it(`also under a clock that an hour has been taken off since, with ${between} between`, async () => {
      const specimen = await lab.lay(new Map());
      const first = await specimen.open({ clock: clockAt(noon) });
      first.region('notes').set('n', 'before');
      if (between === 'a checkpoint') await first.checkpoint();
      await first.close();
      const second = await specimen.open({ clock: clockAt(noon - 3_600_000) });
      second.region('notes').set('n', 'after');
      await second.close();
      expect((await specimen.look()).state).toEqual(new Map([['notes/n', 'after']]));
    });
  }

  it.each([
    ['a log that was removed, and not the one with what was deleted since', 0],
    ['the last log that was removed', 1],
  ])('also when loss of power brings back %s', async (_, which) => {
    const specimen = await lab.lay(new Map());
    const logs = async () => (await readdir(specimen.store)).filter((name) => name.startsWith('log.'));
    const live = async (work: (venue: Venue) => unknown) => {
      const venue = await specimen.open();
      await work(venue);
      await venue.close();
    };
    await live((venue) => {
      for (const key of ['deleted', 'kept']) venue.region('notes').set(key, 1);
    });
    const [first] = await logs();
    await live((venue) => venue.region('notes').delete('deleted'));
    const name = which === 0 ? first! : (await logs()).find((other) => other !== first)!;
    const bytes = await readFile(join(specimen.store, name));
    // Nothing is written any more, so that all of them are of one time.
    for (let i = 0; i < 3; i++) await live((venue) => venue.checkpoint());
    expect(await logs()).toEqual([]);
    await writeFile(join(specimen.store, name), bytes);
    const { state, recovery } = await specimen.look();
    expect(recovery).toMatchObject({ ...quiet, commits: 0 });
    expect(state).toEqual(new Map([['notes/kept', 1]]));
  });

  it('also when loss of power brings back a log of one large commit, and not the one before it', async () => {
    const specimen = await lab.lay(new Map());
    const logs = async () => (await readdir(specimen.store)).filter((name) => name.startsWith('log.'));
    const venue = await specimen.open();
    venue.region('notes').set('small', 1);
    await venue.checkpoint();
    venue.region('notes').set('large', 'x'.repeat(300_000));
    await venue.flush();
    const name = (await logs()).find((name) => name.startsWith('log.1.'))!;
    const bytes = await readFile(join(specimen.store, name));
    await venue.close();
    for (let i = 0; i < 3; i++) {
      const next = await specimen.open();
      await next.checkpoint();
      await next.close();
    }
    expect(await logs()).toEqual([]);
    await writeFile(join(specimen.store, name), bytes);
    const { state, recovery } = await specimen.look();
    expect(recovery).toMatchObject({ ...quiet, commits: 0 });
    expect([...state.keys()]).toEqual(['notes/large', 'notes/small']);
  });

  it('also after a checkpoint that failed between two that did not', async () => {
    const specimen = await lab.lay(new Map([[keyName, Buffer.from(`${Buffer.from(seed).toString('hex')}\n`)]]));
    const backend = fsBackend(specimen.store);
    const { checkpoint } = backend;
    const venue = await specimen.open({ store: backend, seed });
    const notes = venue.region<number>('notes');
    notes.set('before', 1);
    await venue.checkpoint();
    notes.set('changed', 2);
    backend.checkpoint = () => Promise.reject(new Error('not now'));
    await expect(venue.checkpoint()).rejects.toThrow('not now');
    backend.checkpoint = checkpoint;
    for (let i = 0; i < 2; i++) await venue.checkpoint();
    await venue.close();
    const { state, recovery } = await specimen.look();
    expect(recovery).toMatchObject({ ...quiet, checkpoint: 3, commits: 0 });
    expect(state).toEqual(
      new Map([
        ['notes/before', 1],
        ['notes/changed', 2],
      ]),
    );
  });

  it('and of a fork that was not durable nothing, though a checkpoint was made meanwhile', async () => {
    const specimen = await lab.lay(new Map([[keyName, Buffer.from(`${Buffer.from(seed).toString('hex')}\n`)]]));
    const backend = fsBackend(specimen.store);
    const { append, checkpoint } = backend;
    const venue = await specimen.open({ store: backend, seed });
    const write = (value: string) => {
      const fork = venue.fork();
      for (const region of ['a', 'b']) fork.region(region).set('k', value);
      fork.sync();
    };
    write('durable');
    await venue.flush();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    backend.append = async (...commit) => {
      await held;
      return append(...commit);
    };
    // Region a has been encoded when the fork comes, and b has not.
    backend.checkpoint = (lines, ...rest) => {
      const meanwhile = async function* () {
        let first = true;
        for await (const line of lines) {
          yield line;
          if (first) write('not durable');
          first = false;
        }
      };
      return checkpoint(meanwhile(), ...rest);
    };
    await venue.checkpoint();
    const crashed = await lab.lay(await specimen.files());
    const { state, recovery } = await crashed.look();
    expect(recovery).toMatchObject({ ...quiet, checkpoint: 1, commits: 0 });
    expect(state).toEqual(
      new Map([
        ['a/k', 'durable'],
        ['b/k', 'durable'],
      ]),
    );
    release();
    await venue.close();
  });
});
