// Real kills: a child keeps sessions going in a real folder and is killed with SIGKILL, 50 times in all; each time the ledger is held to
// what the child was told, and to what it showed before.
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { openSessions, type Session } from '../../src/services/sessions';
import type { TraceLine } from '../crash/trace';
import { Random } from '../simulator/random';
import type { SessionsOptions } from './children/sessions';
import { mortal } from './mortal';

/** On each of two stores. */
const lives = 25;
const child = mortal<SessionsOptions>('sessions');

/** What children said of one session. */
interface Said {
  of: string | undefined;
  appended: number;
  durable: number;
  ending: boolean;
  ended: string | undefined;
  deleting: boolean;
  deleted: boolean;
  /** As it was shown by the first opening after its writer's death, which is how it stays. */
  shown: { session: Session; events: number } | undefined;
}

const ends: Record<string, string> = { complete: 'completed', fail: 'failed', kill: 'killed' };

describe('sessions of a process that is killed', () => {
  it.concurrent.each([1, 2])(
    'are what it was told they are, on store %d',
    async (n) => {
      const store = child.at(`${n}.etch`);
      const random = new Random(n);
      const said = new Map<string, Said>();
      const [orphaned, relaunched, untold] = [new Set<string>(), new Set<string>(), new Set<string>()];
      for (let life = 1; life <= lives; life++) {
        const trace = child.at(`trace.${n}.${life}`);
        listen(said, await child.live({ store, trace, life: 1000 * n + life }, 'streaming', random.below(200)));
        // Some lives begin where another one was killed.
        if (life < lives && random.chance(0.4)) continue;

        const venue = await openVenue({ store, signals: false });
        const sessions = openSessions(venue);
        await venue.catchUp(); // what was left is written once that is done
        const all = sessions.list({ archived: 'any', limit: 1000 }).sessions;
        for (const session of all) {
          const { id, state, live, relaunchOf } = session;
          expect({ live, state }).toEqual({ live: false, state: expect.stringMatching(/created|orphaned|ed$/) });
          const { events } = sessions.replay(id, { limit: 1000 });
          events.forEach(({ seq, event }, place) => {
            expect(seq).toBe(place + 1);
            expect(event.payload).toEqual({ of: id, n: seq, token: '[redacted]' });
          });
          if (relaunchOf && sessions.get(relaunchOf))
            expect(sessions.get(relaunchOf)).toMatchObject({
              projectRoot: session.projectRoot,
              relaunchedAs: expect.arrayContaining([id]),
            });
          if (relaunchOf) relaunched.add(id);
          const known = said.get(id);
          if (!known) {
            untold.add(id); // killed between the commit and the word
            continue;
          }
          if (known.ended) expect(state).toBe(ends[known.ended]);
          else if (!known.ending) expect(['created', 'orphaned']).toContain(state);
          expect(events.length).toBeGreaterThanOrEqual(known.durable);
          expect(events.length).toBeLessThanOrEqual(known.appended);
          if (known.shown) {
            expect(events).toHaveLength(known.shown.events);
            expect(session).toEqual({ ...known.shown.session, relaunchedAs: session.relaunchedAs, state });
            expect([state, 'created']).toContain(known.shown.session.state);
          }
          if (state === 'orphaned') orphaned.add(id);
          known.shown = { session, events: events.length };
        }
        for (const project of new Set(all.map(({ projectRoot }) => projectRoot)))
          expect(sessions.list({ project, limit: 1000 }).sessions.map(({ id }) => id)).toEqual(
            all.filter(({ projectRoot }) => projectRoot === project).map(({ id }) => id),
          );
        const ids = new Set(all.map(({ id }) => id));
        for (const [id, { deleting, deleted }] of said) {
          if (deleted) expect(ids.has(id)).toBe(false);
          if (!deleting) expect(ids.has(id)).toBe(true);
        }
        const prefixes = [...venue.region('tidemark.sessions.events')].map(([key]) => key.slice(0, key.indexOf('/')));
        expect([...new Set(prefixes)].filter((id) => !ids.has(id))).toEqual([]);
        expect((await venue.close()).durable).toBe(true);
      }
      // Had they died at rest, these deaths would have shown nothing.
      expect(orphaned.size).toBeGreaterThan(lives);
      expect(relaunched.size).toBeGreaterThan(0);
      console.log(
        `${said.size} sessions, ${orphaned.size} orphaned, ${relaunched.size} relaunched; ${untold.size} more started without a word`,
      );
    },
    300_000,
  );
});

function listen(said: Map<string, Said>, lines: readonly TraceLine[]): void {
  for (const { what, data } of lines) {
    if (what === 'streaming') continue;
    const { id, of, seq = 0, end } = data as { id: string; of?: string; seq?: number; end?: string };
    if (what === 'started')
      said.set(id, {
        of,
        appended: 0,
        durable: 0,
        ending: false,
        ended: undefined,
        deleting: false,
        deleted: false,
        shown: undefined,
      });
    const known = said.get(id);
    if (!known) continue; // deleted is one of which no start was told
    if (what === 'appended') known.appended = Math.max(known.appended, seq);
    if (what === 'durable') known.durable = Math.max(known.durable, seq);
    if (what === 'ending' || what === 'ended') known.ending = true;
    if (what === 'ended') known.ended = end;
    if (what === 'deleting') known.deleting = true;
    if (what === 'deleted') known.deleted = true;
  }
}
