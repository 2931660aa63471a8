// A program that saves one file again and again, with this library or another one, and tells what it was told. It may be killed, out of disk, or made
// to write down its calls of the file system.
import { dirname } from 'node:path';
import { openTrace } from '../../crash/trace';
import { sample, type Value } from '../snapshots-value';
import { record } from './calls';

export const savers = [
  'tidemark',
  'fs.writeFile',
  'steno',
  'lowdb',
  'write-file-atomic',
  'atomically',
  'conf',
] as const;
export type Saver = (typeof savers)[number];

export interface PeersOptions {
  saver: Saver;
  target: string;
  trace: string;
  /** Of each value. */
  bytes: number;
  /** Generations to save, from 2 on; without: until it is killed. */
  count?: number;
  /** Where to write its calls of node:fs down. */
  calls?: string;
}

type Save = (value: Value) => unknown;

/** As their own documentation has it. */
const open: Record<Saver, (target: string) => Promise<Save>> = {
  async tidemark(target) {
    const { createSnapshotWriter } = await import('../../../src/snapshots-node');
    let state: Value;
    const writer = createSnapshotWriter({ target, snapshot: () => JSON.stringify(state) });
    return (value) => {
      state = value;
      return writer.save('save');
    };
  },
  async 'fs.writeFile'(target) {
    const { writeFile } = await import('node:fs/promises');
    return (value) => writeFile(target, JSON.stringify(value));
  },
  async steno(target) {
    const { Writer } = await import('steno');
    const writer = new Writer(target);
    return (value) => writer.write(JSON.stringify(value));
  },
  async lowdb(target) {
    const { JSONFilePreset } = await import('lowdb/node');
    const db = await JSONFilePreset<Partial<Value>>(target, {});
    return (value) => {
      db.data = value;
      return db.write();
    };
  },
  async 'write-file-atomic'(target) {
    const { default: writeFileAtomic } = (await import('write-file-atomic' as string)) as {
      default: (path: string, data: string) => Promise<void>;
    };
    return (value) => writeFileAtomic(target, JSON.stringify(value));
  },
  async atomically(target) {
    const { writeFile } = await import('atomically');
    return (value) => writeFile(target, JSON.stringify(value));
  },
  async conf(target) {
    const { default: Conf } = await import('conf');
    const conf = new Conf<Record<string, unknown>>({ cwd: dirname(target), configName: 'state' });
    return (value) => {
      conf.store = { ...value };
    };
  },
};

const options = JSON.parse(process.argv[2]!) as PeersOptions;
const { saver, target, trace: path, bytes, count = Number.POSITIVE_INFINITY, calls } = options;
const trace = openTrace(path);
const recorded = calls ? record(dirname(target)) : undefined;
const save = await open[saver](target);
recorded?.start();
process.send!('saving');
for (let n = 0; n < count; n++) {
  const generation = n + 2;
  trace('saving', generation);
  try {
    await save(sample(generation, bytes));
    trace('saved', generation);
    recorded?.note(generation);
  } catch (error) {
    trace('failed', (error as Error).message);
  }
}
if (calls) recorded!.writeTo(calls);
process.disconnect();
process.exit();
