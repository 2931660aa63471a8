// A program that runs workflows, several at once, and appends checkpoints beside them, until it is killed; or, when it drains, until no trace is open.
// Keeps a trace of what it did to the world and of what it was told.
import { setTimeout as pause } from 'node:timers/promises';
import { openVenue } from '../../../src/node';
import { openTraces, runWorkflow, type WorkflowStep } from '../../../src/services/traces';
import { openTrace } from '../../crash/trace';
import { Random } from '../../simulator/random';
import { kindOf, stepNames, type TracesOptions } from './traces-plan';

const runners = 4;

const options = JSON.parse(process.argv[2]!) as TracesOptions;
const trace = openTrace(options.trace);
const random = new Random(options.life);
const venue = await openVenue({ store: options.store });
const traces = openTraces(venue);
trace('opened', venue.health().recovery.damage.length);

const stepsOf = (id: string): WorkflowStep[] =>
  stepNames.map((name, i) => ({
    name,
    idempotent: kindOf(id).idempotent,
    retry: { attempts: 2, backoffMs: 2 },
    async run({ payload, attempt }) {
      const before = i === 0 ? undefined : i - 1;
      if ((payload as { i?: number })?.i !== before) trace('wrong', [id, name, payload]);
      if (kindOf(id).fails && i === stepNames.length - 1) throw new Error('no');
      if (attempt === 1 && random.chance(0.1)) throw new Error('not yet');
      trace('run', [id, name]);
      await pause(random.below(3));
      return { i, text: 'x'.repeat(random.below(200)) };
    },
    async compensate({ payload }) {
      if ((payload as { i: number }).i !== i) trace('wrong', [id, name, payload]);
      await pause(random.below(3));
      trace('undo', [id, name]);
      await pause(random.below(3));
    },
  }));

const run = async (id: string) => {
  trace('ended', await runWorkflow(traces, id, stepsOf(id)));
};

const open = traces.list({ outcome: 'open' }).filter(({ circuit }) => circuit === 'workflow');
let next = Number(traces.list().at(-1)?.traceId.slice(1) ?? -1) + 1;
process.send!('working');
const queue = open.map(({ traceId }) => traceId);
await Promise.all(
  Array.from({ length: runners }, async () => {
    for (;;) {
      const id = queue.shift() ?? (options.drains ? undefined : `w${String(next++).padStart(6, '0')}`);
      if (!id) return;
      await run(id);
    }
  }).concat(options.drains ? [] : appends()),
);
await venue.close();
process.disconnect();

async function appends(): Promise<void> {
  const traceId = `a${String(options.life).padStart(6, '0')}`;
  for (let step = 0; ; step++) {
    const envelope = {
      traceId,
      circuit: 'appends',
      schematicVersion: 1,
      step,
      outcomeKind: 'success',
      timestampMs: step,
    };
    await Promise.all([traces.append(envelope), traces.append({ ...envelope, nodeId: 'again' })]);
    trace('appended', [traceId, step]);
  }
}
