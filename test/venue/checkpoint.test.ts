// Checkpoints as a program sees them: what was durable when one began, made beside the work that goes on, by itself when the log has grown.
import { describe, expect, it } from 'vitest';
import { type MemoryStore, memoryBackend } from '../../backends/memory';
import { gate, openIn, settle } from './helpers';

/** The newest checkpoint's text, chunk lines and index. */
async function textOf(store: MemoryStore): Promise<string> {
  const { checkpoints } = await memoryBackend(store).open('');
  let text = '';
  for await (const slab of checkpoints[0]!.stream()) text += new TextDecoder().decode(slab);
  return text;
}

/** Which keys its chunks hold, with their values. */
const entriesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('[') && !line.startsWith('["'))
    .flatMap((line) => JSON.parse(line)[1] as [string, number, unknown][]);

describe('a checkpoint', () => {
  it('holds what was durable when it began, of every region, in key order, and nothing that came later', async () => {
    const { venue, backend, store } = await openIn({ exclusive: true });
    const [a, b] = [venue.region('a'), venue.region('b')];
    for (let i = 0; i < 600; i++) a.set(`k${i}`, `before ${'x'.repeat(150)}`);
    b.set('k', 'before');
    await venue.flush();
    let pieces = 0;
    backend.betweenPieces = async () => {
      if (pieces++ > 0) return;
      const fork = venue.fork();
      for (const key of ['k0', 'k599', 'new']) fork.region('a').set(key, 'meanwhile');
      fork.region('b').set('k', 'meanwhile');
      fork.region('a').delete('k300');
      fork.sync();
      await venue.flush();
    };
    await venue.checkpoint();
    expect(pieces).toBeGreaterThan(2);
    const text = await textOf(store);
    const entries = entriesOf(text);
    expect(text).not.toContain('meanwhile');
    expect(entries).toHaveLength(601);
    expect(entries.every(([, dt]) => dt <= 0)).toBe(true);
    const keys = entries.slice(0, 600).map(([key]) => key);
    expect(keys).toEqual([...keys].sort());
    expect([a.get('k0'), b.get('k'), a.has('k300'), a.size]).toEqual(['meanwhile', 'meanwhile', false, 600]);
  });

  it('does not hold what is only in memory', async () => {
    const { venue, backend, store } = await openIn();
    venue.region('r').set('a', 'durable');
    await venue.flush();
    backend.instead.checkpoint = (pass) => {
      venue.region('r').set('a', 'unsaved');
      venue.region('r').set('b', 'unsaved');
      return pass();
    };
    await venue.checkpoint();
    expect(entriesOf(await textOf(store))).toEqual([['a', expect.any(Number), 'durable']]);
  });

  it('resolves with everything in it that was written before it was asked for', async () => {
    const { venue, store } = await openIn();
    venue.region('r').set('a', 1);
    const first = venue.checkpoint();
    venue.region('r').set('b', 1);
    await Promise.all([first, venue.checkpoint()]);
    expect(entriesOf(await textOf(store)).map(([key]) => key)).toEqual(['a', 'b']);
  });

  it('asked for while one is made is made after it, and has what was written in between', async () => {
    const { venue, backend, store } = await openIn();
    const piece = gate();
    venue.region('r').set('a', 1);
    backend.betweenPieces = () => piece.opened;
    const first = venue.checkpoint();
    await settle();
    venue.region('r').set('b', 1);
    const second = venue.checkpoint();
    await settle();
    piece.open();
    await Promise.all([first, second]);
    expect(entriesOf(await textOf(store)).map(([key]) => key)).toEqual(['a', 'b']);
    expect(venue.health().checkpoints).toBe(2);
  });

  it('does not hold up reads, writes, sweeps and flushes', async () => {
    const { venue, backend, clock } = await openIn();
    const piece = gate();
    venue.region('r').set('a', 1);
    backend.betweenPieces = () => piece.opened;
    const made = venue.checkpoint();
    await settle();
    venue.region('r').set('a', 2);
    await venue.flush();
    venue.region('r').set('a', 3);
    await clock.advance(100);
    expect([venue.root.region('r').get('a'), venue.unsaved.get(), venue.health().checkpoints]).toEqual([3, false, 0]);
    piece.open();
    await clock.runUntil(made);
    expect(venue.root.region('r').get('a')).toBe(3);
  });

  it('of an empty venue, or of one whose entries are all deleted, is empty', async () => {
    const { venue, store, clock } = await openIn({ exclusive: true });
    await venue.checkpoint();
    expect(entriesOf(await textOf(store))).toEqual([]);
    venue.region('r').set('a', 1);
    await venue.checkpoint();
    venue.region('r').delete('a');
    await venue.checkpoint();
    expect(entriesOf(await textOf(store))).toEqual([]);
    await venue.close();
    const again = await openIn({ store, clock, exclusive: true });
    expect([again.venue.region('r').size, again.venue.health().status]).toEqual([0, 'ok']);
  });

  it('remembers deletions where others write, too', async () => {
    const { venue, store } = await openIn();
    venue.region('r').set('a', 1);
    venue.region('r').delete('a');
    await venue.checkpoint();
    expect(entriesOf(await textOf(store))).toEqual([['a', expect.any(Number)]]);
  });

  it('comes by itself once the log has outgrown the state, and not before', async () => {
    const { venue, clock } = await openIn({ exclusive: true });
    const region = venue.region('r');
    let written = 0;
    const sizes: number[] = [];
    venue.on('sweep', ({ bytes }) => {
      written += bytes;
    });
    venue.on('checkpoint', ({ bytes }) => {
      sizes.push(written);
      written += bytes;
    });
    for (let i = 0; i < 60; i++) {
      for (let k = 0; k < 10; k++) region.set(`k${k}`, `${i} ${'x'.repeat(50_000)}`);
      await clock.advance(150);
    }
    const logged = 60 * 10 * 50_000;
    // Not for a log that is not worth it, and what is written stays in proportion to what was asked for.
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes[0]).toBeGreaterThan(4 * 1024 * 1024);
    expect(written).toBeLessThan(1.5 * logged);
  });
});
