// A program that keeps files as its state is, and comes to its end in one way or another. Keeps a trace of what it was told.
import { setTimeout as pause } from 'node:timers/promises';
import { createSnapshotWriter } from '../../../src/snapshots-node';
import { openTrace } from '../../crash/trace';
import { sample } from '../snapshots-value';

export interface SnapshotsOptions {
  folder: string;
  trace: string;
  /** Generations begin after this one. */
  after: number;
  /** How it ends; `killed`: it goes on until then. */
  way:
    | 'killed'
    | 'runs out'
    | 'exits'
    | 'exits in mid-write'
    | 'throws'
    | 'waits for a signal'
    | 'is asked for nothing';
}

const { folder, trace: path, after, way } = JSON.parse(process.argv[2]!) as SnapshotsOptions;
const trace = openTrace(path);
const state = new Map<string, number>();
const writer = createSnapshotWriter({
  target: (key) => `${folder}/${key}.json`,
  snapshot: (key) => JSON.stringify(sample(state.get(key)!, key === 'large' ? 1_000_000 : 5000)),
  backup: true,
  debounceMs: way === 'killed' ? 3 : 60_000,
  maxWaitMs: way === 'killed' ? 20 : 60_000,
});

function set(key: string, generation: number): void {
  state.set(key, generation);
  trace('set', [key, generation]);
}

async function saver(key: string): Promise<void> {
  for (let generation = after + 1; ; generation++) {
    set(key, generation);
    await writer.save('explicit', key);
    trace('saved', [key, generation]);
  }
}

/** The way of a program that does not wait. */
async function requester(key: string): Promise<void> {
  for (let generation = after + 1; ; generation++) {
    set(key, generation);
    writer.request({ reason: 'change', key });
    await pause(1);
  }
}

if (way === 'killed') {
  process.send!('saving');
  await Promise.all([saver('small'), saver('large'), requester('busy')]);
}
if (way !== 'is asked for nothing') {
  set('small', after + 1);
  writer.request({ reason: 'the last word', key: 'small' });
}
if (way === 'exits') process.exit(7);
if (way === 'exits in mid-write') {
  void writer.save('first', 'small').catch(() => undefined);
  // One more turn each time, so that every step of a write is once the last.
  for (let turns = after % 40; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  set('small', after + 2);
  writer.request({ reason: 'second', key: 'small' });
  process.exit(7);
}
if (way === 'throws') {
  set('small', after + 2);
  throw new Error('on purpose');
}
if (way === 'waits for a signal') {
  process.send!('waiting');
  await pause(100_000);
}
if (way === 'runs out') await writer.close();
process.disconnect();
