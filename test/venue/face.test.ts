import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a venue on a folder', () => {
  it('has everything again that was flushed', async () => {
    const store = join(folder, 'deep/er/venue.etch');
    const venue = await openVenue({ store, signals: false });
    const notes = venue.region<{ title: string; n?: number }>('notes');
    notes.set('n1', { title: 'Hello' });
    expect(notes.get('n1')).toEqual({ title: 'Hello' });
    expect(venue.root.region('notes').get('n1')).toBeUndefined();
    await venue.flush();
    expect(venue.root.region('notes').get('n1')).toEqual({ title: 'Hello' });
    for (let i = 0; i < 1000; i++) notes.set(`k${i}`, { title: `t${i}`, n: i });
    notes.delete('k7');
    await venue.checkpoint();
    notes.set('k8', { title: 'after' });
    notes.delete('k9');
    expect(notes.size).toBe(999);
    const report = await venue.close();
    expect(report).toMatchObject({ durable: true });
    expect(await readdir(store)).toContain('checkpoint.1');
    const again = await openVenue({ store, signals: false });
    expect(again.did).toBe(venue.did);
    const same = again.region<{ title: string }>('notes');
    expect(same.get('n1')).toEqual({ title: 'Hello' });
    expect(same.get('k8')).toEqual({ title: 'after' });
    expect(same.has('k9')).toBe(false);
    expect(same.has('k7')).toBe(false);
    expect(same.size).toBe(999);
    expect([...same.scan({ prefix: 'k99' })].map(([k]) => k)).toEqual(['k99', ...Array.from({ length: 10 }, (_, i) => `k99${i}`)]);
    expect(again.health()).toMatchObject({ status: 'ok', recovery: { checkpoint: 1, damage: [], holes: [], tornBytes: 0 } });
    await again.close();
  });
});
