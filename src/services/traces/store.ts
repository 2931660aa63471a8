// Traces in a venue: what stands where, who was first, what is kept for how long. One entry for each thing that was recorded. Knows the venue's face
// only, and nothing of workflows.
import { TidemarkError } from '../../base/errors';
import type { Venue } from '../../venue';
import { IllegalTransition } from '../errors';
import { newId, timeOfId } from '../ids';
import type { Envelope, Intervention, Trace, TraceInfo, TraceOutcome, Traces, TracesOptions } from './face';
import { type IdempotencyStore, openIdempotency } from './idempotency';
import {
  afterTrace,
  badOption,
  type Claims,
  canonical,
  checkStep,
  checkTraceId,
  interventionKey,
  joinClaims,
  outcomeKey,
  placeOf,
  splitKey,
  stepKey,
  stepsPrefix,
  textOf,
} from './records';

const outcomes: readonly unknown[] = ['success', 'fault', 'cancelled', 'compensated'];
const flushTimeoutMsDefault = 5000;
/** Traces deleted in one turn: some ms. */
const purgedPerTurn = 200;

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
  const region = venue.region<Claims>('tidemark.traces', { join: joinClaims });

  /** What counts in a place. */
  const valueAt = (key: string) => region.get(key)?.[0]?.[1];
  const outcomeOf = (traceId: string) => valueAt(outcomeKey(traceId)) as TraceOutcome | undefined;
  const closed = (traceId: string, to: string) =>
    new IllegalTransition(`trace ${traceId}`, outcomeOf(traceId) ?? 'purged', to);

  function guard(traceId: string): void {
    checkTraceId(traceId);
    if (outcomeOf(traceId)) throw closed(traceId, 'open');
  }

  /** Traces from a key on. Two entries of each are looked at, however many there are: the outcome if there is one, and the first envelope. */
  function* infos(from?: string): Generator<TraceInfo> {
    for (;;) {
      const [first, second] = region.scan({ from, limit: 2 });
      if (!first) return;
      const [traceId, rest] = splitKey(first[0]);
      const [ended] = rest === '' ? first[1] : [];
      const begun = ended ? second : first;
      const [at, value] = begun?.[0].startsWith(stepsPrefix(traceId)) ? begun[1][0]! : [];
      const { circuit, schematicVersion } = (value ?? {}) as Partial<Envelope>;
      yield {
        traceId,
        circuit,
        schematicVersion,
        startedMs: at ? timeOfId(at) : undefined,
        outcome: ended?.[1] as TraceOutcome | undefined,
        endedMs: ended && timeOfId(ended[0]),
      };
      from = afterTrace(traceId);
    }
  }

  async function settle(): Promise<void> {
    await venue.flush({ timeoutMs });
    await venue.catchUp();
  }

  const put = (key: string, value: unknown, id = newId(venue)) => region.set(key, [[id, value]]);

  /** Writes a value where nothing else may stand, and looks whether it does when it is durable. */
  async function claim(key: string, value: unknown, refuse: () => Error): Promise<void> {
    const check = () => {
      if (textOf(valueAt(key)) !== textOf(value)) throw refuse();
    };
    if (!region.has(key)) put(key, value);
    check();
    await settle();
    check();
  }

  const drop = (prefix: string) => {
    // The outcome last: what a crash leaves of a trace must not look open.
    for (const [key] of [...region.scan({ prefix, reverse: true })]) region.delete(key);
  };

  function load(traceId: string): Trace | undefined {
    checkTraceId(traceId);
    const [info] = infos(traceId);
    if (info?.traceId !== traceId) return undefined;
    const trace: Trace = { ...info, envelopes: [], interventions: [], conflicts: { envelopes: [], outcomes: [] } };
    for (const [key, claims] of region.scan({ prefix: outcomeKey(traceId) })) {
      const [, rest] = splitKey(key);
      const [first, ...others] = claims.map(([, value]) => value);
      if (rest === '') trace.conflicts.outcomes = others as TraceOutcome[];
      else if (rest[0] === 'i') {
        const id = rest.slice(1);
        trace.interventions.push({ ...(first as Intervention), id, timestampMs: timeOfId(id) });
      } else {
        const envelope = (record: unknown) => ({ ...(record as Envelope), traceId, ...placeOf(rest) });
        trace.envelopes.push(envelope(first));
        trace.conflicts.envelopes.push(...others.map(envelope));
      }
    }
    return trace;
  }

  const idempotency = openIdempotency(venue, (traceId) => load(traceId) !== undefined && !outcomeOf(traceId));

  return {
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
      if (!region.has(key)) guard(traceId);
      const conflict = () =>
        new TidemarkError('conflict', `trace ${traceId} has something else as step ${step}, node ${nodeId}`);
      await claim(key, canonical(rest, 'the envelope'), conflict);
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
      await claim(outcomeKey(traceId), outcome, () => closed(traceId, outcome));
    },

    async saveIntervention(traceId, intervention) {
      if (!load(traceId)) await venue.catchUp();
      if (!load(traceId)) throw notFound(traceId);
      const id = newId(venue);
      const record = canonical(intervention, 'the intervention') as Intervention;
      put(interventionKey(traceId, id), record, id);
      await settle();
      return { ...record, id, timestampMs: timeOfId(id) };
    },

    list({ outcome, after, limit } = {}) {
      const found: TraceInfo[] = [];
      for (const info of infos(after === undefined ? after : afterTrace(after))) {
        if (found.length >= limit!) break;
        if (outcome === undefined || outcome === (info.outcome ?? 'open')) found.push(info);
      }
      return found;
    },

    async purge() {
      const { clock } = venue;
      let count = 0;
      for (const { traceId, outcome, endedMs } of infos()) {
        if (!outcome || !(clock.now() - endedMs! >= keepMs[outcome]!)) continue;
        drop(outcomeKey(traceId));
        idempotency.drop(traceId);
        if (++count % purgedPerTurn === 0) await clock.nextTurn();
      }
      return count;
    },

    rewrite(traceId, envelopes) {
      drop(stepsPrefix(traceId));
      for (const { traceId: _, step, nodeId, ...rest } of envelopes)
        put(stepKey(traceId, step, nodeId), canonical(rest, 'the envelope'));
    },
  };
}

const notFound = (traceId: string) => new TidemarkError('not_found', `nothing is recorded of trace ${traceId}`);
