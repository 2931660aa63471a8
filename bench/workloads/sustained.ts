// A steady load: 20,000 writes a second over 10,000 keys, made durable every 100 ms.
import type { Contestant } from '../contestant';
import { peers } from '../contestants';
import { makeKey, makeNote, randomFrom } from '../data';
import { cpuMeter, delayMeter, readIo } from '../meters';
import { startProfile } from '../profile';
import { atMost, type Options, Ratio, type Results, type Row, type Sample, type Workload } from '../workload';

const KEYS = 10_000;
const WRITES_PER_MS = 20;
const TICK_MS = 5;
const RHYTHM_MS = 100;
const WARM_UP_S = 1;
const MB = 1e6;

async function sustain(contestant: Contestant, folder: string, seconds: number): Promise<Sample> {
  const store = await contestant.open(folder, { delayMs: RHYTHM_MS });
  const keys = Array.from({ length: KEYS }, (_, i) => makeKey(i));
  for (let i = 0; i < KEYS; i++) store.write(keys[i]!, makeNote(i));
  await store.durable();
  const random = randomFrom(3);
  let saves = 0;

  const pace = (forSeconds: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const total = forSeconds * 1000 * WRITES_PER_MS;
      const start = performance.now();
      let done = 0;
      let saving: Promise<void> | undefined;
      const save = (): void => {
        if (saving !== undefined || contestant.sweeps) return;
        saves++;
        saving = store.durable().finally(() => {
          saving = undefined;
        });
        saving.catch(reject);
      };
      const saver = setInterval(save, RHYTHM_MS);
      const writer = setInterval(() => {
        const due = Math.min(total, Math.floor((performance.now() - start) * WRITES_PER_MS));
        for (; done < due; done++) {
          const i = Math.floor(random() * KEYS);
          store.write(keys[i]!, makeNote(i, done & 1023));
        }
        if (done < total) return;
        clearInterval(writer);
        clearInterval(saver);
        Promise.resolve(saving)
          .then(() => store.durable())
          .then(resolve, reject);
      }, TICK_MS);
    });

  await pace(WARM_UP_S);
  saves = 0;
  const stopProfile = startProfile();
  const before = readIo();
  const delay = delayMeter();
  const cpu = cpuMeter();
  await pace(seconds);
  const used = cpu();
  const after = readIo();
  stopProfile();
  const sample = {
    cpu: used,
    handed: (after.wchar - before.wchar) / MB,
    written: (after.write_bytes - before.write_bytes) / MB,
    p99: delay.p99(),
    worst: delay.max(),
    ...(contestant.sweeps ? {} : { skipped: Math.max(0, Math.round((seconds * 1000) / RHYTHM_MS) - saves) }),
  };
  await store.close();
  return sample;
}

const work = 'sustained: 100k writes, durable every 100 ms';

export const sustained: Workload = {
  name: 'sustained',
  title: 'Sustained: 100,000 writes over 10,000 keys in 5 s, durable every 100 ms',
  about:
    'CPU of all threads, after a second of warming up. "Written" is what the kernel sent to the disk (write_bytes of /proc/self/io), whole pages and mapped files included; ' +
    '"handed" what was given to write(). The control makes the records and drops them: its CPU is taken off before ratios are made. "Skipped": saves that were due while one was still going on.',
  columns: [
    { metric: 'cpu', title: 'CPU, ms', digits: 0 },
    { metric: 'written', title: 'written, MB', digits: 1 },
    { metric: 'handed', title: 'handed, MB', digits: 1 },
    { metric: 'p99', title: 'loop delay p99, ms', digits: 1 },
    { metric: 'worst', title: 'worst, ms', digits: 1 },
    { metric: 'skipped', title: 'skipped', digits: 0 },
  ],
  async plan({ scale }) {
    const options: Options = { seconds: scale.quick ? 1 : 5 };
    const row = (name: string, rounds: number): Row => ({ name, contestant: name, rounds, options });
    return [
      ...['control', 'append', 'tidemark'].map((name) => row(name, scale.rounds(4))),
      ...peers.map((peer) => row(peer.name, 1)),
    ];
  },
  run: (contestant, folder, { seconds }) => sustain(contestant, folder, seconds!),
  judge: (results) => [
    atMost(
      work,
      'CPU at most 1.5x of encode + hash + append of the same bytes',
      'less the control',
      netCpu(results),
      1.5,
    ),
    fewestBytes(results),
  ],
};

function netCpu(results: Results): Ratio {
  const control = results.values('control', 'cpu');
  const limit = results.values('append', 'cpu');
  return Ratio.of(
    results.values('tidemark', 'cpu').map((cpu, round) => (cpu - control[round]!) / (limit[round]! - control[round]!)),
  );
}

function fewestBytes(results: Results) {
  const mine = results.median('tidemark', 'written');
  const durable = peers.filter((peer) => peer.durability === 'yes' && results.has(peer.name));
  const fewer = durable.filter((peer) => results.median(peer.name, 'written') <= mine);
  const theirs = durable.map((peer) => `${peer.name} ${results.median(peer.name, 'written').toFixed(0)}`).join(', ');
  return {
    work,
    goal: 'fewer bytes written than any peer that is durable',
    measured: `${mine.toFixed(0)} MB; ${theirs}`,
    reached: fewer.length === 0,
    ...(fewer.length > 0 && { by: `${fewer.map((peer) => peer.title).join(', ')} writes less` }),
  };
}
