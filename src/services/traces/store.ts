// Traces in a venue: what stands where, who was first, what is kept for how long. One entry for each thing that was recorded. Knows the venue's face
// only, and nothing of workflows.
import { TidemarkError } from '../../base/errors';
import type { Region, Venue } from '../../venue';
import { IllegalTransition } from '../errors';
import { newId, timeOfId } from '../ids';
import type { Envelope, Intervention, Trace, TraceInfo, TraceOutcome, Traces, TracesOptions } from './face';
import { type IdempotencyStore, openIdempotency } from './idempotency';
import {
  badOption,
  type Claims,
  canonical,
  checkStep,
  checkTraceId,
  interventionKey,
  joinClaims,
  placeOf,
  recordsPrefix,
  stepKey,
  stepsPrefix,
  textOf,
} from './records';

const outcomes: readonly unknown[] = ['success', 'fault', 'cancelled', 'compensated'];
const flushTimeoutMsDefault = 5000;
/** Traces deleted in one turn: some ms. */
const purgedPerTurn = 200;

/** What is said of a trace when it begins. How it ends is the bare outcome. */
type Head = { circuit: string };

/** What workflows need beside the face. */
export interface TraceStore extends Traces {
  readonly venue: Venue;
  readonly idempotency: IdempotencyStore;
  outcomeOf(traceId: string): TraceOutcome | undefined;
  /** @throws IllegalTransition for a trace that is completed */
  guard(traceId: string): void;
  /** Puts other envelopes in place of those of a trace. In this turn, so that both are in one commit. */
  rewrite(traceId: string, envelopes: readonly Envelope[]): void;
  /** What is written is durable, and what others wrote before that is known. */
  settle(): Promise<void>;
}

