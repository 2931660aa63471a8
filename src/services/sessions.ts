// The ledger of sessions: who runs what where, all that was said in it, and how it ended; also if nobody was left to say so. A session has one
// writer, which numbers its events; whoever has the venue open reads, kills and relaunches. Knows the venue's face only.
import { TidemarkError } from '../base/errors';
import type { Venue } from '../venue';
import { IllegalTransition } from './errors';
import { newId } from './ids';
import * as redaction from './redact';
import type { HeaderValue } from './sessions/lookup';
import { readingOf } from './sessions/reading';
import { isOver, type SessionHeaders, type SessionRecord, type SessionState } from './sessions/record';
import { eventKey, storedIn } from './sessions/stored';
import type { RecordedEvent, Session, SessionEvent, Sessions, SessionsOptions } from './sessions/types';

export type * from './sessions/types';
export type { HeaderValue, SessionHeaders, SessionState };

/** Sequence numbers of sessions that this opening writes: one count, however often the service is opened. */
const counts = new WeakMap<Venue, Map<string, number>>();

/** Opens the ledger. Sessions that their writers left running are orphaned from then on. */
export function openSessions(venue: Venue, options: SessionsOptions = {}): Sessions {
  const { indexes = [], redactFields = redaction.secretFields, redactPaths = [] } = options;
  const stored = storedIn(venue, indexes);
  const { liveness, records, events, inputs, archived, lookup, find, isLive, due, view } = stored;
  const seqs = counts.get(venue) ?? new Map<string, number>();
  counts.set(venue, seqs);
  /** Sessions that are not over, as far as is stored. */
  const open = new Set<string>();

  const change = (id: string, record: SessionRecord, state: SessionState, outcome?: unknown) =>
    records.set(id, {
      ...record,
      state,
      at: venue.clock.now(),
      by: venue.writer,
      turn: record.turn + 1,
      ...(outcome !== undefined && { outcome: cleanFields(outcome).value }),
    });

  const isDue = (id: string) => due(id, find(id)) !== find(id).state;
  let settling: Promise<void> | undefined;
  /** Writes what has become of sessions whose writers are gone, once nothing can be durable that says otherwise. */
  const settle = () => {
    settling ??= (async () => {
      try {
        await venue.catchUp();
      } finally {
        settling = undefined;
      }
      for (const id of [...open].filter(isDue)) {
        const state = due(id, find(id));
        change(id, find(id), state, state === 'failed' ? 'created, and never run' : undefined);
      }
      stored.isSettled = true;
    })();
    settling.catch(() => undefined); // it is reported, and tried again at the next tick, call or opening
    return settling;
  };
  /** A session as it is when nobody is taken for gone unasked. */
  const settled = async (id: string): Promise<SessionRecord> => {
    const { state } = find(id);
    if (!isOver(state) && !isLive(find(id))) await settle();
    return find(id);
  };

  const notLive = (id: string) =>
    new TidemarkError(
      'session_not_live',
      `session ${id} is ${due(id, find(id))}, and nobody writes it any more; replay() and relaunch() work`,
    );

  /** @throws unless we are its one writer, and in time */
  const own = (id: string): SessionRecord => {
    const record = find(id);
    const { state, holder } = record;
    if (isOver(state)) throw notLive(id);
    if (holder === liveness.id) liveness.check();
    else if (holder.startsWith(`${venue.writer}.`))
      throw new TidemarkError('lease_lost', `session ${id} was ours before we were out of time; relaunch() works`);
    else if (isLive(record)) throw new TidemarkError('conflict', `session ${id} is written by another tab or process`);
    else throw notLive(id);
    return record;
  };

  const cleanFields = <T>(value: T) => redaction.redactFields(value, redactFields);
  const clean = (event: SessionEvent) => {
    const byName = cleanFields(event);
    const byPath = redaction.redactPaths(byName.value, redactPaths);
    return { event: byPath.value, redacted: [...byName.redacted, ...byPath.redacted] };
  };

  const append = (id: string, given: SessionEvent): RecordedEvent => {
    const record = own(id);
    const { event, redacted } = clean(given);
    const seq = seqs.get(id)! + 1;
    const entry = { at: venue.clock.now(), event, ...(redacted.length > 0 && { redacted }) };
    // Before the write: who hears of this event may append the next.
    seqs.set(id, seq);
    try {
      events.set(eventKey(id, seq), entry);
    } catch (error) {
      seqs.set(id, seq - 1); // refused: nobody has heard of it
      throw error;
    }
    // Unless who heard of it has said otherwise.
    if (record.state !== 'running' && find(id).turn === record.turn) change(id, record, 'running');
    return { seq, ...entry };
  };

  const appendDurably = async (id: string, event: SessionEvent) => {
    const recorded = append(id, event);
    await venue.flush();
    return recorded;
  };

  /** Makes an event of an input from elsewhere, in one commit. */
  const take = (key: string) => {
    const id = key.slice(0, key.indexOf('/'));
    const input = inputs.get(key);
    const record = records.get(id);
    if (!input || !record || record.holder !== liveness.id || !isLive(record)) return;
    append(id, input);
    inputs.delete(key);
  };

  const end = async (id: string, state: SessionState, outcome: unknown) => {
    const now = find(id).state;
    if (isOver(now)) throw new IllegalTransition(`session ${id}`, now, state);
    change(id, own(id), state, outcome);
    await venue.flush();
  };

  /** @throws if it is live: another writer would go on writing what is gone, or done elsewhere */
  const ended = async (id: string, to: string): Promise<SessionRecord> => {
    const record = await settled(id);
    if (isLive(record)) throw new IllegalTransition(`session ${id}`, record.state, to);
    return record;
  };

  const begin = async (headers: SessionHeaders): Promise<Session> => {
    const { projectRoot, harness } = headers;
    for (const [name, value] of Object.entries({ projectRoot, harness }))
      if (typeof value !== 'string' || value === '')
        throw new TidemarkError('bad_option', `start: \`${name}\` must be a text`);
    await liveness.begin();
    liveness.check();
    const id = newId(venue);
    seqs.set(id, 0);
    const { value } = cleanFields(headers);
    const now = venue.clock.now();
    records.set(id, { headers: value, holder: liveness.id!, state: 'created', at: now, by: venue.writer, turn: 0 });
    await venue.flush();
    return view(id, find(id));
  };

  const drop = (id: string) => {
    seqs.delete(id);
    records.delete(id);
    archived.delete(id);
    for (const region of [events, inputs])
      for (const [key] of [...region.scan({ prefix: `${id}/` })]) region.delete(key);
  };

  const note = (id: string, record: SessionRecord | undefined) => {
    if (record) lookup.add(id, record.headers);
    // Deleted elsewhere: what we wrote before we heard of it goes, too.
    else if (seqs.has(id)) drop(id);
    if (!record || isOver(record.state)) {
      open.delete(id);
      return;
    }
    open.add(id);
    // To notice when its writer is gone we have to look now and then; that is what those do that are alive themselves.
    if (isDue(id)) settle();
    else if (isLive(record) && record.holder !== liveness.id) liveness.begin().catch(() => undefined);
  };

  for (const [id, record] of records) note(id, record);
  records.subscribe((changes) => {
    for (const { key, value } of changes) note(key, value);
  });
  inputs.subscribe((changes) => {
    for (const { key } of changes) take(key);
  });
  liveness.watch((event) => {
    if (event !== 'lost' && [...open].some(isDue)) settle();
  });
  stored.isSettled = settling === undefined;

  return {
    ...readingOf(stored),
    start: begin,
    append: ((id: string, event: SessionEvent, { durable = false } = {}) =>
      durable ? appendDurably(id, event) : append(id, event)) as Sessions['append'],
    idle: (id) => change(id, own(id), 'idle'),
    complete: (id, output) => end(id, 'completed', output),
    fail: (id, error) => end(id, 'failed', plainError(error)),
    async kill(id, reason) {
      const record = await settled(id);
      if (!isLive(record)) throw notLive(id);
      change(id, record, 'killed', reason);
      await venue.flush();
    },
    async send(id, payload) {
      const record = await settled(id);
      const event = { type: 'input', payload };
      if (!isLive(record)) throw notLive(id);
      if (record.holder === liveness.id) append(id, event);
      else inputs.set(`${id}/${newId(venue)}`, clean(event).event);
      await venue.flush();
    },
    async archive(id) {
      find(id);
      archived.set(id, venue.clock.now());
      await venue.flush();
    },
    async unarchive(id) {
      find(id);
      archived.delete(id);
      await venue.flush();
    },
    async delete(id) {
      await ended(id, 'deleted');
      drop(id);
      await venue.flush();
    },
    async relaunch(id, headers) {
      const { headers: before } = await ended(id, 'relaunched');
      return begin({ ...before, ...headers, projectRoot: before.projectRoot, relaunchOf: id });
    },
  };
}

/** What can be stored of an error. */
function plainError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { message, code } = error as Error & { code?: unknown };
  return { message, ...(typeof code === 'string' && { code }) };
}
