// Runs steps in order, each recorded before the next one begins, and goes on after a crash where it was. After a fault it undoes what was done, last
// step first. Knows traces, and who is alive.
import { TidemarkError } from '../../base/errors';
import type { Venue } from '../../venue';
import { IllegalTransition } from '../errors';
import { type Hold, livenessOf } from '../liveness';
import type { Traces } from './face';
import type { Progress } from './idempotency';
import { finishedOf, identityOf, isFault, planFor, summaryOf } from './plan';
import { badOption, canonical } from './records';
import type { WorkflowOptions, WorkflowResult, WorkflowStep } from './steps';
import type { TraceStore } from './store';

/** Tries to become the one runner, if others try at the same moment. */
const triesMax = 3;
/** Of 2^32: pauses are up to half a second, twice that the second time. */
const pausesPerMs = 2 ** 23;
/** Later than this no timer fires. */
const pauseMsMax = 2 ** 31 - 1;

/**
 * Runs a workflow to its end, from where it is; of one trace only one runner at a time, of all writers. A trace that is completed is not run: its
 * outcome is returned, also if somebody else completes it meanwhile.
 * @throws TidemarkError `conflict` if another one runs it, or what is recorded is of other steps; `lease_lost`; `flush_timeout`; `closed`. Called again,
 * it goes on
 */
export async function runWorkflow(
  traces: Traces,
  traceId: string,
  steps: readonly WorkflowStep[],
  options: WorkflowOptions = {},
): Promise<WorkflowResult> {
  if (new Set(steps.map(({ name }) => name)).size < steps.length)
    throw badOption(`workflow ${traceId}: two steps of one name`);
  const store = traces as TraceStore;
  const hold = await takeHold(store.venue, `trace:${traceId}`);
  const { toEnd, result } = prepare(store, traceId, steps, options, hold);
  try {
    return await toEnd();
  } catch (error) {
    if (error instanceof IllegalTransition && store.outcomeOf(traceId)) return await result();
    throw error;
  } finally {
    hold.release();
  }
}

async function takeHold(venue: Venue, name: string): Promise<Hold> {
  for (let tries = 1; ; tries++) {
    const hold = await livenessOf(venue).hold(name);
    if (hold) return hold;
    if (tries === triesMax) throw new TidemarkError('conflict', `${name} is being run by another one`);
    await venue.flush(); // others see that it is free
    // Writers that came at the same moment come back at different ones.
    await pause(venue, (tries * Number.parseInt(venue.writer.slice(0, 8), 16)) / pausesPerMs);
    await venue.catchUp();
  }
}

/** Ends early when the venue closes. */
function pause(venue: Venue, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      stop();
      venue.clock.clearTimeout(timer);
      resolve();
    };
    const timer = venue.clock.setTimeout(end, Math.min(ms, pauseMsMax));
    const stop = venue.on('closing', end);
  });
}

