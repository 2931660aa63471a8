// A runtime that may be killed at any moment: jobs say what is asked for, agents run them one at a time, traces remember how far each has come.
//
// A job's id goes into the mailbox of the agent for its op, and stays there until the agent's handler has returned. Where it was killed, it goes on
// when it is started again: the job as its policy says, its workflow from the last finished step.
import { openVenue } from 'tidemark';
import { openAgents } from 'tidemark/agents';
import { type Job, openJobs } from 'tidemark/jobs';
import { openTraces, runWorkflow, type WorkflowResult, type WorkflowStep } from 'tidemark/traces';
import { Shop } from './shop';

/** What becomes of a job whose process was killed: begun again, given up and undone, or left until somebody decides. */
export const policies = { order: 'retry', trial: 'fail', preorder: 'ask' } as const;
export type Op = keyof typeof policies;

export interface Order {
  item: string;
  soldOut?: boolean;
}

export async function openRuntime({ store, effects }: { store: string; effects: string }) {
  const venue = await openVenue({ store });
  const jobs = openJobs(venue, { policies });
  const traces = openTraces(venue);
  const agents = openAgents(venue); // its handler comes last, when everything else is in order
  const shop = new Shop(effects);

  const step = (name: string, undo: string): WorkflowStep => ({
    name,
    async run({ key, payload }) {
      const order = payload as Order;
      if (name === 'pack' && order.soldOut) throw new Error(`${order.item} is sold out`);
      await shop.do(key, name);
      return order;
    },
    compensate: ({ key }) => shop.undo(key, undo),
    idempotent: true, // the shop does nothing twice
  });
  const steps = [
    step('reserve', 'release'),
    step('charge', 'refund'),
    step('pack', 'unpack'),
    step('ship', 'recall'),
    step('notify', 'apologise'),
  ];
  /** The step that was interrupted may have taken effect, or not: undone as well. Then the others are, last first. */
  const givenUp = steps.map((step) => ({
    ...step,
    async run(context: Parameters<WorkflowStep['run']>[0]) {
      await step.compensate?.(context);
      throw new Error('given up');
    },
  }));
  const workflow = ({ id, op, input }: Job, plan: WorkflowStep[]) =>
    runWorkflow(traces, id, plan, { circuit: op, input });

  const finish = ({ id }: Job, { outcome, payload, fault }: WorkflowResult) =>
    outcome === 'success' ? jobs.complete(id, payload) : jobs.fail(id, fault?.message ?? outcome);

  /** Does for a job what is to be done, however often it is told: it may have been killed at any point. */
  async function work(id: string): Promise<void> {
    const job = jobs.get(id)!;
    if (job.status === 'PENDING') await finish(job, await workflow(await jobs.start(id), steps));
    else if (job.status === 'FAILED') await workflow(job, givenUp); // nothing to do if it has ended
    // STARTED, by a process that is gone: waits for a decision. COMPLETE: was told again.
  }
  const tell = (job: Job) => agents.send(job.op, job.id);

  for (const op of Object.keys(policies)) await agents.create(op, { type: 'worker' });
  // Killed between the last step of a workflow and the end of its job: nothing is left to be given up, the job has its end.
  for (const job of jobs.recoverable()) {
    const trace = traces.load(job.id);
    if (trace?.outcome || trace?.envelopes.length === steps.length) await finish(job, await workflow(job, steps));
  }
  const { retried, asked } = await jobs.recover();
  for (const job of retried) await tell(job);
  // Failed by its policy or by a decision, and not undone yet.
  for (const { traceId } of traces.list({ outcome: 'open' })) {
    const job = jobs.get(traceId);
    if (job?.status === 'FAILED') await tell(job);
  }
  agents.handle('worker', work);

  return {
    venue,
    jobs,
    traces,
    agents,
    /** Jobs that wait for decide(). */
    asked,
    async submit(op: Op, order: Order): Promise<Job> {
      const job = await jobs.submit({ op, input: order });
      await tell(job); // durable, and with it the job
      return job;
    },
    async decide(id: string, how: 'retry' | 'fail'): Promise<void> {
      await tell(await jobs.recover(id, how));
    },
  };
}