export function openStore(
  venue: Venue,
  { keepMs = {}, flushTimeoutMs: timeoutMs = flushTimeoutMsDefault }: TracesOptions,
): TraceStore {
  // Heads by themselves, so that listing traces does not read all that is recorded of them.
  const heads = venue.region<Claims>('tidemark.traces', { join: joinClaims });
  const records = venue.region<Claims>('tidemark.traces.records', { join: joinClaims });

  function infoOf(traceId: string, claims: Claims = []): TraceInfo {
    const begun = claims.find(([, said]) => typeof said === 'object');
    const [ended, ...others] = claims.filter(([, said]) => typeof said === 'string');
    return {
      traceId,
      circuit: (begun?.[1] as Head | undefined)?.circuit,
      startedMs: begun && timeOfId(begun[0]),
      outcome: ended?.[1] as TraceOutcome | undefined,
      endedMs: ended && timeOfId(ended[0]),
      otherOutcomes: others.map(([, outcome]) => outcome as TraceOutcome),
    };
  }
  const outcomeOf = (traceId: string) => infoOf(traceId, heads.get(traceId)).outcome;
  const closed = (traceId: string, to: string) =>
    new IllegalTransition(`trace ${traceId}`, outcomeOf(traceId) ?? 'purged', to);
  function guard(traceId: string): void {
    checkTraceId(traceId);
    if (outcomeOf(traceId)) throw closed(traceId, 'open');
  }

  async function settle(): Promise<void> {
    await venue.flush({ timeoutMs });
    await venue.catchUp();
  }

  const put = (region: Region<Claims>, key: string, value: unknown, id = newId(venue)) =>
    region.set(key, [[id, value]]);

  /** Writes a value where nothing else may stand, and looks whether it does when it is durable. What was purged meanwhile begins anew. */
  async function claim(value: unknown, read: () => unknown, write: () => void, refuse: () => Error): Promise<void> {
    do {
      if (read() === undefined) write();
      await settle();
    } while (read() === undefined);
    if (textOf(read()) !== textOf(value)) throw refuse();
  }

  const drop = (prefix: string) => {
    for (const [key] of [...records.scan({ prefix })]) records.delete(key);
  };

  function load(traceId: string): Trace | undefined {
    checkTraceId(traceId);
    const head = heads.get(traceId);
    const found = [...records.scan({ prefix: recordsPrefix(traceId) })];
    if (!head && found.length === 0) return undefined;
    const trace: Trace = { ...infoOf(traceId, head), envelopes: [], interventions: [], conflicts: [] };
    for (const [key, claims] of found) {
      const rest = key.slice(recordsPrefix(traceId).length);
      const [first, ...others] = claims.map(([, value]) => value);
      if (rest[0] === 'i') {
        const id = rest.slice(1);
        trace.interventions.push({ ...(first as Intervention), id, timestampMs: timeOfId(id) });
      } else {
        const envelope = (record: unknown) => ({ ...(record as Envelope), traceId, ...placeOf(rest) });
        trace.envelopes.push(envelope(first));
        trace.conflicts.push(...others.map(envelope));
      }
    }
    return trace;
  }

  const idempotency = openIdempotency(venue, (traceId) => heads.has(traceId) && !outcomeOf(traceId));

  const store: TraceStore = {
    venue,
    idempotency,
    outcomeOf,
    guard,
    settle,
    load,

    async append({ traceId, step, nodeId, ...rest }) {
      checkTraceId(traceId);
      checkStep(step);
      const { circuit, outcomeKind, schematicVersion, timestampMs } = rest;
      const kinds = [circuit, outcomeKind, schematicVersion, timestampMs].map((value) => typeof value).join();
      if (!/^string,string,(string|number),number$/.test(kinds))
        throw badOption('append: a field of the envelope is missing or of another type');
      const key = stepKey(traceId, step, nodeId);
      if (!records.has(key)) guard(traceId);
      const record = canonical(rest, 'the envelope');
      await claim(
        record,
        () => (heads.has(traceId) ? records.get(key)?.[0]?.[1] : undefined),
        () => {
          put(heads, traceId, { circuit } satisfies Head); // joined with what is there: the first one counts
          put(records, key, record);
        },
        () => new TidemarkError('conflict', `trace ${traceId} has something else as step ${step}, node ${nodeId}`),
      );
    },

    resume(traceId, after) {
      guard(traceId);
      const last = load(traceId)?.envelopes.at(-1);
      if (!last) throw notFound(traceId);
      const step = after ?? last.step;
      checkStep(step, last.step);
      return { traceId, nextStep: step + 1 };
    },

    async complete(traceId, outcome) {
      checkTraceId(traceId);
      if (!outcomes.includes(outcome)) throw badOption(`'${outcome}' is no outcome`);
      await claim(
        outcome,
        () => outcomeOf(traceId),
        () => put(heads, traceId, outcome),
        () => closed(traceId, outcome),
      );
    },

    async saveIntervention(traceId, intervention) {
      if (!load(traceId)) await venue.catchUp();
      if (!load(traceId)) throw notFound(traceId);
      const id = newId(venue);
      const record = canonical(intervention, 'the intervention') as Intervention;
      put(records, interventionKey(traceId, id), record, id);
      await settle();
      return { ...record, id, timestampMs: timeOfId(id) };
    },

    list({ outcome, after, limit } = {}) {
      const found: TraceInfo[] = [];
      for (const [traceId, claims] of heads.scan({ from: after })) {
        if (found.length >= limit!) break;
        const info = infoOf(traceId, claims);
        if (traceId !== after && (outcome === undefined || outcome === (info.outcome ?? 'open'))) found.push(info);
      }
      return found;
    },

    async purge() {
      const { clock } = venue;
      let count = 0;
      for (const { traceId, outcome, endedMs } of store.list()) {
        if (!outcome || !(clock.now() - endedMs! >= keepMs[outcome]!)) continue;
        drop(recordsPrefix(traceId));
        idempotency.drop(traceId);
        heads.delete(traceId); // last: what a crash leaves must not look open
        if (++count % purgedPerTurn === 0) await clock.nextTurn();
      }
      return count;
    },

    rewrite(traceId, envelopes) {
      drop(stepsPrefix(traceId));
      for (const { traceId: _, step, nodeId, ...rest } of envelopes)
        put(records, stepKey(traceId, step, nodeId), canonical(rest, 'the envelope'));
    },
  };
  return store;
}

const notFound = (traceId: string) => new TidemarkError('not_found', `nothing is recorded of trace ${traceId}`);