/** One run, by the one who holds the trace. */
function prepare(
  store: TraceStore,
  traceId: string,
  steps: readonly WorkflowStep[],
  options: WorkflowOptions,
  hold: Hold,
) {
  const { venue, idempotency } = store;
  const { compensate: undoes = true, autoComplete = true } = options;
  const load = () => store.load(traceId) ?? { envelopes: [] };
  let fault: WorkflowResult['fault'];

  /** Before anything is run, and before a failure counts. @throws if we are not to go on */
  function check(): void {
    if (venue.health().status === 'closed')
      throw new TidemarkError('closed', `workflow ${traceId}: the venue is closed`);
    store.guard(traceId);
    hold.check();
  }

  /** @throws what went wrong, unless we are to go on in memory. */
  function endure(error: unknown): void {
    const { code } = error as TidemarkError;
    if (options.onPersistenceFailure !== 'continue' || (code !== 'flush_timeout' && code !== 'io')) throw error;
  }

  /** Writes a result: only while we are the one runner. */
  async function write(work: () => Promise<unknown>): Promise<void> {
    hold.check();
    await work().catch(endure);
  }

  const record = (step: number, outcomeKind: string, payload: unknown) =>
    write(() =>
      store.append({
        traceId,
        ...identityOf(options),
        step,
        nodeId: steps[step]!.name,
        outcomeKind,
        timestampMs: venue.clock.now(),
        payload,
      }),
    );

  /** Tries until it works or was tried often enough. What it gives is what a later life would read. */
  async function attempt(
    what: 'run' | 'compensate',
    step: number,
    payload: unknown,
  ): Promise<{ value: unknown } | { error: unknown; message: string }> {
    const { name, idempotent, retry = options.retry } = steps[step]!;
    const { attempts = 1, backoffMs = 0 } = (what === 'run' || idempotent ? retry : undefined) ?? {};
    for (let attempt = 1; ; attempt++) {
      check();
      try {
        const context = { traceId, step, name, attempt, payload, key: `${traceId}/${name}`, check: () => hold.check() };
        return { value: canonical(await steps[step]![what]!(context), `what '${name}' returned`) };
      } catch (error) {
        check();
        if (attempt >= attempts) return { error, message: error instanceof Error ? error.message : String(error) };
        await pause(venue, typeof backoffMs === 'function' ? backoffMs(attempt) : backoffMs * 2 ** (attempt - 1));
      }
    }
  }

  /** Makes it durable that a compensation is about to be run; takes it back if it is not. */
  async function begin(name: string, idempotent: boolean): Promise<(state: Progress, message?: string) => void> {
    check();
    const note = idempotency.begin(traceId, name);
    const takeBack = () => note('void');
    const stop = venue.on('closing', takeBack); // the last moment in which anything can be written
    try {
      // Also under `continue`: what nobody knows to have been begun would be run again after a crash.
      await (idempotent ? store.settle().catch(endure) : store.settle());
      check();
    } catch (error) {
      takeBack();
      throw error;
    } finally {
      stop();
    }
    return note;
  }

  /** Undoes finished steps, the last one first. One that cannot be undone does not keep the others from it. */
  async function undo(): Promise<void> {
    for (const { step, payload } of finishedOf(load().envelopes).reverse()) {
      const { name, compensate, idempotent = false } = steps[step]!;
      const before = idempotency.get(traceId, name)?.state;
      if (!compensate || before === 'done' || (before && !idempotent)) continue;
      const note = await begin(name, idempotent);
      const tried = await attempt('compensate', step, payload);
      await write(() => {
        if ('error' in tried) note('failed', tried.message);
        else note('done');
        return store.settle();
      });
    }
  }

  const summary = () => summaryOf(traceId, load(), (name) => idempotency.get(traceId, name), fault);

  async function result(): Promise<WorkflowResult> {
    let durable = true;
    await store.settle().catch((error) => {
      endure(error);
      durable = false;
    });
    return { ...summary(), durable };
  }

  async function toEnd(): Promise<WorkflowResult> {
    if (store.outcomeOf(traceId)) return result();
    const { envelopes, change } = planFor(traceId, load().envelopes, steps, options, venue.clock.now());
    if (change)
      await write(() => {
        const saved = store.saveIntervention(traceId, change);
        store.rewrite(traceId, envelopes); // in the same turn: both or none
        return saved;
      });
    let hasFault = envelopes.some(isFault);
    let payload = envelopes.length > 0 ? envelopes.at(-1)!.payload : options.input;
    for (let at = envelopes.length; at < steps.length && !hasFault; at++) {
      const tried = await attempt('run', at, payload);
      if ('error' in tried) {
        const { error: cause, message } = tried;
        hasFault = true;
        fault = { step: at, name: steps[at]!.name, message, cause };
        // Neither undone nor ended: it may be run again from this step on.
        if (!undoes && !autoComplete) return result();
        await record(at, 'fault', { message });
      } else {
        payload = tried.value;
        await record(at, 'success', payload);
      }
    }
    if (hasFault && undoes) await undo();
    if (autoComplete) await write(() => store.complete(traceId, summary().outcome));
    return result();
  }

  return { toEnd, result };
}
