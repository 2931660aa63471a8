// Heap per entry beyond a bare Map of the same decoded values: written by this process, opened and not read, all read.
import type { Contestant } from '../contestant';
import { makeKey, makeNote } from '../data';
import { type Memory, readMemory } from '../meters';
import { openNotes } from '../tidemark';
import type { Goal, Options, Row, Sample, Workload } from '../workload';

async function heldBy(contestant: Contestant, folder: string, { size, opened }: Options): Promise<Sample> {
  const empty = await readMemory();
  const perEntry = (memory: Memory): number => (memory.held - empty.held) / size!;
  const read = async (): Promise<number> => perEntry(await readMemory());

  if (contestant.name !== 'tidemark') {
    // The limits: a Map of key and value and nothing else.
    const map = new Map<string, unknown>();
    if (opened) {
      for (let i = 0; i < size!; i++) map.set(makeKey(i), JSON.parse(JSON.stringify(makeNote(i))));
    } else {
      for (let i = 0; i < size!; i++) map.set(makeKey(i), makeNote(i));
    }
    const held = await read();
    return { held: map.size === size ? held : Number.NaN };
  }

  const { venue, notes } = await openNotes(folder);
  if (opened) {
    const before = await read();
    let count = 0;
    for (const _ of notes) count++;
    const iterated = await read();
    for (let i = 0; i < size!; i++) if (notes.get(makeKey(i)) !== undefined) count++;
    const held = await read();
    await venue.close();
    return { before, iterated, held: count === 2 * size! ? held : Number.NaN };
  }
  for (let i = 0; i < size!; i++) {
    notes.set(makeKey(i), makeNote(i));
    if (i % 20_000 === 0) await venue.flush();
  }
  await venue.flush();
  const held = await read();
  await venue.checkpoint();
  const checkpointed = await read();
  await venue.close();
  return { held, checkpointed };
}

export const heap: Workload = {
  name: 'heap',
  title: 'Memory held per entry, a million records',
  about:
    'Bytes after garbage collection, what the heap holds outside itself (ArrayBuffers) included, less what the process held before. "Held" is with all values in memory.',
  columns: [
    { metric: 'held', title: 'held, B', digits: 0 },
    { metric: 'checkpointed', title: 'after a checkpoint, B', digits: 0 },
    { metric: 'before', title: 'opened, nothing read, B', digits: 0 },
    { metric: 'iterated', title: 'after iterating, B', digits: 0 },
  ],
  async plan(lab) {
    const { scale } = lab;
    const size = scale.many;
    await lab.prepare('tidemark', 'open', 'tidemark', { fill: 1, size, more: 0 });
    const row = (name: string, contestant: string, opened: number): Row => ({
      name,
      contestant,
      rounds: 1,
      options: { size, opened },
      ...(opened === 1 && contestant === 'tidemark' && { prepared: 'tidemark' }),
    });
    return [
      row('Map of made values', 'map', 0),
      row('Tidemark, written', 'tidemark', 0),
      row('Map of parsed values', 'map', 1),
      row('Tidemark, opened', 'tidemark', 1),
    ];
  },
  run: heldBy,
  judge(results) {
    const work = 'heap per entry beyond a bare Map of the same decoded values';
    const made = results.median('Map of made values', 'held');
    const parsed = results.median('Map of parsed values', 'held');
    const beyond = (what: string, bytes: number): Goal => ({
      work,
      goal: 'at most 64 B',
      measured: `${what}: ${bytes.toFixed(0)} B`,
      reached: bytes <= 64,
      ...(bytes > 64 && { by: `${(bytes - 64).toFixed(0)} B` }),
    });
    const before = results.median('Tidemark, opened', 'before');
    return [
      beyond('written', results.median('Tidemark, written', 'held') - made),
      beyond('written, after a checkpoint', results.median('Tidemark, written', 'checkpointed') - made),
      beyond('opened, every value read by key', results.median('Tidemark, opened', 'held') - parsed),
      {
        work,
        goal: 'after open and before any read, less than the bare Map',
        measured: `${before.toFixed(0)} B, the Map ${parsed.toFixed(0)} B`,
        reached: before < parsed,
        ...(before >= parsed && { by: `${(before - parsed).toFixed(0)} B` }),
      },
    ];
  },
};
