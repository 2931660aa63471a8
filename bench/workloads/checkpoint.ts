// A checkpoint of a large state while writing goes on: how long it blocks the event loop, and what it writes in the
// long run. Only Tidemark makes them.
import { makeKey, makeNote, randomFrom } from '../data';
import { readIo, turnMeter } from '../meters';
import { startProfile } from '../profile';
import { openNotes } from '../tidemark';
import type { Goal, Options, Row, Sample, Workload } from '../workload';

const CHANGED_BEFORE = 0.1;
const WRITES_PER_TICK = 100;
const TICK_MS = 5;
const CONTROL_MS = 3000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `spread`: changes hit every chunk of the checkpoint; otherwise the first hundredth of the keys. */
async function checkpointWhileWriting(folder: string, { size, fill, spread }: Options): Promise<Sample> {
  const { venue, notes } = await openNotes(folder);
  const keys = Array.from({ length: size! }, (_, i) => makeKey(i));
  if (fill) {
    for (let i = 0; i < size!; i++) {
      notes.set(keys[i]!, makeNote(i));
      if (i % 20_000 === 0) await venue.flush();
    }
    await venue.checkpoint();
  }
  keys.sort();
  const random = randomFrom(5);
  const range = spread ? size! : size! / 100;
  const write = (): void => {
    const i = Math.floor(random() * range);
    notes.set(keys[i]!, makeNote(i, 1));
  };
  for (let i = 0; i < size! * CHANGED_BEFORE; i++) {
    write();
    if (i % 20_000 === 0) await venue.flush();
  }
  await venue.flush();
  await sleep(500);

  const writer = setInterval(() => {
    for (let i = 0; i < WRITES_PER_TICK; i++) write();
  }, TICK_MS);
  await sleep(500);
  const without = turnMeter();
  await sleep(CONTROL_MS);
  const quiet = await without.stop();

  const before = readIo();
  const stopProfile = startProfile();
  const during = turnMeter();
  const start = performance.now();
  await venue.checkpoint();
  const took = performance.now() - start;
  const busy = await during.stop();
  stopProfile();
  const written = (readIo().wchar - before.wchar) / 1e6;
  clearInterval(writer);
  await venue.close();
  return {
    took,
    written,
    own: busy.worstOwn,
    over10: busy.over10,
    raw: busy.worst,
    gc: busy.worstGc,
    quietOwn: quiet.worstOwn,
    quietRaw: quiet.worst,
    quietGc: quiet.worstGc,
  };
}

export const checkpoint: Workload = {
  name: 'checkpoint',
  title: 'Checkpoint of a million records while 20,000 a second are written',
  about:
    'Turns of the event loop, setImmediate to setImmediate. "Own" is a turn without its pauses for garbage collection and without the time when the process had no core. ' +
    '"Quiet" is the same load in the 3 s before, without a checkpoint. A tenth of the records was changed since the last one: spread over all chunks, or within a hundredth of the keys.',
  columns: [
    { metric: 'took', title: 'took, ms', digits: 0 },
    { metric: 'written', title: 'handed to write(), MB', digits: 0 },
    { metric: 'own', title: 'worst own, ms', digits: 1 },
    { metric: 'over10', title: 'own over 10 ms', digits: 0 },
    { metric: 'raw', title: 'worst raw, ms', digits: 1 },
    { metric: 'gc', title: 'worst GC, ms', digits: 1 },
    { metric: 'quietOwn', title: 'quiet own', digits: 1 },
    { metric: 'quietRaw', title: 'quiet raw', digits: 1 },
    { metric: 'quietGc', title: 'quiet GC', digits: 1 },
  ],
  async plan(lab) {
    const { scale } = lab;
    const size = scale.many;
    await lab.prepare('tidemark', 'open', 'tidemark', { fill: 1, size, more: 0 });
    const row = (name: string, options: Options, prepared?: string): Row => ({
      name,
      contestant: 'tidemark',
      rounds: scale.rounds(prepared === undefined ? 2 : 3),
      options: { size, ...options },
      ...(prepared !== undefined && { prepared, copy: true }),
    });
    return [
      row('opened, changes spread', { fill: 0, spread: 1 }, 'tidemark'),
      row('opened, changes local', { fill: 0, spread: 0 }, 'tidemark'),
      row('written by this process', { fill: 1, spread: 1 }),
    ];
  },
  run: (_, folder, options) => checkpointWhileWriting(folder, options),
  judge: (results) =>
    results.rows().map((row): Goal => {
      const own = results.median(row, 'own');
      const raw = `raw ${results.median(row, 'raw').toFixed(0)}, GC ${results.median(row, 'gc').toFixed(0)}; without a checkpoint own ${results.median(row, 'quietOwn').toFixed(1)}, raw ${results.median(row, 'quietRaw').toFixed(0)}`;
      return {
        work: 'checkpoint of 1M entries while writing',
        goal: 'no turn of the event loop blocked over 10 ms by it',
        measured: `${row}: worst own ${own.toFixed(1)} ms (${raw})`,
        reached: own <= 10,
        ...(own > 10 && { by: `${(own - 10).toFixed(1)} ms` }),
      };
    }),
};

async function amplify(folder: string, { size, writes }: Options): Promise<Sample> {
  const { venue, notes } = await openNotes(folder);
  let checkpoints = 0;
  venue.on('checkpoint', () => {
    checkpoints++;
  });
  const random = randomFrom(6);
  let entryBytes = 0;
  const before = readIo();
  for (let i = 0; i < writes!; i++) {
    const record = i < size! ? i : Math.floor(random() * size!);
    const key = makeKey(record);
    const note = makeNote(record, i & 1023);
    entryBytes += key.length + Buffer.byteLength(JSON.stringify(note));
    notes.set(key, note);
    if (i % 2000 === 1999) await venue.flush();
  }
  await venue.close();
  const after = readIo();
  return {
    handed: (after.wchar - before.wchar) / entryBytes,
    written: (after.write_bytes - before.write_bytes) / entryBytes,
    checkpoints,
    entries: entryBytes / 1e6,
  };
}

export const amplification: Workload = {
  name: 'amplification',
  title: 'Write amplification over a long run',
  about:
    'Bytes written by the bytes (key and JSON) of the entries set, 2,000 to a commit, each overwriting a random record; the journal of the file system is not in it.',
  columns: [
    { metric: 'handed', title: 'handed to write(), x', digits: 2 },
    { metric: 'written', title: 'sent to the disk, x', digits: 2 },
    { metric: 'checkpoints', title: 'checkpoints', digits: 0 },
    { metric: 'entries', title: 'entries set, MB', digits: 0 },
  ],
  async plan({ scale }) {
    const part = scale.quick ? 0.1 : 1;
    const row = (size: number, writes: number): Row => ({
      name: `${(size * part).toLocaleString('en')} records`,
      contestant: 'tidemark',
      rounds: 1,
      options: { size: size * part, writes: writes * part },
    });
    return [row(20_000, 600_000), row(200_000, 1_600_000)];
  },
  run: (_, folder, options) => amplify(folder, options),
  judge: (results) =>
    results.rows().map((row): Goal => {
      const handed = results.median(row, 'handed');
      return {
        work: 'write amplification over a long run',
        goal: 'at most 3',
        measured: `${row}: ${handed.toFixed(2)} (sent to the disk ${results.median(row, 'written').toFixed(2)}), ${results.median(row, 'checkpoints')} checkpoints`,
        reached: handed <= 3,
        ...(handed > 3 && { by: (handed - 3).toFixed(2) }),
      };
    }),
};
