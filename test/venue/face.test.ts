// The face in one breath: the example of the README, held to what it says. Everything in it is gone into elsewhere in this folder.
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { useFolder } from './helpers';

const path = useFolder();

interface Note {
  title: string;
  n?: number;
}

describe('a venue on a folder', () => {
  it('does what the first example says', async () => {
    const store = path('data', 'venue.etch');
    await using venue = await openVenue({ store, signals: false });
    const notes = venue.region<Note>('notes');
    const heard: string[] = [];
    const off = notes.subscribe((changes) => heard.push(...changes.map(({ key }) => key)));
    notes.set('n1', { title: 'Hello' });
    expect([notes.get('n1'), notes.has('n1'), notes.size]).toEqual([{ title: 'Hello' }, true, 1]);
    expect(notes.update('n1', (note) => ({ ...note!, n: 1 }))).toEqual({ title: 'Hello', n: 1 });
    expect(venue.root.region('notes').get('n1')).toBeUndefined();
    expect(venue.unsaved.get()).toBe(true);
    await venue.flush();
    expect(venue.root.region('notes').get('n1')).toEqual({ title: 'Hello', n: 1 });
    expect(venue.unsaved.get()).toBe(false);
    const work = venue.fork();
    work.region<Note>('notes').set('n2', { title: 'Forked' });
    expect(notes.has('n2')).toBe(false);
    work.sync();
    expect([...notes].map(([key]) => key)).toEqual(['n1', 'n2']);
    expect(notes.delete('n1')).toBe(true);
    off();
    notes.set('n3', { title: 'Unheard' });
    expect(heard).toEqual(['n1', 'n1', 'n2', 'n1']);
    expect(venue.health()).toMatchObject({ status: 'ok', lock: 'exclusive' });
  });

  it('has everything again: from the log, from a checkpoint, and from both', async () => {
    const store = path('venue.etch');
    const venue = await openVenue({ store, signals: false });
    const notes = venue.region<Note>('notes');
    for (let i = 0; i < 1000; i++) notes.set(`k${i}`, { title: `t${i}`, n: i });
    notes.delete('k7');
    await venue.checkpoint();
    notes.set('k8', { title: 'after' });
    notes.delete('k9');
    expect(notes.size).toBe(998);
    expect(await venue.close()).toMatchObject({ durable: true });
    for (let opening = 0; opening < 2; opening++) {
      const again = await openVenue({ store, signals: false });
      expect(again.did).toBe(venue.did);
      const same = again.region<Note>('notes');
      expect(same.get('k8')).toEqual({ title: 'after' });
      expect([same.has('k7'), same.has('k9'), same.size]).toEqual([false, false, 998]);
      expect([...same.scan({ prefix: 'k99' })].map(([key]) => key)).toEqual([
        'k99',
        ...Array.from({ length: 10 }, (_, i) => `k99${i}`),
      ]);
      expect(again.health()).toMatchObject({
        status: 'ok',
        recovery: { checkpoint: 1, entries: 1001, commits: 1, damage: [], holes: [], tornBytes: 0 },
      });
      await again.close();
    }
  });
});
