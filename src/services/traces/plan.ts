// From what is recorded of a workflow: where it goes on, and how it stands. Pure functions over plain data.
import { TidemarkError } from '../../base/errors';
import type { CompensationRecord, Envelope, Intervention, Trace } from './face';
import type { Compensation, WorkflowOptions, WorkflowResult, WorkflowStep } from './steps';

/** What a workflow's envelopes are recorded under. */
export const identityOf = ({ circuit = 'workflow', schematicVersion = 1 }: WorkflowOptions) => ({
  circuit,
  schematicVersion,
});

export const isFault = ({ outcomeKind }: Envelope): boolean => outcomeKind === 'fault';
export const finishedOf = (envelopes: Envelope[]): Envelope[] => envelopes.filter((envelope) => !isFault(envelope));

export interface Plan {
  /** The first steps, finished, in order; and the one that failed, if one did. */
  envelopes: Envelope[];
  /** They are to be put in place of what is recorded; and what is to be said of it. */
  change: Intervention | undefined;
}

/** What is recorded, in terms of these steps. @throws TidemarkError `conflict` */
export function planFor(
  traceId: string,
  recorded: Envelope[],
  steps: readonly WorkflowStep[],
  options: WorkflowOptions,
  timestampMs: number,
): Plan {
  const identity = identityOf(options);
  const { circuit, schematicVersion } = identity;
  const { onVersionChange: how = 'fail' } = options;
  const refuse = (why: string) => new TidemarkError('conflict', `workflow ${traceId} ${why}`);
  let envelopes = recorded;
  let change: Intervention | undefined;
  const other = recorded.find((was) => was.circuit !== circuit || was.schematicVersion !== schematicVersion);
  if (other) {
    const fault = recorded.find(isFault);
    const from = other.schematicVersion;
    // A rollback that has begun cannot start from the beginning: some of it may be undone, and some not.
    if (other.circuit !== circuit || how === 'fail' || (how === 'restart' && fault))
      throw refuse(
        `is of ${other.circuit} ${from}${fault ? ', being undone' : ''}; these are of ${circuit} ${schematicVersion}`,
      );
    const finished = finishedOf(recorded).map(({ nodeId = '', payload }) => ({ name: nodeId, payload }));
    envelopes = (how === 'restart' ? [] : how(finished, from)).map(({ name, payload }, step) => ({
      traceId,
      ...identity,
      step,
      nodeId: name,
      outcomeKind: 'success',
      timestampMs,
      payload,
    }));
    if (fault) envelopes.push({ ...fault, ...identity, step: envelopes.length });
    change = { action: how === 'restart' ? how : 'migrate', payload: { schematicVersion: from, finished } };
  }
  for (const [i, envelope] of envelopes.entries()) {
    const name = steps[i]?.name;
    const fits = isFault(envelope) ? i === envelopes.length - 1 : envelope.nodeId === name;
    if (!fits || envelope.step !== i)
      throw refuse(`has '${envelope.nodeId}' as step ${envelope.step}; these have '${name}' as step ${i}`);
  }
  return { envelopes, change };
}

/** How a workflow stands. */
export function summaryOf(
  traceId: string,
  { outcome, envelopes }: Pick<Trace, 'outcome' | 'envelopes'>,
  recordOf: (name: string) => CompensationRecord | undefined,
  known: WorkflowResult['fault'],
): Omit<WorkflowResult, 'durable'> {
  const finished = finishedOf(envelopes).reverse();
  const failed = envelopes.find(isFault);
  const fault =
    known ?? (failed && { step: failed.step, name: failed.nodeId!, ...(failed.payload as { message: string }) });
  const compensations = finished.flatMap(({ step, nodeId: name = '' }): Compensation[] => {
    const record = recordOf(name);
    return record ? [{ step, name, ...record }] : [];
  });
  const isUndone = compensations.length > 0 && compensations.every(({ state }) => state === 'done');
  return {
    traceId,
    outcome: outcome ?? (fault ? (isUndone ? 'compensated' : 'fault') : 'success'),
    payload: finished[0]?.payload,
    fault,
    compensations,
  };
}
