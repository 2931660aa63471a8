// Lists, pages and listeners: what is read of sessions. Writes nothing.
import { TidemarkError } from '../../base/errors';
import { idFrom } from '../ids';
import { eventKey, type Stored } from './stored';
import type { RecordedEvent, Session, Sessions } from './types';

const pageMax = 1000;

export function readingOf(
  stored: Stored,
): Pick<Sessions, 'get' | 'list' | 'replay' | 'follow' | 'subscribe' | 'undelivered'> {
  const { records, events, inputs, archived, lookup, find, isLive, view } = stored;
  const get = (id: string) => {
    const record = records.get(id);
    return record && view(id, record);
  };
  const replay: Sessions['replay'] = (id, { afterSeq = 0, limit = pageMax } = {}) => {
    const live = isLive(find(id));
    if (!Number.isSafeInteger(afterSeq) || afterSeq < 0)
      throw new TidemarkError('bad_option', 'replay: `afterSeq` must be a whole number from 0');
    const size = pageSize(limit);
    const page: RecordedEvent[] = [];
    let hasMore = false;
    let last = afterSeq;
    for (const [key, entry] of events.scan({ prefix: `${id}/`, from: eventKey(id, afterSeq + 1) })) {
      const seq = seqOf(key);
      // Commits of another tab may be heard out of turn: what is missing comes yet, and must not be passed over.
      if (live && seq !== last + 1) break;
      hasMore = page.length === size;
      if (hasMore) break;
      page.push({ seq, ...entry });
      last = seq;
    }
    return { events: page, nextCursor: last, hasMore };
  };
  return {
    get,
    list({ project, where, state, archived: wanted = false, since = 0, limit = 100, cursor, reverse = false } = {}) {
      const filters = Object.entries({ ...where, ...(project !== undefined && { projectRoot: project }) });
      const indexed = filters.find(([name]) => lookup.has(name));
      const first = idFrom(since);
      // The cursor is the last id of the page before.
      const from = cursor === undefined || reverse || cursor < first ? first : `${cursor}\0`;
      const to = reverse ? cursor : undefined;
      const size = pageSize(limit);
      const sessions: Session[] = [];
      for (const id of indexed
        ? lookup.ids(...indexed, from, to, reverse)
        : keysOf(records.scan({ from, to, reverse }))) {
        const session = view(id, find(id));
        if (wanted !== 'any' && session.archived !== wanted) continue;
        if (state !== undefined && session.state !== state) continue;
        if (filters.some(([name, value]) => session.headers[name] !== value)) continue;
        if (sessions.length === size) return { sessions, nextCursor: sessions.at(-1)!.id };
        sessions.push(session);
      }
      return { sessions, nextCursor: undefined };
    },
    replay,
    follow(id, listener, { afterSeq = 0 } = {}) {
      let cursor = afterSeq;
      const go = () => {
        for (let more = records.has(id); more && cursor < Number.POSITIVE_INFINITY; ) {
          const page = replay(id, { afterSeq: cursor });
          more = page.hasMore;
          for (const recorded of page.events) {
            // Who hears of an event may write the next, which is told at once.
            if (recorded.seq <= cursor) continue;
            cursor = recorded.seq;
            listener(recorded);
          }
        }
      };
      const end = events.subscribe((changes) => changes.some(({ key }) => key.startsWith(`${id}/`)) && go());
      go();
      return () => {
        cursor = Number.POSITIVE_INFINITY;
        end();
      };
    },
    subscribe(listener) {
      const tell = (changes: readonly { key: string }[]) => {
        for (const { key } of changes) listener(get(key), key);
      };
      const ends = [records.subscribe(tell), archived.subscribe(tell)];
      return () => {
        for (const end of ends) end();
      };
    },
    undelivered: (id) => [...inputs.scan({ prefix: `${id}/` })].map(([, { payload }]) => payload),
  };
}

const seqOf = (key: string): number => Number.parseInt(key.slice(key.indexOf('/') + 1), 36);

function pageSize(limit: number): number {
  if (!(limit >= 1)) throw new TidemarkError('bad_option', '`limit` must be a number from 1');
  return Math.min(Math.floor(limit), pageMax);
}

function* keysOf(entries: Iterable<[key: string, value: unknown]>): Generator<string> {
  for (const [key] of entries) yield key;
}
